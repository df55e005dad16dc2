//! A listener with mutual TLS, for the proxy and for receivers that follow a script.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::folder::Folder;

/// A port of this machine that is taken, but where nobody listens yet: whoever connects is refused.
#[derive(Debug)]
pub struct Port(TcpSocket);

impl Port {
    /// Takes a free port.
    #[must_use]
    pub fn take() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        Self(socket)
    }

    /// `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.0.local_addr().expect("a bound socket"))
    }

    /// Begins to listen.
    #[must_use]
    pub fn open(self) -> TcpListener {
        self.0.listen(128).expect("listening")
    }
}

/// Serves `router` over mutual TLS with `identity` (the path of a certificate and key without their endings) to clients
/// whose certificate is signed by `authority`. Ends when what is returned is dropped.
#[must_use]
pub fn listen(folder: &Folder, port: Port, identity: &str, authority: &str, router: Router) -> JoinSet<()> {
    let acceptor = TlsAcceptor::from(Arc::new(tls(folder, identity, authority)));
    let listener = port.open();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted.expect("a connection");
                    connections.spawn(connection(acceptor.clone(), stream, router.clone()));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    });
    task
}

async fn connection(acceptor: TlsAcceptor, stream: tokio::net::TcpStream, router: Router) {
    // A peer that is refused or goes away is the test's affair: it sees the other end.
    let _ = stream.set_nodelay(true);
    if let Ok(stream) = acceptor.accept(stream).await {
        let builder = auto::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
    }
}

fn tls(folder: &Folder, identity: &str, authority: &str) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate =
        |name: &str| CertificateDer::from_pem_slice(&folder.bytes(name)).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate(authority)).expect("an authority");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let key = PrivateKeyDer::from_pem_slice(&folder.bytes(&format!("{identity}.key"))).expect("a key");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(vec![certificate(&format!("{identity}.pem"))], key)
        .expect("a certificate and its key");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
