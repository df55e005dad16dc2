//! A gateway that calls with plain requests: neither our client nor our JOSE, so that bad calls can be made too.

use bytes::Bytes;
use d1_contracts::Contract;
use http::{HeaderMap, Method};
use reqwest::{Certificate, Client, ClientBuilder, Identity};
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::jose::{self, JweKey};
use crate::judge::{Side, pairs};
use crate::{GATEWAY, OTHER_GATEWAY};

/// The path of the token endpoint.
const TOKEN_PATH: &str = "/authz/v1/oauth2/token";

/// Certificate and keys that a caller shows.
#[derive(Debug, Clone)]
pub struct Papers {
    /// The gateway that the caller says it is.
    pub gateway: &'static str,
    /// The certificate without ending, or nothing to show none.
    pub certificate: Option<String>,
    /// The key of assertions without ending: `.key` is its PEM, `.jwk` its public JWK.
    pub assertion: &'static str,
    /// The private JWK that D1 seals to.
    pub jwe: &'static str,
}

impl Papers {
    /// Those of the sandbox's first gateway.
    #[must_use]
    pub fn good() -> Self {
        let (assertion, jwe) = ("gateway/assertion", "gateway/jwe.jwk");
        Self { gateway: GATEWAY, certificate: Some("gateway/client".into()), assertion, jwe }
    }

    /// Those of the other gateway.
    #[must_use]
    pub fn other() -> Self {
        let (assertion, jwe) = ("rogue/other-gateway.assertion", "rogue/other-gateway.jwe.jwk");
        Self { gateway: OTHER_GATEWAY, certificate: Some("rogue/other-gateway".into()), assertion, jwe }
    }

    /// Good keys with a certificate of `rogue/`.
    #[must_use]
    pub fn rogue(name: &str) -> Self {
        Self { certificate: Some(format!("rogue/{name}")), ..Self::good() }
    }

    /// Good keys and no certificate.
    #[must_use]
    pub fn uncertified() -> Self {
        Self { certificate: None, ..Self::good() }
    }
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The version of HTTP.
    pub version: http::Version,
}

impl Answer {
    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A member of the JSON body that is text.
    #[must_use]
    pub fn text(&self, member: &str) -> String {
        let json = self.json();
        json[member]
            .as_str()
            .unwrap_or_else(|| panic!("no text {member} in an answer {}", self.status))
            .to_owned()
    }
}

/// A caller of one sandbox. Every answer it gets is held against the contract.
#[derive(Debug, Clone)]
pub struct Caller {
    url: String,
    http: Client,
    contract: Contract,
    papers: Papers,
    assertion_key: Vec<u8>,
    kid: String,
    /// The time that assertions are made at, milliseconds since 1970.
    now_ms: i64,
    own_key: JweKey,
    d1_key: JweKey,
}

impl Caller {
    /// A caller with these papers of the folder, for the API at `url`; `now_ms` is the sandbox's time.
    #[must_use]
    pub fn new(folder: &Folder, url: &str, papers: Papers, now_ms: i64) -> Self {
        Self::with(folder, url, papers, now_ms, |builder| builder)
    }

    /// The same, with more settings of TLS or HTTP.
    #[must_use]
    pub fn with(
        folder: &Folder,
        url: &str,
        papers: Papers,
        now_ms: i64,
        more: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let authority = Certificate::from_pem(&folder.bytes("ca/server-ca.pem")).expect("a certificate");
        let mut builder = Client::builder()
            .tls_certs_only([authority])
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if let Some(name) = &papers.certificate {
            builder = builder.identity(identity(folder, name));
        }
        let kid: Value =
            serde_json::from_str(&folder.text(&format!("{}.jwk", papers.assertion))).expect("a JWK");
        Self {
            url: url.to_owned(),
            http: more(builder).build().expect("a client"),
            contract: Side::Inbound.contract(),
            assertion_key: folder.bytes(&format!("{}.key", papers.assertion)),
            kid: kid["kid"].as_str().expect("a kid").to_owned(),
            now_ms,
            own_key: JweKey::read(&folder.text(papers.jwe)),
            d1_key: JweKey::read(&folder.text("d1/jwe.jwk")),
            papers,
        }
    }

    /// The papers it shows.
    #[must_use]
    pub fn papers(&self) -> &Papers {
        &self.papers
    }

