//! Peers that are silent, slow, many, or send too much: bounded, answered or closed, and nobody else disturbed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use d1_simulator::{AuthClock, ClockMode, Config, Running, Simulator};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use system_tests::{Folder, START_MS};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whatever is to happen happens within this real time, or the test has failed.
const PATIENCE: Duration = Duration::from_secs(10);

struct Peer {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

async fn sandbox(max_connections: usize) -> (Arc<Folder>, Running, Peer) {
    let folder = Folder::shared();
    let mut config = Config::read(&folder.path("sandbox.yaml")).expect("a good configuration");
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    (config.api, config.admin, config.max_connections) = (free, free, max_connections);
    config.clock = ClockMode::Manual { start_ms: START_MS };
    config.auth_clock = AuthClock::Sandbox;
    let running = Simulator::start(config).await.expect("a running sandbox");
    let peer = Peer { address: running.api_address(), tls: tls(&folder) };
    (folder, running, peer)
}

fn tls(folder: &Folder) -> Arc<ClientConfig> {
    let certificate =
        |name: &str| CertificateDer::from_pem_slice(&folder.bytes(name)).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca/server-ca.pem")).expect("an authority");
    let key = PrivateKeyDer::from_pem_slice(&folder.bytes("gateway/client.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate("gateway/client.pem")], key)
        .expect("a client certificate");
    Arc::new(config)
}

impl Peer {
    async fn connect(&self) -> TlsStream<TcpStream> {
        let socket = TcpStream::connect(self.address).await.expect("a connection");
        let name = ServerName::IpAddress(self.address.ip().into());
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, socket).await.expect("a handshake")
    }

    /// Sends bytes over a connection and returns the status line of the answer.
    async fn exchange(&self, stream: &mut TlsStream<TcpStream>, request: &[u8]) -> String {
        let answered = async {
            stream.write_all(request).await.expect("written");
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut byte = [0; 1];
                if stream.read(&mut byte).await.expect("an answer") == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned()
        };
        timeout(PATIENCE, answered).await.expect("an answer in time")
    }

    async fn is_served(&self) {
        let mut stream = self.connect().await;
        let line = self.exchange(&mut stream, b"GET /nothing HTTP/1.1\r\nhost: d1\r\n\r\n").await;
        assert_eq!(line, "HTTP/1.1 404 Not Found");
    }
}

/// `true` once the other side has closed.
async fn is_closed(stream: &mut TlsStream<TcpStream>) -> bool {
    let mut byte = [0; 1];
    timeout(PATIENCE, stream.read(&mut byte))
        .await
        .is_ok_and(|read| read.is_err() || read.is_ok_and(|n| n == 0))
}

#[tokio::test]
async fn silent_peers_hold_up_nobody() {
    let (_folder, running, peer) = sandbox(4096).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(peer.address).await.expect("a connection"));
    }
    peer.is_served().await;
    drop(silent);
    running.stop().await;
}

#[tokio::test]
async fn at_the_cap_the_longest_idle_connections_close_and_new_ones_are_served() {
    let (_folder, running, peer) = sandbox(200).await;
    let mut open = Vec::new();
    for _ in 0..250 {
        open.push(peer.connect().await);
    }
    for stream in &mut open[..50] {
        assert!(is_closed(stream).await);
    }
    let line = peer.exchange(&mut open[249], b"GET /nothing HTTP/1.1\r\nhost: d1\r\n\r\n").await;
    assert_eq!(line, "HTTP/1.1 404 Not Found");
    peer.is_served().await;
    running.stop().await;
}

#[tokio::test]
async fn a_long_body_is_read_to_its_end_so_that_its_sender_sees_the_answer() {
    let (_folder, running, peer) = sandbox(4096).await;
    let path = "/ecom/v1/merchant-gateways/MGW_000001/merchants";
    let length = 1024 * 1024;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: d1\r\nx-correlation-id: a\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut request = head.into_bytes();
    request.resize(request.len() + length, b' ');
    let mut stream = peer.connect().await;
    // Without a bearer: the refusal that comes first is the one that is seen.
    assert_eq!(peer.exchange(&mut stream, &request).await, "HTTP/1.1 401 Unauthorized");
    assert!(is_closed(&mut drained(stream).await).await);
    running.stop().await;
}

/// The stream after the rest of what was sent to it.
async fn drained(mut stream: TlsStream<TcpStream>) -> TlsStream<TcpStream> {
    let mut rest = [0; 64];
    // The answer's body is all that can come.
    let _ = timeout(PATIENCE, stream.read(&mut rest)).await;
    stream
}

#[tokio::test]
async fn a_body_that_is_announced_too_long_by_a_caller_who_asks_first_is_refused_unsent() {
    let (_folder, running, peer) = sandbox(4096).await;
    let request =
        b"POST /nothing HTTP/1.1\r\nhost: d1\r\nexpect: 100-continue\r\ncontent-length: 99999999\r\n\r\n";
    let mut stream = peer.connect().await;
    assert_eq!(peer.exchange(&mut stream, request).await, "HTTP/1.1 404 Not Found");
    running.stop().await;
}

#[tokio::test]
async fn a_head_over_16_kib_is_refused_and_others_are_served() {
    let (_folder, running, peer) = sandbox(4096).await;
    let long = "a".repeat(20 * 1024);
    let request = format!("GET /nothing HTTP/1.1\r\nhost: d1\r\nx-long: {long}\r\n\r\n");
    let mut stream = peer.connect().await;
    let line = peer.exchange(&mut stream, request.as_bytes()).await;
    assert_eq!(line, "HTTP/1.1 431 Request Header Fields Too Large");
    peer.is_served().await;
    running.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_tls_are_refused_and_written_down() {
    let (_folder, running, peer) = sandbox(4096).await;
    let mut socket = TcpStream::connect(peer.address).await.expect("a connection");
    socket.write_all(b"GET / HTTP/1.1\r\nhost: d1\r\n\r\n").await.expect("written");
    let mut answer = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut answer))
        .await
        .expect("closed in time")
        .expect("closed in order");
    let admin = system_tests::Admin::new(running.admin_url());
    let refused = |line: &serde_json::Value| line["kind"] == "handshake" && line["accepted"] == false;
    let line = admin.entry("a refused handshake", refused).await;
    assert_eq!(line["refused"]["check"], "TLS record");
    running.stop().await;
}
