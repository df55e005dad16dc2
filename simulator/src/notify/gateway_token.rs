//! The access token that a receiver may ask for (contract 3.2): kept until it ends, made anew once
//! when the receiver refuses it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http::header::AUTHORIZATION;
use tokio::sync::Mutex;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::deliver::Attempt;
use super::failure::told;
use super::receiver::{OauthSettings, Receiver};
use super::wire::GatewayTokenAnswer;
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
    /// A reset forgets it.
    epoch: u64,
}

/// Why there is no token: the status of an answer, or a text.
#[derive(Debug, Clone)]
pub(super) struct NoToken {
    pub(super) status: Option<u16>,
    pub(super) failure: String,
}

/// Where the attempts of one receiver get their token: one asks, and the others wait for what it gets.
#[derive(Default)]
pub(super) struct TokenDesk {
    /// How often the token endpoint was asked; changes while `last` is held alone.
    asked: AtomicU64,
    last: Mutex<Option<Result<GatewayToken, NoToken>>>,
}

impl Receiver {
    /// The token to use, asked for if there is none that lives; nothing if none is configured.
    /// `refused` is a token that the receiver has just refused.
    pub(super) async fn token(
        &self,
        attempt: &Attempt<'_>,
        refused: Option<&GatewayToken>,
    ) -> Result<Option<GatewayToken>, NoToken> {
        let Some(oauth) = &self.oauth else { return Ok(None) };
        let asked = self.desk.asked.load(Ordering::Acquire);
        // Held while asking: at most one request is on its way.
        let mut last = timeout(attempt.left(), self.desk.last.lock())
            .await
            .map_err(|_| no_token(None, "no token in time: the token endpoint is being asked"))?;
        let usable = |token: &GatewayToken| {
            let was_refused = refused.is_some_and(|old| old.bearer == token.bearer);
            token.ends > attempt.clock.now().at && token.epoch == attempt.job.epoch && !was_refused
        };
        match last.as_ref() {
            Some(Ok(token)) if usable(token) => return Ok(Some(token.clone())),
            // Asked in vain while this one waited: asking again at once would make a queue of failures.
            Some(Err(none)) if self.desk.asked.load(Ordering::Acquire) != asked => return Err(none.clone()),
            _ => *last = None,
        }
        let got = self.ask(oauth, attempt).await;
        match &got {
            Ok(_) => attempt.note_token("getAccessToken", Some(200), None, "ok"),
            Err(none) => {
                attempt.note_token("getAccessToken", none.status, Some(&none.failure), "failed");
            }
        }
        *last = Some(got.clone());
        self.desk.asked.fetch_add(1, Ordering::Release);
        got.map(Some)
    }

    /// When the token that is kept ends, if there is one that lives; nothing at all if none is
    /// configured, or while one is being asked for: then another attempt will know.
    pub(super) fn token_ends(&self, now: Moment) -> Option<Option<Moment>> {
        self.oauth.as_ref()?;
        let last = self.desk.last.try_lock().ok()?;
        let token = last.as_ref().and_then(|last| last.as_ref().ok());
        Some(token.map(|token| token.ends).filter(|ends| *ends > now))
    }

    async fn ask(&self, oauth: &OauthSettings, attempt: &Attempt<'_>) -> Result<GatewayToken, NoToken> {
        let credentials = Zeroizing::new(format!("{}:{}", oauth.client_id, oauth.client_secret.as_str()));
        let basic = format!("Basic {}", URL_SAFE.encode(credentials.as_bytes()));
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(oauth.scope.as_deref().map(|scope| ("scope", scope)));
        let request = self
            .http
            .post(oauth.token_url.clone())
            .timeout(attempt.left())
            .header(AUTHORIZATION, basic)
            .header("x-correlation-id", attempt.correlation)
            .form(&form);
        let mut answer = request.send().await.map_err(|error| no_token(None, told(&error, attempt.limit)))?;
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
        let bearer = bearer.ok_or_else(|| no_token(Some(status), "an answer without access_token"))?;
        let life = answer.expires_in.unwrap_or(DEFAULT_LIFE).clamp(0.0, LONGEST_LIFE);
        let life = Duration::from_secs_f64(life).saturating_sub(MARGIN);
        let ends = attempt.clock.now().at.after(life);
        Ok(GatewayToken { bearer: Zeroizing::new(bearer), ends, epoch: attempt.job.epoch })
    }
}

