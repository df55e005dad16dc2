//! What is needed before anything is measured: a sandbox, a bare server, a merchant, tokens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::super::exit::Failure;
use super::super::folder::{CONFIG, SandboxFolder, read_config};
use super::super::jose::{assertion, sealed_card};
use super::load::{Call, Target, repeat, send};
use crate::chance::Chance;
use crate::clock::{Clock, ClockMode};
use crate::journal::Journal;
use crate::simulator::{HANDSHAKES, Running, Simulator, door, faults};
use crate::stop::Stop;
use crate::tls::{Limits, Listener};

/// Any free port on loopback.
const ANY: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// Connections that make the tokens.
const SEEDERS: u32 = 32;

/// A running sandbox and a running bare server, with calls to both.
pub(super) struct Stage {
    pub(super) hello: Call,
    create_merchant: Call,
    create_token: Call,
    get_token: Call,
    running: Running,
    stop: watch::Sender<bool>,
}

impl Stage {
    pub(super) async fn set(folder: SandboxFolder, tokens: u32) -> Result<Self, Failure> {
        let tls = tls(&folder)?;
        let (hello_address, stop) = bare_server(&folder).await?;
        let mut config = read_config(&folder.file(CONFIG))?;
        (config.api, config.admin) = (ANY.into(), ANY.into());
        config.max_connections = config.max_connections.max(20_000);
        let base = config.base_path.clone();
        let running = Simulator::start(config).await.map_err(Failure::resource)?;
        let api = running.api_address();
        let at = |address| Target { address, tls: Arc::clone(&tls) };
        let caller = Caller::new(&folder, at(api), &base).await?;

        let merchants = caller.call("POST", "", &json!({"merchantName": "Bench"}))?;
        let merchant = caller.ask(&merchants, "merchantId").await?;
        let card = sealed_card(&folder, "9999990000000014", "1239")?;
        let create_token =
            caller.call("POST", &format!("/{merchant}/tokens"), &json!({"encryptedData": card}))?;
        repeat(&create_token, SEEDERS, tokens.saturating_sub(1)).await?;
        let token = caller.ask(&create_token, "tokenId").await?;
        Ok(Self {
            hello: Call { target: at(hello_address), request: hello(hello_address)? },
            create_merchant: merchants,
            get_token: caller.call("GET", &format!("/{merchant}/tokens/{token}"), &Value::Null)?,
            create_token,
            running,
            stop,
        })
    }

    pub(super) fn calls(&self) -> [(&'static str, &Call); 3] {
        [
            ("createMerchant", &self.create_merchant),
            ("getToken", &self.get_token),
            // Last, since it changes how many tokens there are.
            ("createToken", &self.create_token),
        ]
    }

    pub(super) async fn strike(self) {
        self.stop.send_replace(true);
        self.running.stop().await;
    }
}

/// The first gateway of the folder, with a bearer.
struct Caller {
    target: Target,
    base: String,
    bearer: String,
}

impl Caller {
    async fn new(folder: &SandboxFolder, target: Target, base: &str) -> Result<Self, Failure> {
        let gateway = folder.gateway(None)?;
        let now = Clock::new(ClockMode::Real).now().at;
        let assertion = assertion(folder, &gateway, Duration::from_secs(300), now)?;
        let base = format!("{base}/merchant-gateways/{gateway}/merchants");
        let mut caller = Self { target, base, bearer: String::new() };
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let body = json!({"grant_type": grant, "assertion": assertion});
        let call = caller.request("POST", "/authz/v1/oauth2/token", &body)?;
        caller.bearer = caller.ask(&call, "access_token").await?;
        Ok(caller)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Call, Failure> {
        self.request(method, &format!("{}{path}", self.base), body)
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Result<Call, Failure> {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.target.address.to_string())
            .header("x-correlation-id", "bench")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.bearer))
            .body(Full::new(body))
            .map_err(Failure::internal)?;
        Ok(Call { target: self.target.clone(), request })
    }

    /// One call, and the text of a member of its answer.
    async fn ask(&self, call: &Call, member: &str) -> Result<String, Failure> {
        let mut sender = self.target.sender().await?;
        let (status, body) = send(&mut sender, call.request.clone()).await.map_err(Failure::internal)?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = answer.get(member).and_then(Value::as_str).map(str::to_owned);
        text.ok_or_else(|| {
            Failure::internal(format!("answer {status} without {member}: the stage cannot be set"))
        })
    }
}

async fn bare_server(folder: &SandboxFolder) -> Result<(SocketAddr, watch::Sender<bool>), Failure> {
    let journal = Arc::new(Journal::new());
    let gateways = Arc::new(folder.config.known());
    let clock = Clock::new(ClockMode::Real);
    let faults = faults(&folder.config, Chance::new(0), &journal).map_err(Failure::internal)?;
    let door = door(&folder.config, &gateways, &journal, &clock, faults).map_err(Failure::usage)?;
    let router = Router::new().route("/hello", get(async || "hello"));
    let limits = Limits { connections: 20_000, handshakes: HANDSHAKES };
    let listener = Listener::bind(ANY.into(), door, router, limits).await.map_err(Failure::resource)?;
    let address = listener.address().map_err(Failure::resource)?;
    let (stop, stopped) = Stop::pair();
    tokio::spawn(listener.run(stopped));
    Ok((address, stop))
}

fn hello(address: SocketAddr) -> Result<Request<Full<Bytes>>, Failure> {
    let request = Request::get("/hello").header("host", address.to_string()).body(Full::default());
    request.map_err(Failure::internal)
}

/// The first gateway's side of TLS, without resumption.
pub(super) fn tls(folder: &SandboxFolder) -> Result<Arc<ClientConfig>, Failure> {
    let gateway = folder.gateway(None)?;
    let (pem, key) =
        (folder.gateway_file(&gateway, "client.pem"), folder.gateway_file(&gateway, "client.key"));
    let certificate =
        |name: &str| CertificateDer::from_pem_slice(folder.text(name)?.as_bytes()).map_err(Failure::usage);
    let key = PrivateKeyDer::from_pem_slice(folder.text(&key)?.as_bytes()).map_err(Failure::usage)?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca/server-ca.pem")?).map_err(Failure::usage)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Failure::internal)?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate(&pem)?], key)
        .map_err(Failure::usage)?;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
