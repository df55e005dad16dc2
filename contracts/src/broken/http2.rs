//! One exchange over HTTP/2, where the server chooses it: one stream, and no more of HPACK than the script server writes.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::breaks::Break;
use super::wire::{BODY_BYTES, Lost, Reply};
use crate::http2::{
    ACK, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PREFACE, REFUSED_STREAM, RST_STREAM,
    SETTINGS, field, fields, read_frame,
};
use crate::stage::http::{Request, read_request};

/// The first stream of a client.
const STREAM: u32 = 1;
/// What belongs to a connection of HTTP/1.1, or has a name of its own here.
const NOT_OURS: [&str; 2] = ["host", "connection"];

/// Sends a request and reads its answer. `lost` says how far it got if there is none.
pub(super) async fn talk(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
    broken: Option<Break>,
    lost: &mut Lost,
) -> Option<Reply> {
    let request = read_request(&mut &request[..]).await.ok()??;
    *lost = Lost::Perhaps;
    write(stream, &said(request)).await?;
    let mut reply: Option<Reply> = None;
    loop {
        let frame = read_frame(stream).await?;
        let waits = broken == Some(Break::WaitOutResets);
        match frame.kind {
            SETTINGS if !frame.has(ACK) => {
                write(stream, &Frame::new(SETTINGS, ACK, 0, []).bytes()).await?;
            }
            GOAWAY if !waits => {
                // Streams up to the last one that it names may still be answered.
                let not_begun = frame.number(0)? < STREAM || broken == Some(Break::GoawayIsNo);
                if not_begun || broken == Some(Break::GoawayIsEnd) {
                    *lost = if not_begun { Lost::NotBegun } else { Lost::Perhaps };
                    return None;
                }
            }
            RST_STREAM if frame.stream == STREAM && !waits => {
                if frame.number(0)? == REFUSED_STREAM {
                    *lost = Lost::NotBegun;
                }
                return None;
            }
            HEADERS if frame.stream == STREAM => {
                let headers = fields(&frame.payload)?;
                let status = headers.iter().find(|(name, _)| name == ":status")?.1.parse().ok()?;
                reply = Some(Reply { status, headers, body: Vec::new() });
            }
            DATA if frame.stream == STREAM => reply.as_mut()?.body.extend_from_slice(&frame.payload),
            _ => continue,
        }
        if reply.as_ref().is_some_and(|reply| reply.body.len() > BODY_BYTES) {
            return None;
        }
        if [HEADERS, DATA].contains(&frame.kind) && frame.has(END_STREAM) {
            return reply;
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Option<()> {
    stream.write_all(bytes).await.ok()?;
    stream.flush().await.ok()
}

/// All that a client says for a request.
fn said(request: Request) -> Vec<u8> {
    let authority = request.header("host").unwrap_or_default().to_owned();
    let mut head: Vec<u8> = [
        (":method", request.method.as_str()),
        (":scheme", "https"),
        (":authority", authority.as_str()),
        (":path", request.path.as_str()),
    ]
    .into_iter()
    .flat_map(|(name, value)| field(name, value))
    .collect();
    let others = request.headers.iter().filter(|(name, _)| !NOT_OURS.contains(&name.as_str()));
    head.extend(others.flat_map(|(name, value)| field(name, value)));
    let mut frames = vec![Frame::new(SETTINGS, 0, 0, [])];
    if request.body.is_empty() {
        frames.push(Frame::new(HEADERS, END_HEADERS | END_STREAM, STREAM, head));
    } else {
        frames.push(Frame::new(HEADERS, END_HEADERS, STREAM, head));
        frames.push(Frame::new(DATA, END_STREAM, STREAM, request.body));
    }
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frames.iter().flat_map(Frame::bytes));
    bytes
}
