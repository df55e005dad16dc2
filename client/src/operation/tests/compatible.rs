//! What D1 may change without notice (contract section 9): each kind of answer reads the same with members that nobody
//! knows, in any order, and with values of enumerations that nobody knows.

use std::sync::LazyLock;

use super::*;
use crate::error::{Context, Error, ErrorCode};
use crate::retry::RetryPolicy;

static KEYS: LazyLock<(RecipientKey, OwnKey)> = LazyLock::new(keys);

/// The members of an object, as JSON texts.
type Members = Vec<(String, String)>;

fn members(known: &[(&str, &str)]) -> Members {
    known.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn object(members: &Members) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn seal(plaintext: &Members) -> String {
    format!("{:?}", jwe::seal(object(plaintext).as_bytes(), &KEYS.0).expect("sealed"))
}

/// Each answer and each plaintext as the contract has it.
fn merchant() -> Members {
    members(&[
        ("merchantId", r#""10610027312""#),
        ("merchantName", r#""Shop""#),
        ("creationTimestamp", r#""2026-01-01T00:00:00.000Z""#),
    ])
}

fn token(state: &str) -> Members {
    members(&[
        ("tokenId", r#""tok-1""#),
        ("state", state),
        ("cardLastDigits", r#""0014""#),
        ("cardExpiryDate", r#""1230""#),
        ("tokenLastDigits", r#""7893""#),
        ("tokenExpiryDate", r#""1131""#),
        ("par", r#""D1SBAAAAAAAAAAAAAAAAAAAAAAAAA""#),
        ("creationTimestamp", r#""2026-01-01T00:00:00.000Z""#),
    ])
}

fn access_token() -> Members {
    members(&[
        ("access_token", r#""ey.a.b""#),
        ("expires_in", "600"),
        ("token_type", r#""Bearer""#),
        ("scope", r#""x""#),
    ])
}

fn error() -> Members {
    members(&[("errorCode", r#""FORBIDDEN_STATE""#), ("error", r#""The token is suspended""#)])
}

fn network_token() -> Members {
    members(&[("dpan", r#""9999991234567893""#), ("exp", r#""1131""#)])
}

fn payment_data() -> Members {
    [network_token(), members(&[("cryptogram", r#""AAECAwQFBgcICQoLDA0ODxAREhM=""#)])].concat()
}

fn payment() -> Members {
    members(&[
        ("transactionId", r#""tx-1""#),
        ("eci", r#""07""#),
        ("cryptogramExpiryDate", r#""2026-01-01T00:15:00.000Z""#),
    ])
}

fn sealed(mut answer: Members, plaintext: &Members) -> Members {
    answer.push(("encryptedData".to_owned(), seal(plaintext)));
    answer
}

/// Everything that is read of everything, as text without masks where something is secret.
fn all_read(change: impl Fn(Members) -> Members) -> Vec<String> {
    let body = |members: Members| answer(object(&change(members)));
    let own = &KEYS.1;
    let details =
        read_details(&body(sealed(token(r#""ACTIVE""#), &change(network_token()))), own).expect("details");
    let paid = read_payment(&body(sealed(payment(), &change(payment_data()))), own).expect("a payment");
    let bearer = read_access_token(&body(access_token())).expect("an access token");
    vec![
        format!("{:?}", read_merchant(&body(merchant())).expect("a merchant")),
        format!("{:?}", read_token(&body(token(r#""SUSPENDED""#))).expect("a token")),
        format!("{details:?} {}", details.network_token.dpan.expose()),
        format!("{paid:?} {} {}", paid.network_token.dpan.expose(), paid.cryptogram.expose()),
        format!("{bearer:?} {}", bearer.bearer.expose()),
        format!("{:?}", error_object(object(&change(error())).as_bytes())),
        format!("{:?}", read_deleted(&body(Vec::new()))),
    ]
}

/// Members that nobody knows, whatever legal JSON they hold: also what fits no type of ours.
fn unknown() -> impl Strategy<Value = Members> {
    let value = prop_oneof![
        4 => any_json().prop_map(|value| value.to_string()),
        1 => proptest::sample::select(vec!["1e400", "-0.0", "123456789012345678901234567890", r#""\ud800""#, " [ ] "])
            .prop_map(str::to_owned),
    ];
    let name = "(x-[a-zA-Z]{1,8}|[A-Z_]{1,8})";
    proptest::collection::btree_map(name, value, 0..5).prop_map(|members| members.into_iter().collect())
}

/// Where each member goes: as many numbers as any answer has members.
fn order() -> impl Strategy<Value = Vec<usize>> {
    Just((0..16).collect::<Vec<usize>>()).prop_shuffle()
}

fn reordered(members: Members, order: &[usize]) -> Members {
    let mut placed: Vec<_> = order.iter().copied().zip(members).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, member)| member).collect()
}

fn refused(operation: Operation, status: u16, error: &str) -> Error {
    let body = serde_json::json!({ "errorCode": "SERVICE_UNAVAILABLE", "error": error }).to_string();
    let object = error_object(body.as_bytes());
    let context = Context { operation, correlation_id: ids().3, attempts: 1 };
    let retry_after = Some(Duration::from_secs(3));
    Error::Refused { context, status, code: object.code, error: object.text, retry_after }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_reads_the_same_with_members_that_nobody_knows_and_in_any_order(
        unknown in unknown(),
        order in order(),
    ) {
        let plain = all_read(|members| members);
        let changed = all_read(|members| reordered([members, unknown.clone()].concat(), &order));
        prop_assert_eq!(plain, changed);
    }

    #[test]
    fn a_value_that_nobody_knows_keeps_its_text(text in "\\PC{0,40}") {
        let state = serde_json::Value::from(text.clone()).to_string();
        let read = read_token(&answer(object(&token(&state)))).expect("a token");
        prop_assert_eq!(read.state.as_ref().map(TokenState::as_str), Some(text.as_str()));
        prop_assume!(!text.is_empty());
        let body = serde_json::json!({ "errorCode": text }).to_string();
        let code = error_object(body.as_bytes()).code;
        prop_assert_eq!(code.as_ref().map(ErrorCode::as_str), Some(text.as_str()));
    }

    #[test]
    fn the_text_of_an_error_decides_nothing(
        status in prop_oneof![400_u16..600, Just(429_u16), Just(503_u16)],
        text in prop_oneof!["\\PC{0,300}".boxed(), "[A-Z_]{4,30}".boxed(), Just("RESOURCE_NOT_FOUND".to_owned()).boxed()],
    ) {
        for operation in [Operation::CreateToken, Operation::GetToken, Operation::DeleteToken, Operation::GetAccessToken] {
            let (one, other) = (refused(operation, status, "the usual text"), refused(operation, status, &text));
            let decisions = |error: &Error| {
                let next = RetryPolicy::default().next(error, 1, Duration::from_secs(60), 0.5);
                (error.retry(), error.is_ambiguous(), error.status(), next, crate::retry::is_already_gone(error, true))
            };
            prop_assert_eq!(decisions(&one), decisions(&other));
        }
    }

    #[test]
    fn any_body_has_an_outcome_for_every_operation(
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            any_json().prop_map(|value| value.to_string().into_bytes()),
            unknown().prop_map(|members| object(&members).into_bytes()),
            spoiled(),
        ],
    ) {
        let answer = answer(body.clone());
        let _outcomes = (
            read_token(&answer).map(drop),
            read_merchant(&answer).map(drop),
            read_access_token(&answer).map(drop),
            read_details(&answer, &KEYS.1).map(drop),
            read_payment(&answer, &KEYS.1).map(drop),
            read_deleted(&answer),
            error_object(&body),
        );
    }
}

/// A good answer with some bytes changed, cut out or put in.
fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    let good = vec![
        object(&merchant()),
        object(&sealed(token(r#""ACTIVE""#), &network_token())),
        object(&sealed(payment(), &payment_data())),
        object(&access_token()),
        object(&error()),
    ];
    let change = (any::<proptest::sample::Index>(), any::<u8>(), 0..3_u8);
    (proptest::sample::select(good), proptest::collection::vec(change, 1..4)).prop_map(|(good, changes)| {
        let mut bytes = good.into_bytes();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len().max(1));
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.insert(at.min(bytes.len()), byte),
            }
        }
        bytes
    })
}
