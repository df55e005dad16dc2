//! The client: one method per operation, and the loop that sends, judges and repeats.

mod attempts;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use tracing::Instrument as _;

use crate::auth::{self, Bearer, Fresh, TokenCache};
use crate::chance::{self, Jitter};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Credentials};
use crate::error::Error;
use crate::jwe;
use crate::model::{
    CorrelationId, GatewayId, Merchant, MerchantId, NewMerchant, NewToken, Payment, Token, TokenDetails,
    TokenId, TransactionType,
};
use crate::operation::{self, Endpoints, Operation, Unclear, Unmade};
use crate::retry::RetryPolicy;
use crate::transport::Transport;

use attempts::{Attempts, judge};

/// A client of D1 for one merchant gateway. Cheap to clone; clones share connections and the access token.
///
/// Each method takes an optional correlation id, which D1 logs; without one, a random one is sent. Each ends within
/// the overall time-out of the [`Config`], or twice that if an access token has to be fetched first. An access token
/// that is about to end is refreshed in a task of its own, so that no call waits for it.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    endpoints: Endpoints,
    gateway: GatewayId,
    credentials: Credentials,
    transport: Transport,
    tokens: Arc<TokenCache>,
    policy: RetryPolicy,
    jitter: Jitter,
    attempt_timeout: Duration,
    overall_timeout: Duration,
    clock: Clock,
}

/// A request that may be sent more than once.
struct Call {
    operation: Operation,
    correlation: CorrelationId,
    request: Request<Bytes>,
}

