//! The cache and the assertion.

use std::sync::atomic::AtomicUsize;
use std::time::SystemTime;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;
use crate::config::AssertionKey;
use crate::error::{Context, Loss};
use crate::model::{CorrelationId, GatewayId};
use crate::operation::Operation;

const SECOND: Duration = Duration::from_secs(1);

fn cache(clock: &Clock) -> TokenCache {
    TokenCache::new(clock.clone(), 60 * SECOND, 10 * SECOND)
}

fn failure() -> Error {
    Error::NoAnswer {
        context: Context {
            operation: Operation::GetAccessToken,
            correlation_id: CorrelationId::random(),
            attempts: 1,
        },
        loss: Loss::AfterFirstByte,
        source: None,
    }
}

async fn fresh(clock: &Clock, count: &AtomicUsize, life: Duration) -> Result<Fresh, Error> {
    let number = count.fetch_add(1, Ordering::SeqCst) + 1;
    let asked_at = clock.elapsed();
    // Others get the chance to come in while this one is under way.
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    Ok(Fresh { bearer: SecretText::new(format!("bearer-{number}")), life, asked_at })
}

#[tokio::test]
async fn many_callers_share_one_refresh() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let cache = Arc::new(cache(&clock));
    let count = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (cache, count, clock) = (Arc::clone(&cache), Arc::clone(&count), clock.clone());
            tokio::spawn(async move {
                let bearer = cache.bearer(|| fresh(&clock, &count, 900 * SECOND)).await;
                bearer.expect("a bearer").expose().to_owned()
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.expect("no panic"), "bearer-1");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn many_callers_share_one_failure_and_a_later_one_tries_again() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let cache = Arc::new(cache(&clock));
    let count = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (cache, count) = (Arc::clone(&cache), Arc::clone(&count));
            tokio::spawn(async move {
                cache
                    .bearer(|| async {
                        count.fetch_add(1, Ordering::SeqCst);
                        for _ in 0..5 {
                            tokio::task::yield_now().await;
                        }
                        Err(failure())
                    })
                    .await
                    .is_err()
            })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.expect("no panic"));
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let bearer = cache.bearer(|| fresh(&clock, &count, 900 * SECOND)).await;
    assert_eq!(bearer.expect("a bearer").expose(), "bearer-2");
}

#[tokio::test]
async fn a_refresh_that_is_dropped_does_not_block_the_next() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let cache = cache(&clock);
    let count = AtomicUsize::new(0);
    let never = cache.bearer(std::future::pending);
    assert!(tokio::time::timeout(Duration::from_millis(5), never).await.is_err());
    let bearer = cache.bearer(|| fresh(&clock, &count, 900 * SECOND)).await;
    assert_eq!(bearer.expect("a bearer").expose(), "bearer-1");
}

#[tokio::test]
async fn a_failed_refresh_ahead_of_the_end_leaves_the_old_bearer_in_use() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let cache = cache(&clock);
    let count = AtomicUsize::new(0);
    cache.bearer(|| fresh(&clock, &count, 900 * SECOND)).await.expect("a bearer");
    clock.advance(850 * SECOND);
    let bearer = cache.bearer(|| async { Err(failure()) }).await;
    assert_eq!(bearer.expect("the old one").expose(), "bearer-1");
    clock.advance(40 * SECOND);
    assert!(cache.bearer(|| async { Err(failure()) }).await.is_err());
}

#[tokio::test]
async fn a_discarded_bearer_is_not_lent_again_but_a_newer_one_stays() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let cache = cache(&clock);
    let count = AtomicUsize::new(0);
    let first = cache.bearer(|| fresh(&clock, &count, 900 * SECOND)).await.expect("one");
    cache.discard(&first);
    let second = cache.bearer(|| fresh(&clock, &count, 900 * SECOND)).await.expect("two");
    assert_eq!(second.expose(), "bearer-2");
    cache.discard(&first);
    let third = cache.bearer(|| fresh(&clock, &count, 900 * SECOND)).await.expect("two");
    assert_eq!(third.expose(), "bearer-2");
}

proptest! {
    #[test]
    fn a_bearer_is_never_lent_inside_its_margin(life in 1_u64..2_000, steps in proptest::collection::vec(0_u64..400, 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let clock = Clock::manual(SystemTime::UNIX_EPOCH);
            let cache = cache(&clock);
            let count = AtomicUsize::new(0);
            let life = Duration::from_secs(life);
            let mut asked = Duration::ZERO;
            for step in steps {
                clock.advance(Duration::from_secs(step));
                let before = count.load(Ordering::SeqCst);
                cache.bearer(|| fresh(&clock, &count, life)).await.expect("a bearer");
                if count.load(Ordering::SeqCst) > before {
                    asked = clock.elapsed();
                }
                let margin = (10 * SECOND).min(life / 4);
                prop_assert!(clock.elapsed() < asked + life - margin);
            }
            Ok(())
        })?;
    }
}

#[test]
fn an_assertion_is_a_signed_jwt_with_the_documented_claims() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let public = pair.public_key().as_ref().to_vec();
    let der = pair.to_pkcs8v1().expect("PKCS#8");
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(der.as_ref())
    );
    let key = AssertionKey::from_pkcs8_pem(pem.as_bytes(), "kid-1").expect("a key");
    let gateway = GatewayId::new("MGW_000001").expect("an id");
    let jwt = sign(&key, &gateway, 1_000_000, "jti-1").expect("signed");
    let parts: Vec<&str> = jwt.expose().split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        panic!("three parts");
    };
    let json = |part: &str| -> serde_json::Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    };
    assert_eq!(json(header), serde_json::json!({"alg": "ES256", "kid": "kid-1", "typ": "JWT"}));
    assert_eq!(
        json(claims),
        serde_json::json!({"iss": "MGW_000001", "sub": "MGW_000001", "iat": 1_000_000, "exp": 1_000_300, "jti": "jti-1"})
    );
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public)
        .verify(format!("{header}.{claims}").as_bytes(), &signature)
        .expect("the signature is good");
}
