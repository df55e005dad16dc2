//! The script server: D1 as a case has it, over real mutual TLS.

mod http;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::cases::{Case, GoodAnswers, Turn};
use crate::judge::Contract;
use http::{NoRequest, Request, read_request};

/// A connection that says nothing for so long is closed.
const SILENCE: Duration = Duration::from_secs(10);
/// Connections that are served at once in one case.
const CONNECTIONS: usize = 64;
/// Requests that are answered in one case; whoever sends more is cut off.
const REQUESTS: usize = 64;

/// Seals a plaintext toward the gateway under test.
pub type Seal = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;
/// Opens a JWE toward D1.
pub type Open = Arc<dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync>;

/// What a script server needs of the pretend world.
#[derive(Clone)]
pub struct Stage {
    contract: Contract,
    good: GoodAnswers,
    tls: Arc<ServerConfig>,
    seal: Seal,
    open: Open,
}

/// One request that reached the server, and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The operation; empty if the request is of none.
    pub operation: String,
    /// The request line's method.
    pub method: String,
    /// In what the request differs from the contract; no values in it.
    pub request_faults: Vec<String>,
    /// The status of the answer.
    pub status: u16,
    /// The body of the answer.
    pub body: Vec<u8>,
    /// In what the answer differs from the contract.
    pub answer_faults: Vec<String>,
    /// Every byte of the answer was handed to the connection.
    pub written: bool,
}

/// A script that is being played. Dropping it ends the server.
pub struct Play {
    url: String,
    state: Arc<State>,
    _server: JoinSet<()>,
}

struct State {
    stage: Stage,
    case: Case,
    passed: Mutex<Passed>,
    /// Answers that are being written.
    under_way: watch::Sender<usize>,
}

#[derive(Default)]
struct Passed {
    exchanges: Vec<Exchange>,
    /// The bearers that were given out, and whether one has been refused since.
    bearers: BTreeMap<String, bool>,
}

impl Stage {
    /// A stage with the certificate that D1 shows and the authority that it asks of callers in `tls`.
    #[must_use]
    pub fn new(
        contract: Contract,
        good: GoodAnswers,
        tls: Arc<ServerConfig>,
        seal: Seal,
        open: Open,
    ) -> Self {
        Self { contract, good, tls, seal, open }
    }

    /// Opens a server on a free port of this machine that plays a case.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn play(&self, case: &Case) -> std::io::Result<Play> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("https://{}", listener.local_addr()?);
        let state = Arc::new(State {
            stage: self.clone(),
            case: case.clone(),
            passed: Mutex::default(),
            under_way: watch::Sender::default(),
        });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&state)));
        Ok(Play { url, state, _server: server })
    }

    /// The answer that ends a script.
    fn good(&self, operation: &str) -> Option<&Turn> {
        self.good.of(operation)
    }
}

