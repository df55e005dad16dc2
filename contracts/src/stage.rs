//! The script server: D1 as a case has it, over real mutual TLS.

mod answer;
mod bearers;
mod delivery;
mod fault;
pub(crate) mod http;
mod script;
mod shown;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::cases::{Case, ConnectionFault, Fault, GoodAnswers, TlsFault, Turn, Unanswered};
use crate::judge::Contract;
use crate::jwe::JweKey;
use delivery::{Delivered, Then, deliver};
use http::{NoRequest, read_request};
use script::{Port, Script};

pub(crate) use shown::{Known, holds_secret};
pub use shown::{ShownExchange, ShownMessage};

/// A connection that says nothing for so long is closed.
const SILENCE: Duration = Duration::from_secs(10);
/// Connections that are served at once in one case.
const CONNECTIONS: usize = 64;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// Tells the time, for dates in answers.
pub type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The TLS of D1, and what can be wrong with it.
#[derive(Debug, Clone)]
pub struct StageTls {
    /// The certificate that D1 shows, and the authority that it asks of callers. HTTP/1.1 alone: scripts are literal.
    pub good: Arc<ServerConfig>,
    /// The same with one fault each.
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
    /// In what the answer differs from the contract.
    pub answer_faults: Vec<String>,
    /// What was wrong on purpose, apart from what the answer says.
    pub fault: Option<String>,
    /// Every byte of the answer was handed to the connection.
    pub written: bool,
    /// What a report may show of it.
    pub shown: ShownExchange,
}

/// A script that is being played. Dropping it ends the server.
pub struct Play {
    url: String,
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
        Self { contract, known, good, tls, gateway, own, now }
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
    /// No port can be had.
    pub async fn play(&self, case: &Case) -> std::io::Result<Play> {
        let (kept, listener) = port()?;
        let url = format!("https://{}", listener.local_addr()?);
        let script = Arc::new(Script::new(self.clone(), case.clone(), &url));
        let mut server = JoinSet::new();
        if script.refuses_the_first() {
            drop(listener);
            server.spawn(hold(kept));
        } else {
            server.spawn(serve(kept, listener, Arc::clone(&script)));
        }
        Ok(Play { url, script, _server: server })
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

    /// Everything that has passed. A client can be done with an answer before the server knows that it has left: such
    /// answers are waited for.
    pub async fn exchanges(&self) -> Vec<Exchange> {
        self.script.rest(SILENCE).await;
        self.script.exchanges()
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

/// Keeps a port until the script ends.
async fn hold(kept: TcpSocket) {
    std::future::pending::<()>().await;
    drop(kept);
}

async fn serve(kept: TcpSocket, listener: TcpListener, script: Arc<Script>) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let mut port = script.port();
    loop {
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = accepted, if connections.len() < CONNECTIONS => {
                // A connection that is gone before it is taken is the client's affair.
                if let Ok((socket, _)) = accepted {
                    connections.spawn(connection(socket, Arc::clone(&script)));
                }
            }
            Some(_) = connections.join_next() => {}
            () = closing(&mut port), if listener.is_some() => {
                listener = None;
                script.port_is_closed();
            }
            else => break,
        }
    }
    drop(kept);
}

/// Waits until nobody is to be let in any more.
async fn closing(port: &mut watch::Receiver<Port>) {
    // What comes back holds a lock on the port, and must not outlive this. The sender lives as long as the script.
    let _ = port.wait_for(|port| *port == Port::Closing).await;
}

async fn connection(socket: TcpStream, script: Arc<Script>) {
    // Small answers are to leave at once; if that cannot be had they leave a little later.
    let _ = socket.set_nodelay(true);
    let fault = script.greeting();
    let tls = match &fault {
        Some(Fault::Connection(fault)) => {
            if fault::end(socket, *fault).await.is_err() {
                script.note_patience();
            }
            return;
        }
        Some(Fault::Tls(fault)) => script.tls(Some(*fault)),
        _ => script.tls(None),
    };
    let Some(mut stream) = accept(tls, socket).await else { return };
    if matches!(fault, Some(Fault::Unanswered(Unanswered::ResetUnread))) {
        return fault::reset(&stream);
    }
    let mut spoiled = false;
    loop {
        let request = match timeout(SILENCE, read_request(&mut stream)).await {
            Ok(Ok(Some(request))) => request,
            Ok(Err(NoRequest)) => return script.note_no_request(),
            Ok(Ok(None)) | Err(_) => return,
        };
        let Some(reply) = script.answer(&request) else { return };
        if spoiled {
            script.note_reuse(reply.number);
        }
        if reply.closes_the_port {
            script.close_port().await;
        }
        let then = reply.then;
        let delivered = deliver(&mut stream, reply.steps, then).await;
        script.delivered(reply.number, delivered);
        match then {
            _ if delivered == Delivered::Partly => return,
            Then::Keep => {}
            Then::Spoil => spoiled = true,
            Then::Close | Then::Cut | Then::Reset => return,
        }
    }
}

/// The handshake. A peer that is refused gets the time to read why.
async fn accept(tls: Arc<ServerConfig>, socket: TcpStream) -> Option<TlsStream<TcpStream>> {
    match timeout(SILENCE, TlsAcceptor::from(tls).accept(socket).into_fallible()).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err((_, socket))) => {
            fault::linger(socket).await;
            None
        }
        Err(_) => None,
    }
}

/// Whether connections are refused in a case.
fn refuses(case: &Case) -> bool {
    case.answers.iter().any(|turn| turn.fault == Some(Fault::Connection(ConnectionFault::Refused)))
}
