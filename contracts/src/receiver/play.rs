//! Playing a case: D1's requests in their order, and what came of each.

use serde_json::Value;
use tokio::task::JoinSet;

use super::case::{Certificate, ReceiverCase, State, Step};
use super::probe::{Observer, Probed};
use super::side::{Bearers, Composed, D1Side};
use super::verdict::{cells_shown, judge_receiver_case};
use super::wire::Heard;
use crate::stage::ShownExchange;
use crate::verdict::Verdict;

/// One request, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// The step of the case, from 0.
    pub step: usize,
    /// The operation.
    pub operation: &'static str,
    /// The method.
    pub method: String,
    /// In what the request differs from the contract; no values in it.
    pub request_faults: Vec<String>,
    /// What came of it.
    pub came: Came,
    /// In what the answer differs from the contract.
    pub answer_faults: Vec<String>,
    /// What of it may be shown.
    pub shown: ShownExchange,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// An answer.
    Answer {
        /// The status.
        status: u16,
        /// The `errorCode`, if there is one.
        code: Option<String>,
        /// There is no body, so that nothing can be said of a code.
        bare: bool,
    },
    /// The certificate was refused.
    HandshakeRefused,
    /// The connection was closed before there was an answer.
    Closed,
    /// D1 did not wait for it.
    HungUp,
    /// Nothing that can be judged; the text says what.
    Nothing(&'static str),
}

/// What was found in the end; nothing if nobody looked.
pub type Found = Option<Result<Option<Probed>, String>>;

/// A case that was run against a receiver.
#[derive(Debug, Clone)]
pub struct ReceiverRan {
    /// The case.
    pub case: ReceiverCase,
    /// The requests in their order.
    pub deliveries: Vec<Delivered>,
    /// What was found in the end.
    pub found: Found,
    /// The judgement.
    pub verdict: Verdict,
}

/// A case that was not run, which says nothing about the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRun {
    /// The id of the case.
    pub case: String,
    /// What it needs.
    pub needs: String,
}

impl ReceiverRan {
    /// The cells whose answers have come in this case.
    #[must_use]
    pub fn cells_shown(&self, side: &D1Side) -> Vec<String> {
        cells_shown(&side.props.contract, &self.deliveries)
    }
}

/// Runs one case.
///
/// # Errors
/// [`NotRun`] if the case needs what is not to be had.
pub async fn run_receiver_case(
    side: &D1Side,
    observer: Option<&dyn Observer>,
    case: &ReceiverCase,
) -> Result<ReceiverRan, NotRun> {
    let not_run = |needs: String| NotRun { case: case.id.clone(), needs };
    if case.needs_credentials && side.props.credentials.is_none() {
        return Err(not_run("the client credentials of the receiver's token endpoint".to_owned()));
    }
    for state in case.states() {
        if !enter(observer, Some(state)).await {
            return Err(not_run(format!("the state {}", state.word())));
        }
    }
    enter(observer, None).await;
    let mut play = Play { side, observer, case, bearers: Bearers::default(), delivered: Vec::new() };
    play.first_bearer().await;
    for (place, step) in case.steps.iter().enumerate() {
        play.step(place, step).await;
    }
    let deliveries = play.delivered;
    let found = match (observer, &case.end) {
        (Some(observer), Some(_)) => Some(observer.look(&side.token(case)).await),
        _ => None,
    };
    let verdict = judge_receiver_case(case, &deliveries, &found);
    Ok(ReceiverRan { case: case.clone(), deliveries, found, verdict })
}

/// Runs cases one after the other: a receiver can be in one state at a time. `on_done` is told of each as it ends, so that
/// what was run is known even if the run comes to no end.
pub async fn run_receiver_cases(
    side: &D1Side,
    observer: Option<&dyn Observer>,
    cases: &[ReceiverCase],
    on_done: &(dyn Fn(&Result<ReceiverRan, NotRun>) + Sync),
) -> Vec<Result<ReceiverRan, NotRun>> {
    let mut ended = Vec::new();
    for case in cases {
        let one = run_receiver_case(side, observer, case).await;
        on_done(&one);
        ended.push(one);
    }
    ended
}

async fn enter(observer: Option<&dyn Observer>, state: Option<State>) -> bool {
    match observer {
        Some(observer) => observer.enter(state).await,
        None => false,
    }
}

struct Play<'a> {
    side: &'a D1Side,
    observer: Option<&'a dyn Observer>,
    case: &'a ReceiverCase,
    bearers: Bearers,
    delivered: Vec<Delivered>,
}

