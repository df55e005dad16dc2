//! Asking the admin port of a sandbox that runs.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Url, redirect};
use serde_json::Value;
use zeroize::Zeroizing;

use super::exit::Failure;
use super::folder::read_text;
use crate::clock::{Clock, ClockMode, parse_rfc3339};
use crate::domain::Moment;

/// An answer must be there within this time.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const MOST: usize = 64 * 1024;

/// The time by which the sandbox whose admin port is at `url` judges assertions.
pub(super) fn assertion_time(url: &str, token_file: Option<&Path>) -> Result<Moment, Failure> {
    let hint = || Failure::usage("--admin: expected a URL like http://127.0.0.1:8444");
    let info =
        Url::parse(url).ok().filter(|url| url.scheme() == "http").and_then(|url| url.join("/info").ok());
    let info = info.ok_or_else(hint)?;
    let client = Client::builder().tls_certs_only([]).no_proxy().redirect(redirect::Policy::none());
    let request = client.timeout(DEADLINE).build().map_err(Failure::internal)?.get(info);
    let request = match token_file {
        Some(path) => request.bearer_auth(token(path)?.as_str()),
        None => request,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.map_err(Failure::internal)?.block_on(ask(url, request))?;
    let text = |name| answer.get(name).and_then(Value::as_str);
    let now = match text("authClock") {
        Some("system") => Some(Clock::new(ClockMode::Real).now().at),
        _ => text("now").and_then(parse_rfc3339),
    };
    now.ok_or_else(|| Failure::resource("the admin port told no time: is it that of a d1sim?"))
}

/// Why nothing came of asking an admin port, and what to do.
pub(super) fn no_answer(url: &str, fault: &reqwest::Error) -> String {
    let mut cause: &(dyn Error + 'static) = fault;
    let why = loop {
        let refused = |io: &io::Error| io.kind() == ErrorKind::ConnectionRefused;
        if cause.downcast_ref().is_some_and(refused) {
            break "connection refused; is d1sim serve running?".to_owned();
        }
        let foreign = |http: &hyper::Error| http.is_parse() || http.is_incomplete_message();
        if cause.downcast_ref().is_some_and(foreign) {
            break "that is no plain HTTP: is it the API's port?".to_owned();
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None if fault.is_timeout() => break "nothing came in time".to_owned(),
            None => break cause.to_string(),
        }
    };
    format!("the admin port at {url} does not answer: {why}")
}

async fn ask(url: &str, request: RequestBuilder) -> Result<Value, Failure> {
    let failed = |fault: reqwest::Error| Failure::resource(no_answer(url, &fault));
    let mut answer = request.send().await.map_err(failed)?;
    if !answer.status().is_success() {
        let hint = "--admin-token-file names the file that serve was given";
        return Err(Failure::resource(format!("the admin port answers {}; {hint}", answer.status())));
    }
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(failed)?.filter(|_| body.len() <= MOST) {
        body.extend_from_slice(&piece);
    }
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

/// The bearer of an admin port.
pub(super) fn token(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = read_text("--admin-token-file", path)?;
    let token = text.trim();
    if token.len() < 16 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let hint = "expected 16 or more visible ASCII characters, e.g. from `openssl rand -hex 16`";
        return Err(Failure::usage(format!("--admin-token-file {}: {hint}", path.display())));
    }
    Ok(Zeroizing::new(token.to_owned()))
}
