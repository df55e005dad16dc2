//! A receiver that answers as it is told, and holds what it gets against the contract.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use d1_contracts::Contract;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::folder::Folder;
use crate::judge::{Side, pairs};
use crate::serve::{Port, listen};

/// One answer of a script.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    retry_after: Option<u32>,
    body: Option<Value>,
}

impl Reply {
    /// An answer with this status and no body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, retry_after: None, body: None }
    }

    /// The same with `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A good answer of a token endpoint.
    #[must_use]
    pub fn bearer(text: &str) -> Self {
        let body = json!({"access_token": text, "expires_in": 900, "token_type": "Bearer"});
        Self { status: 200, retry_after: None, body: Some(body) }
    }
}

/// A request that the receiver got.
#[derive(Debug, Clone)]
pub struct Got {
    /// The path.
    pub path: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body as JSON; null if it is none.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

impl Got {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug)]
struct Inner {
    contract: Contract,
    state: Mutex<Story>,
}

#[derive(Debug, Default)]
struct Story {
    script: VecDeque<Reply>,
    tokens: VecDeque<Reply>,
    got: Vec<Got>,
    faults: Vec<String>,
}

/// A receiver of which a script says how it answers. After the end of the script every answer is 204.
#[derive(Debug)]
pub struct ScriptedReceiver {
    inner: Arc<Inner>,
    _task: JoinSet<()>,
}

impl ScriptedReceiver {
    /// Starts it: `script` for notifications, `tokens` for the token endpoint.
    #[must_use]
    pub fn start(folder: &Folder, port: Port, script: Vec<Reply>, tokens: Vec<Reply>) -> Self {
        let state = Story { script: script.into(), tokens: tokens.into(), ..Story::default() };
        let contract = Side::Outbound.contract();
        let inner = Arc::new(Inner { contract, state: Mutex::new(state) });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let task = listen(folder, port, "receiver/server", "ca/thales-client-ca.pem", router);
        Self { inner, _task: task }
    }

    /// Every request, in the order of arrival.
    #[must_use]
    pub fn got(&self) -> Vec<Got> {
        self.inner.lock().got.clone()
    }

    /// Fails if a request was against the contract, or none came.
    pub fn assert_clean(&self) {
        let state = self.inner.lock();
        assert!(!state.got.is_empty(), "the receiver got nothing");
        assert!(state.faults.is_empty(), "against the contract:\n{}", state.faults.join("\n"));
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Story> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let (path, headers) = (parts.uri.path().to_owned(), pairs(&parts.headers));
    let judged = inner.contract.judge_request(parts.method.as_str(), &path, &headers, &body);
    let faults = judged.err().unwrap_or_default();
    let at_token = path == "/oauth2/token";
    let mut state = inner.lock();
    state.faults.extend(faults.iter().map(ToString::to_string));
    let text = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    state.got.push(Got { path, headers, body, text });
    let reply = if at_token { state.tokens.pop_front() } else { state.script.pop_front() };
    let reply = reply.unwrap_or_else(|| Reply::status(if at_token { 503 } else { 204 }));
    let mut response = http::Response::builder().status(reply.status);
    if let Some(seconds) = reply.retry_after {
        response = response.header("retry-after", seconds);
    }
    if reply.body.is_some() {
        response = response.header("content-type", "application/json");
    }
    let body = reply.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    response.body(body).expect("a good answer")
}
