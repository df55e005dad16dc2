//! What a fault does to a connection, and the stream on which it is done.
//!
//! `http` puts [`Endings`] beside an answer; the listener carries them out, since they befall bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Version};
use hyper::body::{Body as _, Frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

use super::connections::Connection;

/// So many bytes of an answer leave before it breaks within its head.
const PART_OF_A_HEAD: u64 = 12;
/// The first half of a body gets this long to leave before the end of the connection overtakes it.
const HALF_TIME: Duration = Duration::from_millis(50);

/// So often an idle connection is looked at before it is closed, at most, and not within less than this.
const MOST_LOOKS: u32 = 10;
const LOOK: Duration = Duration::from_millis(10);

/// How an answer, or the connection behind it, ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The connection is reset; nothing of the answer leaves.
    Reset,
    ResetInHead,
    ResetInBody,
    /// Half of the body, then the end of the connection.
    Truncate,
    /// The connection closes without a word, so long after it fell idle.
    CloseIdle(Duration),
    /// GOAWAY in HTTP/2, `connection: close` in HTTP/1.1.
    Goaway,
}

/// All that is to befall one answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endings(pub(crate) Vec<Ending>);

/// What is to befall a connection.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// 0 nothing, 1 a part of what is written, 2 nothing more.
    broken: AtomicU8,
    left: AtomicU64,
    reset: AtomicBool,
    goaway: AtomicBool,
    /// In milliseconds; 0 for never.
    close_idle: AtomicU64,
    /// There is something to look at.
    sealed: Notify,
}

/// What the listener is to do with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doom {
    /// Drop it.
    Drop,
    Goaway,
}

/// Returns once there is something to do with a connection.
pub(super) async fn doom(connection: &Connection) -> Doom {
    let fate = &connection.fate;
    loop {
        if fate.reset.load(Ordering::Acquire) {
            return Doom::Drop;
        }
        if fate.goaway.load(Ordering::Acquire) {
            return Doom::Goaway;
        }
        match fate.close_idle.load(Ordering::Acquire) {
            0 => fate.sealed.notified().await,
            ms => tokio::select! {
                () = fate.sealed.notified() => {}
                () = idle_for(connection, Duration::from_millis(ms)) => return Doom::Drop,
            },
        }
    }
}

/// Returns once nothing has been answered on the connection for so long. It is looked at in between: a machine that
/// stands still for a while stands still for the caller too, who would find the connection closed before his next call
/// could have come.
async fn idle_for(connection: &Connection, time: Duration) {
    let enough =
        u32::try_from(time.as_millis() / LOOK.as_millis()).unwrap_or(MOST_LOOKS).clamp(1, MOST_LOOKS);
    let (mut used, mut looks) = (connection.last_use(), 0);
    while looks < enough {
        tokio::time::sleep(time / enough).await;
        let idle = connection.is_idle() && connection.last_use() == used;
        (used, looks) = (connection.last_use(), if idle { looks + 1 } else { 0 });
    }
}

impl Fate {
    fn reset(&self) {
        self.broken.store(2, Ordering::Release);
        self.reset.store(true, Ordering::Release);
        self.sealed.notify_one();
    }
}

/// Seals the fate of the connection. The answer, or nothing if none is to leave.
pub(super) fn befall(
    Endings(endings): Endings,
    response: http::Response<Body>,
    version: Version,
    connection: &Arc<Connection>,
) -> Option<http::Response<Body>> {
    let fate = &connection.fate;
    let mut response = response;
    for ending in endings {
        match ending {
            Ending::Reset => {
                fate.reset();
                return None;
            }
            Ending::ResetInHead => {
                fate.left.store(PART_OF_A_HEAD, Ordering::Release);
                fate.broken.store(1, Ordering::Release);
            }
            Ending::ResetInBody => response = halved(response, Some(Arc::clone(connection))),
            Ending::Truncate => response = halved(response, None),
            Ending::CloseIdle(after) => {
                let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX).max(1);
                fate.close_idle.store(ms, Ordering::Release);
                fate.sealed.notify_one();
            }
            // The head is all that can tell it, and what is said there ends the connection too.
            Ending::Goaway if version < Version::HTTP_2 => {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ending::Goaway => {
                fate.goaway.store(true, Ordering::Release);
                fate.sealed.notify_one();
            }
        }
    }
    Some(response)
}

/// The answer with its whole length in the head and half of its body behind it.
fn halved(response: http::Response<Body>, reset: Option<Arc<Connection>>) -> http::Response<Body> {
    let Some(length) = response.body().size_hint().exact().filter(|length| *length > 0) else {
        return response;
    };
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    let left = usize::try_from(length / 2).unwrap_or_default();
    let half = Half { body, left, pause: Box::pin(tokio::time::sleep(HALF_TIME)), reset };
    http::Response::from_parts(parts, Body::new(half))
}

