//! The cache and the assertion.

mod interleavings;

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

fn cache(clock: &Clock) -> Arc<TokenCache> {
    Arc::new(TokenCache::new(clock.clone(), 60 * SECOND, 10 * SECOND))
}

fn context() -> Context {
    Context { operation: Operation::GetAccessToken, correlation_id: CorrelationId::random(), attempts: 1 }
}

fn failure() -> Error {
    Error::NoAnswer { context: context(), loss: Loss::AfterFirstByte, source: None }
}

/// Lets tasks in the background come to their end.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// A token endpoint that numbers its bearers.
#[derive(Clone)]
struct Endpoint {
    clock: Clock,
    life: Duration,
    /// How long an answer takes.
    takes: Duration,
    /// When each bearer was asked for.
    asked: Arc<std::sync::Mutex<Vec<Duration>>>,
}

impl Endpoint {
    fn new(clock: &Clock, life: Duration) -> Self {
        Self { clock: clock.clone(), life, takes: Duration::ZERO, asked: Arc::default() }
    }

    fn count(&self) -> usize {
        self.asked.lock().expect("no panic").len()
    }

    fn refresh(&self) -> impl Future<Output = Result<Fresh, Error>> + Send + use<> {
        let own = self.clone();
        async move {
            let asked_at = own.clock.elapsed();
            let number = {
                let mut asked = own.asked.lock().expect("no panic");
                asked.push(asked_at);
                asked.len()
            };
            // Others get the chance to come in while this one is under way.
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            own.clock.advance(own.takes);
            let bearer = SecretText::new(format!("bearer-{number}"));
            Ok(Fresh { bearer, life: own.life, asked_at, context: context(), status: 200 })
        }
    }
}

async fn lent(cache: &Arc<TokenCache>, endpoint: &Endpoint) -> Bearer {
    cache.bearer(|| endpoint.refresh()).await.expect("a bearer")
}

#[tokio::test]
async fn many_callers_share_one_refresh() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let (cache, endpoint) = (cache(&clock), Endpoint::new(&clock, 900 * SECOND));
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (cache, endpoint) = (Arc::clone(&cache), endpoint.clone());
            tokio::spawn(async move { lent(&cache, &endpoint).await.expose().to_owned() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.expect("no panic"), "bearer-1");
    }
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn many_callers_share_one_failure_and_a_later_one_tries_again() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let cache = cache(&clock);
    let count = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (cache, count) = (Arc::clone(&cache), Arc::clone(&count));
            tokio::spawn(async move {
                let refresh = || async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    for _ in 0..5 {
                        tokio::task::yield_now().await;
                    }
                    Err(failure())
                };
                cache.bearer(refresh).await.is_err()
            })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.expect("no panic"));
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let endpoint = Endpoint::new(&clock, 900 * SECOND);
    assert_eq!(lent(&cache, &endpoint).await.expose(), "bearer-1");
}

#[tokio::test]
async fn a_refresh_that_is_dropped_does_not_block_the_next() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let (cache, endpoint) = (cache(&clock), Endpoint::new(&clock, 900 * SECOND));
    let never = cache.bearer(std::future::pending);
    assert!(tokio::time::timeout(Duration::from_millis(5), never).await.is_err());
    assert_eq!(lent(&cache, &endpoint).await.expose(), "bearer-1");
}

#[tokio::test]
async fn near_its_end_a_bearer_is_lent_at_once_and_refreshed_beside_the_calls() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let (cache, endpoint) = (cache(&clock), Endpoint::new(&clock, 900 * SECOND));
    lent(&cache, &endpoint).await;
    clock.advance(850 * SECOND);
    for _ in 0..3 {
        assert_eq!(lent(&cache, &endpoint).await.expose(), "bearer-1");
    }
    settle().await;
    assert_eq!((endpoint.count(), lent(&cache, &endpoint).await.expose()), (2, "bearer-2"));
}

#[tokio::test]
async fn a_bearer_of_a_short_life_is_refreshed_from_its_half_on_and_not_before() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let (cache, endpoint) = (cache(&clock), Endpoint::new(&clock, 40 * SECOND));
    for (after_seconds, asked) in [(0, 1), (19, 1), (1, 2)] {
        clock.advance(after_seconds * SECOND);
        lent(&cache, &endpoint).await;
        settle().await;
        assert_eq!(endpoint.count(), asked, "after {after_seconds} s more");
    }
}

#[tokio::test]
async fn a_refresh_ahead_that_hangs_holds_up_nobody() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let (cache, endpoint) = (cache(&clock), Endpoint::new(&clock, 900 * SECOND));
    lent(&cache, &endpoint).await;
    clock.advance(850 * SECOND);
    for _ in 0..3 {
        let bearer = cache.bearer(std::future::pending).await;
        assert_eq!(bearer.expect("the old one").expose(), "bearer-1");
        settle().await;
    }
}

#[tokio::test]
async fn a_failed_refresh_ahead_leaves_the_old_bearer_in_use_and_is_not_repeated_by_each_call() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let (cache, endpoint) = (cache(&clock), Endpoint::new(&clock, 900 * SECOND));
    lent(&cache, &endpoint).await;
    let failures = Arc::new(AtomicUsize::new(0));
    let failing = || {
        let failures = Arc::clone(&failures);
        async move {
            failures.fetch_add(1, Ordering::SeqCst);
            Err(failure())
        }
    };
    clock.advance(850 * SECOND);
    for _ in 0..10 {
        assert_eq!(cache.bearer(failing).await.expect("the old one").expose(), "bearer-1");
        settle().await;
    }
    assert_eq!(failures.load(Ordering::SeqCst), 1);
    clock.advance(10 * SECOND);
    cache.bearer(failing).await.expect("the old one");
    settle().await;
    assert_eq!(failures.load(Ordering::SeqCst), 2, "a quarter of the 40 s that were left");
    clock.advance(30 * SECOND);
    assert!(cache.bearer(failing).await.is_err());
}

