//! `/gateways`: gateways that come and go while the sandbox runs.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use d1_fixtures::{InitError, KeyKind};
use http::StatusCode;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Admin;
use super::handlers::{Named, Steer};
use crate::config::{ConfigError, Notifications};
use crate::domain::GatewayId;
use crate::http::answer::{answer, empty};
use crate::http::problem::Problem;
use crate::http::strict_json::{DecodeError, Members, Nested, Wire, shown};
use crate::journal::redacted;
use crate::onboarding::{Oauth, Order, Receiver, Refused};

/// What an identifier is.
const ID: &str = "10 characters of A-Z, a-z, 0-9, _ and -";
/// The most that is told of what was found in a receiver's settings, in characters.
const LONGEST_FOUND: usize = 64;

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
    Named(gateway): Named,
) -> Result<Response, Problem> {
    let gateway = GatewayId::parse(&gateway).ok_or(Refused::Unknown)?;
    let deletion = tokio::spawn(async move {
        admin.onboarding.remove(&gateway).await?;
        admin.app.forget(&gateway);
        Ok::<_, Refused>(())
    });
    deletion.await.map_err(|_| Problem::internal())??;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The gateway that a query such as `gateway=MGW_000001` names, which must be one that is known.
pub(super) fn named_in(admin: &Admin, query: Option<&str>) -> Result<Option<GatewayId>, Problem> {
    let mut named = None;
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let id =
            pair.strip_prefix("gateway=").ok_or_else(|| Problem::invalid("query: expected only gateway"))?;
        named = Some(in_query(id)?);
    }
    match named {
        Some(gateway) if !admin.app.gateways.knows(&gateway) => Err(Refused::Unknown.into()),
        named => Ok(named),
    }
}

/// The value of a parameter that names a gateway.
pub(super) fn in_query(id: &str) -> Result<GatewayId, Problem> {
    GatewayId::parse(id).ok_or_else(|| Problem::invalid(&format!("gateway: expected {ID}")))
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
            Refused::NoCards => Self::new(StatusCode::BAD_REQUEST, "INVALID_FIELD", refused.to_string()),
            Refused::NoName | Refused::Full | Refused::Busy | Refused::Stops => {
                Self::unavailable(refused.to_string())
            }
            Refused::Unknown => Self::not_found("gateway: no such gateway"),
            Refused::Value(ConfigError::Value { key, expected, found }) => {
                let found: String = redacted(found).chars().take(LONGEST_FOUND).collect();
                Self::invalid(&format!("{key}: expected {expected}, found {found}"))
            }
            Refused::Value(_) | Refused::Receiver(_) => Self::invalid(&refused.to_string()),
        }
    }
}

impl Wire for Order {
    const MEMBERS: &'static [(&'static str, bool)] =
        &[("gateway", false), ("receiver", false), ("key", false), ("cardsOf", false)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        let id = gateway(members, "gateway")?;
        let receiver = members.optional("receiver")?.map(receiver).transpose()?;
        let key = match members.optional_text("key")? {
            None | Some("ec") => KeyKind::Ec,
            Some("rsa") => KeyKind::Rsa,
            Some(_) => return Err(DecodeError::invalid("key", "ec or rsa: its kind", "another text")),
        };
        let cards_of = gateway(members, "cardsOf")?;
        Ok(Self { id, key, cards_of, receiver })
    }
}

fn gateway(members: &Members, member: &'static str) -> Result<Option<GatewayId>, DecodeError> {
    let id = members.optional_text(member)?;
    id.map(|id| GatewayId::parse(id).ok_or_else(|| DecodeError::invalid(member, ID, &shown(id)))).transpose()
}

