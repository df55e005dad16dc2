//! The listener of the receiver: who gets in, who is kept out, and who cannot hold up others.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use d1_client::receiver::{
    BoxFuture, Freshness, HandlerError, ListenerLimits, Notification, NotificationHandler, PeerCertificate,
    Receiver,
};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::sandbox::{Listening, Sandbox, gateway};

const PATH: &str = "/merchant-gateways/MGW_000001/merchants/10610027312/tokens/tok-1/notify-update";

#[derive(Default)]
struct Recorder(Mutex<Vec<Option<String>>>);

impl NotificationHandler for Recorder {
    fn handle<'a>(
        &'a self,
        notification: &'a Notification,
        _: Freshness,
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            self.0.lock().map_err(|_| "poisoned")?.push(notification.event_id.clone());
            Ok(())
        })
    }
}

async fn listen(sandbox: &Sandbox, router: Router, limits: ListenerLimits) -> Listening {
    sandbox.listen("receiver/server", "thales-client-ca", router, limits).await
}

/// A stranger to our client: plain reqwest, as D1 might use any library.
fn caller(sandbox: &Sandbox, identity: Option<&str>) -> reqwest::ClientBuilder {
    let authority =
        reqwest::Certificate::from_pem(&sandbox.read("ca/receiver-ca.pem")).expect("an authority");
    let builder =
        reqwest::Client::builder().tls_certs_only([authority]).no_proxy().retry(reqwest::retry::never());
    let Some(identity) = identity else {
        return builder;
    };
    let mut pem = sandbox.read(&format!("{identity}.key"));
    pem.extend_from_slice(&sandbox.read(&format!("{identity}.pem")));
    builder.identity(reqwest::Identity::from_pem(&pem).expect("an identity"))
}

#[tokio::test]
async fn a_notification_arrives_over_mutual_tls() {
    let sandbox = Sandbox::new();
    let recorder = Arc::new(Recorder::default());
    let router = Receiver::new(gateway(), sandbox.own_key(), recorder.clone()).router();
    let listening = listen(&sandbox, router, ListenerLimits::default()).await;
    let mut expected = Vec::new();
    for version in [reqwest::tls::Version::TLS_1_2, reqwest::tls::Version::TLS_1_3] {
        for http1 in [true, false] {
            let builder =
                caller(&sandbox, Some("d1/client")).tls_version_min(version).tls_version_max(version);
            let builder = if http1 { builder.http1_only() } else { builder };
            let id = format!("{version:?}-{http1}");
            let response = builder
                .build()
                .expect("a caller")
                .post(format!("{}{PATH}", listening.url()))
                .body(format!("{{\"eventId\":\"{id}\"}}"))
                .send()
                .await
                .expect("an answer");
            assert_eq!(response.status(), 204);
            let spoken = if http1 { reqwest::Version::HTTP_11 } else { reqwest::Version::HTTP_2 };
            assert_eq!(response.version(), spoken);
            expected.push(Some(id));
        }
    }
    assert_eq!(*recorder.0.lock().expect("no panic"), expected);
}