fn no_token(status: Option<u16>, failure: impl Into<String>) -> NoToken {
    NoToken { status, failure: failure.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::{Clock, ClockMode, Stopwatch};
    use crate::domain::{EventType, MerchantId, Month, Pan, TokenId, TokenState, Update};
    use crate::journal::Journal;
    use crate::world::Job;

    /// A receiver whose token endpoint is at this port.
    fn receiver(port: u16) -> Receiver {
        let folder = tempfile::tempdir().expect("a folder");
        let now = time::OffsetDateTime::from_unix_timestamp(1_776_852_000).expect("a time");
        d1_fixtures::write_sandbox(folder.path(), &d1_fixtures::Plan::new(now), false).expect("written");
        let mut config = crate::Config::read(&folder.path().join("sandbox.yaml")).expect("a configuration");
        let gateway = &mut config.gateways[0];
        let to = gateway.receiver.take().expect("a receiver");
        let oauth = OauthSettings {
            token_url: format!("https://127.0.0.1:{port}/token").parse().expect("a URL"),
            client_id: "d1".into(),
            client_secret: Zeroizing::new("secret".into()),
            scope: None,
        };
        let (whose, key) = ((gateway.id.clone(), to.url), gateway.encryption_key.clone());
        Receiver::new(whose, &config.outbound, &to.authority, key, Some(oauth)).expect("a receiver")
    }

    fn job(receiver: &Receiver) -> Job {
        let four = Pan::parse("4000000000000002").expect("a number").last_four();
        let at = Moment::from_ms(0);
        let update = Update {
            id: 1,
            kind: EventType::TokenSuspended,
            state: TokenState::Suspended,
            card_last_four: four,
            card_expiry: Month::FIRST,
            token_last_four: four,
            token_expiry: Month::FIRST,
            sequence: 1,
            at,
            dpan: None,
        };
        Job {
            gateway: receiver.gateway.clone(),
            merchant: MerchantId::from_number(1),
            token: TokenId::from_number(1),
            update: Arc::new(update),
            attempt: 1,
            taken_at: at,
            body: None,
            epoch: 0,
            forged: None,
            lane: 0,
            not_before: at,
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_token_that_is_being_asked_for_shares_the_failure() {
        let endpoint = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let receiver = receiver(endpoint.local_addr().expect("an address").port());
        let (job, clock) = (job(&receiver), Clock::new(ClockMode::Real));
        let journal = Journal::new();
        let attempt = Attempt {
            job: &job,
            correlation: "c",
            clock: &clock,
            journal: &journal,
            limit: Duration::from_secs(10),
            begun: Stopwatch::start(),
        };
        let hang_up = async {
            let (connection, _) = endpoint.accept().await.expect("a connection");
            drop(connection);
            // Whoever asked again would be served no better, but would show in the journal.
            endpoint
        };
        let one = || receiver.token(&attempt, None);
        let (first, second, third, endpoint) = tokio::join!(one(), one(), one(), hang_up);
        assert!(first.is_err() && second.is_err() && third.is_err());
        assert_eq!(journal.last(), 1, "asked once");
        // Later it is asked again.
        drop(endpoint);
        assert!(one().await.is_err());
        assert_eq!(journal.last(), 2);
    }

    #[tokio::test]
    async fn all_calls_of_an_attempt_share_one_limit() {
        // It takes connections and never speaks.
        let endpoint = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let receiver = receiver(endpoint.local_addr().expect("an address").port());
        let (job, clock, journal) = (job(&receiver), Clock::new(ClockMode::Real), Journal::new());
        let attempt = Attempt {
            job: &job,
            correlation: "c",
            clock: &clock,
            journal: &journal,
            // Used up by what went before.
            limit: Duration::ZERO,
            begun: Stopwatch::start(),
        };
        let none = timeout(Duration::from_secs(10), receiver.token(&attempt, None)).await.expect("at once");
        assert_eq!(none.err().map(|none| none.failure).as_deref(), Some("no answer within 0 s (time-out)"));
    }
}
