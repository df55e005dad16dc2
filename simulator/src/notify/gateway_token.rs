//! The access token that a receiver may ask for (contract 3.2): kept until it ends, made anew once
//! when the receiver refuses it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use super::receiver::{OauthSettings, Receiver};
use super::wire::GatewayTokenAnswer;
use crate::clock::Clock;
use crate::domain::Moment;

/// A token is not used in its last seconds.
const MARGIN: Duration = Duration::from_secs(10);
/// The life of a token whose answer names none.
const DEFAULT_LIFE: f64 = 900.0;
/// The longest life that is believed, in seconds.
const LONGEST_LIFE: f64 = 86_400.0;
/// The longest answer of a token endpoint that is read.
const MOST: usize = 64 * 1024;

/// A token and the moment after which it is not used any more.
#[derive(Clone)]
pub(super) struct GatewayToken {
    pub(super) bearer: Zeroizing<String>,
    ends: Moment,
}

/// Why there is no token: the status of an answer, or a text.
#[derive(Debug)]
pub(super) struct NoToken {
    pub(super) status: Option<u16>,
    pub(super) failure: &'static str,
}

impl Receiver {
    /// The token to use, asked for if there is none that lives; nothing if none is configured.
    /// `refused` is a token that the receiver has just refused.
    pub(super) async fn token(
        &self,
        clock: &Clock,
        correlation: &str,
        refused: Option<&GatewayToken>,
    ) -> Result<Option<GatewayToken>, NoToken> {
        let Some(oauth) = &self.oauth else { return Ok(None) };
        // Held while asking: at most one request is on its way.
        let mut kept = self.token.lock().await;
        let was_refused = |token: &GatewayToken| refused.is_some_and(|old| old.bearer == token.bearer);
        if let Some(token) = kept.as_ref().filter(|token| token.ends > clock.now().at && !was_refused(token))
        {
            return Ok(Some(token.clone()));
        }
        *kept = None;
        let token = self.ask(oauth, clock, correlation).await?;
        *kept = Some(token.clone());
        Ok(Some(token))
    }

    async fn ask(
        &self,
        oauth: &OauthSettings,
        clock: &Clock,
        correlation: &str,
    ) -> Result<GatewayToken, NoToken> {
        let credentials = Zeroizing::new(format!("{}:{}", oauth.client_id, oauth.client_secret.as_str()));
        let basic = format!("Basic {}", URL_SAFE.encode(credentials.as_bytes()));
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(oauth.scope.as_deref().map(|scope| ("scope", scope)));
        let request = self
            .http
            .post(oauth.token_url.clone())
            .header(AUTHORIZATION, basic)
            .header("x-correlation-id", correlation)
            .form(&form);
        let mut answer =
            request.send().await.map_err(|_| no_token(None, "no answer from the token endpoint"))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(no_token(Some(status), "the token endpoint refuses"));
        }
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) =
            answer.chunk().await.map_err(|_| no_token(Some(status), "the answer broke off"))?
        {
            if body.len() + chunk.len() > MOST {
                return Err(no_token(Some(status), "an answer longer than 64 KiB"));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: GatewayTokenAnswer = serde_json::from_slice(&body)
            .map_err(|_| no_token(Some(status), "an answer that is not of its form"))?;
        let bearer = answer.access_token.filter(|bearer| !bearer.is_empty());
        let bearer = bearer.ok_or(no_token(Some(status), "an answer without access_token"))?;
        let life = answer.expires_in.unwrap_or(DEFAULT_LIFE).clamp(0.0, LONGEST_LIFE);
        let life = Duration::from_secs_f64(life).saturating_sub(MARGIN);
        Ok(GatewayToken { bearer: Zeroizing::new(bearer), ends: clock.now().at.after(life) })
    }
}

const fn no_token(status: Option<u16>, failure: &'static str) -> NoToken {
    NoToken { status, failure }
}
