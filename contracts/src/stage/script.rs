//! What a case answers, request by request, and what has passed.

mod fill;
mod natural;
mod notes;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::time::timeout;

use super::answer::Place;
use super::bearers::Bearers;
use super::delivery::{Delivered, Step, Then};
use super::http::Request;
use super::{Exchange, PlayError, ShownExchange, Stage, refuses};
use crate::cases::{Case, ConnectionFault, Fault, Turn};
use crate::http2::{H2, HTTP_1_1};
use crate::natural::Settled;
use crate::operation::Operation;
use fill::{headers, no_route};

/// Requests and connections that are answered in one case; whoever makes more is cut off.
pub(super) const EXCHANGES: usize = 64;

/// A case that is being played.
pub(super) struct Script {
    stage: Stage,
    case: Case,
    origin: String,
    /// An address that is not D1's, and where nobody is to call.
    elsewhere: String,
    settled: Option<Settled>,
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
    /// Why the server has ended before its time.
    broken: Option<PlayError>,
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
    pub(super) fn new(
        stage: Stage,
        case: Case,
        origin: &str,
        elsewhere: &str,
        settled: Option<Settled>,
    ) -> Self {
        Self {
            stage,
            case,
            origin: origin.to_owned(),
            elsewhere: elsewhere.to_owned(),
            settled,
            passed: Mutex::default(),
            traffic: watch::Sender::default(),
            port: watch::Sender::new(Port::Open),
        }
    }

    /// The D1 that answers by itself, if one does.
    pub(super) fn settled(&self) -> Option<&Settled> {
        self.settled.as_ref()
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

    /// The TLS of a connection that this befalls. Nothing if the stage has none with such a fault.
    pub(super) fn tls(&self, greeting: Option<&Fault>) -> Option<Arc<ServerConfig>> {
        let tls = &self.stage.tls;
        match greeting {
            Some(Fault::Tls(fault)) => tls.bad.get(fault).cloned(),
            Some(Fault::Http2(_)) => {
                let mut config = (*tls.good).clone();
                config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
                Some(Arc::new(config))
            }
            _ => Some(Arc::clone(&tls.good)),
        }
    }

    /// Whether the case is about the token endpoint, so that its faults befall the first connection already.
    fn begins_at_once(&self) -> bool {
        self.case.operation() == "getAccessToken"
    }

    pub(super) fn refuses_the_first(&self) -> bool {
        let refuses = refuses(&self.case) && self.begins_at_once();
        if refuses {
            self.note_given(&mut self.lock(), Fault::Connection(ConnectionFault::Refused).to_string(), 0);
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

    /// The fault that befalls a new connection, and its place. One that waits for a request is under way until it is told
    /// with [`Script::delivered`] whether one came.
    pub(super) fn greeting(&self) -> Option<(usize, Fault)> {
        let turn = self.of_connection()?;
        let mut passed = self.lock();
        let given = passed.exchanges.iter().filter(|one| one.is_connection()).count();
        let due = (passed.token_given || self.begins_at_once()) && (turn.always || given == 0);
        if !due || passed.exchanges.len() >= EXCHANGES {
            return None;
        }
        let fault = turn.fault.clone()?;
        let (number, waits) = (passed.exchanges.len(), fault.waits_for_request());
        self.note_given(&mut passed, fault.to_string(), usize::from(waits));
        Some((number, fault))
    }

    /// What is answered where a fault of a connection has an answer: status and body of the turn.
    pub(super) fn answer_of_connection(&self) -> Option<(u16, Option<Vec<u8>>)> {
        let turn = self.of_connection()?;
        Some((turn.status, self.body(turn, 1)))
    }

    fn of_connection(&self) -> Option<&Turn> {
        self.case.answers.iter().find(|turn| turn.fault.as_ref().is_some_and(Fault::is_of_connection))
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
        let moves = issues && self.of_connection().is_some();
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
        let place = Place {
            origin: &self.origin,
            elsewhere: &self.elsewhere,
            now: (self.stage.now)(),
            operation: &operation,
        };
        let sent = place.sent(&turn, headers, body);
        let shown = self.stage.known.exchange(request, matched, &sent.headers, &sent.body);
        let number = passed.exchanges.len();
        let exchange = Exchange {
            operation: operation.clone(),
            method: request.method.clone(),
            request_faults,
            status: sent.status,
            body: sent.body,
            by_itself: None,
            answer_faults: answer_faults.iter().map(ToString::to_string).collect(),
            fault,
            written: false,
            shown,
        };
        self.note(&mut passed, exchange, 1);
        let closes_the_port = issues && refuses(&self.case);
        if closes_the_port {
            self.note_given(&mut passed, Fault::Connection(ConnectionFault::Refused).to_string(), 0);
        }
        let then = if moves && sent.then == Then::Keep { Then::Close } else { sent.then };
        Some(Reply { number, steps: sent.steps, then, closes_the_port })
    }

    fn turn(&self, operation: &str, before: usize) -> Turn {
        let good = || self.stage.good(operation).cloned().unwrap_or_else(no_route);
        if operation != self.case.operation() {
            return good();
        }
        let of_requests = |turn: &&Turn| !turn.fault.as_ref().is_some_and(Fault::is_of_connection);
        let scripted = self.case.answers.iter().filter(of_requests).nth(before).cloned();
        let endless = || self.case.answers.iter().rfind(of_requests).filter(|turn| turn.always).cloned();
        scripted.or_else(endless).unwrap_or_else(good)
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
            by_itself: None,
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
