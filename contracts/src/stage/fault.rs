//! Connections that come to nothing.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::SILENCE;
use super::answer::LATE;
use crate::cases::ConnectionFault;

/// How long a peer that was refused has to read why.
const LINGER: Duration = Duration::from_secs(1);
/// More than any hello has.
const HELLO_BYTES: usize = 16 * 1024;

/// The hello of a server that has chosen TLS 1.1: one record with one handshake message, literal, since no library of
/// today says it. Type 22, version 0x0302, 42 bytes; ServerHello, 38 bytes, version 0x0302, random, no session,
/// `TLS_RSA_WITH_AES_128_CBC_SHA`, no compression.
const HELLO_OF_TLS_1_1: [u8; 47] = {
    let mut hello = [0x5a; 47];
    let head = [22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    (hello[43], hello[44], hello[45], hello[46]) = (0, 0, 0x2f, 0);
    hello
};

/// The peer waited for longer than it was asked to.
pub(super) struct Patient;

/// Ends a connection on which nothing is to be said over TLS.
///
/// # Errors
/// [`Patient`] if the peer had to leave by itself, and did not.
pub(super) async fn end(mut socket: TcpStream, fault: ConnectionFault) -> Result<(), Patient> {
    let answer: &[u8] = match fault {
        // A port that is closed accepts nothing; whoever came before gets the next best.
        ConnectionFault::Refused | ConnectionFault::Reset => {
            // Once the peer speaks it has its connection: a reset before that may overtake it, and is then a refusal.
            let _ = timeout(SILENCE, socket.readable()).await;
            reset_socket(&socket);
            return Ok(());
        }
        ConnectionFault::Silent => return silent(socket).await,
        ConnectionFault::ClosedAfterHello => b"",
        ConnectionFault::Garbage => b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        ConnectionFault::Tls11 => &HELLO_OF_TLS_1_1,
    };
    // A hello comes in one piece on a local connection; the rest of one that does not is read while lingering.
    let mut hello = vec![0; HELLO_BYTES];
    if matches!(timeout(SILENCE, socket.read(&mut hello)).await, Ok(Ok(1..))) {
        // A peer that is gone already needs no answer.
        let _ = timeout(SILENCE, socket.write_all(answer)).await;
        linger(socket).await;
    }
    Ok(())
}

/// Says no more, and reads until the peer has left: a socket that is closed with bytes unread resets the connection, and
/// what was said is lost.
pub(super) async fn linger(mut socket: TcpStream) {
    let drained = async {
        socket.shutdown().await?;
        drain(&mut socket).await
    };
    // Whether it left by itself or not: this is the end.
    let _ = timeout(LINGER, drained).await;
}

/// Accepts everything and says nothing.
async fn silent(mut socket: TcpStream) -> Result<(), Patient> {
    // A peer that resets has left as well.
    timeout(LATE, drain(&mut socket)).await.map(drop).map_err(|_| Patient)
}

/// Reads until the peer has left.
pub(super) async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// The beginning of a request that is read before a reset: less than any has.
const BEGINNING: usize = 16;

/// Reads the beginning of a request. Nothing if none comes.
pub(super) async fn beginning(stream: &mut TlsStream<TcpStream>) -> Option<()> {
    let mut bytes = [0; BEGINNING];
    timeout(SILENCE, stream.read_exact(&mut bytes)).await.ok()?.ok().map(drop)
}

/// Ends a connection with a reset.
pub(super) fn reset(stream: &TlsStream<TcpStream>) {
    reset_socket(stream.get_ref().0);
}

/// The reset goes out when the socket is closed.
fn reset_socket(socket: &TcpStream) {
    // A socket that does not know the option closes in the usual way.
    let _ = socket.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hello_of_tls_1_1_is_as_long_as_it_says() {
        let hello = HELLO_OF_TLS_1_1;
        assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
        assert_eq!(usize::from(hello[8]), hello.len() - 9);
        assert_eq!((&hello[9..11], &hello[43..]), (&[3, 2][..], &[0, 0, 0x2f, 0][..]));
    }
}
