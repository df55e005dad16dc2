//! The script server: D1 as a case has it, over real mutual TLS.

mod answer;
mod bearers;
mod body;
mod connections;
mod delivery;
mod door;
mod fault;
pub(crate) mod http;
mod http2;
mod script;
mod shown;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

use crate::cases::{Case, ConnectionFault, Fault, GoodAnswers, TlsFault, Turn};
use crate::judge::Contract;
use crate::jwe::JweKey;
use crate::natural::{ByItself, Settle};
use crate::subject::Arguments;
use connections::{hold, serve};
use script::Script;

#[cfg(test)]
pub(crate) use body::Filling;
pub(crate) use shown::{Known, holds_secret};
pub use shown::{ShownExchange, ShownMessage};

/// A connection that says nothing for so long is closed.
const SILENCE: Duration = Duration::from_secs(10);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// Tells the time, for dates in answers.
pub type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The TLS of D1, and what can be wrong with it.
#[derive(Debug, Clone)]
pub struct StageTls {
    /// The certificate that D1 shows, and the authority that it asks of callers. HTTP/1.1 alone: scripts are literal. Where a case
    /// is about HTTP/2 that is offered beside it.
    pub good: Arc<ServerConfig>,
    /// The same with one fault each. A case with a fault that stands not here cannot be played.
    pub bad: BTreeMap<TlsFault, Arc<ServerConfig>>,
}

/// What a script server needs of the pretend world.
#[derive(Clone)]
pub struct Stage {
    contract: Contract,
    known: Arc<Known>,
    good: GoodAnswers,
    tls: StageTls,
    gateway: JweKey,
    own: JweKey,
    now: Now,
    settle: Option<Settle>,
}

/// One request that reached the server, and its answer; or a connection on which none could.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The operation; empty if the request is of none. For a connection the one that the case is about.
    pub operation: String,
    /// The request line's method; empty if no request was read.
    pub method: String,
    /// In what the request differs from the contract; no values in it.
    pub request_faults: Vec<String>,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// The body of the answer.
    pub body: Vec<u8>,
    /// More of the answer, where D1 gave it by itself.
    pub by_itself: Option<ByItself>,
    /// In what the answer differs from the contract.
    pub answer_faults: Vec<String>,
    /// What was wrong on purpose, apart from what the answer says.
    pub fault: Option<String>,
    /// Every byte of the answer was handed to the connection.
    pub written: bool,
    /// What a report may show of it.
    pub shown: ShownExchange,
}

