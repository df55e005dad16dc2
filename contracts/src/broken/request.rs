//! What the baseline client sends, and how a request is spoiled.

use serde_json::{Map, Value, json};

use super::breaks::Break;
use super::wire::Reply;
use super::{BrokenClient, Props};
use crate::jwe::Forgery;
use crate::subject::{Arguments, Call};

/// A request, before it has a bearer.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) operation: &'static str,
    method: &'static str,
    path: String,
    body: Option<Value>,
}

impl Request {
    /// The request for an access token. Nothing if it cannot be signed.
    pub(super) fn access_token(props: &Props) -> Option<Self> {
        let assertion = (props.sign)().ok()?;
        let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        Some(Self {
            operation: "getAccessToken",
            method: "POST",
            path: "/authz/v1/oauth2/token".to_owned(),
            body: Some(json!({"grant_type": grant_type, "assertion": assertion})),
        })
    }

    /// The request of a call. Nothing if its card cannot be sealed.
    pub(super) fn of(call: Call, with: &Arguments, client: &BrokenClient) -> Option<Self> {
        let Arguments { merchant_name, merchant_id, token_id, .. } = with;
        let merchants = format!("/ecom/v1/merchant-gateways/{}/merchants", client.props.gateway_id);
        let tokens = format!("{merchants}/{merchant_id}/tokens");
        let token = format!("{tokens}/{token_id}");
        let (operation, method, path, body) = match call {
            Call::CreateMerchant => {
                ("createMerchant", "POST", merchants, Some(json!({"merchantName": merchant_name})))
            }
            Call::CreateToken => {
                ("createToken", "POST", tokens, Some(json!({"encryptedData": card(client, &with.card)?})))
            }
            Call::GetToken => ("getToken", "GET", token, None),
            Call::CreateTransaction => {
                let body = json!({"transactionType": "SINGLE"});
                ("createTransaction", "POST", format!("{token}/transactions"), Some(body))
            }
            Call::DeleteToken => ("deleteToken", "DELETE", token, None),
        };
        Some(Self { operation, method, path, body })
    }

    /// The same request to where an answer points, if it does, and the address there.
    pub(super) fn redirected(&self, reply: &Reply) -> Option<(String, Self)> {
        let place = reply.header("location").filter(|_| (300..400).contains(&reply.status))?;
        let (authority, path) = place.strip_prefix("https://")?.split_once('/')?;
        Some((authority.to_owned(), Self { path: format!("/{path}"), ..self.clone() }))
    }

    /// Whether a repetition of it is harmless (contract C34).
    pub(super) fn creates(&self) -> bool {
        ["createMerchant", "createToken", "createTransaction"].contains(&self.operation)
    }

    /// The bytes of it; `attempts` is how often it has been sent before.
    pub(super) fn bytes(
        &self,
        authority: &str,
        bearer: Option<&str>,
        attempts: u32,
        broken: Option<Break>,
    ) -> Vec<u8> {
        let slash = if broken == Some(Break::TrailingSlash) { "/" } else { "" };
        let mut lines =
            vec![format!("{} {}{slash} HTTP/1.1", self.method, self.path), format!("host: {authority}")];
        if broken != Some(Break::DropCorrelationId) {
            lines.push(format!("x-correlation-id: suite-{}", self.operation));
        }
        if let Some(bearer) = bearer.filter(|_| broken != Some(Break::NoBearer)) {
            lines.push(format!("authorization: Bearer {bearer}"));
        }
        let mut body = String::new();
        if let Some(members) = &self.body {
            let by_form = broken == Some(Break::AccessTokenByForm) && self.operation == "getAccessToken";
            let (media_type, text) = match broken {
                Some(Break::WrongMediaType) => ("text/plain; charset=utf-8", members.to_string()),
                Some(Break::EmptyBodyOnRetry) if attempts > 0 => ("application/json", String::new()),
                _ if by_form => ("application/x-www-form-urlencoded", form(members)),
                _ => ("application/json", spoiled(members, broken).to_string()),
            };
            lines.push(format!("content-type: {media_type}"));
            lines.push(format!("content-length: {}", text.len()));
            body = text;
        }
        format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
    }
}

fn card(client: &BrokenClient, (pan, exp): &(String, String)) -> Option<String> {
    let exp = match client.broken {
        Some(Break::ExpiryYearFirst) => format!("{}{}", &exp[2..], &exp[..2]),
        _ => exp.to_owned(),
    };
    let plaintext = json!({"pan": pan, "exp": exp}).to_string();
    if client.broken == Some(Break::CardInClear) {
        return Some(plaintext);
    }
    client.props.d1_key.seal(&Forgery::none(plaintext))
}

fn spoiled(body: &Value, broken: Option<Break>) -> Value {
    let mut members: Map<String, Value> = body.as_object().cloned().unwrap_or_default();
    match broken {
        Some(Break::UnknownRequestMember) => {
            members.insert("clientVersion".to_owned(), json!("1"));
        }
        Some(Break::RenamedMember) => {
            let renamed = |(name, value): (String, Value)| {
                (format!("{}{}", name[..1].to_uppercase(), &name[1..]), value)
            };
            members = members.into_iter().map(renamed).collect();
        }
        _ => {}
    }
    Value::Object(members)
}

/// A form; the values that we send hold nothing to be escaped but colons, which may stand.
fn form(body: &Value) -> String {
    let pairs = body.as_object().into_iter().flatten();
    let pairs = pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
    pairs.collect::<Vec<_>>().join("&")
}
