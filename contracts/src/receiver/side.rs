//! D1's side: where the receiver is, what D1 shows there, and the requests of a case, byte for byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use rustls::ClientConfig;
use serde_json::Value;

use super::case::{Certificate, Piece, ReceiverCase, Step};
use super::probe::TokenRef;
use super::url::ReceiverUrl;
use super::wire::{Connection, Heard, connect};
use crate::judge::Contract;
use crate::jwe::{Forgery, JweKey};
use crate::stage::{Known, ShownExchange, ShownMessage};
use crate::subject::MERCHANT_ID;

/// The paths of the two operations.
const NOTIFY_PATH: &str = "/merchant-gateways/{gateway}/merchants/{merchant}/tokens/{token}/notify-update";
const TOKEN_PATH: &str = "/oauth2/token";

/// The certificates that D1 can show, each with the authority that it asks of the receiver.
#[derive(Clone)]
pub struct Certificates {
    /// D1's own.
    pub d1: Arc<ClientConfig>,
    /// One of an authority that nobody knows.
    pub wrong_authority: Arc<ClientConfig>,
    /// One of D1's authority that has ended.
    pub expired: Arc<ClientConfig>,
    /// None.
    pub none: Arc<ClientConfig>,
}

/// Client credentials for the receiver's token endpoint.
#[derive(Clone)]
pub struct ReceiverCredentials {
    /// The client id.
    pub id: String,
    /// The client secret.
    pub secret: String,
    /// Where the token endpoint is; without one below the receiver, where the contract has it.
    pub token_url: Option<ReceiverUrl>,
    /// The scope that D1 asks for.
    pub scope: Option<String>,
}

/// What D1 has and knows, whoever the receiver is.
#[derive(Clone)]
pub struct D1Props {
    /// The outbound contract.
    pub contract: Contract,
    /// The gateway.
    pub gateway_id: String,
    /// The certificates.
    pub certificates: Certificates,
    /// The gateway's key, whose public half is enough.
    pub key: JweKey,
    /// The client credentials, if the receiver asks for a bearer.
    pub credentials: Option<ReceiverCredentials>,
    /// What the tokens and events of this run are made of: another seed, other ones.
    pub seed: u64,
}

/// Why D1 cannot deliver to a receiver at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// Nobody listens, or nobody says a word.
    #[error("nobody listens there; start the receiver, or correct the address")]
    Nobody,
    /// The receiver's certificate.
    #[error("its certificate is not of the authority that D1 trusts, or not good for this host")]
    Distrust,
    /// D1's certificate.
    #[error("it refuses D1's certificate: it must trust ca/thales-client-ca.pem of the sandbox folder")]
    Refused,
    /// Something else.
    #[error("it does not speak TLS 1.2 or 1.3")]
    Nonsense,
}

/// D1 before one receiver.
#[derive(Clone)]
pub struct D1Side {
    pub(super) props: D1Props,
    /// What of an exchange may be shown.
    pub(super) known: Arc<Known>,
    url: ReceiverUrl,
}

/// The access tokens of a case.
#[derive(Default, Clone)]
pub(super) struct Bearers {
    pub(super) first: Option<String>,
    pub(super) last: Option<String>,
}

/// A request that is ready to be sent.
pub(super) struct Composed {
    pub(super) method: String,
    pub(super) bytes: Vec<u8>,
    /// What may be shown of it.
    pub(super) shown: ShownExchange,
    /// In what it differs from the contract.
    pub(super) faults: Vec<String>,
}

impl D1Side {
    /// D1 with a receiver at this place.
    #[must_use]
    pub fn new(props: D1Props, url: ReceiverUrl) -> Self {
        let known = Arc::new(Known::of(props.contract.document()));
        Self { props, known, url }
    }

    /// Whether D1 gets as far as a connection.
    ///
    /// # Errors
    /// Why not.
    pub async fn reach(&self) -> Result<(), Unreachable> {
        self.reached(false).await
    }

    /// Whether D1 gets as far as a connection to the token endpoint, if that is elsewhere.
    ///
    /// # Errors
    /// Where it should be, and why not.
    pub async fn reach_token_endpoint(&self) -> Result<(), (ReceiverUrl, Unreachable)> {
        let Some(url) = self.token_url() else { return Ok(()) };
        self.reached(true).await.map_err(|fault| (url.clone(), fault))
    }

    fn token_url(&self) -> Option<&ReceiverUrl> {
        self.props.credentials.as_ref()?.token_url.as_ref()
    }

