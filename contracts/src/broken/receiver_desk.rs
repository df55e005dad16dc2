//! What a receiver of the suite's own answers.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::receiver::ReceiverProps;
use super::receiver_breaks::ReceiverBreak;
use super::receiver_store::Tokens;
use crate::jwe::Care;
use crate::receiver::{Probed, State, TokenRef};
use crate::stage::http::Request;

/// The longest body that is taken (contract C32).
const TAKEN_BYTES: usize = 64 * 1024;
/// So long one that looks first waits for another to look too before it notes.
const BETWEEN: Duration = Duration::from_millis(100);

/// One who answers requests.
pub(super) struct Desk {
    props: ReceiverProps,
    broken: Option<ReceiverBreak>,
    books: Mutex<Books>,
    one_has_looked: AtomicBool,
    another_looks: Notify,
}

#[derive(Default)]
struct Books {
    tokens: Tokens,
    bearers: BTreeSet<String>,
    bearers_given: usize,
    state: Option<State>,
}

/// A status and a body.
pub(super) type Reply = (u16, Option<Value>);

fn key_of(merchant: &str, token: &str) -> String {
    format!("{merchant}/{token}")
}

fn refusal(status: u16, code: &str, text: &str) -> Reply {
    (status, Some(json!({"errorCode": code, "error": text})))
}

/// A refusal of what cannot be read (contract C15).
fn unreadable(part: &str) -> Reply {
    refusal(400, "FIELD_INVALID_FORMAT", part)
}

impl Desk {
    /// A desk with this fault.
    pub(super) fn new(props: ReceiverProps, broken: Option<ReceiverBreak>) -> Self {
        let (books, one_has_looked, another_looks) =
            (Mutex::default(), AtomicBool::new(false), Notify::new());
        Self { props, broken, books, one_has_looked, another_looks }
    }

    /// What is known of a token.
    pub(super) fn probed(&self, token: &TokenRef) -> Option<Probed> {
        self.books().tokens.probed(&key_of(&token.merchant_id, &token.token_id))
    }

