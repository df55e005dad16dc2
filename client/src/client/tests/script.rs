//! A server that answers as told, and a client for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use crate::client::Client;
use crate::clock::Clock;
use crate::config::{AssertionKey, Config, Credentials, TlsIdentity, TrustedRoots};
use crate::error::Error;
use crate::jwe;
use crate::jwk::testing::jwk_pair;
use crate::jwk::{OwnKey, RecipientKey};
use crate::model::{
    Card, CorrelationId, GatewayId, MerchantId, NewMerchant, NewToken, TokenId, TransactionType,
};
use crate::operation::Operation;

pub(super) const ALL: [Operation; 6] = [
    Operation::GetAccessToken,
    Operation::CreateMerchant,
    Operation::CreateToken,
    Operation::GetToken,
    Operation::CreateTransaction,
    Operation::DeleteToken,
];

pub(super) const PAN: &str = "9999990000000014";
pub(super) const DPAN: &str = "9999991234567893";
pub(super) const CRYPTOGRAM: &str = "AAECAwQFBgcICQoLDA0ODxAREhM=";
pub(super) const BEARER: &str = "eyBearerSecret";

/// One thing that the server does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// The answer that the contract wants.
    Good,
    Answer(u16, &'static str),
    /// 503 with the error object and this header.
    RetryAfter(&'static str),
    Redirect,
    /// A body over the limit.
    Huge(u16),
    /// The good answer, later than anybody waits.
    Slow,
    /// The connection ends without an answer.
    Lost,
}

/// What becomes of one request.
pub(super) enum Turn {
    Answer(ResponseTemplate),
    Lost,
}

/// Steps in order; the last one is repeated.
#[derive(Debug, Clone)]
pub(super) struct Script(Vec<Step>);

impl Script {
    pub(super) fn new(steps: &[Step]) -> Self {
        Self(steps.to_vec())
    }
}

pub(super) struct World {
    pub(super) server: MockServer,
    pub(super) client: Client,
    pub(super) clock: Clock,
    /// D1's own half of what the client seals.
    pub(super) d1: OwnKey,
    to_gateway: RecipientKey,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|config| config).await
    }

    pub(super) async fn with(change: impl FnOnce(Config) -> Config) -> Self {
        let server = MockServer::start().await;
        let url = server.uri();
        Self::build(server, url, change)
    }

    /// A client that is pointed at another address.
    pub(super) async fn at(url: String) -> Self {
        Self::build(MockServer::start().await, url, |config| config)
    }

    fn build(server: MockServer, url: String, change: impl FnOnce(Config) -> Config) -> Self {
        let clock = Clock::skipping(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let (d1_public, d1_private) = jwk_pair("d1");
        let (own_public, own_private) = jwk_pair("own");
        let credentials = credentials(
            RecipientKey::from_jwk(d1_public.as_bytes()).expect("a key"),
            OwnKey::from_jwk(own_private.as_bytes()).expect("a key"),
        );
        let gateway = GatewayId::new("MGW_000001").expect("an id");
        let mut config = Config::new(url, gateway, credentials).clock(clock.clone());
        config.plain_http = true;
        Self {
            server,
            client: Client::new(change(config)).expect("a client"),
            clock,
            d1: OwnKey::from_jwk(d1_private.as_bytes()).expect("a key"),
            to_gateway: RecipientKey::from_jwk(own_public.as_bytes()).expect("a key"),
        }
    }

    /// Mounts a script for an operation, and a token endpoint that works unless it is the one scripted.
    pub(super) async fn script(&self, operation: Operation, script: Script) {
        self.mount(operation, script).await;
        if operation != Operation::GetAccessToken {
            self.mount(Operation::GetAccessToken, Script::new(&[Step::Good])).await;
        } else {
            self.mount(Operation::GetToken, Script::new(&[Step::Good])).await;
        }
    }

    pub(super) async fn mount(&self, operation: Operation, Script(steps): Script) {
        let turn = |step| match step {
            Step::Lost => Turn::Lost,
            step => Turn::Answer(self.template(operation, step)),
        };
        self.mount_turns(operation, steps.into_iter().map(turn).collect()).await;
    }

    /// Turns in order; the last one is repeated.
    pub(super) async fn mount_turns(&self, operation: Operation, turns: Vec<Turn>) {
        let last = turns.len() - 1;
        for (index, turn) in turns.into_iter().enumerate() {
            let (verb, at) = route(operation);
            let mock = Mock::given(method(verb)).and(path(at));
            let mock = match turn {
                Turn::Lost => mock.respond_with_err(|_: &wiremock::Request| {
                    std::io::Error::other("the connection is dropped")
                }),
                Turn::Answer(template) => mock.respond_with(template),
            };
            // The first of several that match answers, until it has done so often enough.
            let mock = if index == last { mock } else { mock.up_to_n_times(1) };
            mock.mount(&self.server).await;
        }
    }

    fn template(&self, operation: Operation, step: Step) -> ResponseTemplate {
        match step {
            Step::Good | Step::Lost => self.good(operation),
            Step::Answer(status, body) => ResponseTemplate::new(status).set_body_string(body),
            Step::RetryAfter(value) => ResponseTemplate::new(503)
                .insert_header("retry-after", value)
                .set_body_string(r#"{"errorCode":"SERVICE_UNAVAILABLE","error":"later"}"#),
            Step::Redirect => ResponseTemplate::new(302)
                .insert_header("location", format!("{}/elsewhere", self.server.uri())),
            Step::Huge(status) => ResponseTemplate::new(status).set_body_string(format!(
                r#"{{"errorCode":"SERVICE_UNAVAILABLE","error":"{}"}}"#,
                "x".repeat(64 * 1024)
            )),
            Step::Slow => self.good(operation).set_delay(Duration::from_secs(30)),
        }
    }

    pub(super) fn good(&self, operation: Operation) -> ResponseTemplate {
        let seal = |text: String| jwe::seal(text.as_bytes(), &self.to_gateway).expect("sealed");
        let (status, body) = match operation {
            Operation::GetAccessToken => {
                (200, format!(r#"{{"access_token":"{BEARER}","expires_in":900,"token_type":"Bearer"}}"#))
            }
            Operation::CreateMerchant => (201, r#"{"merchantId":"10610027312"}"#.to_owned()),
            Operation::CreateToken => (201, r#"{"tokenId":"tok-1","state":"ACTIVE"}"#.to_owned()),
            Operation::GetToken => {
                let sealed = seal(format!(r#"{{"dpan":"{DPAN}","exp":"1131"}}"#));
                (200, format!(r#"{{"tokenId":"tok-1","encryptedData":"{sealed}"}}"#))
            }
            Operation::CreateTransaction => {
                let sealed = seal(format!(r#"{{"dpan":"{DPAN}","exp":"1131","cryptogram":"{CRYPTOGRAM}"}}"#));
                (201, format!(r#"{{"transactionId":"tx-1","encryptedData":"{sealed}"}}"#))
            }
            Operation::DeleteToken => (204, String::new()),
        };
        ResponseTemplate::new(status).set_body_string(body)
    }

    /// Makes the call; for the token endpoint, the cheapest one that needs it.
    pub(super) async fn call(&self, operation: Operation) -> Result<(), Error> {
        let merchant = MerchantId::new("10610027312").expect("an id");
        let token = TokenId::new("tok-1").expect("an id");
        let correlation = Some(CorrelationId::new("corr-1").expect("an id"));
        let client = &self.client;
        match operation {
            Operation::CreateMerchant => {
                let shop = NewMerchant::new("Shop").expect("a name");
                client.create_merchant(&shop, correlation).await.map(drop)
            }
            Operation::CreateToken => {
                let card = NewToken::new(Card::new(PAN, "1239").expect("a card"));
                client.create_token(&merchant, &card, correlation).await.map(drop)
            }
            Operation::GetToken | Operation::GetAccessToken => {
                client.get_token(&merchant, &token, correlation).await.map(drop)
            }
            Operation::CreateTransaction => client
                .create_transaction(&merchant, &token, TransactionType::Single, correlation)
                .await
                .map(drop),
            Operation::DeleteToken => client.delete_token(&merchant, &token, correlation).await,
        }
    }

    /// What arrived for an operation.
    pub(super) async fn received(&self, operation: Operation) -> Vec<wiremock::Request> {
        let (verb, at) = route(operation);
        let all = self.server.received_requests().await.expect("recorded");
        all.into_iter()
            .filter(|request| request.method.as_str() == verb && request.url.path() == at)
            .collect()
    }

    pub(super) async fn requests(&self, operation: Operation) -> usize {
        self.received(operation).await.len()
    }
}

fn route(operation: Operation) -> (&'static str, &'static str) {
    match operation {
        Operation::GetAccessToken => ("POST", "/authz/v1/oauth2/token"),
        Operation::CreateMerchant => ("POST", "/ecom/v1/merchant-gateways/MGW_000001/merchants"),
        Operation::CreateToken => {
            ("POST", "/ecom/v1/merchant-gateways/MGW_000001/merchants/10610027312/tokens")
        }
        Operation::GetToken => {
            ("GET", "/ecom/v1/merchant-gateways/MGW_000001/merchants/10610027312/tokens/tok-1")
        }
        Operation::CreateTransaction => {
            ("POST", "/ecom/v1/merchant-gateways/MGW_000001/merchants/10610027312/tokens/tok-1/transactions")
        }
        Operation::DeleteToken => {
            ("DELETE", "/ecom/v1/merchant-gateways/MGW_000001/merchants/10610027312/tokens/tok-1")
        }
    }
}

/// Credentials with fresh keys. The certificate is real, though plain HTTP never shows it.
#[expect(clippy::disallowed_methods, reason = "TLS goes by the present time")]
pub(crate) fn credentials(d1_key: RecipientKey, own_key: OwnKey) -> Credentials {
    let now = time::OffsetDateTime::now_utc();
    let authority = d1_fixtures::Authority::generate("Test CA", &[], now).expect("an authority");
    let spec = d1_fixtures::LeafSpec::client("TLSMA-ECDSA/MGW_000001/PPR", now).expect("a leaf");
    let leaf = authority.issue(&spec).expect("issued");
    let assertion = d1_fixtures::EcKey::generate().expect("a key");
    Credentials {
        identity: TlsIdentity::from_pem(leaf.cert_pem.as_bytes(), leaf.key_pem.as_bytes())
            .expect("an identity"),
        trust: TrustedRoots::from_pem(authority.cert_pem().as_bytes()).expect("an authority"),
        assertion: AssertionKey::from_pkcs8_pem(assertion.pkcs8_pem().as_bytes(), assertion.kid())
            .expect("a key"),
        d1_key,
        own_key,
    }
}

/// Answers each request with another bearer.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    pub(super) life_seconds: u64,
    count: AtomicUsize,
}

impl Numbered {
    pub(super) fn living(life_seconds: u64) -> Self {
        Self { life_seconds, ..Self::default() }
    }
}

impl Respond for Numbered {
    fn respond(&self, _: &wiremock::Request) -> ResponseTemplate {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        ResponseTemplate::new(200).set_body_string(format!(
            r#"{{"access_token":"bearer-{number}","expires_in":{}}}"#,
            self.life_seconds
        ))
    }
}