impl Play {
    /// Where D1 listens in this case.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything that has passed. A client can be done with an answer before the server knows that it has left: such
    /// answers are waited for.
    pub async fn exchanges(&self) -> Vec<Exchange> {
        // An answer that is stuck, and the server's end, are seen in `written`.
        let _ = timeout(SILENCE, self.state.under_way.subscribe().wait_for(|count| *count == 0)).await;
        self.state.lock().exchanges.clone()
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                // A connection that is gone before it is taken is the client's affair.
                if let Ok((socket, _)) = accepted {
                    connections.spawn(connection(socket, Arc::clone(&state)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(socket: TcpStream, state: Arc<State>) {
    // Small answers are to leave at once; if that cannot be had they leave a little later.
    let _ = socket.set_nodelay(true);
    let acceptor = TlsAcceptor::from(Arc::clone(&state.stage.tls));
    let Ok(Ok(mut stream)) = timeout(SILENCE, acceptor.accept(socket)).await else { return };
    loop {
        let request = match timeout(SILENCE, read_request(&mut stream)).await {
            Ok(Ok(Some(request))) => request,
            Ok(Err(NoRequest)) => return state.note_no_request(),
            Ok(Ok(None)) | Err(_) => return,
        };
        let Some((number, answer)) = state.answer(&request) else { return };
        let written = async {
            stream.write_all(&answer).await?;
            stream.flush().await
        };
        let written = matches!(timeout(SILENCE, written).await, Ok(Ok(())));
        state.lock().exchanges[number].written = written;
        state.under_way.send_modify(|count| *count -= 1);
        if !written {
            return;
        }
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next turn for a request: the number of the exchange and the bytes of the answer.
    fn answer(&self, request: &Request) -> Option<(usize, Vec<u8>)> {
        let contract = &self.stage.contract;
        let matched = contract.operation(&request.method, &request.path);
        let operation = matched.map_or("", |matched| matched.operation.id()).to_owned();
        let mut passed = self.lock();
        let Passed { exchanges, bearers } = &mut *passed;
        if exchanges.len() >= REQUESTS {
            return None;
        }
        let before = exchanges.iter().filter(|one| one.operation == operation).count();
        let turn = self.turn(&operation, before);
        let body = self.body(&turn, before + 1);
        let mut headers = headers(&turn, body.is_some());
        if let Some(correlation) = request.header("x-correlation-id") {
            headers.insert("x-correlation-id".to_owned(), correlation.to_owned());
        }
        let body = body.unwrap_or_default();
        let pairs: Vec<(String, String)> = headers.clone().into_iter().collect();
        let judged = contract.judge_answer(&operation, turn.status, &pairs, &body);
        let bytes = http::answer(turn.status, &headers, &body);
        let mut request_faults = self.request_faults(request);
        request_faults.extend(bearer_fault(request, bearers));
        keep_bearers(request, turn.status, &body, bearers);
        exchanges.push(Exchange {
            request_faults,
            operation,
            method: request.method.clone(),
            status: turn.status,
            body,
            answer_faults: judged.err().unwrap_or_default().iter().map(ToString::to_string).collect(),
            written: false,
        });
        self.under_way.send_modify(|count| *count += 1);
        Some((exchanges.len() - 1, bytes))
    }

    /// What cannot be answered is a fault of the client all the same.
    fn note_no_request(&self) {
        let fault = "request: expected a whole one of HTTP/1.1, with content-length and not pipelined";
        self.lock().exchanges.push(Exchange {
            operation: String::new(),
            method: String::new(),
            request_faults: vec![fault.to_owned()],
            status: 0,
            body: Vec::new(),
            answer_faults: Vec::new(),
            written: false,
        });
    }

    fn turn(&self, operation: &str, before: usize) -> Turn {
        let good = || self.stage.good(operation).cloned().unwrap_or_else(no_route);
        if operation != self.case.operation() {
            return good();
        }
        let scripted = self.case.answers.get(before).cloned();
        let endless = || self.case.answers.last().filter(|turn| turn.always).cloned();
        scripted.or_else(endless).unwrap_or_else(good)
    }

    fn body(&self, turn: &Turn, number: usize) -> Option<Vec<u8>> {
        let mut body = turn.body.clone()?;
        self.fill_in(&mut body, number);
        Some(body.to_string().into_bytes())
    }

    /// Puts in what cannot stand in a file. `number` counts the answers of the operation.
    fn fill_in(&self, value: &mut Value, number: usize) {
        let sealed = value.get("$sealed").map(ToString::to_string);
        if let Some(plaintext) = sealed {
            // A plaintext that cannot be sealed leaves a text that no contract allows, so that the case fails.
            *value =
                (self.stage.seal)(&plaintext).unwrap_or_else(|fault| format!("not sealed: {fault}")).into();
        } else if let Some(Value::String(text)) = value.get("$numbered") {
            *value = format!("{text}{number}").into();
        } else if let Value::Object(members) = value {
            members.values_mut().for_each(|member| self.fill_in(member, number));
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
            match (self.stage.open)(jwe) {
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

/// The answer to a request of no operation (contract C32).
fn no_route() -> Turn {
    let body = serde_json::json!({"errorCode": "RESOURCE_NOT_FOUND", "error": "No such resource"});
    Turn { status: 404, headers: BTreeMap::new(), body: Some(body), always: false }
}

fn bearer(request: &Request) -> Option<&str> {
    request.header("authorization")?.strip_prefix("Bearer ")
}

/// A bearer that D1 never gave out, or has refused already (contract C10).
fn bearer_fault(request: &Request, bearers: &BTreeMap<String, bool>) -> Option<String> {
    let expected = match bearers.get(bearer(request)?) {
        Some(false) => return None,
        Some(true) => "another bearer than the one that was refused",
        None => "a bearer that was given out",
    };
    Some(format!("request authorization: expected {expected}"))
}

fn keep_bearers(request: &Request, status: u16, body: &[u8], bearers: &mut BTreeMap<String, bool>) {
    if status == 401
        && let Some(refused) = bearer(request).and_then(|shown| bearers.get_mut(shown))
    {
        *refused = true;
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(given) = body.get("access_token").and_then(Value::as_str) {
        bearers.insert(given.to_owned(), false);
    }
}

fn headers(turn: &Turn, has_body: bool) -> BTreeMap<String, String> {
    let mut headers = turn.headers.clone();
    if has_body {
        headers.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_bearer(bearer: &str) -> Request {
        let headers = vec![("authorization".to_owned(), format!("Bearer {bearer}"))];
        Request { headers, ..Request::default() }
    }

    #[test]
    fn a_bearer_is_good_from_when_it_was_given_out_until_it_was_refused() {
        let mut bearers = BTreeMap::new();
        assert!(
            bearer_fault(&with_bearer("first"), &bearers).is_some_and(|fault| fault.contains("given out"))
        );
        keep_bearers(&Request::default(), 200, br#"{"access_token": "first"}"#, &mut bearers);
        keep_bearers(&Request::default(), 200, br#"{"access_token": "second"}"#, &mut bearers);
        keep_bearers(&with_bearer("first"), 403, b"{}", &mut bearers);
        assert_eq!(bearer_fault(&with_bearer("first"), &bearers), None);
        keep_bearers(&with_bearer("first"), 401, b"{}", &mut bearers);
        let fault = bearer_fault(&with_bearer("first"), &bearers).expect("a fault");
        assert!(fault.contains("refused") && !fault.contains("first"), "{fault}");
        assert_eq!(bearer_fault(&with_bearer("second"), &bearers), None);
        assert_eq!(
            bearer_fault(&Request::default(), &bearers),
            None,
            "the contract asks for a bearer, not this"
        );
    }
}