/// Half of a body, then a fault.
struct Half {
    body: Body,
    left: usize,
    pause: Pin<Box<tokio::time::Sleep>>,
    reset: Option<Arc<Connection>>,
}

impl hyper::body::Body for Half {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.left > 0
            && let Some(Ok(frame)) = ready!(Pin::new(&mut self.body).poll_frame(context))
            && let Ok(data) = frame.into_data()
        {
            let part = data.slice(..data.len().min(self.left));
            self.left -= part.len();
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        ready!(self.pause.as_mut().poll(context));
        if let Some(connection) = &self.reset {
            connection.fate.reset();
        }
        let broken = io::Error::new(io::ErrorKind::ConnectionAborted, "broken off by a fault");
        Poll::Ready(Some(Err(axum::Error::new(broken))))
    }
}

/// The stream of a connection whose fate may be to break.
pub(super) struct Fated {
    stream: TlsStream<TcpStream>,
    connection: Arc<Connection>,
}

impl Fated {
    pub(super) fn new(stream: TlsStream<TcpStream>, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }

    /// How many of `wanted` bytes may be written.
    fn allowed(&self, wanted: usize) -> io::Result<usize> {
        let fate = &self.connection.fate;
        match fate.broken.load(Ordering::Relaxed) {
            0 => Ok(wanted),
            1 => {
                let left = usize::try_from(fate.left.load(Ordering::Acquire)).unwrap_or(usize::MAX);
                if left == 0 {
                    fate.reset();
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Ok(wanted.min(left))
            }
            _ => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    fn wrote(&self, bytes: usize) {
        let fate = &self.connection.fate;
        if fate.broken.load(Ordering::Relaxed) == 1 {
            fate.left.fetch_sub(u64::try_from(bytes).unwrap_or_default(), Ordering::AcqRel);
        }
    }
}

impl Drop for Fated {
    fn drop(&mut self) {
        if self.connection.fate.reset.load(Ordering::Acquire) {
            // Otherwise the peer would see an orderly end.
            let _ = self.stream.get_ref().0.set_zero_linger();
        }
    }
}

impl AsyncRead for Fated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Fated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let allowed = self.allowed(bytes.len())?;
        let wrote = ready!(Pin::new(&mut self.stream).poll_write(context, &bytes[..allowed]))?;
        self.wrote(wrote);
        Poll::Ready(Ok(wrote))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.connection.fate.broken.load(Ordering::Relaxed) == 0 {
            return Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| &**slice);
        self.poll_write(context, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, advance, sleep, timeout};

    use super::super::connections::{Connections, Place};
    use super::*;

    const AFTER: Duration = Duration::from_secs(1);

    /// A connection that is to be closed once it was idle for so long.
    async fn to_be_closed() -> Place {
        let place = Connections::new(1).enter().await.expect("a place");
        let endings = Endings(vec![Ending::CloseIdle(AFTER)]);
        assert!(befall(endings, http::Response::default(), Version::HTTP_11, place.connection()).is_some());
        place
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed_when_its_time_is_over() {
        let (place, start) = (to_be_closed().await, Instant::now());
        assert_eq!(doom(place.connection()).await, Doom::Drop);
        assert!((AFTER..AFTER + LOOK).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn every_use_begins_the_time_anew() {
        let (place, start) = (to_be_closed().await, Instant::now());
        let used = async {
            for _ in 0..3 {
                sleep(AFTER / 2).await;
                drop(place.busy());
            }
        };
        let (doomed, ()) = tokio::join!(doom(place.connection()), used);
        assert_eq!(doomed, Doom::Drop);
        // One look may pass until a use is noticed.
        let idle = start.elapsed() - AFTER / 2 * 3;
        assert!((AFTER..=AFTER + AFTER / MOST_LOOKS).contains(&idle), "{idle:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_being_answered_on_is_not_closed() {
        let place = to_be_closed().await;
        let busy = place.busy();
        assert!(timeout(AFTER * 100, doom(place.connection())).await.is_err(), "an answer is under way");
        drop(busy);
        assert_eq!(timeout(AFTER * 2, doom(place.connection())).await, Ok(Doom::Drop));
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_stood_still_leaves_the_caller_his_time() {
        let (place, start, stood) = (to_be_closed().await, Instant::now(), AFTER * 100);
        let (doomed, ()) = tokio::join!(doom(place.connection()), advance(stood));
        assert_eq!(doomed, Doom::Drop);
        // All looks but the first come after the machine goes on.
        let left = start.elapsed() - stood;
        assert!(left >= AFTER - AFTER / MOST_LOOKS, "{left:?}");
    }
}
