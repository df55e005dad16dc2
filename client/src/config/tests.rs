//! Settings and key material that cannot be used are named when the client is built.

use std::time::Duration;

use super::*;
use crate::client::Client;
use crate::jwk::testing::jwk_pair;
use crate::retry::RetryPolicy;

#[expect(clippy::disallowed_methods, reason = "TLS goes by the present time")]
fn now() -> time::OffsetDateTime {
    time::OffsetDateTime::now_utc()
}

fn minted(name: &str) -> d1_fixtures::Minted {
    let authority = d1_fixtures::Authority::generate(name, &[], now()).expect("an authority");
    authority
        .issue(&d1_fixtures::LeafSpec::client("TLSMA-ECDSA/MGW_000001/PPR", now()).expect("a leaf"))
        .expect("issued")
}

fn config(url: &str) -> Config {
    let authority = d1_fixtures::Authority::generate("Trust", &[], now()).expect("an authority");
    let leaf = minted("Clients");
    let key = d1_fixtures::EcKey::generate().expect("a key");
    let (public, _) = jwk_pair("d1");
    let (_, private) = jwk_pair("own");
    let credentials = Credentials {
        identity: TlsIdentity::from_pem(leaf.cert_pem.as_bytes(), leaf.key_pem.as_bytes())
            .expect("an identity"),
        trust: TrustedRoots::from_pem(authority.cert_pem().as_bytes()).expect("roots"),
        assertion: AssertionKey::from_pkcs8_pem(key.pkcs8_pem().as_bytes(), key.kid()).expect("a key"),
        d1_key: RecipientKey::from_jwk(public.as_bytes()).expect("a key"),
        own_key: OwnKey::from_jwk(private.as_bytes()).expect("a key"),
    };
    Config::new(url, GatewayId::new("MGW_000001").expect("an id"), credentials)
}

#[test]
fn the_endpoints_are_those_of_the_contract() {
    for url in ["https://127.0.0.1:8443", "https://127.0.0.1:8443/"] {
        let endpoints = config(url).endpoints().expect("good");
        assert_eq!(endpoints.oauth, "https://127.0.0.1:8443/authz/v1");
        assert_eq!(endpoints.ecom, "https://127.0.0.1:8443/ecom/v1");
    }
    let endpoints = config("https://d1.test").ecom_prefix("").oauth_prefix("/a/b-c/").endpoints();
    let endpoints = endpoints.expect("good");
    assert_eq!(
        (endpoints.ecom.as_str(), endpoints.oauth.as_str()),
        ("https://d1.test", "https://d1.test/a/b-c")
    );
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    const SECOND: Duration = Duration::from_secs(1);
    let good = || config("https://127.0.0.1:8443");
    assert!(Client::new(good()).is_ok());
    for (config, what) in [
        (config("http://127.0.0.1:8443"), "base_url"),
        (config("127.0.0.1:8443"), "base_url"),
        (config("https://"), "base_url"),
        (config("https://user:pw@host"), "base_url"),
        (config("https://host/path"), "base_url"),
        (config("https://host?x=1"), "base_url"),
        (config("https://host//"), "base_url"),
        (config(""), "base_url"),
        (good().ecom_prefix("ecom"), "ecom_prefix"),
        (good().ecom_prefix("/a/../b"), "ecom_prefix"),
        (good().ecom_prefix("/a//b"), "ecom_prefix"),
        (good().oauth_prefix("/a?b"), "oauth_prefix"),
        (good().connect_timeout(Duration::ZERO), "connect_timeout"),
        (good().connect_timeout(15 * SECOND), "connect_timeout"),
        (good().overall_timeout(14 * SECOND), "overall_timeout"),
        (good().response_limit_bytes(0), "response_limit_bytes"),
        (good().refresh_ahead(9 * SECOND), "refresh_ahead"),
        (good().retry(RetryPolicy { max_attempts: 0, ..RetryPolicy::default() }), "retry"),
    ] {
        let url = config.base_url.clone();
        let error = Client::new(config).expect_err(&url);
        assert_eq!(error.what(), what, "{error}");
        assert!(error.to_string().contains("expected"), "{error}");
    }
}

#[test]
fn material_that_cannot_be_used_is_explained() {
    let (one, other) = (minted("A"), minted("B"));
    let identity = |cert: &str, key: &str| TlsIdentity::from_pem(cert.as_bytes(), key.as_bytes()).map(drop);
    assert_eq!(identity(&one.cert_pem, &one.key_pem), Ok(()));
    for (result, said) in [
        (identity(&one.cert_pem, &other.key_pem), "do not belong together"),
        (identity(&one.key_pem, &one.key_pem), "BEGIN CERTIFICATE"),
        (identity(&one.cert_pem, &one.cert_pem), "private key"),
        (identity("", ""), "BEGIN CERTIFICATE"),
        (TrustedRoots::from_pem(b"nothing").map(drop), "BEGIN CERTIFICATE"),
    ] {
        let error = result.expect_err(said);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn an_assertion_key_is_p256_in_pkcs8_with_a_kid() {
    let key = d1_fixtures::EcKey::generate().expect("a key");
    let pem = key.pkcs8_pem();
    let authority = d1_fixtures::Authority::generate("CA", &[], now()).expect("an authority");
    let mut spec = d1_fixtures::LeafSpec::client("x", now()).expect("a leaf");
    spec.key = d1_fixtures::LeafKey::P384;
    let p384 = authority.issue(&spec).expect("issued").key_pem;
    let read = |pem: &str, kid: &str| AssertionKey::from_pkcs8_pem(pem.as_bytes(), kid).map(drop);
    assert_eq!(read(&pem, "k"), Ok(()));
    for (result, said) in [
        (read(&pem, ""), "`kid`"),
        (read(&p384, "k"), "P-256"),
        (read(&pem.replace("PRIVATE KEY", "EC PRIVATE KEY"), "k"), "PKCS#8"),
        (read("", "k"), "PKCS#8"),
    ] {
        let error = result.expect_err(said);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn debug_shows_no_key() {
    let text = format!("{:?}", config("https://d1.test"));
    assert!(text.contains("MGW_000001") && text.contains("\"own\""), "{text}");
    assert!(!text.contains("pkcs8") && !text.contains("private:"), "{text}");
}