    /// Gets into a state, or out of it.
    pub(super) fn enter(&self, state: Option<State>) {
        let mut books = self.books();
        books.state = state;
        if state == Some(State::BearersEnded) && !self.is(ReceiverBreak::BearersForEver) {
            books.bearers.clear();
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, broken: ReceiverBreak) -> bool {
        self.broken == Some(broken)
    }

    /// The status and the body of the answer.
    pub(super) async fn answer(&self, request: &Request) -> Reply {
        if self.is(ReceiverBreak::AlwaysOk) {
            return (200, Some(json!({"access_token": "always", "token_type": "Bearer"})));
        }
        let parts: Vec<&str> = request.path.split('/').collect();
        let token_endpoint = request.path == "/oauth2/token";
        let target = match parts[..] {
            ["", "merchant-gateways", gateway, "merchants", merchant, "tokens", token, "notify-update"] => {
                let ours = gateway == self.props.gateway_id || self.is(ReceiverBreak::AnyGateway);
                ours.then(|| key_of(merchant, token))
            }
            _ => None,
        };
        if !token_endpoint && target.is_none() {
            return refusal(404, "RESOURCE_NOT_FOUND", "merchantGatewayId");
        }
        if request.method != "POST" && !self.is(ReceiverBreak::AnyMethod) {
            return refusal(405, "METHOD_NOT_ALLOWED", "method");
        }
        let told = match &target {
            None => self.access_token(request),
            Some(token) => self.notify(token, request).await,
        };
        match told.0 {
            429 | 500.. if self.is(ReceiverBreak::OkWithError) => (200, Some(json!({"error": "failed"}))),
            _ => told,
        }
    }

    fn access_token(&self, request: &Request) -> Reply {
        let mut books = self.books();
        match books.state {
            Some(State::TokensFail) => return refusal(500, "INTERNAL_ERROR", "failed"),
            Some(State::TokensBusy) => return refusal(429, "TOO_MANY_REQUESTS", "later"),
            _ => {}
        }
        let known = &self.props.credentials;
        let basic = format!("Basic {}", URL_SAFE.encode(format!("{}:{}", known.id, known.secret)));
        if request.header("authorization") != Some(&basic) && !self.is(ReceiverBreak::AnyCredentials) {
            return (401, Some(json!({"error": "credentials"})));
        }
        let any_grant = self.is(ReceiverBreak::AnyGrant);
        if request.body.len() > TAKEN_BYTES && !any_grant {
            return refusal(413, "PAYLOAD_TOO_LARGE", "body");
        }
        let form = request.header("content-type") == Some("application/x-www-form-urlencoded");
        if !form && !any_grant {
            return refusal(415, "UNSUPPORTED_MEDIA_TYPE", "content-type");
        }
        let members: Vec<&[u8]> = request.body.split(|byte| *byte == b'&').collect();
        if !members.contains(&&b"grant_type=client_credentials"[..]) && !any_grant {
            return unreadable("grant_type");
        }
        if members.len() > 1 && self.is(ReceiverBreak::StrictForm) {
            return unreadable("scope");
        }
        books.bearers_given += 1;
        let bearer = format!("bearer-{}", books.bearers_given);
        books.bearers.insert(bearer.clone());
        (200, Some(json!({"access_token": bearer, "token_type": "Bearer", "expires_in": 900})))
    }

    async fn notify(&self, token: &str, request: &Request) -> Reply {
        let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let known = bearer.is_some_and(|bearer| self.books().bearers.contains(bearer));
        if !known && !self.is(ReceiverBreak::NoBearerCheck) {
            return (401, Some(json!({"error": "bearer"})));
        }
        let members = match self.read(request) {
            Ok(members) => members,
            Err((400.., _)) if self.is(ReceiverBreak::AcceptsUnreadable) => return (204, None),
            Err(refusal) => return refusal,
        };
        // Where there is no id the body is as good (contract C35).
        let event = members
            .get("eventId")
            .and_then(Value::as_str)
            .map_or_else(|| String::from_utf8_lossy(&request.body).into_owned(), str::to_owned);
        let looked = !self.books().tokens.knows(token, &event, self.broken);
        if looked && self.is(ReceiverBreak::LooksThenNotes) {
            self.let_another_look().await;
        }
        self.keep(token, &event, &members, looked)
    }

    /// Makes sure that of two at once both have looked before either notes.
    async fn let_another_look(&self) {
        if self.one_has_looked.swap(true, Ordering::SeqCst) {
            self.another_looks.notify_one();
        } else {
            // Alone it goes on.
            let _ = timeout(BETWEEN, self.another_looks.notified()).await;
            self.one_has_looked.store(false, Ordering::SeqCst);
        }
    }

    fn keep(&self, token: &str, event: &str, members: &Map<String, Value>, looked: bool) -> Reply {
        let mut books = self.books();
        match books.state {
            Some(State::Busy) => return refusal(429, "TOO_MANY_REQUESTS", "later"),
            Some(State::StoreFails) if self.is(ReceiverBreak::AcknowledgesBeforeKeeping) => {
                return (204, None);
            }
            Some(State::StoreFails) => return refusal(503, "SERVICE_UNAVAILABLE", "later"),
            _ => {}
        }
        let long_ago = self.is(ReceiverBreak::LooksThenNotes);
        // Looking and noting are one step here, whoever came in between.
        let news = if long_ago { looked } else { !books.tokens.knows(token, event, self.broken) };
        if news && !self.is(ReceiverBreak::KeepsNothing) {
            books.tokens.take(token, event, members, self.broken);
        }
        (204, None)
    }

    fn read(&self, request: &Request) -> Result<Map<String, Value>, Reply> {
        if request.body.len() > TAKEN_BYTES {
            return Err(refusal(413, "PAYLOAD_TOO_LARGE", "body"));
        }
        if request.header("content-type") != Some("application/json") {
            return Err(refusal(415, "UNSUPPORTED_MEDIA_TYPE", "content-type"));
        }
        let read: Option<Map<String, Value>> = serde_json::from_slice(&request.body).ok();
        let Some(mut members) = read else {
            if self.is(ReceiverBreak::PanicUnreadable) {
                // Not panic!, which would print a trace for each case of something that is meant.
                resume_unwind(Box::new("broken on purpose"));
            }
            return Err(unreadable("body"));
        };
        self.look_at_values(&members)?;
        if let Some(sealed) = members.get("encryptedData") {
            match self.opened(sealed) {
                Ok(digits) => {
                    members.insert("dpanLastDigits".to_owned(), digits.into());
                }
                Err(_) if self.is(ReceiverBreak::SkipsUnopened) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(members)
    }

    fn look_at_values(&self, members: &Map<String, Value>) -> Result<(), Reply> {
        const KNOWN: [&str; 10] = [
            "eventId",
            "eventType",
            "state",
            "sequence",
            "lastUpdateTimestamp",
            "cardLastDigits",
            "cardExpiryDate",
            "tokenLastDigits",
            "tokenExpiryDate",
            "encryptedData",
        ];
        const STATES: [&str; 3] = ["ACTIVE", "SUSPENDED", "DELETED"];
        let other = members.keys().any(|name| !KNOWN.contains(&name.as_str()));
        if other && self.is(ReceiverBreak::StrictMembers) {
            return Err(refusal(400, "INVALID_FIELD", "body"));
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
        let usual = STATES.contains(&text("state"))
            && text("eventType") != "TOKEN_MOVED"
            && members.contains_key("sequence");
        if !usual && self.is(ReceiverBreak::PanicUnknownValue) {
            resume_unwind(Box::new("broken on purpose"));
        }
        Ok(())
    }

    /// The last digits of the DPAN in a JWE.
    fn opened(&self, sealed: &Value) -> Result<String, Reply> {
        let care = match self.broken {
            Some(ReceiverBreak::TrustHeader) => Care::AsTold,
            Some(ReceiverBreak::SkipTag) => Care::NoTag,
            _ => Care::Whole,
        };
        let jwe = sealed.as_str().unwrap_or_default();
        let plaintext = self.props.key.open(jwe, care).ok_or_else(|| unreadable("encryptedData"))?;
        if care == Care::NoTag {
            // Whoever does not look at the tag takes what comes.
            return Ok("0000".to_owned());
        }
        let card: Map<String, Value> =
            serde_json::from_slice(&plaintext).map_err(|_| refusal(400, "INVALID_FIELD", "encryptedData"))?;
        let dpan = card.get("dpan").and_then(Value::as_str);
        let dpan = dpan.ok_or_else(|| refusal(400, "MISSING_FIELD", "encryptedData"))?;
        let last = dpan.len().checked_sub(4).and_then(|start| dpan.get(start..));
        last.map(str::to_owned).ok_or_else(|| refusal(400, "INVALID_FIELD", "encryptedData"))
    }
}