#[tokio::test]
async fn a_bearer_that_comes_too_late_to_be_sent_is_an_error_that_names_its_life() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let endpoint = Endpoint { takes: 15 * SECOND, ..Endpoint::new(&clock, 20 * SECOND) };
    let error = cache(&clock).bearer(|| endpoint.refresh()).await.expect_err("its end is too near");
    assert!(matches!(error, Error::Unreadable { status: 200, .. }), "{error:?}");
    assert!(error.to_string().contains("expires_in"), "{error}");
}

#[tokio::test]
async fn a_discarded_bearer_is_not_lent_again_but_a_newer_one_stays() {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH);
    let (cache, endpoint) = (cache(&clock), Endpoint::new(&clock, 900 * SECOND));
    let first = lent(&cache, &endpoint).await;
    cache.discard(&first);
    assert_eq!(lent(&cache, &endpoint).await.expose(), "bearer-2");
    cache.discard(&first);
    assert_eq!(lent(&cache, &endpoint).await.expose(), "bearer-2");
}

proptest! {
    #[test]
    fn a_bearer_is_never_lent_inside_its_margin(
        life in 1_u64..2_000,
        takes in 0_u64..100,
        steps in proptest::collection::vec(0_u64..400, 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let clock = Clock::manual(SystemTime::UNIX_EPOCH);
            let (life, takes) = (Duration::from_secs(life), Duration::from_secs(takes));
            let (cache, endpoint) = (cache(&clock), Endpoint { takes, ..Endpoint::new(&clock, life) });
            let margin = (10 * SECOND).min(life / 4);
            for step in steps {
                clock.advance(Duration::from_secs(step));
                match cache.bearer(|| endpoint.refresh()).await {
                    Ok(bearer) => {
                        let number: usize = bearer.expose().trim_start_matches("bearer-").parse().expect("a number");
                        let asked = endpoint.asked.lock().expect("no panic")[number - 1];
                        prop_assert!(clock.elapsed() < asked + life - margin);
                    }
                    Err(_) => prop_assert!(takes >= life - margin),
                }
                // Some refreshes ahead are over before the next call, some are not.
                if step % 2 == 0 {
                    settle().await;
                }
            }
            Ok(())
        })?;
    }
}

proptest! {
    #[test]
    fn an_assertion_suits_clocks_that_are_five_minutes_apart_either_way_and_any_skew_that_d1_allows(
        ours in 1_000_000_u64..4_000_000_000,
        apart in prop_oneof![Just(-300_i64), Just(0), Just(300), -300_i64..=300],
        skew in prop_oneof![Just(0_u64), 0_u64..=900],
    ) {
        let pem = d1_fixtures::EcKey::generate().expect("a key").pkcs8_pem();
        let key = AssertionKey::from_pkcs8_pem(pem.as_bytes(), "kid-1").expect("a key");
        let gateway = GatewayId::new("MGW_000001").expect("an id");
        let jwt = sign(&key, &gateway, ours, "jti-1").expect("signed");
        let claims = jwt.expose().split('.').nth(1).expect("claims");
        let claims: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON");
        let (iat, exp) = (claims["iat"].as_u64().expect("a time"), claims["exp"].as_u64().expect("a time"));
        let theirs = ours.saturating_add_signed(apart);
        // The rules of contract C5.
        prop_assert!(exp > theirs - skew && exp <= theirs + 900 + skew && iat <= theirs + skew);
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
        serde_json::json!({"iss": "MGW_000001", "sub": "MGW_000001", "iat": 999_700, "exp": 1_000_450, "jti": "jti-1"})
    );
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public)
        .verify(format!("{header}.{claims}").as_bytes(), &signature)
        .expect("the signature is good");
}

#[test]
fn a_signature_by_the_key_of_rfc_7515_a3_is_good_by_its_public_half() {
    let vector: serde_json::Value = serde_json::from_str(d1_fixtures::RFC7515_A3_ES256).expect("JSON");
    let part = |name: &str| URL_SAFE_NO_PAD.decode(vector["jwk"][name].as_str().expect(name)).expect(name);
    let point = [vec![4], part("x"), part("y")].concat();
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &part("d"), &point)
            .expect("a pair");
    let gateway = GatewayId::new("MGW_000001").expect("an id");
    let key = AssertionKey { kid: "kid-1".to_owned(), pair };
    let jwt = sign(&key, &gateway, 1_300_819_380, "jti-1").expect("signed");
    let (input, signature) = jwt.expose().rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point);
    public.verify(input.as_bytes(), &signature).expect("the signature is good");
    // By the same check the RFC's own signature is good, so that it is the RFC's check.
    let text = |name: &str| vector[name].as_str().expect(name).to_owned();
    let rfc = URL_SAFE_NO_PAD.decode(text("signature")).expect("base64url");
    public.verify(format!("{}.{}", text("protected"), text("payload")).as_bytes(), &rfc).expect("the RFC's");
}
