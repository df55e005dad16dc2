//! The admin port of the sandbox that a scenario is played on: everything that the player does there, a user can do.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Method, Url, redirect};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::super::admin_port;
use super::super::super::exit::Failure;
use super::happened::Entry;
use super::miss::Broken;

/// An answer must be there within this real time; an advance rests for at most 120 s at one stop.
const DEADLINE: Duration = Duration::from_secs(150);
/// The longest answer that is read: a page of the journal has at most 1,000 entries.
const MOST: usize = 64 * 1024 * 1024;

/// A caller of an admin port.
#[derive(Clone)]
pub(in crate::cli::scenario) struct Admin {
    url: Url,
    http: Client,
    bearer: Option<Zeroizing<String>>,
    /// What is had of the clock, where others could move it.
    lease: Option<Lease>,
    /// The gateways whose exchanges are looked at, as a query; all without any.
    whose: String,
}

/// The clock as it was taken.
#[derive(Debug, Clone)]
struct Lease {
    id: String,
    still: bool,
    /// Time had to pass, and could not.
    was_in_the_way: bool,
}

/// Status and body of an answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    /// What the port says of it, for people.
    pub(super) fn told(&self) -> String {
        let text = |member: &str| self.body.get(member).and_then(Value::as_str).unwrap_or("nothing");
        format!("{} {}: {}", self.status, text("errorCode"), text("error"))
    }
}

impl Admin {
    /// `option` is where the URL comes from.
    pub(in crate::cli::scenario) fn new(
        option: &str,
        url: &str,
        token_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let parsed = Url::parse(url).ok().filter(|url| url.scheme() == "http" && url.has_host());
        let url = parsed.ok_or_else(|| {
            Failure::usage(format!("{option} {url}: expected a URL like http://127.0.0.1:8444"))
        })?;
        let http = Client::builder()
            .tls_certs_only([])
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(DEADLINE);
        let bearer = token_file.map(admin_port::token).transpose()?;
        let http = http.build().map_err(Failure::internal)?;
        Ok(Self { url, http, bearer, lease: None, whose: String::new() })
    }

    /// Shows this lease from here on; a `still` one lets no time pass.
    pub(super) fn shows(&mut self, id: String, still: bool) {
        self.lease = Some(Lease { id, still, was_in_the_way: false });
    }

    /// Looks at the exchanges of these gateways alone from here on.
    pub(super) fn looks_at<'a>(&mut self, gateways: impl IntoIterator<Item = &'a str>) {
        self.whose = gateways.into_iter().map(|id| format!("&gateway={id}")).collect();
    }

    /// Whether time had to pass although others need the clock to stand still.
    pub(super) fn needs_the_clock(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.was_in_the_way)
    }

    async fn text(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Vec<u8>), Broken> {
        let url = self.url.join(path).map_err(|fault| Broken(format!("the admin port: {fault}")))?;
        let mut request = self.http.request(method, url).header("content-type", "application/json");
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer.as_str());
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let at = self.url.as_str().trim_end_matches('/');
        let failed = |fault: reqwest::Error| Broken(admin_port::no_answer(at, &fault));
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)?.filter(|_| body.len() <= MOST) {
            body.extend_from_slice(&piece);
        }
        if status == 401 || status == 403 {
            let hint = "--admin-token-file names the file that serve was given";
            return Err(Broken(format!("the admin port answers {status}; {hint}")));
        }
        Ok((status, body))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Broken> {
        let (status, body) = self.text(method, path, body).await?;
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }

    /// A `GET` that must succeed.
    pub(in crate::cli::scenario) async fn get(&self, path: &str) -> Result<Value, Broken> {
        let answer = self.ask(Method::GET, path, None).await?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        Err(Broken(format!("the admin port answers GET /{path} with {}", answer.told())))
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, Broken> {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Answer, Broken> {
        self.ask(Method::DELETE, path, None).await
    }

    /// Moves the clock; `way` has one of `by`, `to` and `until`. A refusal is for the caller to judge.
    pub(super) async fn advance(&mut self, way: (&str, Value), silence: Duration) -> Result<Answer, Broken> {
        if let Some(lease) = self.lease.as_mut().filter(|lease| lease.still && way.1 != "quiet") {
            lease.was_in_the_way = true;
            return Err(Broken("time has to pass, and others need the clock to stand still".to_owned()));
        }
        let mut body = json!({ way.0: way.1 });
        if !silence.is_zero() {
            body["silence"] = Value::from(format!("{}ms", silence.as_millis()));
        }
        if let Some(lease) = &self.lease {
            body["lease"] = Value::from(lease.id.as_str());
        }
        self.post("clock/advance", &body).await
    }

    /// The moment that an open exchange waits for, once there is one; nothing if there is none within the time.
    pub(super) async fn held(&self, within: Duration) -> Result<Option<Timestamp>, Broken> {
        let answer = self.get(&format!("clock?wait_ms={}{}", within.as_millis(), self.whose)).await?;
        Ok(answer.get("heldUntil").and_then(Value::as_str).and_then(|text| text.parse().ok()))
    }

    /// The entries of the journal after a number; waits for the first for so long.
    pub(super) async fn journal(&self, after: u64, wait: Duration) -> Result<Vec<Entry>, Broken> {
        let body = self.page(after, wait).await?;
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(Entry::read).collect()
    }

    /// The same as it came.
    pub(in crate::cli::scenario) async fn page(&self, after: u64, wait: Duration) -> Result<Vec<u8>, Broken> {
        let path = format!("journal?after={after}&wait_ms={}", wait.as_millis());
        let (status, body) = self.text(Method::GET, &path, None).await?;
        if status != 200 {
            return Err(Broken(format!("the admin port answers GET /journal with {status}")));
        }
        Ok(body)
    }
}
