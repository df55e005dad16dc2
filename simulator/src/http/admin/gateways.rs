//! `/gateways`: gateways that come and go while the sandbox runs.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use d1_fixtures::{InitError, KeyKind};
use http::StatusCode;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::Admin;
use super::handlers::Steer;
use crate::config::{ConfigError, Notifications};
use crate::domain::GatewayId;
use crate::http::App;
use crate::http::answer::{answer, empty};
use crate::http::problem::Problem;
use crate::http::strict_json::{DecodeError, Members, Wire};
use crate::onboarding::{Oauth, Order, Receiver, Refused};

/// What an identifier is.
const ID: &str = "10 characters of A-Z, a-z, 0-9, _ and -";

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Response {
    answer(StatusCode::OK, &json!({"gateways": admin.onboarding.list()}))
}

/// Makes a gateway. Where the caller goes away before it is there, there is none.
pub(super) async fn add(
    State(admin): State<Arc<Admin>>,
    Steer(order): Steer<Order>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::CREATED, &admin.onboarding.add(order).await?))
}

/// Takes a gateway out again, whole, also if the caller goes away meanwhile.
pub(super) async fn delete(
    State(admin): State<Arc<Admin>>,
    Path(gateway): Path<String>,
) -> Result<Response, Problem> {
    let gateway = GatewayId::parse(&gateway).ok_or(Refused::Unknown)?;
    let deletion = tokio::spawn(async move {
        admin.onboarding.remove(&gateway).await?;
        admin.app.forget_bearers(&gateway);
        Ok::<_, Refused>(())
    });
    deletion.await.map_err(|_| Problem::internal())??;
    Ok(empty(StatusCode::NO_CONTENT))
}

impl App {
    /// Forgets all of one gateway that it had from the sandbox.
    pub(super) fn reset(&self, gateway: &GatewayId) {
        self.forget_bearers(gateway);
        self.world.reset_gateway(gateway, self.clock.now().at);
    }

    fn forget_bearers(&self, gateway: &GatewayId) {
        self.tokens.forget(gateway);
        self.seen.forget(gateway);
    }
}

/// The gateway that a query such as `gateway=MGW_000001` names, which must be one that is known.
pub(super) fn named_in(admin: &Admin, query: Option<&str>) -> Result<Option<GatewayId>, Problem> {
    let mut named = None;
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let id = pair.strip_prefix("gateway=").ok_or_else(|| bad("query", "only gateway"))?;
        named = Some(in_query(id)?);
    }
    match named {
        Some(gateway) if !admin.app.gateways.knows(&gateway) => Err(Refused::Unknown.into()),
        named => Ok(named),
    }
}

/// The value of a parameter that names a gateway.
pub(super) fn in_query(id: &str) -> Result<GatewayId, Problem> {
    GatewayId::parse(id).ok_or_else(|| bad("gateway", ID))
}

fn bad(name: &str, expected: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "INVALID_FIELD", format!("{name}: expected {expected}"))
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, refused.to_string());
        match &refused {
            Refused::Taken(_) | Refused::Left(_) => conflict("GATEWAY_EXISTS"),
            Refused::Configured => conflict("GATEWAY_CONFIGURED"),
            Refused::NoAuthority(_) => conflict("NO_AUTHORITY"),
            Refused::Folder(InitError::Pki(_)) | Refused::BrokenOff => Self::internal(),
            Refused::Folder(_) => conflict("FOLDER_UNUSABLE"),
            Refused::NoName | Refused::Full | Refused::Stops => Self::unavailable(refused.to_string()),
            Refused::Unknown => Self::not_found("gateway: no such gateway"),
            Refused::Value(ConfigError::Value { key, expected, found }) => {
                let error = format!("{key}: expected {expected}, found {found}");
                Self::new(StatusCode::BAD_REQUEST, "INVALID_FIELD", error)
            }
            Refused::Value(_) | Refused::Receiver(_) => {
                Self::new(StatusCode::BAD_REQUEST, "INVALID_FIELD", refused.to_string())
            }
        }
    }
}