/// Why a case cannot be played, which is no finding about a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// No port.
    #[error("no port can be had for the script server")]
    Port(#[source] std::io::Error),
    /// No D1 in the state that the case is about.
    #[error("D1 cannot be had in the state that is given: {0}")]
    Settle(String),
    /// [`StageTls::bad`] lacks an entry.
    #[error("the stage has no TLS with the fault {0:?}: expected an entry for it in `StageTls::bad`")]
    Tls(TlsFault),
    /// Connections can no longer be taken.
    #[error("the script server cannot take connections any more")]
    Accept(#[source] std::io::Error),
}

/// A script that is being played. Dropping it ends the server.
pub struct Play {
    url: String,
    arguments: Arguments,
    script: Arc<Script>,
    _server: JoinSet<()>,
}

impl Stage {
    /// A stage in a pretend world: D1 seals toward `gateway`, whose public half is enough, and opens with its `own` key;
    /// `now` dates answers.
    #[must_use]
    pub fn new(
        contract: Contract,
        good: GoodAnswers,
        tls: StageTls,
        gateway: JweKey,
        own: JweKey,
        now: Now,
    ) -> Self {
        let known = Arc::new(Known::of(contract.document()));
        Self { contract, known, good, tls, gateway, own, now, settle: None }
    }

    /// The same stage with a real D1 for natural cases.
    #[must_use]
    pub fn with_natural(mut self, settle: Settle) -> Self {
        self.settle = Some(settle);
        self
    }

    /// The same stage with other answers at the end of scripts.
    #[must_use]
    pub fn with_good(mut self, good: GoodAnswers) -> Self {
        self.good = good;
        self
    }

    /// Opens a server on a free port of this machine that plays a case.
    ///
    /// # Errors
    /// [`PlayError`]: no port can be had, the D1 of a natural case cannot, or the stage has no TLS with the fault of the case.
    pub async fn play(&self, case: &Case) -> Result<Play, PlayError> {
        if let Some(fault) = case.answers.iter().find_map(|turn| self.lacks(turn)) {
            return Err(PlayError::Tls(fault));
        }
        let settled = match (&case.given, &self.settle) {
            (None, _) => None,
            (Some(given), Some(settle)) => Some(settle(given.clone()).await.map_err(PlayError::Settle)?),
            (Some(_), None) => return Err(PlayError::Settle("there is none in this run".to_owned())),
        };
        let (kept, listener) = port().map_err(PlayError::Port)?;
        let stray = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(PlayError::Port)?;
        let address = |listener: &TcpListener| {
            listener.local_addr().map(|address| format!("https://{address}")).map_err(PlayError::Port)
        };
        let (url, elsewhere) = (address(&listener)?, address(&stray)?);
        let arguments = settled.as_ref().map(|settled| settled.arguments.clone()).unwrap_or_default();
        let script = Arc::new(Script::new(self.clone(), case.clone(), &url, &elsewhere, settled));
        let mut server = JoinSet::new();
        if script.refuses_the_first() {
            drop(listener);
            server.spawn(hold(kept));
        } else {
            server.spawn(serve(kept, listener, stray, Arc::clone(&script)));
        }
        Ok(Play { url, arguments, script, _server: server })
    }

    /// The fault of a turn that this stage has no TLS for.
    fn lacks(&self, turn: &Turn) -> Option<TlsFault> {
        match turn.fault {
            Some(Fault::Tls(fault)) if !self.tls.bad.contains_key(&fault) => Some(fault),
            _ => None,
        }
    }

    /// The answer that ends a script.
    fn good(&self, operation: &str) -> Option<&Turn> {
        self.good.of(operation)
    }
}

impl Play {
    /// Requests and connections that are answered; whoever makes more is cut off.
    pub const MOST: usize = script::EXCHANGES;

    /// Where D1 listens in this case.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the call of this case is made with.
    #[must_use]
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Everything that has passed. A client can be done with an answer before the server knows that it has left: such
    /// answers are waited for.
    pub async fn exchanges(&self) -> Vec<Exchange> {
        self.script.rest(SILENCE).await;
        self.script.exchanges()
    }

    /// Why the server has ended before its time, if it has.
    #[must_use]
    pub fn broken(&self) -> Option<PlayError> {
        self.script.broken()
    }

    /// What has passed until now, and what is just passing.
    #[must_use]
    pub fn so_far(&self) -> Vec<Exchange> {
        self.script.exchanges()
    }

    /// Waits until more than `seen` exchanges have passed and none is just passing, and gives all that have.
    pub async fn beyond(&self, seen: usize) -> Vec<Exchange> {
        self.script.beyond(seen).await
    }
}

/// A free port: a socket that keeps it, and one that listens. When the second is gone connections are refused, and nobody
/// else gets the port.
fn port() -> std::io::Result<(TcpSocket, TcpListener)> {
    let kept = TcpSocket::new_v4()?;
    kept.set_reuseaddr(true)?;
    kept.bind(([127, 0, 0, 1], 0).into())?;
    let listening = TcpSocket::new_v4()?;
    listening.set_reuseaddr(true)?;
    listening.bind(kept.local_addr()?)?;
    let listener = listening.listen(BACKLOG)?;
    // From here on the kernel gives the port to nobody, though others may ask for one with the same option.
    kept.set_reuseaddr(false)?;
    Ok((kept, listener))
}

/// Whether connections are refused in a case.
fn refuses(case: &Case) -> bool {
    case.answers.iter().any(|turn| turn.fault == Some(Fault::Connection(ConnectionFault::Refused)))
}
