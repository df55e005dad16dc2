//! Versions of TLS and HTTP, and an RSA key (contract 2.1, D7).

use d1_client::{Client, TlsVersions};
use d1_fixtures::{Authority, KeyKind, LeafKey, LeafSpec, client_common_name};
use http::Method;
use serde_json::{Value, json};
use system_tests::{Caller, Folder, GATEWAY, Papers, Sandbox, client_config};

use crate::flow::first_payment;

/// The newest accepted handshake.
async fn handshake(sandbox: &Sandbox) -> Value {
    let entries = sandbox.admin.journal().await;
    let accepted = |entry: &&Value| entry["kind"] == "handshake" && entry["accepted"] == true;
    entries.iter().rev().find(accepted).expect("a handshake").clone()
}

#[tokio::test]
async fn the_first_payment_works_with_each_version_of_tls_and_http() {
    let sandbox = Sandbox::start().await;
    let now = sandbox.admin.now().await;
    for (versions, tls) in [
        (TlsVersions::Tls12Only, "1.2"),
        (TlsVersions::Tls13Only, "1.3"),
        (TlsVersions::Tls12AndTls13, "1.3"),
    ] {
        for (http1_only, protocol) in [(true, "http/1.1"), (false, "h2")] {
            let config = client_config(&sandbox.folder, &sandbox.api_url())
                .clock(sandbox.clock.clone())
                .tls_versions(versions)
                .http1_only(http1_only);
            let client = Client::new(config).expect("a client");
            assert_eq!(first_payment(&client, &now).await, Ok(()), "TLS {tls}, {protocol}");
            let handshake = handshake(&sandbox).await;
            assert_eq!((&handshake["tls"], &handshake["protocol"]), (&json!(tls), &json!(protocol)));
        }
    }
}

#[tokio::test]
async fn a_caller_that_speaks_http_2_alone_is_served() {
    let sandbox = Sandbox::start().await;
    let (url, now) = (sandbox.api_url(), sandbox.now_ms());
    let caller = Caller::with(
        &sandbox.folder,
        &url,
        Papers::good(),
        now,
        reqwest::ClientBuilder::http2_prior_knowledge,
    );
    let answer = caller.ask_token(caller.token_request()).await;
    assert_eq!((answer.status, answer.version), (200, http::Version::HTTP_2));
}

#[tokio::test]
async fn an_rsa_key_of_4096_bits_with_the_name_that_fits_it_is_let_in() {
    let sandbox = Sandbox::start().await;
    let folder = &sandbox.folder;
    let ca =
        Authority::read(&folder.path("ca/thales-ca.pem"), &folder.path("ca/thales-ca.key")).expect("the CA");
    let name = |key| client_common_name(key, GATEWAY, d1_fixtures::Environment::PreProd);
    let good = LeafSpec::client(name(KeyKind::Rsa), Folder::now()).expect("a certificate");
    let rsa = ca.issue(&LeafSpec { key: LeafKey::Rsa4096, ..good }).expect("a certificate");
    folder.write("rsa.pem", &rsa.cert_pem);
    folder.write("rsa.key", &rsa.key_pem);
    let caller = sandbox.caller(Papers { certificate: Some("rsa".to_owned()), ..Papers::good() });
    let bearer = caller.bearer().await;
    let merchant = caller.merchant(&bearer).await;
    let token = caller.token(&bearer, &merchant).await;
    let path = caller.path(&format!("/{merchant}/tokens/{token}"));
    assert_eq!(caller.call(Method::GET, &path, &bearer, Value::Null).await.status, 200);
    assert_eq!(handshake(&sandbox).await["peer"], "TLSMA-RSA/MGW_000001/PPR");
}

#[tokio::test]
async fn a_name_that_does_not_fit_the_kind_of_key_is_refused() {
    let sandbox = Sandbox::start().await;
    let folder = &sandbox.folder;
    let ca =
        Authority::read(&folder.path("ca/thales-ca.pem"), &folder.path("ca/thales-ca.key")).expect("the CA");
    let name = client_common_name(KeyKind::Rsa, GATEWAY, d1_fixtures::Environment::PreProd);
    let lying =
        ca.issue(&LeafSpec::client(name, Folder::now()).expect("a certificate")).expect("a certificate");
    folder.write("lying.pem", &lying.cert_pem);
    folder.write("lying.key", &lying.key_pem);
    let caller = sandbox.caller(Papers { certificate: Some("lying".to_owned()), ..Papers::good() });
    let answer = caller.ask_token(caller.token_request()).await;
    assert_eq!((answer.status, &answer.json()["errorCode"]), (403, &json!("FORBIDDEN")));
}