impl Wire for Order {
    const MEMBERS: &'static [(&'static str, bool)] =
        &[("gateway", false), ("receiver", false), ("key", false)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        let fault = |member, expected| DecodeError::invalid(member, expected, "another text");
        let id = members.optional_text("gateway")?;
        let id = id.map(|id| GatewayId::parse(id).ok_or_else(|| fault("gateway", ID))).transpose()?;
        let receiver = members.optional("receiver")?.map(receiver).transpose()?;
        let key = match members.optional_text("key")? {
            None | Some("ec") => KeyKind::Ec,
            Some("rsa") => KeyKind::Rsa,
            Some(_) => return Err(fault("key", "ec or rsa")),
        };
        Ok(Self { id, key, receiver })
    }
}

fn receiver(value: &Value) -> Result<Receiver, DecodeError> {
    let object = Nested::of("receiver", value, &["url", "authority", "oauth", "retry"])?;
    Ok(Receiver {
        url: object.required("url")?,
        authority: object.text("authority")?,
        oauth: object.members.get("oauth").map(oauth).transpose()?,
        retry: object.members.get("retry").map(retry).transpose()?.unwrap_or_default(),
    })
}

fn oauth(value: &Value) -> Result<Oauth, DecodeError> {
    let known = ["tokenUrl", "clientId", "clientSecret", "scope"];
    let object = Nested::of("receiver.oauth", value, &known)?;
    Ok(Oauth {
        token_url: object.required("tokenUrl")?,
        client_id: object.required("clientId")?,
        client_secret: Zeroizing::new(object.required("clientSecret")?),
        scope: object.text("scope")?,
    })
}

fn retry(value: &Value) -> Result<Notifications, DecodeError> {
    let known = ["firstDelay", "factor", "maxDelay", "attempts", "timeout"];
    let object = Nested::of("receiver.retry", value, &known)?;
    Ok(Notifications {
        first_delay: object.text("firstDelay")?,
        factor: object.number("factor")?,
        max_delay: object.text("maxDelay")?,
        attempts: object.number("attempts")?,
        timeout: object.text("timeout")?,
    })
}

/// A closed object inside a body.
struct Nested<'a> {
    name: &'static str,
    members: &'a Map<String, Value>,
}

impl<'a> Nested<'a> {
    fn of(name: &'static str, value: &'a Value, known: &[&str]) -> Result<Self, DecodeError> {
        let members =
            value.as_object().ok_or_else(|| DecodeError::invalid(name, "an object", "something else"))?;
        match members.keys().find(|member| !known.contains(&member.as_str())) {
            None => Ok(Self { name, members }),
            Some(member) => {
                let member: String = member.chars().take(64).collect();
                let expected = format!("only {}", known.join(", "));
                Err(DecodeError::invalid(&format!("{name}.{member}"), &expected, "an unknown member"))
            }
        }
    }

    fn text(&self, member: &str) -> Result<Option<String>, DecodeError> {
        match self.members.get(member) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(other) => Err(self.fault(member, "a string that is not empty", other)),
        }
    }

    fn required(&self, member: &str) -> Result<String, DecodeError> {
        let text = self.text(member)?;
        text.ok_or_else(|| self.fault(member, "a string that is not empty", &Value::Null))
    }

    fn number(&self, member: &str) -> Result<Option<u32>, DecodeError> {
        let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
        let value = self.members.get(member);
        value.map(|value| number(value).ok_or_else(|| self.fault(member, "1 to 1000", value))).transpose()
    }

    fn fault(&self, member: &str, expected: &str, found: &Value) -> DecodeError {
        let found = match found {
            Value::Null => "none",
            Value::String(text) if text.is_empty() => "an empty one",
            _ => "something else",
        };
        DecodeError::invalid(&format!("{}.{member}", self.name), expected, found)
    }
}