    /// Sends a request as it is. The error is that of the transport, with all its causes.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, String> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url)).body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.map_err(|fault| chain(&fault))?;
        let (status, headers, version) =
            (answer.status().as_u16(), answer.headers().clone(), answer.version());
        let body = answer.bytes().await.map_err(|fault| chain(&fault))?;
        let answer = Answer { status, headers, body, version };
        // An answer to HEAD has no body by the rules of HTTP, whatever the contract says of its status.
        if method != Method::HEAD {
            self.judge(method.as_str(), path, &answer);
        }
        Ok(answer)
    }

    /// Sends a request as it is, to be answered.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let sent = self.try_send(method.clone(), path, headers, body).await;
        sent.unwrap_or_else(|fault| panic!("{method} {path}: {fault}"))
    }

    /// Sends a good request: correlation id, bearer, JSON.
    pub async fn call(&self, method: Method, path: &str, bearer: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {bearer}");
        let mut headers = vec![("x-correlation-id", "system-tests"), ("authorization", bearer.as_str())];
        let mut text = String::new();
        if !body.is_null() {
            headers.push(("content-type", "application/json"));
            text = body.to_string();
        }
        self.send(method, path, &headers, text).await
    }

    /// The body of a token request with a good assertion.
    #[must_use]
    pub fn token_request(&self) -> Value {
        let now = self.now_ms / 1000;
        let claims = json!({"iss": self.papers.gateway, "exp": now + 300});
        let assertion =
            jose::assertion(&self.assertion_key, &json!({"alg": "ES256", "kid": self.kid}), &claims);
        json!({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion})
    }

    /// A token request with this body.
    pub async fn ask_token(&self, body: Value) -> Answer {
        let headers = [("x-correlation-id", "system-tests"), ("content-type", "application/json")];
        self.send(Method::POST, TOKEN_PATH, &headers, body.to_string()).await
    }

    /// A bearer.
    pub async fn bearer(&self) -> String {
        let answer = self.ask_token(self.token_request()).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.text("access_token")
    }

    /// A new merchant.
    pub async fn merchant(&self, bearer: &str) -> String {
        let answer =
            self.call(Method::POST, &self.path(""), bearer, json!({"merchantName": "Corner Bookshop"})).await;
        assert_eq!(answer.status, 201, "{}", answer.json());
        answer.text("merchantId")
    }

    /// The answer to a tokenization of a card.
    pub async fn tokenize(&self, bearer: &str, merchant: &str, pan: &str, exp: &str) -> Answer {
        let body = json!({"encryptedData": self.sealed(&json!({"pan": pan, "exp": exp}))});
        self.call(Method::POST, &self.path(&format!("/{merchant}/tokens")), bearer, body).await
    }

    /// A new token for the card that is always approved.
    pub async fn token(&self, bearer: &str, merchant: &str) -> String {
        let answer = self.tokenize(bearer, merchant, crate::sandbox::APPROVED, "1239").await;
        assert_eq!(answer.status, 201, "{}", answer.json());
        answer.text("tokenId")
    }

    /// A payment with a token.
    pub async fn pay(&self, bearer: &str, merchant: &str, token: &str) -> Answer {
        let path = self.path(&format!("/{merchant}/tokens/{token}/transactions"));
        self.call(Method::POST, &path, bearer, json!({"transactionType": "SINGLE"})).await
    }

    /// A path below the merchants of the caller's gateway.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        format!("/ecom/v1/merchant-gateways/{}/merchants{rest}", self.papers.gateway)
    }

    /// A plaintext sealed toward D1.
    #[must_use]
    pub fn sealed(&self, plaintext: &Value) -> String {
        jose::seal(plaintext.to_string().as_bytes(), &self.d1_key)
    }

    /// The plaintext of an answer's `encryptedData`.
    #[must_use]
    pub fn opened(&self, answer: &Answer) -> Value {
        let plaintext = jose::open(&answer.text("encryptedData"), &self.own_key).expect("sealed toward us");
        serde_json::from_slice(&plaintext).expect("JSON")
    }

    fn judge(&self, method: &str, path: &str, answer: &Answer) {
        let headers = pairs(&answer.headers);
        let judged = match self.contract.operation(method, path) {
            Some(matched) => {
                self.contract.judge_answer(matched.operation.id(), answer.status, &headers, &answer.body)
            }
            None => self.contract.judge_outside_answer(answer.status, &headers, &answer.body),
        };
        if let Err(faults) = judged {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            panic!("{method} {path} answered {} against the contract: {}", answer.status, faults.join("; "));
        }
    }
}

/// A certificate with its key.
pub(crate) fn identity(folder: &Folder, name: &str) -> Identity {
    let pem = folder.text(&format!("{name}.key")) + &folder.text(&format!("{name}.pem"));
    Identity::from_pem(pem.as_bytes()).expect("a certificate and its key")
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
