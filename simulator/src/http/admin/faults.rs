//! Setting faults, listing and lifting them.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::Admin;
use crate::faults::{FaultError, FaultForm};
use crate::http::answer::{answer, empty};
use crate::http::intake::Intake;
use crate::http::problem::Problem;

/// The longest reason that is given.
const LONGEST_REASON: usize = 480;

/// Sets a fault.
pub(super) async fn set(State(admin): State<Arc<Admin>>, request: Request) -> Result<Response, Problem> {
    let Some(Intake::Whole(body)) = request.extensions().get() else {
        return Err(Problem::internal());
    };
    let form: FaultForm = serde_json::from_slice(body).map_err(|fault| unreadable(&fault))?;
    let set = admin.app.world.set_fault(&form, admin.app.clock.now().at);
    let name =
        set.map_err(|FaultError { member, expected }| bad(&format!("{member}: expected {expected}")))?;
    Ok(answer(StatusCode::CREATED, &json!({"name": &*name, "journal": admin.app.journal.last()})))
}

/// Every fault with its counts.
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Response {
    answer(StatusCode::OK, &json!({"faults": admin.app.faults.view(admin.app.clock.now().at)}))
}

/// Lifts one fault: what it holds goes.
pub(super) async fn lift(
    State(admin): State<Arc<Admin>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let lifted = admin.app.world.lift_fault(&name, admin.app.clock.now().at);
    lifted.then(|| empty(StatusCode::NO_CONTENT)).ok_or_else(|| Problem::not_found("no fault has this name"))
}

/// Lifts all faults.
pub(super) async fn lift_all(State(admin): State<Arc<Admin>>) -> Response {
    admin.app.world.lift_faults(admin.app.clock.now().at);
    empty(StatusCode::NO_CONTENT)
}

/// The member that serde names stands first; a value that it quotes is cut as in the journal.
fn unreadable(fault: &serde_json::Error) -> Problem {
    let told = fault.to_string();
    let named =
        ["unknown field", "missing field", "duplicate field"].iter().any(|kind| told.starts_with(kind));
    let member = told.split('`').nth(1).filter(|_| named).unwrap_or("body");
    bad(&format!("{member}: {told}"))
}

fn bad(reason: &str) -> Problem {
    let reason: String = crate::journal::redacted(reason).chars().take(LONGEST_REASON).collect();
    Problem::new(StatusCode::BAD_REQUEST, "INVALID_FIELD", reason)
}
