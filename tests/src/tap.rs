//! A proxy that ends mutual TLS on both sides and holds every exchange that passes against the contract.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use d1_contracts::Contract;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING};
use reqwest::{Certificate, Client};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::caller::identity;
use crate::folder::Folder;
use crate::jose;
use crate::judge::{Exchange, Keys, Side, pairs, sealed_in};
use crate::rename::Rename;
use crate::serve::{Port, listen};

const LONGEST_BODY: usize = 2 * 1024 * 1024;

/// A proxy between a gateway and the simulator, or between the simulator and a receiver.
#[derive(Debug)]
pub struct Tap {
    inner: Arc<Inner>,
    url: String,
    _task: JoinSet<()>,
}

#[derive(Debug)]
struct Inner {
    side: Side,
    contract: Contract,
    upstream: String,
    http: Client,
    keys: Keys,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    exchanges: Vec<Exchange>,
    faults: Vec<String>,
    rename: Option<Rename>,
    renamed: usize,
}

impl Tap {
    /// Stands in for D1 before the simulator at `upstream`. It calls with the first gateway's certificate.
    #[must_use]
    pub fn inbound(folder: &Folder, upstream: String) -> Self {
        let client = ("gateway/client", "ca/server-ca.pem");
        Self::start(folder, Side::Inbound, upstream, client, ("d1/server", "ca/thales-ca.pem"))
    }

    /// Stands in for the gateway's receiver at `upstream`. It calls with D1's certificate.
    #[must_use]
    pub fn outbound(folder: &Folder, upstream: String) -> Self {
        let client = ("d1/client", "ca/receiver-ca.pem");
        let server = ("receiver/server", "ca/thales-client-ca.pem");
        Self::start(folder, Side::Outbound, upstream, client, server)
    }

    fn start(
        folder: &Folder,
        side: Side,
        upstream: String,
        (own, trusted): (&str, &str),
        (shown, callers): (&str, &str),
    ) -> Self {
        let http = Client::builder()
            .tls_certs_only([Certificate::from_pem(&folder.bytes(trusted)).expect("a certificate")])
            .identity(identity(folder, own))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .expect("a client");
        let (keys, seen) = (Keys::of(folder), Mutex::default());
        let contract = side.contract();
        let inner = Arc::new(Inner { side, contract, upstream, http, keys, seen });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        let port = Port::take();
        let url = port.url();
        Self { inner, url, _task: listen(folder, port, shown, callers, router) }
    }

    /// Where it listens: `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The contract that it judges by.
    #[must_use]
    pub fn contract(&self) -> &Contract {
        &self.inner.contract
    }

    /// Everything that has passed since the last [`Self::clear`].
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.inner.lock().exchanges.clone()
    }

    /// What was found against the contract since the last [`Self::clear`].
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.inner.lock().faults.clone()
    }

    /// Fails if anything that passed was against the contract, or nothing passed at all.
    pub fn assert_clean(&self) {
        let seen = self.inner.lock();
        assert!(!seen.exchanges.is_empty(), "nothing has passed through the proxy");
        assert!(seen.faults.is_empty(), "against the contract:\n{}", seen.faults.join("\n"));
    }

    /// Forgets what has passed, and renames from now on, or not. Gives the number of names changed before.
    pub fn clear(&self, rename: Option<Rename>) -> usize {
        let mut seen = self.inner.lock();
        let renamed = seen.renamed;
        *seen = Seen { rename, ..Seen::default() };
        renamed
    }

    /// Every member of every message that has passed, in bodies and plaintexts.
    #[must_use]
    pub fn members(&self) -> BTreeSet<Rename> {
        let mut members = BTreeSet::new();
        for exchange in &self.inner.lock().exchanges {
            let Some(operation) = exchange.operation(&self.inner.contract) else { continue };
            let messages = [
                (false, &exchange.request[..], exchange.request_plaintext.as_deref()),
                (true, &exchange.answer[..], exchange.answer_plaintext.as_deref()),
            ];
            for (answer, body, plaintext) in messages {
                let outer = names(body).into_iter().map(|member| (false, member));
                let inner = names(plaintext.unwrap_or_default()).into_iter().map(|member| (true, member));
                for (plaintext, member) in outer.chain(inner) {
                    members.insert(Rename { operation: operation.to_owned(), answer, plaintext, member });
                }
            }
        }
        members
    }
}

/// The names in a JSON object or in a form.
fn names(body: &[u8]) -> Vec<String> {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(members)) => members.keys().cloned().collect(),
        Ok(_) => Vec::new(),
        Err(_) => {
            let text = String::from_utf8_lossy(body).into_owned();
            text.split('&').filter_map(|pair| Some(pair.split_once('=')?.0.to_owned())).collect()
        }
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let body = to_bytes(body, LONGEST_BODY).await.unwrap_or_default();
    let operation = inner.contract.operation(parts.method.as_str(), &path);
    let operation = operation.map_or("", |matched| matched.operation.id()).to_owned();
    let body = inner.renamed(&operation, false, body);
    let sent = inner.http.request(parts.method.clone(), format!("{}{path}", inner.upstream));
    let sent = sent.headers(end_to_end(&parts.headers)).body(body.clone()).send().await;
    let answered = match sent {
        Ok(answer) => {
            let (status, headers) = (answer.status(), answer.headers().clone());
            answer.bytes().await.map(|body| (status, headers, body))
        }
        Err(fault) => Err(fault),
    };
    let (status, headers, answer) = match answered {
        Ok(answered) => answered,
        Err(fault) => {
            inner.lock().faults.push(format!("{operation}: no answer from beyond the proxy: {fault}"));
            (http::StatusCode::BAD_GATEWAY, HeaderMap::new(), Bytes::new())
        }
    };
    let answer = inner.renamed(&operation, true, answer);
    let exchange = Exchange {
        side: inner.side,
        method: parts.method.as_str().to_owned(),
        path,
        request_headers: pairs(&parts.headers),
        request_plaintext: inner.plaintext(false, &body),
        request: body,
        status: status.as_u16(),
        answer_headers: pairs(&headers),
        answer_plaintext: inner.plaintext(true, &answer),
        answer: answer.clone(),
    };
    inner.note(exchange);
    let mut response = Response::new(Body::from(answer));
    *response.status_mut() = status;
    *response.headers_mut() = end_to_end(&headers);
    response
}

/// Without what belongs to one connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION] {
        headers.remove(name);
    }
    headers
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renamed(&self, operation: &str, answer: bool, body: Bytes) -> Bytes {
        let mut seen = self.lock();
        let rename = seen.rename.as_ref();
        let applies = rename.filter(|rename| rename.operation == operation && rename.answer == answer);
        match applies.and_then(|rename| rename.apply(self.side, &body, &self.keys)) {
            Some(changed) => {
                seen.renamed += 1;
                changed.into()
            }
            None => body,
        }
    }

    fn plaintext(&self, answer: bool, body: &[u8]) -> Option<Vec<u8>> {
        jose::open(&sealed_in(body)?, self.keys.of_message(self.side, answer))
    }

    fn note(&self, exchange: Exchange) {
        let faults = exchange.faults(&self.contract);
        let mut seen = self.lock();
        seen.faults.extend(faults);
        seen.exchanges.push(exchange);
    }
}
