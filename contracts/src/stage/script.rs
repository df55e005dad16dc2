//! What a case answers, request by request, and what has passed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use super::answer::Place;
use super::bearers::Bearers;
use super::delivery::{Delivered, Step, Then};
use super::http::Request;
use super::{Exchange, ShownExchange, Stage, refuses};
use crate::cases::{Case, ConnectionFault, Disguise, Fault, TlsFault, Turn};
use crate::jwe::{Care, Forgery};
use crate::operation::Operation;

/// Requests and connections that are answered in one case; whoever makes more is cut off.
pub(super) const EXCHANGES: usize = 64;

/// A case that is being played.
pub(super) struct Script {
    stage: Stage,
    case: Case,
    origin: String,
    passed: Mutex<Passed>,
    traffic: watch::Sender<Traffic>,
    port: watch::Sender<Port>,
}

/// How much has passed.
#[derive(Debug, Clone, Copy, Default)]
struct Traffic {
    exchanges: usize,
    /// Answers that are being written.
    under_way: usize,
}

/// Whether the server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    Open,
    Closing,
    Closed,
}

#[derive(Default)]
struct Passed {
    exchanges: Vec<Exchange>,
    bearers: Bearers,
    /// An access token was given out.
    token_given: bool,
}

/// What a request is answered with.
pub(super) struct Reply {
    /// The place of the exchange.
    pub(super) number: usize,
    pub(super) steps: Vec<Step>,
    pub(super) then: Then,
    /// Before it leaves nobody listens any more.
    pub(super) closes_the_port: bool,
}

