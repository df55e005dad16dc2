//! A connection of HTTP/2 on which one request is read by the heads of its frames, and then something goes wrong.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::SILENCE;
use super::delivery::Delivered;
use super::fault::drain;
use crate::cases::Http2Fault;
use crate::http2::{
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, INTERNAL_ERROR, NO_ERROR, PING,
    PREFACE, REFUSED_STREAM, SETTINGS, field, read_frame,
};

/// Frames that a client may need to make one request.
const FRAMES: usize = 256;

/// A good answer, for the fault that has one.
pub(super) struct Good {
    pub(super) status: u16,
    pub(super) body: Option<Vec<u8>>,
}

/// Waits for a request and does what the fault says. `told` hears, before the connection has ended, whether all of it has left.
pub(super) async fn play(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    fault: Http2Fault,
    good: &Good,
    told: impl FnOnce(Delivered),
) {
    let said = async {
        let id = request(stream).await?;
        let frames = frames(fault, id, good);
        // In one piece: nothing can be done between an end of the stream and that of the connection.
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        stream.write_all(&bytes).await.ok()?;
        stream.flush().await.ok()
    };
    let said = timeout(SILENCE, said).await.ok().flatten();
    told(if said.is_some() { Delivered::Whole } else { Delivered::Partly });
    if said.is_none() {
        return;
    }
    let rest = async {
        if fault == Http2Fault::GoawayAboveUnanswered {
            stream.shutdown().await?;
        }
        drain(stream).await
    };
    // Whether the peer leaves by itself or not: this is the end.
    let _ = timeout(SILENCE, rest).await;
}

/// Reads until a request is whole, and gives the number of its stream. Nothing if the peer left before, or speaks otherwise.
async fn request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<u32> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await.ok()?;
    if preface != *PREFACE {
        return None;
    }
    stream.write_all(&Frame::new(SETTINGS, 0, 0, []).bytes()).await.ok()?;
    stream.flush().await.ok()?;
    let (mut head_ended, mut ended) = (false, None);
    for _ in 0..FRAMES {
        let frame = read_frame(stream).await?;
        match frame.kind {
            SETTINGS | PING if !frame.has(ACK) => {
                let payload = if frame.kind == PING { frame.payload } else { Vec::new() };
                stream.write_all(&Frame::new(frame.kind, ACK, 0, payload).bytes()).await.ok()?;
                stream.flush().await.ok()?;
            }
            HEADERS | CONTINUATION | DATA => {
                head_ended |= frame.kind != DATA && frame.has(END_HEADERS);
                if frame.kind != CONTINUATION && frame.has(END_STREAM) {
                    ended = Some(frame.stream);
                }
            }
            _ => {}
        }
        if head_ended && ended.is_some() {
            return ended;
        }
    }
    None
}

/// What is said to the request on a stream.
fn frames(fault: Http2Fault, id: u32, good: &Good) -> Vec<Frame> {
    // Behind the end of the stream stands that of the connection, so that the next request comes on another one.
    let reset = |error| vec![Frame::rst_stream(id, error), Frame::goaway(id, NO_ERROR)];
    match fault {
        Http2Fault::GoawayBelow => vec![Frame::goaway(id.saturating_sub(2), NO_ERROR)],
        Http2Fault::GoawayAboveUnanswered => vec![Frame::goaway(id, NO_ERROR)],
        Http2Fault::GoawayAboveAnswered => {
            let mut all = vec![Frame::goaway(id, NO_ERROR)];
            all.extend(answer(id, good));
            all
        }
        Http2Fault::StreamRefused => reset(REFUSED_STREAM),
        Http2Fault::StreamFailed => reset(INTERNAL_ERROR),
        Http2Fault::StreamCancelled => reset(CANCEL),
    }
}

fn answer(id: u32, good: &Good) -> Vec<Frame> {
    let mut head = field(":status", &good.status.to_string());
    let Some(body) = &good.body else {
        return vec![Frame::new(HEADERS, END_HEADERS | END_STREAM, id, head)];
    };
    head.extend(field("content-type", "application/json"));
    head.extend(field("content-length", &body.len().to_string()));
    vec![Frame::new(HEADERS, END_HEADERS, id, head), Frame::new(DATA, END_STREAM, id, body.clone())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frames.iter().flat_map(Frame::bytes));
        bytes
    }

    async fn read(frames: &[Frame]) -> Option<u32> {
        let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(&said(frames)).await.expect("written");
        theirs.shutdown().await.expect("closed");
        request(&mut ours).await
    }

    #[tokio::test]
    async fn a_request_is_whole_when_head_and_stream_have_ended() {
        let settings = || Frame::new(SETTINGS, 0, 0, []);
        let head = |flags| Frame::new(HEADERS, flags, 1, [0x82]);
        let data = |flags| Frame::new(DATA, flags, 1, *b"{}");
        let more = |flags| Frame::new(CONTINUATION, flags, 1, [0x84]);
        assert_eq!(read(&[settings(), head(END_HEADERS | END_STREAM)]).await, Some(1));
        assert_eq!(read(&[settings(), head(END_HEADERS), data(0), data(END_STREAM)]).await, Some(1));
        assert_eq!(read(&[settings(), head(END_STREAM), more(0), more(END_HEADERS)]).await, Some(1));
        assert_eq!(read(&[settings(), head(END_STREAM), more(0)]).await, None);
        assert_eq!(read(&[settings(), head(END_HEADERS), data(0)]).await, None);
        // An acknowledgement has the same bit as the end of a stream.
        assert_eq!(read(&[head(END_HEADERS), Frame::new(SETTINGS, ACK, 0, [])]).await, None);
        assert_eq!(read(&vec![settings(); FRAMES + 1]).await, None);
    }

    #[tokio::test]
    async fn a_peer_that_leaves_before_its_request_was_told_nothing() {
        for (bytes, whole) in [
            (said(&[Frame::new(HEADERS, END_HEADERS | END_STREAM, 3, [0x82])]), true),
            (said(&[]), false),
            (b"GET / HTTP/1.1\r\nhost: d1\r\n\r\n".to_vec(), false),
        ] {
            let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
            theirs.write_all(&bytes).await.expect("written");
            theirs.shutdown().await.expect("closed");
            let (good, mut told) = (Good { status: 204, body: None }, None);
            play(&mut ours, Http2Fault::GoawayBelow, &good, |delivered| told = Some(delivered)).await;
            assert_eq!(told, Some(if whole { Delivered::Whole } else { Delivered::Partly }));
            drop(ours);
            let mut heard = Vec::new();
            theirs.read_to_end(&mut heard).await.expect("read");
            let below = Frame::goaway(1, NO_ERROR).bytes();
            assert_eq!(heard.ends_with(&below), whole);
        }
    }
}
