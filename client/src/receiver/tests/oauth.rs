//! The gateway's own token endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::*;

fn guarded(clock: &Clock) -> World {
    let credentials = ClientCredentials::new("is_tbank01", "1~?:2>3!\u{fffd}").expect("credentials");
    world_with(Recorder::default(), |receiver| receiver.client_credentials(credentials).clock(clock.clone()))
}

fn token_request(authorization: &str, form: &str) -> Request<Body> {
    let mut request = post("/oauth2/token", form.to_owned());
    request.headers_mut().insert("authorization", authorization.parse().expect("a value"));
    request
}

const FORM: &str = "grant_type=client_credentials&scope=notify";

#[tokio::test]
async fn credentials_buy_a_bearer_that_ends() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let world = guarded(&clock);
    assert_eq!(send(&world, post(PATH, "{}")).await.0, StatusCode::UNAUTHORIZED);
    // Padded base64url as documented, padded base64 as in RFC 7617, and without padding.
    let text = "is_tbank01:1~?:2>3!\u{fffd}";
    assert_ne!(URL_SAFE.encode(text), STANDARD.encode(text));
    assert!(URL_SAFE.encode(text).ends_with('='));
    for encoded in
        [URL_SAFE.encode(text), STANDARD.encode(text), STANDARD.encode(text).trim_end_matches('=').to_owned()]
    {
        let (status, body) = send(&world, token_request(&format!("Basic {encoded}"), FORM)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            (&body["expires_in"], &body["token_type"], &body["scope"]),
            (&900.into(), &"Bearer".into(), &"notify".into())
        );
        let bearer = format!("Bearer {}", body["access_token"].as_str().expect("a bearer"));
        let notify = || {
            let mut request = post(PATH, "{}");
            request.headers_mut().insert("authorization", bearer.parse().expect("a value"));
            request
        };
        assert_eq!(send(&world, notify()).await.0, StatusCode::NO_CONTENT);
        clock.advance(Duration::from_secs(900));
        assert_eq!(send(&world, notify()).await.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_token_request_that_is_wrong_is_refused() {
    let world = guarded(&Clock::manual(SystemTime::UNIX_EPOCH));
    let basic = |text: &str| format!("Basic {}", URL_SAFE.encode(text));
    let good = basic("is_tbank01:1~?:2>3!\u{fffd}");
    for (authorization, form, status, named) in [
        (basic("is_tbank01:other"), FORM, 401, "AUTHORIZER_UNAUTHORIZED"),
        (basic("other:1~?:2>3!\u{fffd}"), FORM, 401, "AUTHORIZER_UNAUTHORIZED"),
        (basic("is_tbank01"), FORM, 401, "AUTHORIZER_UNAUTHORIZED"),
        ("Basic ***".to_owned(), FORM, 401, "AUTHORIZER_UNAUTHORIZED"),
        ("Bearer x".to_owned(), FORM, 401, "AUTHORIZER_UNAUTHORIZED"),
        (good.clone(), "", 400, "grant_type"),
        (good.clone(), "grant_type=password", 400, "grant_type"),
        (good.clone(), "grant_type=client_credentials&grant_type=client_credentials", 400, "grant_type"),
        (good.clone(), "grant_type=client_credentials&scope=a&scope=b", 400, "scope"),
        (good.clone(), "grant_type=%zz", 400, "body"),
    ] {
        let (found, body) = send(&world, token_request(&authorization, form)).await;
        assert_eq!(found.as_u16(), status, "{form} {body}");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["error"], named, "{form}");
    }
    let (status, _) = send(&world, post("/oauth2/token", FORM)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_token_endpoint_exists_only_with_credentials() {
    let (status, _) = send(&world(), token_request("Basic eDp5", FORM)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
