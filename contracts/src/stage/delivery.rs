//! How the bytes of an answer leave, and what becomes of the connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

use super::{SILENCE, fault};

/// More than this nobody may take of an answer without an end.
const ENDLESS_BYTES: usize = 16 * 1024 * 1024;
/// The pause between the bytes of a drip.
const DRIP: Duration = Duration::from_millis(50);

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Bytes(Vec<u8>),
    Repeat(Vec<u8>, u32),
    Endless(Vec<u8>),
    Drip(Vec<u8>),
    Wait(Duration),
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It is kept.
    Keep,
    /// It is kept, but nobody can know where the next answer would begin.
    Spoil,
    /// It is closed as TLS wants it.
    Close,
    /// It is closed without TLS's own end.
    Cut,
    /// It is reset.
    Reset,
}

/// Why a step is not done: the peer has left.
struct Left;

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// All of it was handed to the connection. Of one that is to outlast the client's patience: the client has left.
    Whole,
    /// The peer left before the end.
    Partly,
    /// The peer took more than anyone may of an answer without an end.
    Swallowed,
}

type Stream = TlsStream<TcpStream>;

/// Delivers an answer.
pub(super) async fn deliver(stream: &mut Stream, steps: Vec<Step>, then: Then) -> Delivered {
    let (mut delivered, mut enough) = (Delivered::Whole, false);
    for step in steps {
        let endless = matches!(step, Step::Endless(_));
        // Nor need anyone take a great many of the same bytes, or what stands behind them.
        enough |= matches!(step, Step::Repeat(..));
        let outlasts = endless || matches!(step, Step::Drip(_) | Step::Wait(_));
        if take(stream, step).await.is_err() {
            return if outlasts || enough { Delivered::Whole } else { Delivered::Partly };
        }
        if endless {
            delivered = Delivered::Swallowed;
        }
    }
    match then {
        Then::Keep | Then::Spoil => {}
        Then::Reset => fault::reset(stream),
        // Whoever has left has read the answer, or does not want it.
        Then::Close => drop(timeout(SILENCE, stream.shutdown()).await),
        Then::Cut => drop(timeout(SILENCE, stream.get_mut().0.shutdown()).await),
    }
    delivered
}

async fn take(stream: &mut Stream, step: Step) -> Result<(), Left> {
    match step {
        Step::Bytes(bytes) => write(stream, &bytes).await,
        Step::Repeat(bytes, times) => write(stream, &bytes.repeat(times as usize)).await,
        Step::Endless(bytes) => {
            let block = bytes.repeat((16 * 1024_usize).div_ceil(bytes.len().max(1)));
            let mut sent = 0;
            while sent < ENDLESS_BYTES {
                write(stream, &block).await?;
                sent += block.len();
            }
            Ok(())
        }
        Step::Drip(bytes) => {
            for byte in bytes {
                write(stream, &[byte]).await?;
                wait(stream, DRIP).await?;
            }
            Ok(())
        }
        Step::Wait(time) => wait(stream, time).await,
    }
}

async fn write(stream: &mut Stream, bytes: &[u8]) -> Result<(), Left> {
    let written = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    match timeout(SILENCE, written).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Left),
    }
}

/// Real time: the client's patience is real too. A peer that leaves is not waited for.
async fn wait(stream: &mut Stream, time: Duration) -> Result<(), Left> {
    let mut byte = [0; 1];
    tokio::select! {
        () = sleep(time) => Ok(()),
        // A peer that says more has not waited for its answer.
        _ = stream.read(&mut byte) => Err(Left),
    }
}
