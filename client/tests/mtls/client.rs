//! The client's TLS: what it speaks, whom it trusts, and how a refusal of its certificate is told from a lost answer.

use axum::Router;
use axum::routing::post;
use d1_client::receiver::ListenerLimits;
use d1_client::{Client, Config, Error, Loss, NewMerchant, Retry, TlsVersions};
use http::{StatusCode, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::sandbox::{Listening, Sandbox};

/// Just enough of D1 to register a merchant; its name is the version of HTTP that was spoken.
fn d1() -> Router {
    Router::new()
        .route("/authz/v1/oauth2/token", post(|| async { r#"{"access_token":"x","expires_in":900}"# }))
        .route(
            "/ecom/v1/merchant-gateways/MGW_000001/merchants",
            post(|version: Version| async move {
                let body = format!(r#"{{"merchantId":"10610027312","merchantName":"{version:?}"}}"#);
                (StatusCode::CREATED, body)
            }),
        )
}

async fn listen(sandbox: &Sandbox) -> Listening {
    sandbox.listen("d1/server", "thales-ca", d1(), ListenerLimits::default()).await
}

async fn register(config: Config) -> Result<Option<String>, Error> {
    let client = Client::new(config).expect("a client");
    let shop = NewMerchant::new("Shop").expect("a name");
    Ok(client.create_merchant(&shop, None).await?.merchant_name)
}

#[tokio::test]
async fn tls_1_2_and_1_3_and_http_1_and_2_are_spoken() {
    let sandbox = Sandbox::new();
    let d1 = listen(&sandbox).await;
    for versions in [TlsVersions::Tls12AndTls13, TlsVersions::Tls12Only, TlsVersions::Tls13Only] {
        for (http1_only, spoken) in [(true, "HTTP/1.1"), (false, "HTTP/2.0")] {
            let config = sandbox
                .config(d1.url(), "gateway/client", "server-ca")
                .tls_versions(versions)
                .http1_only(http1_only);
            let found = register(config).await.expect("registered");
            assert_eq!(found.as_deref(), Some(spoken), "{versions:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_d1_refuses_is_refused_once_and_never_in_doubt() {
    let sandbox = Sandbox::new();
    let d1 = listen(&sandbox).await;
    for rogue in ["expired", "not-yet-valid", "unknown-ca", "server-usage"] {
        for versions in [TlsVersions::Tls12Only, TlsVersions::Tls13Only] {
            for http1_only in [true, false] {
                let config = sandbox
                    .config(d1.url(), &format!("rogue/{rogue}"), "server-ca")
                    .tls_versions(versions)
                    .http1_only(http1_only);
                let error = register(config).await.expect_err(rogue);
                assert!(
                    matches!(error, Error::NoAnswer { loss: Loss::RefusedInHandshake, .. }),
                    "{rogue} {versions:?} {http1_only}: {error:?}"
                );
                assert_eq!(error.context().attempts, 1, "{rogue}");
                assert_eq!((error.retry(), error.is_ambiguous()), (Retry::Never, false));
            }
        }
    }
}

#[tokio::test]
async fn a_server_of_another_authority_gets_no_request() {
    let sandbox = Sandbox::new();
    let d1 = listen(&sandbox).await;
    let config = sandbox.config(d1.url(), "gateway/client", "receiver-ca");
    let error = register(config).await.expect_err("not trusted");
    assert!(matches!(error, Error::NoAnswer { loss: Loss::ServerNotTrusted, .. }), "{error:?}");
    assert_eq!((error.retry(), error.context().attempts), (Retry::Never, 1));
}

#[tokio::test]
async fn a_server_that_does_not_shake_hands_is_given_up_before_the_first_byte() {
    let sandbox = Sandbox::new();
    // The system accepts the connection into the queue of the listener; nobody ever speaks on it.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", silent.local_addr().expect("its address"));
    let config = sandbox
        .config(url, "gateway/client", "server-ca")
        .connect_timeout(std::time::Duration::from_millis(50))
        .retry(d1_client::RetryPolicy::never());
    let error = register(config).await.expect_err("silent");
    assert!(matches!(error, Error::NoAnswer { loss: Loss::BeforeFirstByte, .. }), "{error:?}");
    assert_eq!(error.retry(), Retry::Safe);
}

#[tokio::test]
async fn what_is_not_tls_of_ours_is_given_up_before_the_first_byte() {
    let sandbox = Sandbox::new();
    // A ServerHello of TLS 1.1: record and handshake headers, version, random, no session, one old suite, no compression.
    let hello = [&[0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0xc0, 0x14, 0]].concat();
    for (answer, expected, retry) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Loss::BeforeFirstByte, Retry::Safe),
        (hello, Loss::NothingInCommon, Retry::Never),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("its address"));
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut hello = [0; 16];
            stream.read_exact(&mut hello).await.expect("a ClientHello");
            stream.write_all(&answer).await.expect("sent");
            // Until the client has had enough.
            let _rest = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        });
        let config =
            sandbox.config(url, "gateway/client", "server-ca").retry(d1_client::RetryPolicy::never());
        let error = register(config).await.expect_err("no TLS");
        assert!(matches!(error, Error::NoAnswer { loss, .. } if loss == expected), "{error:?}");
        assert_eq!(error.retry(), retry);
        server.await.expect("no panic");
    }
}