    async fn reached(&self, tokens: bool) -> Result<(), Unreachable> {
        match self.connect(Certificate::D1, tokens).await {
            Ok(_) => Ok(()),
            Err(Heard::Nobody | Heard::Silence) => Err(Unreachable::Nobody),
            Err(Heard::Distrust) => Err(Unreachable::Distrust),
            Err(Heard::Refused) => Err(Unreachable::Refused),
            Err(_) => Err(Unreachable::Nonsense),
        }
    }

    /// A connection to the receiver, or to the token endpoint.
    pub(super) async fn connect(&self, certificate: Certificate, tokens: bool) -> Result<Connection, Heard> {
        let all = &self.props.certificates;
        let tls = match certificate {
            Certificate::D1 => &all.d1,
            Certificate::WrongAuthority => &all.wrong_authority,
            Certificate::Expired => &all.expired,
            Certificate::None => &all.none,
        };
        let elsewhere = self.token_url().filter(|_| tokens);
        connect(tls, &elsewhere.unwrap_or(&self.url).address).await
    }

    /// The token of a case in this run. It is nobody else's.
    #[must_use]
    pub fn token(&self, case: &ReceiverCase) -> TokenRef {
        TokenRef {
            gateway_id: self.props.gateway_id.clone(),
            merchant_id: MERCHANT_ID.to_owned(),
            token_id: self.uuid(&case.id, "token"),
        }
    }

    /// A UUID that is a function of the seed, the case and a word.
    fn uuid(&self, case: &str, word: &str) -> String {
        let hash = digest(&SHA256, format!("{}\n{case}\n{word}", self.props.seed).as_bytes());
        let mut text = String::new();
        for (place, byte) in hash.as_ref().iter().take(16).enumerate() {
            let byte = match place {
                // Version 8, which is for makers' own, and the variant.
                6 => byte & 0x0f | 0x80,
                8 => byte & 0x3f | 0x80,
                _ => *byte,
            };
            let dash = if [4, 6, 8, 10].contains(&place) { "-" } else { "" };
            // Writing to a String does not fail.
            let _ = write!(text, "{dash}{byte:02x}");
        }
        text
    }

