//! createMerchant.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::auth::Caller;
use crate::http::App;
use crate::http::answer::answer;
use crate::http::extract::Strict;
use crate::http::problem::Problem;
use crate::http::wire::{MerchantAnswer, NewMerchant};

/// `POST …/merchants`: registers a merchant (C16).
pub(crate) async fn create_merchant(
    State(app): State<Arc<App>>,
    caller: Caller,
    Strict(new): Strict<NewMerchant>,
) -> Result<Response, Problem> {
    let (id, merchant) = app.world.create_merchant(caller.asker(), &new.name, app.clock.now())?;
    Ok(answer(StatusCode::CREATED, &MerchantAnswer::new(id, &merchant)))
}