impl Script {
    pub(super) fn new(stage: Stage, case: Case, origin: &str) -> Self {
        Self {
            stage,
            case,
            origin: origin.to_owned(),
            passed: Mutex::default(),
            traffic: watch::Sender::default(),
            port: watch::Sender::new(Port::Open),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.lock().exchanges.clone()
    }

    /// Waits until no answer is under way. One that is stuck, and the server's end, are seen in `written`.
    pub(super) async fn rest(&self, most: Duration) {
        let quiet = |traffic: &Traffic| traffic.under_way == 0;
        let _ = timeout(most, self.traffic.subscribe().wait_for(quiet)).await;
    }

    /// Waits until no answer is under way and there are more than `seen` exchanges, and gives all that are over.
    pub(super) async fn beyond(&self, seen: usize) -> Vec<Exchange> {
        let mut traffic = self.traffic.subscribe();
        let more = |traffic: &Traffic| traffic.under_way == 0 && traffic.exchanges > seen;
        // The sender lives as long as this script. What comes back holds a lock, and must not outlive this.
        let over = traffic.wait_for(more).await.map_or(seen, |traffic| traffic.exchanges);
        let mut exchanges = self.exchanges();
        exchanges.truncate(over);
        exchanges
    }

    pub(super) fn tls(&self, fault: Option<TlsFault>) -> Arc<ServerConfig> {
        let bad = fault.and_then(|fault| self.stage.tls.bad.get(&fault));
        Arc::clone(bad.unwrap_or(&self.stage.tls.good))
    }

    /// Whether the case is about the token endpoint, so that its faults befall the first connection already.
    fn begins_at_once(&self) -> bool {
        self.case.operation() == "getAccessToken"
    }

    pub(super) fn refuses_the_first(&self) -> bool {
        let refuses = refuses(&self.case) && self.begins_at_once();
        if refuses {
            self.note_given(&mut self.lock(), Fault::Connection(ConnectionFault::Refused).to_string());
        }
        refuses
    }

    pub(super) fn port(&self) -> watch::Receiver<Port> {
        self.port.subscribe()
    }

    pub(super) fn port_is_closed(&self) {
        self.port.send_replace(Port::Closed);
    }

    /// Closes the port, and comes back when it is closed.
    pub(super) async fn close_port(&self) {
        self.port.send_if_modified(|port| {
            let open = *port == Port::Open;
            if open {
                *port = Port::Closing;
            }
            open
        });
        // The sender lives as long as this script.
        let _ = self.port.subscribe().wait_for(|port| *port == Port::Closed).await;
    }

    /// The fault that befalls a new connection.
    pub(super) fn greeting(&self) -> Option<Fault> {
        let turn = self.before_requests()?;
        let mut passed = self.lock();
        let given = passed.exchanges.iter().filter(|one| one.is_connection()).count();
        let due = (passed.token_given || self.begins_at_once()) && (turn.always || given == 0);
        if !due || passed.exchanges.len() >= EXCHANGES {
            return None;
        }
        let fault = turn.fault.clone()?;
        self.note_given(&mut passed, fault.to_string());
        Some(fault)
    }

    fn before_requests(&self) -> Option<&Turn> {
        self.case.answers.iter().find(|turn| turn.fault.as_ref().is_some_and(Fault::is_before_requests))
    }

    fn note_given(&self, passed: &mut Passed, fault: String) {
        let operation = self.case.operation().to_owned();
        self.note(
            passed,
            Exchange { operation, fault: Some(fault), written: true, ..Exchange::nothing() },
            0,
        );
    }

    /// What cannot be answered is a fault of the client all the same.
    pub(super) fn note_no_request(&self) {
        let fault = "request: expected a whole one of HTTP/1.1, with content-length and not pipelined";
        let request_faults = vec![fault.to_owned()];
        self.note(&mut self.lock(), Exchange { request_faults, ..Exchange::nothing() }, 0);
    }

    /// `under_way`: answers of it that are still to be written.
    fn note(&self, passed: &mut Passed, exchange: Exchange, under_way: usize) {
        passed.exchanges.push(exchange);
        self.traffic.send_modify(|traffic| {
            traffic.exchanges = passed.exchanges.len();
            traffic.under_way += under_way;
        });
    }

    /// A peer that would have waited on a silent connection for ever.
    pub(super) fn note_patience(&self) {
        let fault = "connection: expected to be left in time, since nothing is said on it";
        let mut passed = self.lock();
        if let Some(one) = passed.exchanges.iter_mut().find(|one| one.is_connection()) {
            one.request_faults.push(fault.to_owned());
        }
    }

    /// A request on a connection on which nobody can know where an answer begins.
    pub(super) fn note_reuse(&self, number: usize) {
        let fault = "request: expected on another connection than that of an answer without a clear end";
        self.lock().exchanges[number].request_faults.push(fault.to_owned());
    }

    pub(super) fn delivered(&self, number: usize, delivered: Delivered) {
        let exchange = &mut self.lock().exchanges[number];
        exchange.written = delivered != Delivered::Partly;
        if delivered == Delivered::Swallowed {
            let fault =
                "answer: expected to be left before its end, which never comes; the client has no bound";
            exchange.request_faults.push(fault.to_owned());
        }
        self.traffic.send_modify(|traffic| traffic.under_way -= 1);
    }

    /// Takes the next turn for a request. Nothing if there were too many.
    pub(super) fn answer(&self, request: &Request) -> Option<Reply> {
        let contract = &self.stage.contract;
        let matched = contract.operation(&request.method, &request.path).map(|matched| matched.operation);
        let operation = matched.map_or("", Operation::id).to_owned();
        let mut request_faults = self.request_faults(request);
        let mut passed = self.lock();
        if passed.exchanges.len() >= EXCHANGES {
            return None;
        }
        let of_operation = |one: &&Exchange| one.operation == operation && !one.is_connection();
        let before = passed.exchanges.iter().filter(of_operation).count();
        let turn = self.turn(&operation, before);
        let body = self.body(&turn, before + 1);
        let mut headers = headers(&turn, body.is_some());
        if let Some(correlation) = request.header("x-correlation-id") {
            headers.insert("x-correlation-id".to_owned(), correlation.to_owned());
        }
        let body = body.unwrap_or_default();
        let issues = operation == "getAccessToken" && turn.status == 200;
        let moves = issues && self.before_requests().is_some();
        if moves {
            headers.insert("connection".to_owned(), "close".to_owned());
        }
        request_faults.extend(passed.bearers.fault(request));
        passed.bearers.keep(request, turn.status, &body);
        passed.token_given |= issues;
        let pairs: Vec<(String, String)> = headers.clone().into_iter().collect();
        let judged = contract.judge_answer(&operation, turn.status, &pairs, &body);
        let fault = turn.fault.as_ref().map(ToString::to_string);
        let answer_faults = if fault.is_some() { Vec::new() } else { judged.err().unwrap_or_default() };
        let place = Place { origin: &self.origin, now: (self.stage.now)(), operation: &operation };
        let sent = place.sent(&turn, headers, body);
        let shown = self.stage.known.exchange(request, matched, &sent.headers, &sent.body);
        let number = passed.exchanges.len();
        let exchange = Exchange {
            operation: operation.clone(),
            method: request.method.clone(),
            request_faults,
            status: sent.status,
            body: sent.body,
            answer_faults: answer_faults.iter().map(ToString::to_string).collect(),
            fault,
            written: false,
            shown,
        };
        self.note(&mut passed, exchange, 1);
        let closes_the_port = issues && refuses(&self.case);
        if closes_the_port {
            self.note_given(&mut passed, Fault::Connection(ConnectionFault::Refused).to_string());
        }
        let then = if moves && sent.then == Then::Keep { Then::Close } else { sent.then };
        Some(Reply { number, steps: sent.steps, then, closes_the_port })
    }

    fn turn(&self, operation: &str, before: usize) -> Turn {
        let good = || self.stage.good(operation).cloned().unwrap_or_else(no_route);
        if operation != self.case.operation() {
            return good();
        }
        let of_requests = |turn: &&Turn| !turn.fault.as_ref().is_some_and(Fault::is_before_requests);
        let scripted = self.case.answers.iter().filter(of_requests).nth(before).cloned();
        let endless = || self.case.answers.iter().rfind(of_requests).filter(|turn| turn.always).cloned();
        scripted.or_else(endless).unwrap_or_else(good)
    }

    fn body(&self, turn: &Turn, number: usize) -> Option<Vec<u8>> {
        let mut body = turn.body.clone()?;
        let disguise = match turn.fault {
            Some(Fault::Sealed(disguise)) => Some(disguise),
            _ => None,
        };
        self.fill_in(&mut body, number, disguise);
        Some(body.to_string().into_bytes())
    }

    /// Puts in what cannot stand in a file. `number` counts the answers of the operation.
    fn fill_in(&self, value: &mut Value, number: usize, disguise: Option<Disguise>) {
        if let Some(plaintext) = value.get("$sealed").cloned() {
            let forgery = match disguise {
                Some(disguise) => Forgery::disguised(plaintext, disguise),
                None => Forgery::none(plaintext),
            };
            // What cannot be sealed leaves a text that no contract allows, so that the case fails.
            *value = self.stage.gateway.seal(&forgery).unwrap_or_else(|| "not sealed".to_owned()).into();
        } else if let Some(Value::String(text)) = value.get("$numbered") {
            *value = format!("{text}{number}").into();
        } else if let Value::Object(members) = value {
            members.values_mut().for_each(|member| self.fill_in(member, number, disguise));
        }
    }

    /// The request against the contract, and the card inside it.
    fn request_faults(&self, request: &Request) -> Vec<String> {
        let contract = &self.stage.contract;
        let judged = contract.judge_request(&request.method, &request.path, &request.headers, &request.body);
        let operation = judged.as_ref().map_or("", |operation| operation).to_owned();
        let mut faults = judged.err().unwrap_or_default();
        if operation == "createToken" {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let jwe = body.get("encryptedData").and_then(Value::as_str).unwrap_or_default();
            match self.stage.own.open(jwe, Care::Whole) {
                Some(card) => {
                    faults
                        .extend(contract.judge_plaintext("CardCredentials", &card).err().unwrap_or_default());
                }
                None => return vec!["request encryptedData: expected a JWE that D1's key opens".to_owned()],
            }
        }
        faults.iter().map(ToString::to_string).collect()
    }
}

impl Exchange {
    fn nothing() -> Self {
        Self {
            operation: String::new(),
            method: String::new(),
            request_faults: Vec::new(),
            status: 0,
            body: Vec::new(),
            answer_faults: Vec::new(),
            fault: None,
            written: false,
            shown: ShownExchange::default(),
        }
    }

    /// A connection on which no request could come.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        self.method.is_empty() && self.fault.is_some()
    }
}

/// The answer to a request of no operation (contract C32).
fn no_route() -> Turn {
    let body = serde_json::json!({"errorCode": "RESOURCE_NOT_FOUND", "error": "No such resource"});
    Turn { status: 404, headers: BTreeMap::new(), body: Some(body), fault: None, always: false }
}

fn headers(turn: &Turn, has_body: bool) -> BTreeMap<String, String> {
    let mut headers = turn.headers.clone();
    if has_body {
        headers.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
    }
    headers
}
