//! createToken, getToken, createTransaction, deleteToken.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, Uri};

use crate::auth::Caller;
use crate::clock::Waiter;
use crate::domain::{GatewayId, MerchantId};
use crate::faults::Call;
use crate::http::App;
use crate::http::answer::{answer, empty};
use crate::http::extract::{MerchantPath, Strict, TokenPath};
use crate::http::mishap;
use crate::http::problem::Problem;
use crate::http::wire::{NewToken, NewTransaction, TokenAnswer, TransactionAnswer, card_of};
use crate::jose;
use crate::plaintext::Plaintext;
use crate::world::PresentedCard;

/// `POST …/tokens`: tokenizes a card (C17).
pub(crate) async fn create_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    uri: Uri,
    merchant: Result<MerchantPath, Problem>,
    Strict(new): Strict<NewToken>,
) -> Result<Response, Problem> {
    let refused = |why| Problem::new(StatusCode::BAD_REQUEST, "INVALID_FIELD", "encryptedData").because(why);
    let plaintext = jose::open(&new.encrypted_data, &app.own_key).map_err(refused)?;
    let card = card_of(&plaintext, app.clock.now().month).map_err(refused)?;
    let MerchantPath(merchant) = merchant?;
    // Faults that ask for a card come here: no one has seen it before.
    let now = app.clock.now().at;
    let struck = app.faults.strike_call(
        &Call {
            operation: "createToken",
            gateway: caller.gateway.as_str(),
            path: uri.path(),
            correlation: Some(&caller.correlation),
            card: Some(&card.pan),
        },
        now,
    );
    if struck.is_empty() {
        return tokenized(&app, &caller, merchant, &card).await;
    }
    let scene = mishap::Scene { faults: &app.faults, clock: &app.clock, who: waiter(&caller) };
    let work = async { tokenized(&app, &caller, merchant, &card).await.into_response() };
    Ok(mishap::around(struck, scene, work).await)
}

async fn tokenized(
    app: &App,
    caller: &Caller,
    merchant: MerchantId,
    card: &PresentedCard,
) -> Result<Response, Problem> {
    if let Some(delay) = app.world.issuer_delay(&caller.gateway, merchant, &card.pan)? {
        app.clock.sleep_until(app.clock.now().at.after(delay), waiter(caller)).await;
    }
    let token = app.world.create_token(caller.asker(), merchant, card, app.clock.now())?;
    Ok(answer(StatusCode::CREATED, &TokenAnswer::new(&token, None)))
}

/// `GET …/tokens/{tokenId}`: the token as it stands, with DPAN and expiry sealed (C18).
pub(crate) async fn get_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    TokenPath(merchant, id): TokenPath,
) -> Result<Response, Problem> {
    let token = app.world.token(&caller.gateway, merchant, id)?;
    let sealed = seal(&app, &caller.gateway, &Plaintext::network_token(token.dpan, token.token_expiry))?;
    Ok(answer(StatusCode::OK, &TokenAnswer::new(&token, Some(sealed))))
}

/// `POST …/transactions`: DPAN, expiry and cryptogram for an authorization (C19).
pub(crate) async fn create_transaction(
    State(app): State<Arc<App>>,
    caller: Caller,
    token: Result<TokenPath, Problem>,
    Strict(new): Strict<NewTransaction>,
) -> Result<Response, Problem> {
    let TokenPath(merchant, id) = token?;
    let now = app.clock.now();
    let payment = app.world.create_transaction(caller.asker(), (merchant, id), new.kind, now)?;
    let sealed = seal(&app, &caller.gateway, &Plaintext::payment(&payment))?;
    Ok(answer(StatusCode::CREATED, &TransactionAnswer::new(&payment, sealed)))
}

/// `DELETE …/tokens/{tokenId}` (C20).
pub(crate) async fn delete_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    TokenPath(merchant, id): TokenPath,
) -> Result<Response, Problem> {
    app.world.delete_token(caller.asker(), merchant, id, app.clock.now())?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn waiter(caller: &Caller) -> Waiter {
    Waiter { gateway: Some(caller.gateway.clone()), correlation: Some(Arc::clone(&caller.correlation)) }
}

fn seal(app: &App, gateway: &GatewayId, plaintext: &Plaintext) -> Result<String, Problem> {
    let keys = app.keys(gateway)?;
    Ok(jose::seal(plaintext.as_bytes(), &keys.encryption)?)
}
