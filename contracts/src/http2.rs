//! Frames of HTTP/2 as literal bytes (RFC 9113): no library of today lets its user choose what a server says here.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What ALPN calls it, and the version before it.
pub(crate) const H2: &[u8] = b"h2";
pub(crate) const HTTP_1_1: &[u8] = b"http/1.1";

/// What a client says first (section 3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest payload that a peer may send without being asked for longer ones (section 4.2).
const PAYLOAD_BYTES: usize = 16 * 1024;

/// Kinds of frames (section 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags; that of an acknowledgement is the same bit as that of the last frame of a stream.
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// Error codes (section 7).
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// The end of a stream.
    pub(crate) fn rst_stream(stream: u32, error: u32) -> Self {
        Self::new(RST_STREAM, 0, stream, error.to_be_bytes())
    }

    /// The end of a connection, on which streams up to `last` may have been begun.
    pub(crate) fn goaway(last: u32, error: u32) -> Self {
        Self::new(GOAWAY, 0, 0, [last.to_be_bytes(), error.to_be_bytes()].concat())
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The number at a place of the payload.
    pub(crate) fn number(&self, place: usize) -> Option<u32> {
        let bytes = self.payload.get(place * 4..place * 4 + 4)?;
        bytes.try_into().ok().map(u32::from_be_bytes)
    }

    /// Its bytes. No payload of ours is longer than its head can say.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], self.kind, self.flags];
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// The next frame; nothing at the end of the connection, or of one that is longer than it may be.
pub(crate) async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).ok()?;
    if length > PAYLOAD_BYTES {
        return None;
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    // The first bit is reserved.
    let of = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
    Some(Frame { kind: head[3], flags: head[4], stream: of, payload })
}

/// A field as HPACK has it that no table knows and none is to keep (RFC 7541, 6.2.2), without Huffman's code.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        push_length(&mut bytes, text.len());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// A number of seven bits, or what is above them in bytes of seven (RFC 7541, 5.1).
fn push_length(bytes: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(0x7f) else {
        // It is below 127.
        return bytes.push(u8::try_from(length).unwrap_or_default());
    };
    bytes.push(0x7f);
    while rest >= 0x80 {
        // The seven lowest bits.
        bytes.push(u8::try_from(rest % 0x80).unwrap_or_default() | 0x80);
        rest /= 0x80;
    }
    bytes.push(u8::try_from(rest).unwrap_or_default());
}

/// The fields of a head that is written as [`field`] has it; nothing of any other.
pub(crate) fn fields(mut head: &[u8]) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    while let Some((0, rest)) = head.split_first() {
        let (name, rest) = text(rest)?;
        let (value, rest) = text(rest)?;
        fields.push((name, value));
        head = rest;
    }
    head.is_empty().then_some(fields)
}

fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    // One byte of length is enough for what the suite answers; the first bit would be that of Huffman's code.
    let (length, rest) = bytes.split_first().filter(|(length, _)| **length < 0x7f)?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((String::from_utf8(text.to_vec()).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_is_read_as_it_was_written_and_none_that_is_too_long() {
        let frame = Frame::goaway(5, REFUSED_STREAM);
        let bytes = frame.bytes();
        assert_eq!(bytes, [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 7]);
        assert_eq!(read_frame(&mut &bytes[..]).await, Some(frame.clone()));
        assert_eq!((frame.number(0), frame.number(1), frame.number(2)), (Some(5), Some(7), None));
        assert_eq!(read_frame(&mut &bytes[..bytes.len() - 1]).await, None);
        let long = [0, 0x40, 1, 0, 0, 0, 0, 0, 1];
        assert_eq!(read_frame(&mut [&long[..], &[0; 0x4001]].concat().as_slice()).await, None);
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let head = [field(":status", "201"), field("content-length", "12")].concat();
        let wanted = [(":status", "201"), ("content-length", "12")];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        assert_eq!(fields(&head), Some(wanted));
        for other in [&head[..head.len() - 1], &[0x88], &[0, 0x81, b'a', 0]] {
            assert_eq!(fields(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_field_is_as_long_as_it_says() {
        assert_eq!(field("a", "bc"), [0, 1, b'a', 2, b'b', b'c']);
        // The examples of RFC 7541, C.1, with another prefix: 127 and 1337.
        assert_eq!(field("", &"x".repeat(127))[..4], [0, 0, 0x7f, 0]);
        assert_eq!(field("", &"x".repeat(1337))[..5], [0, 0, 0x7f, 0xba, 0x09]);
    }
}