    /// The request of a step.
    pub(super) fn compose(&self, case: &ReceiverCase, step: &Step, bearers: &Bearers) -> Composed {
        let token = self.token(case);
        let (mut faults, notifies) = (Vec::new(), step.form.is_none());
        let mut body = self.body(case, step, &mut faults);
        body.resize(body.len() + step.padding, b' ');
        let template = step.path.as_deref().unwrap_or(if notifies { NOTIFY_PATH } else { TOKEN_PATH });
        let path = template
            .replace("{gateway}", &token.gateway_id)
            .replace("{merchant}", &token.merchant_id)
            .replace("{token}", &token.token_id);
        let mut headers = self.headers(notifies, bearers, &token.token_id);
        for (name, value) in &step.headers {
            let value = value.as_ref().map(|value| self.filled_in(value, bearers));
            headers.retain(|known, _| known != name);
            headers.extend(value.map(|value| (name.clone(), value)));
        }
        let method = step.method.clone().unwrap_or_else(|| "POST".to_owned());
        let pairs: Vec<(String, String)> = headers.into_iter().collect();
        let judged = self.props.contract.judge_request(&method, &path, &pairs, &body);
        faults.extend(judged.err().unwrap_or_default().iter().map(ToString::to_string));
        let shown = ShownExchange {
            method: method.clone(),
            path: as_contract(template),
            request: ShownMessage::of_suite(&pairs, &body),
            answer: ShownMessage::default(),
        };
        let (target, host) = match self.token_url().filter(|_| !notifies && step.path.is_none()) {
            Some(url) if url.prefix.is_empty() => ("/".to_owned(), &url.authority),
            Some(url) => (url.prefix.clone(), &url.authority),
            None => (format!("{}{path}", self.url.prefix), &self.url.authority),
        };
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n");
        for (name, value) in &pairs {
            // Writing to a String does not fail, here and below.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "content-length: {}\r\n\r\n", body.len());
        let mut bytes = head.into_bytes();
        bytes.extend(body);
        Composed { method, bytes, shown, faults }
    }

    fn headers(&self, notifies: bool, bearers: &Bearers, token: &str) -> BTreeMap<String, String> {
        let media_type = if notifies { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut headers = BTreeMap::from([
            ("content-type".to_owned(), media_type.to_owned()),
            ("x-correlation-id".to_owned(), format!("suite-{token}")),
        ]);
        let authorization = if notifies {
            bearers.last.as_ref().map(|bearer| format!("Bearer {bearer}"))
        } else {
            Some(format!("Basic {}", self.basic("")))
        };
        headers.extend(authorization.map(|value| ("authorization".to_owned(), value)));
        headers
    }

    fn filled_in(&self, value: &str, bearers: &Bearers) -> String {
        value
            .replace("{bearer}", bearers.last.as_deref().unwrap_or_default())
            .replace("{first_bearer}", bearers.first.as_deref().unwrap_or_default())
            .replace("{credentials}", &self.basic(""))
            .replace("{wrong_secret}", &self.basic("x"))
    }

    /// Base64url with padding (contract C27).
    fn basic(&self, after_secret: &str) -> String {
        let known = self.props.credentials.as_ref();
        let (id, secret) = known.map_or(("", ""), |known| (known.id.as_str(), known.secret.as_str()));
        URL_SAFE.encode(format!("{id}:{secret}{after_secret}"))
    }

    fn body(&self, case: &ReceiverCase, step: &Step, faults: &mut Vec<String>) -> Vec<u8> {
        if let Some(form) = &step.form {
            return form.clone().into_bytes();
        }
        if let Some(event) = &step.event {
            let mut event = event.clone();
            self.fill_in(case, &mut event, faults);
            return event.to_string().into_bytes();
        }
        let mut bytes = Vec::new();
        for piece in step.raw.iter().flatten() {
            match piece {
                Piece::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                Piece::Hex(digits) => bytes.extend(from_hex(digits)),
                Piece::Event(number) => bytes.extend(self.event_id(case, u64::from(*number)).into_bytes()),
                Piece::Repeat { text, times } => bytes.extend(text.repeat(*times).into_bytes()),
            }
        }
        bytes
    }

    /// The form with which D1 asks for an access token.
    pub(super) fn token_form(&self) -> String {
        let mut form = "grant_type=client_credentials".to_owned();
        let scope = self.props.credentials.as_ref().and_then(|known| known.scope.as_deref());
        if let Some(scope) = scope {
            form.push_str("&scope=");
            for byte in scope.bytes() {
                match byte {
                    b' ' => form.push('+'),
                    b'-' | b'.' | b'_' => form.push(char::from(byte)),
                    _ if byte.is_ascii_alphanumeric() => form.push(char::from(byte)),
                    // Writing to a String does not fail.
                    _ => drop(write!(form, "%{byte:02X}")),
                }
            }
        }
        form
    }

    fn event_id(&self, case: &ReceiverCase, number: u64) -> String {
        self.uuid(&case.id, &format!("event {number}"))
    }

    fn fill_in(&self, case: &ReceiverCase, value: &mut Value, faults: &mut Vec<String>) {
        let forgery = match (value.get("$sealed"), value.get("$forged")) {
            (Some(plaintext), _) => {
                let judged =
                    self.props.contract.judge_plaintext("NetworkToken", plaintext.to_string().as_bytes());
                faults.extend(judged.err().unwrap_or_default().iter().map(ToString::to_string));
                Some(Forgery::none(plaintext.to_string()))
            }
            // The loader has read it.
            (None, Some(forged)) => serde_json::from_value(forged.clone()).ok(),
            (None, None) => None,
        };
        if let Some(forgery) = forgery {
            // What cannot be sealed leaves a text that no contract allows, so that the case fails.
            *value = self.props.key.seal(&forgery).unwrap_or_else(|| "not sealed".to_owned()).into();
        } else if let Some(number) = value.get("$event").and_then(Value::as_u64) {
            *value = self.event_id(case, number).into();
        } else if let Value::Object(members) = value {
            members.values_mut().for_each(|member| self.fill_in(case, member, faults));
        }
    }
}

/// A path with its parameters as the contract names them.
fn as_contract(template: &str) -> String {
    let names =
        [("{gateway}", "{merchantGatewayId}"), ("{merchant}", "{merchantId}"), ("{token}", "{tokenId}")];
    names.iter().fold(template.to_owned(), |path, (ours, name)| path.replace(ours, name))
}

fn from_hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        digits.chars().filter_map(|c| c.to_digit(16)).filter_map(|digit| u8::try_from(digit).ok()).collect();
    digits.chunks_exact(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_bytes() {
        assert_eq!(from_hex("EFbb0f"), [0xef, 0xbb, 0x0f]);
    }
}