fn receiver(value: &Value) -> Result<Receiver, DecodeError> {
    let object = Nested::of("receiver", value, &["url", "authority", "oauth", "retry"])?;
    Ok(Receiver {
        url: object.required("url")?,
        authority: object.text("authority")?,
        oauth: object.member("oauth").map(oauth).transpose()?,
        retry: object.member("retry").map(retry).transpose()?.unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::IntoResponse as _;
    use http::Method;

    use super::super::tests::{admin, ask};
    use super::*;

    async fn refused(admin: &Arc<Admin>, method: Method, path: &str, body: &str, wanted: (u16, &str, &str)) {
        let (status, answer) = ask(admin, method, path, body).await;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        assert_eq!((status, text("errorCode").as_str()), (wanted.0, wanted.1), "{path} {body}: {answer}");
        assert!(text("error").starts_with(wanted.2), "{path} {body}: {answer}");
        assert!(!answer.to_string().contains("hunter2"), "{path} {body}: {answer}");
    }

    #[tokio::test]
    async fn what_is_wrong_with_an_order_is_named() {
        let (admin, _stop) = admin();
        let invalid = |named| (400, "INVALID_FIELD", named);
        for (body, named) in [
            (r#"{"gateway":"MGW_1"}"#, "gateway: expected 10 characters"),
            (r#"{"gateway":7}"#, "gateway: expected a string"),
            (r#"{"name":"a"}"#, "name: expected only gateway, receiver, key, cardsOf"),
            (r#"{"key":"hunter2"}"#, "key: expected ec or rsa"),
            (r#"{"cardsOf":"x"}"#, "cardsOf: expected 10 characters"),
            (r#"{"receiver":"https://a"}"#, "receiver: expected an object"),
            (r#"{"receiver":{}}"#, "receiver.url: expected a string that is not empty, found none"),
            (
                r#"{"receiver":{"url":""}}"#,
                "receiver.url: expected a string that is not empty, found an empty",
            ),
            (r#"{"receiver":{"url":"https://a","hook":1}}"#, "receiver.hook: expected only url, authority"),
            (r#"{"receiver":{"url":"https://a","authority":["hunter2"]}}"#, "receiver.authority: expected a"),
            (
                r#"{"receiver":{"url":"https://a","oauth":{"tokenUrl":"https://a"}}}"#,
                "receiver.oauth.clientId:",
            ),
            (
                r#"{"receiver":{"url":"https://a","oauth":{"secret":"hunter2"}}}"#,
                "receiver.oauth.secret: expected",
            ),
            (
                r#"{"receiver":{"url":"https://a","retry":{"factor":"hunter2"}}}"#,
                "receiver.retry.factor: expected 1",
            ),
            (
                r#"{"receiver":{"url":"https://a","retry":{"factor":-1}}}"#,
                "receiver.retry.factor: expected 1",
            ),
            ("[]", "body: expected"),
        ] {
            refused(&admin, Method::POST, "/gateways", body, invalid(named)).await;
        }
        // The folder of this sandbox is gone.
        refused(
            &admin,
            Method::POST,
            "/gateways",
            "{}",
            (409, "NO_AUTHORITY", "no gateway can be made here"),
        )
        .await;
    }

    #[tokio::test]
    async fn what_was_found_in_the_settings_of_a_receiver_is_cut_and_masked() {
        let long = "4000000000000002".repeat(3000);
        let fault = ConfigError::new("receiver.retry.firstDelay", "a duration", long);
        let answer = Problem::from(Refused::Value(fault)).into_response();
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let error = body["error"].as_str().expect("a text");
        assert!(error.starts_with("receiver.retry.firstDelay: expected a duration"), "{error}");
        assert!(error.chars().count() <= 512 && !error.contains("40000000"), "{error}");
    }

    #[tokio::test]
    async fn a_gateway_that_is_not_there_is_not_found_and_one_of_the_configuration_stays() {
        let (admin, _stop) = admin();
        let unknown = (404, "RESOURCE_NOT_FOUND", "gateway: no such gateway");
        for id in ["MGW_000042", "x"] {
            refused(&admin, Method::DELETE, &format!("/gateways/{id}"), "", unknown).await;
        }
        let configured = (409, "GATEWAY_CONFIGURED", "gateway: it is one of sandbox.yaml");
        refused(&admin, Method::DELETE, "/gateways/MGW_000001", "", configured).await;
        let (status, answer) = ask(&admin, Method::GET, "/gateways", "").await;
        let wanted = json!({"gateways": [
            {"gateway": "MGW_000001", "origin": "configuration", "receiver": "https://127.0.0.1:8445"},
            {"gateway": "MGW_000002", "origin": "configuration"},
        ]});
        assert_eq!((status, answer), (200, wanted));
        for (method, path) in [(Method::GET, "/state"), (Method::POST, "/reset")] {
            let named = |query: &str| format!("{path}?{query}");
            refused(&admin, method.clone(), &named("gateway=MGW_000042"), "", unknown).await;
            for (query, fault) in [("gateway=x", "gateway: expected"), ("token=1", "query: expected only")] {
                refused(&admin, method.clone(), &named(query), "", (400, "INVALID_FIELD", fault)).await;
            }
        }
        refused(&admin, Method::GET, "/journal?gateway=x", "", (400, "INVALID_FIELD", "gateway: expected"))
            .await;
        for (query, fault) in
            [("gateway=x", "gateway: expected"), ("wait_ms=x", "wait_ms: "), ("n=1", "query: ")]
        {
            let path = format!("/clock?{query}");
            refused(&admin, Method::GET, &path, "", (400, "INVALID_FIELD", fault)).await;
        }
    }

    #[tokio::test]
    async fn who_waits_for_one_gateways_entries_is_not_woken_by_anothers() {
        let (admin, _stop) = admin();
        let [one, other] = ["MGW_000001", "MGW_000002"].map(|id| GatewayId::parse(id).expect("an id"));
        let path = "/journal?gateway=MGW_000001&wait_ms=60000";
        let (answer, ()) = tokio::join!(ask(&admin, Method::GET, path, ""), async {
            for gateway in [&other, &other, &one] {
                tokio::task::yield_now().await;
                admin.app.reset(gateway);
            }
        });
        assert_eq!((answer.1["n"].as_u64(), &answer.1["gateway"]), (Some(3), &json!("MGW_000001")));
    }
}
