//! Our own client as the suite's subject.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::time::Duration;

use d1_client::{
    AssertionKey, Card, Client, Clock, Config, Credentials, Error, GatewayId, InvalidValue, Merchant,
    MerchantId, NetworkToken, NewMerchant, NewToken, OwnKey, RecipientKey, Retry, TlsIdentity, Token,
    TokenId, TransactionType, TrustedRoots,
};
use d1_contracts::{Arguments, BoxFuture, Call, Now, ReportedOutcome, Retryable, Subject, Task, Told};
use serde_json::{Value, json};

use super::file;

/// The client crate, with the papers of a sandbox folder.
pub struct OwnClient {
    folder: PathBuf,
    now: Now,
}

/// What was understood of a good answer, by the names of the contract.
type Understood = BTreeMap<String, Value>;

impl OwnClient {
    /// A subject with the papers of the first gateway of `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), now: super::now() }
    }

    /// A client of D1 at `base_url`.
    pub(super) fn client(
        &self,
        base_url: &str,
        attempt_timeout: Duration,
        clock: Clock,
    ) -> Result<Client, Box<dyn StdError + Send + Sync>> {
        let text = |name: &str| file(&self.folder, name);
        let kid: Value = serde_json::from_str(&text("gateway/assertion.jwk")?)?;
        let kid = kid["kid"].as_str().unwrap_or_default().to_owned();
        let (pem, key) = (text("gateway/client.pem")?, text("gateway/client.key")?);
        let credentials = Credentials {
            identity: TlsIdentity::from_pem(pem.as_bytes(), key.as_bytes())?,
            trust: TrustedRoots::from_pem(text("ca/server-ca.pem")?.as_bytes())?,
            assertion: AssertionKey::from_pkcs8_pem(text("gateway/assertion.key")?.as_bytes(), kid)?,
            d1_key: RecipientKey::from_jwk(text("d1/jwe.jwk")?.as_bytes())?,
            own_key: OwnKey::from_jwk(text("gateway/jwe.jwk")?.as_bytes())?,
        };
        let config = Config::new(base_url, GatewayId::new("MGW_000001")?, credentials)
            .attempt_timeout(attempt_timeout)
            .connect_timeout(attempt_timeout / 2);
        Ok(Client::new(config.clock(clock))?)
    }
}

impl Subject for OwnClient {
    fn name(&self) -> &str {
        concat!("d1-client ", env!("CARGO_PKG_VERSION"))
    }

    fn call<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Told, String>> {
        Box::pin(async move {
            // Its pauses take no time.
            let start = (self.now)();
            let clock = Clock::skipping(start);
            let outcome = match self.client(task.base_url, task.attempt_timeout, clock.clone()) {
                Ok(client) => make(&client, task.call, task.arguments).await,
                // A client that cannot be made has sent nothing.
                Err(_) => return Ok(told(ReportedOutcome::NotSent, 0)),
            };
            let waited = clock.now().duration_since(start).unwrap_or_default();
            let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            Ok(match outcome {
                Ok(result) => Told { result, ..told(ReportedOutcome::Ok, waited_ms) },
                Err(Ended::NotMade) => told(ReportedOutcome::NotSent, waited_ms),
                Err(Ended::Failed(error)) => Told {
                    retryable: retryable(error.retry()),
                    ambiguous: error.is_ambiguous(),
                    ..told(outcome_of(&error), waited_ms)
                },
            })
        })
    }
}

fn told(outcome: ReportedOutcome, waited_ms: u64) -> Told {
    Told { outcome, retryable: Retryable::Never, ambiguous: false, result: Understood::new(), waited_ms }
}

/// Why there is no result.
enum Ended {
    /// An argument of the suite was refused by the client's types.
    NotMade,
    Failed(Error),
}

impl From<InvalidValue> for Ended {
    fn from(_: InvalidValue) -> Self {
        Self::NotMade
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

async fn make(client: &Client, call: Call, with: &Arguments) -> Result<Understood, Ended> {
    let (merchant, token) = (MerchantId::new(&with.merchant_id)?, TokenId::new(&with.token_id)?);
    Ok(match call {
        Call::CreateMerchant => {
            merchant_members(&client.create_merchant(&NewMerchant::new(&with.merchant_name)?, None).await?)
        }
        Call::CreateToken => {
            let new = NewToken::new(Card::new(&with.card.0, &with.card.1)?);
            token_members(&client.create_token(&merchant, &new, None).await?)
        }
        Call::GetToken => {
            let details = client.get_token(&merchant, &token, None).await?;
            let mut members = token_members(&details.token);
            members.extend(network_token_members(&details.network_token));
            members
        }
        Call::CreateTransaction => {
            let payment = client.create_transaction(&merchant, &token, TransactionType::Single, None).await?;
            let mut members = network_token_members(&payment.network_token);
            members.insert("transactionId".to_owned(), json!(payment.transaction_id));
            members.insert("cryptogram".to_owned(), json!(payment.cryptogram.expose()));
            members.insert("eci".to_owned(), json!(payment.eci));
            members
        }
        Call::DeleteToken => {
            client.delete_token(&merchant, &token, None).await?;
            Understood::new()
        }
    })
}

fn members<const N: usize>(members: [(&str, Value); N]) -> Understood {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn merchant_members(merchant: &Merchant) -> Understood {
    members([
        ("merchantId", json!(merchant.merchant_id.as_str())),
        ("merchantName", json!(merchant.merchant_name)),
        ("creationTimestamp", json!(merchant.creation_timestamp)),
    ])
}

fn token_members(token: &Token) -> Understood {
    members([
        ("tokenId", json!(token.token_id.as_str())),
        ("state", json!(token.state.as_ref().map(d1_client::TokenState::as_str))),
        ("cardLastDigits", json!(token.card_last_digits)),
        ("cardExpiryDate", json!(token.card_expiry_date)),
        ("tokenLastDigits", json!(token.token_last_digits)),
        ("tokenExpiryDate", json!(token.token_expiry_date)),
        ("par", json!(token.par)),
        ("creationTimestamp", json!(token.creation_timestamp)),
    ])
}

fn network_token_members(token: &NetworkToken) -> Understood {
    members([("dpan", json!(token.dpan.expose())), ("exp", json!(token.exp))])
}

fn retryable(retry: Retry) -> Retryable {
    match retry {
        Retry::Never => Retryable::Never,
        Retry::Safe => Retryable::Safe,
        Retry::After(_) => Retryable::After,
    }
}

fn outcome_of(error: &Error) -> ReportedOutcome {
    match error {
        Error::Refused { status, code, .. } => ReportedOutcome::Refused {
            status: *status,
            code: code.as_ref().map(|code| code.as_str().to_owned()),
        },
        Error::Unreadable { .. } => ReportedOutcome::Unreadable,
        Error::NoAnswer { .. } => ReportedOutcome::NoAnswer,
        _ => ReportedOutcome::NotSent,
    }
}
