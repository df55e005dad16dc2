//! A fault as people write it, in JSON and YAML alike. Names of members stand here alone.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A fault as it is asked for: where it strikes, when, and one effect. Nothing is checked yet.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct FaultForm {
    pub(crate) name: Option<String>,
    /// Operation ids, `notifications`, `connections`, or the groups `calls`, `reads`, `repeatable`, `creates`.
    pub(crate) on: Option<Vec<String>>,
    pub(crate) gateway: Option<String>,
    /// Any of these.
    pub(crate) gateways: Option<Vec<String>>,
    pub(crate) merchant: Option<String>,
    pub(crate) token: Option<String>,
    /// The name of a test card.
    pub(crate) card: Option<String>,
    pub(crate) nth: Option<u64>,
    pub(crate) every: Option<u64>,
    pub(crate) times: Option<u64>,
    #[serde(rename = "for")]
    pub(crate) lasts: Option<String>,
    pub(crate) probability: Option<f64>,
    pub(crate) most_in_a_row: Option<u32>,
    pub(crate) answer: Option<AnswerForm>,
    pub(crate) latency: Option<LatencyForm>,
    pub(crate) limit: Option<LimitForm>,
    pub(crate) reset: Option<ResetAt>,
    pub(crate) stall: Option<StallAt>,
    pub(crate) truncate: Option<bool>,
    pub(crate) malformed: Option<Malformed>,
    pub(crate) unknown_members: Option<u32>,
    pub(crate) revoke_bearer: Option<bool>,
    /// How long after the answer, in real time.
    pub(crate) close_idle: Option<String>,
    pub(crate) goaway: Option<bool>,
    pub(crate) handshake: Option<HandshakeFault>,
    /// How many copies more.
    pub(crate) duplicate: Option<u32>,
    pub(crate) delay: Option<String>,
    pub(crate) drop: Option<bool>,
    pub(crate) hold: Option<HoldOrder>,
    /// How long the token's next notification is waited for.
    pub(crate) reorder: Option<String>,
}

/// An answer that stands in for D1's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AnswerForm {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) error_code: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<String>,
    #[serde(default)]
    pub(crate) retry_after: Option<RetryAfterForm>,
    /// Members put into the error object, over those of the same name.
    #[serde(default)]
    pub(crate) members: Option<Map<String, Value>>,
    /// The body as it is sent, instead of the error object.
    #[serde(default)]
    pub(crate) body: Option<String>,
}

/// `"30s"`, a moment in RFC 3339 (sent as an HTTP date), or `{"text": ...}` as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected \"30s\", a moment in RFC 3339, or {\"text\": ...}")]
pub(crate) enum RetryAfterForm {
    Told(String),
    Text(LiteralForm),
}

/// A header's value as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiteralForm {
    pub(crate) text: String,
}

/// `"2s"`, or a distribution.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"2s\", {\"uniform\": {\"from\", \"to\"}} or {\"exponential\": {\"mean\", \"most\"}}"
)]
pub(crate) enum LatencyForm {
    Fixed(String),
    Drawn(DrawnForm),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum DrawnForm {
    Uniform { from: String, to: String },
    Exponential { mean: String, most: String },
}

/// So many calls in a window of the sandbox clock; without `per` so many in all.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitForm {
    pub(crate) calls: u64,
    #[serde(default)]
    pub(crate) per: Option<String>,
}

/// Where a connection is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ResetAt {
    /// Before anything is done.
    Before,
    /// After it is done: the answer is lost.
    After,
    /// Within the head of the answer.
    Head,
    /// Within its body.
    Body,
}

/// Where a call hangs until the fault is lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum StallAt {
    /// Before anything is done.
    Before,
    /// After it is done, before its answer.
    After,
}

/// What becomes of the body of an answer. What is sealed in it stays sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Malformed {
    /// Cut behind its middle, with a length that fits.
    NotJson,
    /// Nothing at all.
    Empty,
    /// `text/html` with a page in it, as of a proxy.
    Html,
    /// Without this member.
    Missing(String),
    /// With this member as an array.
    WrongType(String),
}

/// How a handshake goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum HandshakeFault {
    /// Nothing comes after the caller's first word, until the fault is lifted.
    Stall,
    /// Closed after the caller's first word.
    Close,
    /// D1 shows this certificate instead of its own.
    Certificate(BadCertificate),
}

/// A certificate that proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum BadCertificate {
    Expired,
    NotYetValid,
    WrongName,
    ClientUsage,
    UnknownAuthority,
    SelfSigned,
}

/// In which order held notifications go once the fault is lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum HoldOrder {
    InOrder,
    Reversed,
}

impl FaultForm {
    /// The form as JSON, without what was left out.
    pub(crate) fn shown(&self) -> Value {
        without_nulls(serde_json::to_value(self).unwrap_or_default())
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        other => other,
    }
}
