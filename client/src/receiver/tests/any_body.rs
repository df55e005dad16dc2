//! Whatever arrives is answered, and by nothing but what the contract has for it.

use proptest::prelude::*;

use super::*;
use crate::json::testing::any_json;

/// Bodies of all kinds, near and far from a notification.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let name =
        "(eventId|eventType|state|cardLastDigits|sequence|lastUpdateTimestamp|encryptedData|[a-z]{0,6})";
    let members = proptest::collection::vec((name, any_json()), 0..6).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        any_json().prop_map(|value| value.to_string().into_bytes()),
        members,
        (0_usize..70_000).prop_map(|blanks| vec![b' '; blanks]),
        (0_usize..200).prop_map(|deep| format!("{}{}", "[".repeat(deep), "]".repeat(deep)).into_bytes()),
        Just(event("e1", 1, "ACTIVE").into_bytes()),
    ]
}

proptest! {
    #[test]
    fn any_notification_has_an_answer(
        body in body(),
        media in proptest::option::of("[ -~]{0,30}"),
        correlation in proptest::option::of("[ -~]{0,70}"),
        path in prop_oneof![
            3 => Just(PATH.to_owned()),
            1 => "[A-Za-z0-9_.%-]{0,50}".prop_map(|token| PATH.replace("tok-1", &token)),
        ],
    ) {
        let Ok(mut request) = Request::post(&path).body(Body::from(body.clone())) else { return Ok(()) };
        request.extensions_mut().insert(PeerCertificate::new(&b"certificate"[..]));
        for (name, value) in [("content-type", &media), ("x-correlation-id", &correlation)] {
            if let Some(value) = value {
                request.headers_mut().insert(name, value.trim().parse().expect("printable ASCII"));
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (status, answer) = runtime.block_on(async { send(&world(), request).await });
        match status.as_u16() {
            204 => prop_assert!(answer.is_empty() && serde_json::from_slice::<serde_json::Value>(&body).is_ok()),
            400 | 413 | 404 => prop_assert!(answer.is_empty() || serde_json::from_str::<serde_json::Value>(&answer).is_ok()),
            // A panic would be told as 503, and there is nothing here that can fail otherwise.
            other => prop_assert!(false, "{other}: {answer}"),
        }
        prop_assert_eq!(status == StatusCode::PAYLOAD_TOO_LARGE, body.len() > 64 * 1024 && path == PATH);
    }

    #[test]
    fn any_token_request_has_an_answer(
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "(grant_type|scope|[a-z%]{0,5})=[a-z_%+&=0-9]{0,40}".prop_map(String::into_bytes),
        ],
        authorization in prop_oneof!["[ -~]{0,60}", "Basic [A-Za-z0-9_+/=-]{0,40}", Just("Basic aWQ6c2VjcmV0".to_owned())],
    ) {
        let credentials = ClientCredentials::new("id", "secret").expect("credentials");
        let world = world_with(Recorder::default(), |receiver| receiver.client_credentials(credentials));
        let mut request = post("/oauth2/token", body);
        request.headers_mut().insert("authorization", authorization.trim().parse().expect("printable ASCII"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (status, _) = runtime.block_on(async { send(&world, request).await });
        prop_assert!([200, 400, 401].contains(&status.as_u16()), "{status}");
    }
}