impl Client {
    /// A client with these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// Names the setting that cannot be used.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let tokens = TokenCache::new(config.clock.clone(), config.refresh_ahead, config.token_margin);
        Self::with(config, Arc::new(tokens))
    }

    /// A client of the same gateway with other settings, a new certificate say, over connections of its own. It shares the
    /// access token with this one, and with it this one's clock, `refresh_ahead` and `token_margin`, as far as access tokens
    /// go by them.
    ///
    /// # Errors
    /// Names the setting that cannot be used: another gateway cannot.
    pub fn reconfigured(&self, config: Config) -> Result<Self, ConfigError> {
        if config.gateway != self.0.gateway {
            let own = self.0.gateway.as_str();
            return Err(ConfigError::new("gateway", format!("expected {own}, whose access token is shared")));
        }
        Self::with(config, Arc::clone(&self.0.tokens))
    }

    fn with(config: Config, tokens: Arc<TokenCache>) -> Result<Self, ConfigError> {
        config.check()?;
        let transport = Transport::new(&config)?;
        Ok(Self(Arc::new(Inner {
            endpoints: config.endpoints()?,
            gateway: config.gateway,
            credentials: config.credentials,
            transport,
            tokens,
            policy: config.retry,
            jitter: config.jitter,
            attempt_timeout: config.attempt_timeout,
            overall_timeout: config.overall_timeout,
            clock: config.clock,
        })))
    }

    /// The gateway that this client speaks for.
    #[must_use]
    pub fn gateway(&self) -> &GatewayId {
        &self.0.gateway
    }

    /// Registers a merchant (contract C16). Not idempotent: two calls make two merchants.
    ///
    /// # Errors
    /// See [`Error`]; check [`Error::is_ambiguous`] before calling again.
    pub async fn create_merchant(
        &self,
        merchant: &NewMerchant,
        correlation: Option<CorrelationId>,
    ) -> Result<Merchant, Error> {
        let inner = &self.0;
        let call = Call::new(Operation::CreateMerchant, correlation, |correlation| {
            operation::create_merchant(&inner.endpoints, &inner.gateway, merchant, correlation)
        })?;
        inner.call(call, operation::read_merchant).await
    }

    /// Tokenizes a card for a merchant (contract C17). The card is sealed to D1's key before anything is sent. Not
    /// idempotent: two calls make two tokens.
    ///
    /// # Errors
    /// See [`Error`]; check [`Error::is_ambiguous`] before calling again.
    pub async fn create_token(
        &self,
        merchant: &MerchantId,
        token: &NewToken,
        correlation: Option<CorrelationId>,
    ) -> Result<Token, Error> {
        let inner = &self.0;
        let call = Call::new(Operation::CreateToken, correlation, |correlation| {
            let plaintext = token.card.plaintext();
            let sealed = jwe::seal(plaintext.as_bytes(), &inner.credentials.d1_key)
                .map_err(|fault| Unmade(format!("the card cannot be sealed: {fault}")))?;
            operation::create_token(
                &inner.endpoints,
                &inner.gateway,
                merchant,
                &sealed,
                token.source,
                correlation,
            )
        })?;
        inner.call(call, operation::read_token).await
    }

    /// Fetches a token with its current DPAN and expiry date (contract C18).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get_token(
        &self,
        merchant: &MerchantId,
        token: &TokenId,
        correlation: Option<CorrelationId>,
    ) -> Result<TokenDetails, Error> {
        let inner = &self.0;
        let call = Call::new(Operation::GetToken, correlation, |correlation| {
            operation::get_token(&inner.endpoints, &inner.gateway, merchant, token, correlation)
        })?;
        inner.call(call, |response| operation::read_details(response, &inner.credentials.own_key)).await
    }

    /// Fetches DPAN, expiry date and a cryptogram for a payment (contract C19). Not idempotent.
    ///
    /// # Errors
    /// See [`Error`]; check [`Error::is_ambiguous`] before calling again.
    pub async fn create_transaction(
        &self,
        merchant: &MerchantId,
        token: &TokenId,
        kind: TransactionType,
        correlation: Option<CorrelationId>,
    ) -> Result<Payment, Error> {
        let inner = &self.0;
        let call = Call::new(Operation::CreateTransaction, correlation, |correlation| {
            operation::create_transaction(
                &inner.endpoints,
                &inner.gateway,
                merchant,
                token,
                kind,
                correlation,
            )
        })?;
        inner.call(call, |response| operation::read_payment(response, &inner.credentials.own_key)).await
    }

    /// Deletes a token (contract C20). If an answer was lost and the repetition finds nothing to delete, the token is
    /// deleted, and this succeeds.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_token(
        &self,
        merchant: &MerchantId,
        token: &TokenId,
        correlation: Option<CorrelationId>,
    ) -> Result<(), Error> {
        let inner = &self.0;
        let call = Call::new(Operation::DeleteToken, correlation, |correlation| {
            operation::delete_token(&inner.endpoints, &inner.gateway, merchant, token, correlation)
        })?;
        inner.call(call, operation::read_deleted).await
    }
}

impl Call {
    fn new(
        operation: Operation,
        correlation: Option<CorrelationId>,
        make: impl FnOnce(&CorrelationId) -> Result<Request<Bytes>, Unmade>,
    ) -> Result<Self, Error> {
        let correlation = correlation.unwrap_or_else(CorrelationId::random);
        match make(&correlation) {
            Ok(request) => Ok(Self { operation, correlation, request }),
            Err(Unmade(reason)) => Err(attempts::unmade(operation, &correlation, reason)),
        }
    }

    fn with_bearer(&self, bearer: &Bearer) -> Option<Request<Bytes>> {
        let mut request = self.request.clone();
        let mut value = HeaderValue::try_from(format!("Bearer {}", bearer.expose())).ok()?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Some(request)
    }
}

