//! Driving one call over many connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::super::exit::Failure;
use crate::clock::Stopwatch;

/// Where to connect and how.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) tls: Arc<ClientConfig>,
}

/// One request, sent again and again.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) target: Target,
    pub(super) request: Request<Full<Bytes>>,
}

/// What came of it.
pub(super) struct Measured {
    pub(super) failed: u64,
    micros: Histogram<u64>,
    length: Duration,
}

impl Measured {
    fn empty() -> Result<Self, Failure> {
        // One microsecond to a minute, three digits.
        let micros = Histogram::new_with_bounds(1, 60_000_000, 3).map_err(Failure::internal)?;
        Ok(Self { failed: 0, micros, length: Duration::ZERO })
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of requests fits in 53 bits")]
    pub(super) fn per_second(&self) -> f64 {
        self.micros.len() as f64 / self.length.as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of one request fit in 53 bits")]
    pub(super) fn quantile_ms(&self, quantile: f64) -> f64 {
        self.micros.value_at_quantile(quantile) as f64 / 1000.0
    }
}

impl Target {
    /// A connection after its whole handshake.
    pub(super) async fn connect(&self) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Failure> {
        let failed = |fault| Failure::resource(format!("cannot connect to {}: {fault}", self.address));
        let socket = TcpStream::connect(self.address).await.map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        let name = ServerName::IpAddress(self.address.ip().into());
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, socket).await.map_err(failed)
    }

    pub(super) async fn sender(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let (sender, connection) =
            handshake(TokioIo::new(self.connect().await?)).await.map_err(Failure::internal)?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// The status and the body of an answer.
pub(super) async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(u16, Bytes), hyper::Error> {
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}

/// Sends a call over `connections` connections for `length`, one after the other on each.
pub(super) async fn drive(call: &Call, connections: u32, length: Duration) -> Result<Measured, Failure> {
    let mut senders = Vec::new();
    for _ in 0..connections {
        senders.push(call.target.sender().await?);
    }
    let watch = Stopwatch::start();
    let mut tasks = JoinSet::new();
    for mut sender in senders {
        let request = call.request.clone();
        let mut mine = Measured::empty()?;
        tasks.spawn(async move {
            while watch.elapsed() < length {
                let one = Stopwatch::start();
                match send(&mut sender, request.clone()).await {
                    Ok((200..=299, _)) => {
                        let micros = u64::try_from(one.elapsed().as_micros()).unwrap_or(u64::MAX);
                        mine.micros.saturating_record(micros);
                    }
                    Ok(_) => mine.failed += 1,
                    Err(_) => {
                        mine.failed += 1;
                        break;
                    }
                }
            }
            mine
        });
    }
    gather(tasks, watch).await
}

/// Sends a call `count` times in all over `connections` connections; each time must succeed.
pub(super) async fn repeat(call: &Call, connections: u32, count: u32) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    for place in 0..connections {
        let mut sender = call.target.sender().await?;
        let request = call.request.clone();
        let share = count / connections + u32::from(place < count % connections);
        tasks.spawn(async move {
            for _ in 0..share {
                match send(&mut sender, request.clone()).await {
                    Ok((200..=299, _)) => {}
                    Ok((status, _)) => return Err(Failure::internal(format!("answer {status}"))),
                    Err(fault) => return Err(Failure::internal(fault)),
                }
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(Failure::internal)??;
    }
    Ok(())
}

/// Connects, shakes hands and closes, again and again.
pub(super) async fn handshakes(target: &Target, at_once: u32, length: Duration) -> Result<Measured, Failure> {
    let watch = Stopwatch::start();
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let target = target.clone();
        let mut mine = Measured::empty()?;
        tasks.spawn(async move {
            while watch.elapsed() < length {
                let one = Stopwatch::start();
                match target.connect().await {
                    Ok(_) => {
                        let micros = u64::try_from(one.elapsed().as_micros()).unwrap_or(u64::MAX);
                        mine.micros.saturating_record(micros);
                    }
                    Err(_) => mine.failed += 1,
                }
            }
            mine
        });
    }
    gather(tasks, watch).await
}

async fn gather(mut tasks: JoinSet<Measured>, watch: Stopwatch) -> Result<Measured, Failure> {
    let mut all = Measured::empty()?;
    while let Some(one) = tasks.join_next().await {
        let one = one.map_err(Failure::internal)?;
        all.micros.add(&one.micros).map_err(Failure::internal)?;
        all.failed += one.failed;
    }
    all.length = watch.elapsed();
    Ok(all)
}