#[tokio::test]
async fn who_has_no_certificate_of_the_authority_is_kept_out() {
    let sandbox = Sandbox::new();
    let recorder = Arc::new(Recorder::default());
    let router = Receiver::new(gateway(), sandbox.own_key(), recorder.clone()).router();
    let listening = listen(&sandbox, router, ListenerLimits::default()).await;
    for identity in [None, Some("gateway/client"), Some("rogue/unknown-ca")] {
        let caller = caller(&sandbox, identity).build().expect("a caller");
        let request = caller.post(format!("{}{PATH}", listening.url())).body("{}");
        assert!(request.send().await.is_err(), "{identity:?}");
    }
    assert!(recorder.0.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn the_certificate_is_handed_to_the_router() {
    let sandbox = Sandbox::new();
    let router = Router::new()
        .route("/who", get(|peer: axum::Extension<PeerCertificate>| async move { peer.der().to_vec() }));
    let listening = listen(&sandbox, router, ListenerLimits::default()).await;
    let caller = caller(&sandbox, Some("d1/client")).build().expect("a caller");
    let response = caller.get(format!("{}/who", listening.url())).send().await.expect("an answer");
    let der = response.bytes().await.expect("a body");
    let pem = String::from_utf8(sandbox.read("d1/client.pem")).expect("PEM");
    let expected: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.decode(expected).expect("base64");
    assert_eq!(&der[..], &expected[..]);
}

#[tokio::test]
async fn silent_peers_hold_up_nobody() {
    let sandbox = Sandbox::new();
    let router = Router::new().route("/", get(|| async { "here" }));
    let listening = listen(&sandbox, router, ListenerLimits::default()).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(listening.address).await.expect("connected"));
    }
    let caller = caller(&sandbox, Some("d1/client")).build().expect("a caller");
    let answer = caller.get(format!("{}/", listening.url())).send();
    let answer = tokio::time::timeout(Duration::from_secs(5), answer).await;
    assert_eq!(answer.expect("in time").expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_silent_peer_gives_its_place_up_after_the_deadline() {
    let sandbox = Sandbox::new();
    let router = Router::new().route("/", get(|| async { "here" }));
    let limits =
        ListenerLimits::default().with_max_connections(1).with_handshake_timeout(Duration::from_millis(50));
    let listening = listen(&sandbox, router, limits).await;
    let _silent = TcpStream::connect(listening.address).await.expect("connected");
    let caller = caller(&sandbox, Some("d1/client")).build().expect("a caller");
    let answer = caller.get(format!("{}/", listening.url())).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_peer_that_never_ends_its_headers_is_dropped() {
    use tokio::io::AsyncReadExt as _;

    let sandbox = Sandbox::new();
    let router = Router::new().route("/", get(|| async { "here" }));
    let limits = ListenerLimits::default().with_header_timeout(Duration::from_millis(50));
    let listening = listen(&sandbox, router, limits).await;
    // Over TLS, HTTP/1.1, and then nothing: the listener closes, where a kept connection would wait for ever.
    let connector = tls_connector(&sandbox);
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let stream = TcpStream::connect(listening.address).await.expect("connected");
    let mut stream = connector.connect(name, stream).await.expect("a handshake");
    let mut byte = [0_u8; 1];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut byte)).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
}

fn tls_connector(sandbox: &Sandbox) -> tokio_rustls::TlsConnector {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let mut roots = rustls::RootCertStore::empty();
    let pem = sandbox.read("ca/receiver-ca.pem");
    roots.add(CertificateDer::from_pem_slice(&pem).expect("PEM")).expect("an authority");
    let certificate = CertificateDer::from_pem_slice(&sandbox.read("d1/client.pem")).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(&sandbox.read("d1/client.key")).expect("PEM");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .expect("an identity");
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn a_request_in_work_is_ended_before_the_listener_stops() {
    let sandbox = Sandbox::new();
    let started = Arc::new(Semaphore::new(0));
    let go_on = Arc::new(Semaphore::new(0));
    let router = {
        let (started, go_on) = (started.clone(), go_on.clone());
        Router::new().route(
            "/",
            get(move || async move {
                started.add_permits(1);
                go_on.acquire().await.expect("open").forget();
                "ended"
            }),
        )
    };
    let listening = listen(&sandbox, router, ListenerLimits::default()).await;
    let caller = caller(&sandbox, Some("d1/client")).build().expect("a caller");
    let url = format!("{}/", listening.url());
    let request = tokio::spawn(async move { caller.get(url).send().await?.text().await });
    started.acquire().await.expect("open").forget();
    let stopping = listening.stop();
    assert!(!stopping.is_finished());
    go_on.add_permits(1);
    assert_eq!(request.await.expect("no panic").expect("an answer"), "ended");
    stopping.await.expect("it stops");
}

#[tokio::test]
async fn a_silent_peer_does_not_delay_the_stop() {
    let sandbox = Sandbox::new();
    let router = Router::new().route("/", get(|| async { "here" }));
    let listening = listen(&sandbox, router, ListenerLimits::default()).await;
    let _silent = TcpStream::connect(listening.address).await.expect("connected");
    // An answer to somebody else shows that the silent one was accepted before.
    let caller = caller(&sandbox, Some("d1/client")).build().expect("a caller");
    let answer = caller.get(format!("{}/", listening.url())).send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
    let stopped = tokio::time::timeout(Duration::from_secs(5), listening.stop()).await;
    stopped.expect("well before the drain time is over").expect("no panic");
}