impl Inner {
    fn attempts(&self, operation: Operation, correlation: &CorrelationId) -> Attempts<'_> {
        Attempts::new(
            &self.clock,
            &self.policy,
            self.jitter,
            self.attempt_timeout,
            self.overall_timeout,
            operation,
            correlation.clone(),
        )
    }

    async fn call<T>(
        self: &Arc<Self>,
        call: Call,
        read: impl Fn(&Response<Bytes>) -> Result<T, Unclear>,
    ) -> Result<T, Error> {
        let span = tracing::info_span!(
            "d1_call",
            operation = call.operation.as_str(),
            correlation_id = call.correlation.as_str(),
        );
        self.call_in_span(&call, read).instrument(span).await
    }

    async fn call_in_span<T>(
        self: &Arc<Self>,
        call: &Call,
        read: impl Fn(&Response<Bytes>) -> Result<T, Unclear>,
    ) -> Result<T, Error> {
        let mut bearer = self.bearer(&call.correlation, self.overall_timeout).await?;
        let mut attempts = self.attempts(call.operation, &call.correlation);
        let mut replayed = false;
        loop {
            let error = match self.once(&mut attempts, call, &bearer, &read).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            if error.status() == Some(401) && !replayed {
                // D1 has looked at the bearer and at nothing else, so that a creation can be sent again too.
                replayed = true;
                attempts.replay_uncounted(error);
                self.tokens.discard(&bearer);
            } else {
                attempts.pause_or_give_up(error).await?;
            }
            bearer = self.bearer(&call.correlation, attempts.remaining()).await?;
        }
    }

    async fn once<T>(
        &self,
        attempts: &mut Attempts<'_>,
        call: &Call,
        bearer: &Bearer,
        read: impl Fn(&Response<Bytes>) -> Result<T, Unclear>,
    ) -> Result<T, Error> {
        let Some(request) = call.with_bearer(bearer) else {
            let reason = "the access token does not fit a header".to_owned();
            return Err(attempts::unmade(call.operation, &call.correlation, reason));
        };
        let timeout = attempts.begin()?;
        let outcome = self.transport.send(request, timeout).await;
        judge(attempts, outcome, read)
    }

    /// A bearer that may be sent. Bounded in real time too, since others' refreshes are waited for.
    async fn bearer(self: &Arc<Self>, correlation: &CorrelationId, limit: Duration) -> Result<Bearer, Error> {
        let refresh = || {
            let (inner, correlation) = (Arc::clone(self), correlation.clone());
            async move { inner.refresh(&correlation).await }
        };
        match tokio::time::timeout(limit, self.tokens.bearer(refresh)).await {
            Ok(result) => result,
            Err(_) => Err(self.attempts(Operation::GetAccessToken, correlation).out_of_time()),
        }
    }

    async fn refresh(&self, correlation: &CorrelationId) -> Result<Fresh, Error> {
        let operation = Operation::GetAccessToken;
        let span = tracing::info_span!(
            "d1_call",
            operation = operation.as_str(),
            correlation_id = correlation.as_str(),
        );
        let mut attempts = self.attempts(operation, correlation);
        let whole = async {
            loop {
                let error = match self.refresh_once(&mut attempts, correlation).await {
                    Ok(fresh) => return Ok(fresh),
                    Err(error) => error,
                };
                attempts.pause_or_give_up(error).await?;
            }
        };
        // In real time too: it may run where no caller bounds it.
        match tokio::time::timeout(self.overall_timeout, whole.instrument(span)).await {
            Ok(result) => result,
            Err(_) => Err(attempts.out_of_time()),
        }
    }

    async fn refresh_once(
        &self,
        attempts: &mut Attempts<'_>,
        correlation: &CorrelationId,
    ) -> Result<Fresh, Error> {
        let unmade = |reason: String| attempts::unmade(Operation::GetAccessToken, correlation, reason);
        // Each attempt has its own assertion: D1 may refuse a `jti` that it has seen (contract C5).
        let assertion = auth::sign(
            &self.credentials.assertion,
            &self.gateway,
            self.clock.unix_seconds(),
            &chance::identifier(),
        )
        .map_err(|_| unmade("the assertion cannot be signed".to_owned()))?;
        let request = operation::access_token_request(&self.endpoints, &assertion, correlation)
            .map_err(|Unmade(reason)| unmade(reason))?;
        let timeout = attempts.begin()?;
        let asked_at = self.clock.elapsed();
        let outcome = self.transport.send(request, timeout).await;
        let token = judge(attempts, outcome, operation::read_access_token)?;
        Ok(Fresh {
            bearer: token.bearer,
            life: token.life,
            asked_at,
            context: attempts.context(),
            status: token.status,
        })
    }
}

#[cfg(test)]
mod tests;
