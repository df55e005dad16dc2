//! What travels from D1 to a gateway's receiver. The names stand here alone.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::rfc3339;
use crate::domain::{Update, uuid_text};
use crate::faults::later_members;

/// Body of notifyTokenUpdate (C22).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    event_id: String,
    event_type: &'static str,
    state: &'static str,
    card_last_digits: String,
    card_expiry_date: String,
    token_last_digits: String,
    token_expiry_date: String,
    sequence: u32,
    last_update_timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted_data: Option<String>,
}

/// A kind of event that no contract names.
const UNKNOWN_TYPE: &str = "TOKEN_REBRANDED";

/// 200 of a gateway's token endpoint; D1 tolerates what it does not know [D4].
#[derive(Deserialize)]
pub(super) struct GatewayTokenAnswer {
    pub(super) access_token: Option<String>,
    pub(super) expires_in: Option<f64>,
}

impl Notification {
    pub(super) fn new(update: &Update, encrypted_data: Option<String>) -> Self {
        Self {
            event_id: uuid_text(update.id),
            event_type: update.kind.as_str(),
            state: update.state.as_str(),
            card_last_digits: update.card_last_four.as_str().to_owned(),
            card_expiry_date: update.card_expiry.mmyy(),
            token_last_digits: update.token_last_four.as_str().to_owned(),
            token_expiry_date: update.token_expiry.mmyy(),
            sequence: update.sequence,
            last_update_timestamp: rfc3339(update.at),
            encrypted_data,
        }
    }

    /// The same of a kind that nobody knows.
    pub(super) fn of_unknown_type(self) -> Self {
        Self { event_type: UNKNOWN_TYPE, ..self }
    }
}

/// A notification as a later D1 might send it.
pub(super) fn with_unknown_members(notification: &Notification) -> Value {
    let mut body = serde_json::to_value(notification).unwrap_or_default();
    if let Value::Object(members) = &mut body {
        members.extend(later_members(2));
    }
    body
}
