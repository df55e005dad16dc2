//! What brings an error about by itself: a card, a value that is sent, or something that is done before.

use serde::Serialize;

/// A way to an error without any fault. Each is a change of a request that is good otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Natural {
    /// A tokenization of the test card with this name.
    Card(&'static str),
    /// No `x-correlation-id`.
    NoCorrelation,
    /// An `x-correlation-id` with a character that it must not have.
    BadCorrelation,
    /// No bearer, or one that has ended.
    NoBearer,
    /// The path of another gateway.
    OtherGateway,
    /// A certificate whose common name is not as it must be.
    WrongName,
    /// A merchant that this gateway did not make.
    UnknownMerchant,
    /// A token that is not there, or is deleted.
    UnknownToken,
    /// A token that was suspended before.
    Suspended,
    /// Another method on the path.
    OtherMethod,
    /// A body beyond 64 KiB.
    LongBody,
    /// Another media type.
    OtherMediaType,
}

impl Natural {
    /// The shortest way to an error, if there is one.
    pub(super) fn of((operation, status, code): (&str, u16, Option<&str>)) -> Option<Self> {
        Some(match (status, code, operation) {
            (400, Some("MISSING_FIELD"), _) => Self::NoCorrelation,
            (400, Some("INVALID_FIELD"), _) => Self::BadCorrelation,
            (401, None, _) => Self::NoBearer,
            // The token endpoint's path names no gateway.
            (403, Some("FORBIDDEN"), "getAccessToken") => Self::WrongName,
            (403, Some("FORBIDDEN"), _) => Self::OtherGateway,
            (403, Some("FORBIDDEN_STATE"), "createTransaction") => Self::Suspended,
            (403, Some("TOKENIZATION_DECLINED"), "createToken") => Self::Card("decline"),
            (404, Some("RESOURCE_NOT_FOUND"), "createToken") => Self::UnknownMerchant,
            (404, Some("RESOURCE_NOT_FOUND"), _) => Self::UnknownToken,
            (405, Some("METHOD_NOT_ALLOWED"), _) => Self::OtherMethod,
            (413, Some("PAYLOAD_TOO_LARGE"), _) => Self::LongBody,
            (415, Some("UNSUPPORTED_MEDIA_TYPE"), _) => Self::OtherMediaType,
            (503, Some("SERVICE_UNAVAILABLE"), "createToken") => Self::Card("unavailable-twice"),
            _ => return None,
        })
    }

    /// What to do, for people.
    pub(super) fn told(self, operation: &str) -> String {
        let has_body = !matches!(operation, "getToken" | "deleteToken");
        match self {
            Self::Card(name) => {
                return format!("tokenize the test card {name} (`d1sim cards`)");
            }
            Self::NoCorrelation if !has_body => "send no x-correlation-id",
            Self::BadCorrelation if !has_body => "send `x-correlation-id: not one!`",
            Self::NoCorrelation => "send no x-correlation-id; or leave out a member of the body",
            Self::BadCorrelation => {
                "send `x-correlation-id: not one!`; or a wrong or unknown member in the body"
            }
            Self::NoBearer => "send no bearer; or one that is older than 15 minutes",
            Self::OtherGateway => "put another gateway's id into the path",
            Self::WrongName => "show the certificate rogue/wrong-cn.pem of the sandbox folder",
            Self::UnknownMerchant => "name a merchant that this gateway did not make",
            Self::UnknownToken => "name a token that is not there, or was deleted",
            Self::Suspended => {
                "let the token be suspended before: `POST /events` token.suspend on the admin port"
            }
            Self::OtherMethod => "use PUT on the same path",
            Self::LongBody => "send a body of more than 64 KiB",
            Self::OtherMediaType => "send `content-type: text/plain`",
        }
        .to_owned()
    }
}
