//! Taking a request's body in, whole and bounded, before anything else is judged: an early refusal
//! then never cuts a caller off who is still sending.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::strict_json::{DecodeError, DecodeKind};

/// The longest body (C32).
const MOST: usize = 64 * 1024;
/// So much of a longer body is read and dropped, so that the caller sees the answer.
const DROPPED: usize = 1024 * 1024;
/// A body must be whole within this time.
const DEADLINE: Duration = Duration::from_secs(30);

/// A body as it was taken in.
#[derive(Debug, Clone)]
pub(crate) enum Intake {
    Whole(Bytes),
    TooLarge,
    /// It broke off, or took too long.
    Broken,
}

impl Intake {
    pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Self {
        let announced =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        // A caller that asks first is told without having sent anything.
        if announced.is_some_and(|length| length > MOST) && headers.contains_key(EXPECT) {
            return Self::TooLarge;
        }
        timeout(DEADLINE, Self::collect(body)).await.unwrap_or(Self::Broken)
    }

    async fn collect(mut body: Body) -> Self {
        let mut taken: Option<Bytes> = None;
        let mut more = BytesMut::new();
        let mut length = 0_usize;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Self::Broken };
            let Ok(data) = frame.into_data() else { continue };
            length += data.len();
            if length > DROPPED {
                return Self::TooLarge;
            }
            match &taken {
                _ if length > MOST => {}
                // Most bodies come in one piece and are not copied.
                None => taken = Some(data),
                Some(first) => {
                    if more.is_empty() {
                        more.extend_from_slice(first);
                    }
                    more.extend_from_slice(&data);
                }
            }
        }
        match taken {
            _ if length > MOST => Self::TooLarge,
            _ if !more.is_empty() => Self::Whole(more.freeze()),
            taken => Self::Whole(taken.unwrap_or_default()),
        }
    }

    /// The bytes of a body that came whole and is not too long.
    pub(crate) fn whole(&self) -> Result<&Bytes, DecodeError> {
        match self {
            Self::TooLarge => {
                let actual = format!("more than {MOST} bytes");
                Err(DecodeError::new(DecodeKind::TooLarge, "body", &format!("at most {MOST} bytes"), &actual))
            }
            Self::Broken => Err(DecodeError::invalid("body", "a whole body within 30 s", "a part of it")),
            Self::Whole(body) => Ok(body),
        }
    }

    /// The bytes of a JSON body, or what is wrong with it before its first byte is looked at.
    pub(crate) fn json(&self, headers: &HeaderMap) -> Result<&Bytes, DecodeError> {
        let body = self.whole()?;
        let given = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
        match given {
            None if body.is_empty() => Ok(body),
            Some(media) if is_json(media) => Ok(body),
            other => {
                let (expected, actual) = ("application/json, in UTF-8", other.unwrap_or("none"));
                Err(DecodeError::new(DecodeKind::MediaType, "content-type", expected, actual))
            }
        }
    }
}

/// `application/json`, in any case; its only parameter may be `charset=utf-8`.
fn is_json(media: &str) -> bool {
    let mut parts = media.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let utf8 = |parameter: &str| {
        ["", "charset=utf-8", "charset=\"utf-8\""]
            .into_iter()
            .any(|good| parameter.eq_ignore_ascii_case(good))
    };
    essence.eq_ignore_ascii_case("application/json") && parts.all(utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken(length: usize) -> Intake {
        Intake::read(&HeaderMap::new(), Body::from(vec![b' '; length])).await
    }

    #[tokio::test]
    async fn a_body_may_have_64_kib_and_not_a_byte_more() {
        assert!(matches!(taken(MOST).await, Intake::Whole(body) if body.len() == MOST));
        assert!(matches!(taken(MOST + 1).await, Intake::TooLarge));
        assert!(matches!(taken(DROPPED * 2).await, Intake::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_waited_for_within_its_deadline() {
        // A sender that is kept and never sends.
        let (_sender, body) = http_body_util::channel::Channel::<Bytes>::new(1);
        assert!(matches!(Intake::read(&HeaderMap::new(), Body::new(body)).await, Intake::Broken));
    }

    #[test]
    fn the_media_type_is_json_in_utf_8_and_no_other() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\";"]
        {
            assert!(is_json(good), "{good}");
        }
        for bad in
            ["text/json", "application/jsonl", "application/json; charset=latin1", "application/json; v=1"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
