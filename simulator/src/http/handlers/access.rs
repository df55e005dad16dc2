//! getAccessToken.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};

use crate::auth::check_assertion;
use crate::http::App;
use crate::http::answer::answer;
use crate::http::extract::{Correlated, Strict};
use crate::http::problem::Problem;
use crate::http::wire::{AccessTokenAnswer, AccessTokenRequest};
use crate::journal::Why;

/// `POST /authz/v1/oauth2/token`: an assertion for a bearer.
pub(crate) async fn get_access_token(
    State(app): State<Arc<App>>,
    caller: Correlated,
    Strict(request): Strict<AccessTokenRequest>,
) -> Result<Response, Problem> {
    let refused = |why: Why| Problem::new(StatusCode::BAD_REQUEST, "INVALID_FIELD", "assertion").because(why);
    let keys = app.keys(&caller.gateway)?;
    // The one thing that need not go by the sandbox's clock: the caller's own has dated it.
    let dated = app.auth_clock.now().at;
    let used = check_assertion(&request.assertion, &caller.gateway, &keys.assertion, dated, app.policy);
    let used = used.map_err(refused)?;
    if app.policy.refuse_replayed_jti {
        app.seen.use_up(&caller.gateway, used, dated).map_err(refused)?;
    }
    let (bearer, ends) = app.tokens.issue(&caller.gateway, &caller.correlation, app.clock.now().at)?;
    app.world.access_token_ends(&caller.gateway, &caller.correlation, ends);
    let mut response = answer(StatusCode::OK, &AccessTokenAnswer::new(bearer));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