impl Play<'_> {
    /// As D1 does before it delivers, where the receiver asks for a bearer.
    async fn first_bearer(&mut self) {
        if self.side.props.credentials.is_none() {
            return;
        }
        // Without one the deliveries meet a 401, which the case then tells of.
        let request = self.side.compose(self.case, &ask_for_token(self.side.token_form()), &self.bearers);
        if let Ok(connection) = self.side.connect(Certificate::D1, true).await {
            let heard = connection.ask(&request.bytes).await;
            self.keep_bearer(&heard);
        }
    }

    async fn step(&mut self, place: usize, step: &Step) {
        if step.during.is_some() {
            enter(self.observer, step.during).await;
        }
        let request = self.side.compose(self.case, step, &self.bearers);
        let heard = self.send(step, &request).await;
        if step.during.is_some() {
            enter(self.observer, None).await;
        }
        for heard in heard {
            if step.form.is_some() {
                self.keep_bearer(&heard);
            }
            let answer_faults = self.answer_faults(step, &heard);
            let mut shown = request.shown.clone();
            if let Heard::Reply(reply) = &heard {
                shown.answer = self.side.known.foreign(&reply.headers, &reply.body);
            }
            self.delivered.push(Delivered {
                step: place,
                operation: step.operation(),
                method: request.method.clone(),
                request_faults: request.faults.clone(),
                came: came(heard, step.certificate),
                answer_faults,
                shown,
            });
        }
    }

    /// All requests of a step: the connections first, so that what is meant to be at once is at once.
    async fn send(&self, step: &Step, request: &Composed) -> Vec<Heard> {
        let (mut heard, mut connections) = (Vec::new(), Vec::new());
        for _ in 0..step.at_once {
            match self.side.connect(step.certificate, step.form.is_some()).await {
                Ok(connection) => connections.push(connection),
                Err(nothing) => heard.push(nothing),
            }
        }
        let mut talking = JoinSet::new();
        for connection in connections {
            let (bytes, hang_up) = (request.bytes.clone(), step.hang_up);
            talking.spawn(async move {
                if hang_up { connection.hang_up(&bytes).await } else { connection.ask(&bytes).await }
            });
        }
        // No task of these panics.
        while let Some(one) = talking.join_next().await {
            heard.push(one.unwrap_or(Heard::Silence));
        }
        heard
    }

    fn keep_bearer(&mut self, heard: &Heard) {
        let Heard::Reply(reply) = heard else { return };
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let given = body.get("access_token").and_then(Value::as_str).filter(|_| reply.status == 200);
        if let Some(given) = given.filter(|bearer| bearer.bytes().all(|byte| byte.is_ascii_graphic())) {
            self.bearers.last = Some(given.to_owned());
            self.bearers.first.get_or_insert_with(|| given.to_owned());
        }
    }

    /// An answer whose status the contract does not list may be right all the same, and cannot be held against it.
    fn answer_faults(&self, step: &Step, heard: &Heard) -> Vec<String> {
        let Heard::Reply(reply) = heard else { return Vec::new() };
        let contract = &self.side.props.contract;
        let operation = contract.operations().find(|operation| operation.id() == step.operation());
        if operation.is_none_or(|operation| operation.answer(reply.status).is_none()) {
            return Vec::new();
        }
        let judged = contract.judge_answer(step.operation(), reply.status, &reply.headers, &reply.body);
        let mut faults: Vec<String> =
            judged.err().unwrap_or_default().iter().map(ToString::to_string).collect();
        if step.form.is_some() && reply.status == 200 {
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            if !body.get("access_token").is_some_and(Value::is_string) {
                faults.push("answer body: expected access_token, without which D1 cannot deliver".to_owned());
            }
        }
        faults
    }
}

fn ask_for_token(form: String) -> Step {
    Step {
        event: None,
        raw: None,
        form: Some(form),
        padding: 0,
        method: None,
        path: None,
        headers: std::collections::BTreeMap::new(),
        certificate: Certificate::D1,
        during: None,
        at_once: 1,
        hang_up: false,
        wrong: None,
        taken_as: None,
        answers: Vec::new(),
        either: None,
    }
}

fn came(heard: Heard, shown: Certificate) -> Came {
    match heard {
        Heard::Reply(reply) => {
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let code = body.get("errorCode").and_then(Value::as_str).map(str::to_owned);
            Came::Answer { status: reply.status, code, bare: reply.body.is_empty() }
        }
        Heard::Refused => Came::HandshakeRefused,
        // The alert of a refusal can be overtaken by the end of the connection.
        Heard::Closed if shown != Certificate::D1 => Came::HandshakeRefused,
        Heard::Closed => Came::Closed,
        Heard::HungUp => Came::HungUp,
        Heard::Silence => Came::Nothing("no answer in time"),
        Heard::Nonsense => Came::Nothing("what came is no whole answer of HTTP/1.1"),
        Heard::Distrust => Came::Nothing("the receiver's certificate is not of the authority that D1 trusts"),
        Heard::Nobody => Came::Nothing("nobody listens there"),
    }
}
