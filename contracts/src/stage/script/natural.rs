//! Requests that a real D1 answers: they are handed on, and what comes back is handed out, both witnessed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::super::Exchange;
use super::super::delivery::{Step, Then};
use super::super::http::{self, Request};
use super::{EXCHANGES, Reply, Script};
use crate::broken::wire::{Line, Reply as Answer};
use crate::jwe::Care;
use crate::natural::{ByItself, Settled};
use crate::operation::Operation;

/// How long D1 may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Headers that are about one connection, and are written anew for the next.
const OF_CONNECTION: [&str; 4] = ["connection", "content-length", "keep-alive", "transfer-encoding"];

impl Script {
    /// Hands a request on to the D1 of a natural case. Nothing if there were too many, or if D1 cannot be reached, which
    /// stands among the exchanges as a fault of the answer.
    pub(in crate::stage) async fn forwarded(&self, settled: &Settled, request: &Request) -> Option<Reply> {
        let matched = self.stage.contract.operation(&request.method, &request.path);
        let matched = matched.map(|matched| matched.operation);
        let (given, room) = {
            let passed = self.lock();
            let gives = |one: &&Exchange| one.operation == "getAccessToken" && one.status == 200;
            (passed.exchanges.iter().filter(gives).count(), passed.exchanges.len() < EXCHANGES)
        };
        if !room {
            return None;
        }
        let mut exchange = Exchange {
            operation: matched.map_or("", Operation::id).to_owned(),
            method: request.method.clone(),
            request_faults: self.request_faults(request),
            fault: self.case.given.as_ref().and_then(|given| given.clock).map(|clock| clock.to_string()),
            ..Exchange::nothing()
        };
        match ask(settled, given, request).await {
            Ok(answer) => Some(self.hand_out(settled, request, matched, exchange, answer)),
            Err(fault) => {
                exchange.answer_faults.push(format!("D1 gave no answer: {fault}"));
                self.note(&mut self.lock(), exchange, 0);
                None
            }
        }
    }

    fn hand_out(
        &self,
        settled: &Settled,
        request: &Request,
        operation: Option<&Operation>,
        mut exchange: Exchange,
        answer: Answer,
    ) -> Reply {
        let Answer { status, headers, body } = answer;
        let judged = self.stage.contract.judge_answer(&exchange.operation, status, &headers, &body);
        let faults = judged.err().unwrap_or_default();
        let of_answer = |(name, _): &(String, String)| !OF_CONNECTION.contains(&name.as_str());
        let headers: BTreeMap<String, String> = headers.into_iter().filter(of_answer).collect();
        let bytes = http::answer(status, &headers, &body);
        exchange.status = status;
        exchange.answer_faults = faults.iter().map(ToString::to_string).collect();
        exchange.shown = self.stage.known.exchange_by_itself(request, operation, &headers, &body);
        exchange.by_itself = Some(ByItself { headers, opened: opened(settled, &body) });
        let mut passed = self.lock();
        exchange.request_faults.extend(passed.bearers.fault(request));
        passed.bearers.keep(request, status, &body);
        exchange.body = body;
        let number = passed.exchanges.len();
        self.note(&mut passed, exchange, 1);
        Reply { number, steps: vec![Step::Bytes(bytes)], then: Then::Keep, closes_the_port: false }
    }
}

/// The request as it came, on a connection of its own.
async fn ask(settled: &Settled, given: usize, request: &Request) -> Result<Answer, String> {
    let authority = (settled.way)(given).await?;
    let line = Line { tls: &settled.tls, authority: &authority, broken: None };
    let answer = line.exchange(&bytes_of(request), PATIENCE).await;
    answer.map_err(|_| "the connection was lost, or the time was up".to_owned())
}

fn bytes_of(request: &Request) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        // Writing to a String does not fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&request.body);
    bytes
}

/// What is sealed toward the gateway in an answer.
fn opened(settled: &Settled, body: &[u8]) -> Option<Vec<u8>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    settled.key.open(body.get("encryptedData")?.as_str()?, Care::Whole)
}
