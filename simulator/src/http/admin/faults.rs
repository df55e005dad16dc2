//! Setting faults, listing and lifting them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::Admin;
use super::handlers::{Named, bad_request};
use crate::domain::GatewayId;
use crate::faults::{FaultError, FaultErrorKind, read_form};
use crate::http::answer::{answer, empty};
use crate::http::intake::Intake;
use crate::http::problem::Problem;
use crate::http::strict_json::object;

/// Sets a fault.
pub(super) async fn set(State(admin): State<Arc<Admin>>, request: Request) -> Result<Response, Problem> {
    let Some(Intake::Whole(body)) = request.extensions().get() else {
        return Err(Problem::internal());
    };
    let form = read_form(&object(body).map_err(bad_request)?)?;
    // What is no identifier at all is told with all else.
    let unknown = |id: &String| GatewayId::parse(id).is_some_and(|id| !admin.app.gateways.knows(&id));
    let named =
        [("gateway", form.gateway.as_slice()), ("gateways", form.gateways.as_deref().unwrap_or_default())];
    if let Some((member, _)) = named.into_iter().find(|(_, ids)| ids.iter().any(unknown)) {
        let error = format!("{member}: expected what GET /gateways lists, found another one");
        return Err(Problem::invalid(&error));
    }
    let name = admin.app.world.set_fault(&form, admin.app.clock.now().at)?;
    Ok(answer(StatusCode::CREATED, &json!({"name": &*name, "journal": admin.app.journal.last()})))
}

/// Every fault with its counts.
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Response {
    answer(StatusCode::OK, &json!({"faults": admin.app.faults.view(admin.app.clock.now().at)}))
}

/// Lifts one fault: what it holds goes.
pub(super) async fn lift(State(admin): State<Arc<Admin>>, Named(name): Named) -> Result<Response, Problem> {
    let lifted = admin.app.world.lift_fault(&name, admin.app.clock.now().at);
    lifted.then(|| empty(StatusCode::NO_CONTENT)).ok_or_else(|| Problem::not_found("no fault has this name"))
}

/// Lifts all faults.
pub(super) async fn lift_all(State(admin): State<Arc<Admin>>) -> Response {
    admin.app.world.lift_faults(admin.app.clock.now().at);
    empty(StatusCode::NO_CONTENT)
}

impl From<FaultError> for Problem {
    fn from(fault: FaultError) -> Self {
        match fault.kind {
            FaultErrorKind::Invalid => Self::invalid(&fault.to_string()),
            FaultErrorKind::Taken => Self::new(StatusCode::CONFLICT, "FAULT_EXISTS", fault.to_string()),
            FaultErrorKind::Full => Self::unavailable(fault.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::Value;

    use super::super::tests::{admin, ask, refusal};

    #[tokio::test]
    async fn what_is_wrong_with_a_body_is_named_with_its_path_and_told_without_its_value() {
        let (admin, _stop) = admin();
        for (body, told) in [
            ("null", "body: expected one JSON object"),
            ("[]", "body: expected one JSON object"),
            ("[\"a\"]", "body: expected one JSON object"),
            ("", "body: expected exactly one of answer"),
            (
                r#"{"times":"hunter2","drop":true}"#,
                "times: expected a whole number from 0, found another text",
            ),
            (r#"{"times":-7,"drop":true}"#, "times: expected a whole number from 0, found another number"),
            (r#"{"name":null,"drop":true}"#, "name: expected a value, or leave it out, found null"),
            (r#"{"drop":true,"drop":true}"#, "drop: expected once, found twice"),
            (r#"{"drop":"hunter2"}"#, "drop: expected a boolean, found another text"),
            (r#"{"on":"hunter2","drop":true}"#, "on: expected an array, found another text"),
            (r#"{"on":["calls",7],"goaway":true}"#, "on.1: expected a string, found another number"),
            (r#"{"answer":"hunter2"}"#, "answer: expected an object, found another text"),
            (r#"{"answer":{"status":"hunter2"}}"#, "answer.status: expected a whole number from 0"),
            (r#"{"answer":{"status":503,"errorCode":null}}"#, "answer.errorCode: expected a value, or leave"),
            (r#"{"answer":{"error":"hunter2"}}"#, "answer.status: expected a value, found none"),
            (r#"{"answer":{"status":503,"code":"hunter2"}}"#, "answer.code: expected only `status`"),
            (r#"{"answer":{"status":503,"retryAfter":7}}"#, "answer.retryAfter: expected \"30s\""),
            (r#"{"latency":{"uniform":"hunter2"}}"#, "latency: expected \"2s\""),
            (
                r#"{"reset":"hunter2"}"#,
                "reset: expected one of `before`, `after`, `head`, `body`, found another",
            ),
            (r#"{"handshake":{"certificate":"hunter2"}}"#, "handshake: expected one of `expired`"),
            (r#"{"drop":true,"4000000000000002":1}"#, "…0002: expected only `name`, `on`"),
        ] {
            let (status, code, error) = refusal(&admin, Method::POST, "/faults", body).await;
            assert_eq!((status, code.as_str()), (400, "INVALID_FIELD"), "{body}: {error}");
            assert!(error.starts_with(told) && !error.contains("hunter2"), "{body}: {error}");
            assert!(error.chars().count() <= 512, "{body}: {error}");
        }
        let odd = r#"{"answer":{"status":503,"members":{"more":null}}}"#;
        assert_eq!(ask(&admin, Method::POST, "/faults", odd).await.0, 201, "an answer may hold anything");
    }

    #[tokio::test]
    async fn a_fault_of_a_gateway_that_is_not_there_is_refused() {
        let (admin, _stop) = admin();
        for (body, told) in [
            (r#"{"drop":true,"gateway":"MGW_000042"}"#, "gateway: expected what GET /gateways lists"),
            (
                r#"{"drop":true,"gateways":["MGW_000001","MGW_000042"]}"#,
                "gateways: expected what GET /gateways",
            ),
        ] {
            let (status, _, error) = refusal(&admin, Method::POST, "/faults", body).await;
            assert!(status == 400 && error.starts_with(told), "{status} {error}");
        }
        assert_eq!(
            ask(&admin, Method::POST, "/faults", r#"{"drop":true,"gateway":"MGW_000002"}"#).await.0,
            201
        );
    }

    #[tokio::test]
    async fn a_name_that_is_taken_is_a_conflict_and_one_fault_too_many_finds_no_room() {
        let (admin, _stop) = admin();
        let named = r#"{"name":"storm","goaway":true}"#;
        assert_eq!(ask(&admin, Method::POST, "/faults", named).await.0, 201);
        let (status, code, error) = refusal(&admin, Method::POST, "/faults", named).await;
        assert_eq!((status, code.as_str()), (409, "FAULT_EXISTS"), "{error}");
        for _ in 1..256 {
            assert_eq!(ask(&admin, Method::POST, "/faults", r#"{"goaway":true}"#).await.0, 201);
        }
        let (status, code, error) = refusal(&admin, Method::POST, "/faults", r#"{"goaway":true}"#).await;
        assert_eq!((status, code.as_str()), (503, "SERVICE_UNAVAILABLE"), "{error}");
        let (_, listed): (_, Value) = ask(&admin, Method::GET, "/faults", "").await;
        assert_eq!(listed["faults"].as_array().map(Vec::len), Some(256));
    }
}
