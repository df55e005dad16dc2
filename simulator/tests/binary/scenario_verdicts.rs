//! `d1sim scenario run`: what is called as expected is so, and what is not is called so.

use std::fs;
use std::path::Path;

use crate::scenario_run::scenario;
use crate::{empty_folder, ends};

/// Plays these steps; what it says on stdout.
fn played(folder: &Path, name: &str, steps: &str, code: i32) -> String {
    scenario(folder, name, steps);
    ends(folder, &["scenario", "run", &format!("{name}.yaml")], code).0
}

#[track_caller]
fn misses(out: &str, wanted: &[(&str, &str)]) {
    let told: Vec<&str> = out.split("     NO  ").skip(1).collect();
    assert_eq!(told.len(), wanted.len(), "{out}");
    for (told, (expected, found)) in told.iter().zip(wanted) {
        assert!(told.contains(&format!(": expected {expected}")), "{expected}: {out}");
        assert!(told.contains(&format!("found: {found}")), "{found}: {out}");
    }
}

#[test]
fn a_pause_is_from_the_end_of_a_call_to_the_arrival_of_the_next() {
    let folder = empty_folder();
    let steps = "  - fault: {name: slow, on: [getToken], latency: 20s}
  - fault: {name: busy, on: [getToken], times: 1, answer: {status: 503, errorCode: SERVICE_UNAVAILABLE}}
  - call: {getToken: {token: subscription}, attempts: 2}
  - expect: {calls: {operation: getToken, count: 2, spacing: [20s]}}
";
    let out = played(folder.path(), "pauses", steps, 1);
    misses(&out, &[("a pause of at least 20s before number 2", "1")]);
    assert!(!out.contains("found: 20"), "the pause is the client's alone: {out}");
}

#[test]
fn a_notification_that_must_never_be_answered_so_may_be_answered_otherwise() {
    let folder = empty_folder();
    let steps = "  - receiver: {gateway: shop, answers: 503}
  - issuer: {event: token.suspend, token: subscription}
  - advance: {until: quiet}
  - expect: {notifications: {token: subscription, answered: 503, count: 1}}
  - receiver: up
  - expect: {never: {notification: {token: subscription, answered: 503}, within: 1h}}
  - receiver: {gateway: shop, answers: 503}
  - issuer: {event: token.resume, token: subscription}
  - expect: {never: {notification: {token: subscription, answered: 503}, within: 1ms}}
";
    // The attempt of the second is made before the window opens, the next falls due behind it.
    let out = played(folder.path(), "never", steps, 0);
    assert!(out.ends_with("never: as expected\n"), "{out}");
    let steps = steps.replace("within: 1ms", "within: 1h");
    let out = played(folder.path(), "never-at-all", &steps, 1);
    assert!(out.contains("none of notification of the token `subscription` answered 503 within 1h"), "{out}");
}

#[test]
fn who_is_not_there_has_refused_no_forgery() {
    let folder = empty_folder();
    let forge = "  - forge: {token: subscription, as: wrongCertificate, answered: refused}\n";
    assert!(played(folder.path(), "there", forge, 0).ends_with("there: as expected\n"));
    for forgery in ["wrongCertificate", "wrongKey"] {
        let steps =
            format!("  - issuer: {{event: token.suspend, token: subscription}}\n  - receiver: down\n{forge}");
        let steps = steps.replace("wrongCertificate", forgery);
        let out = played(folder.path(), "away", &steps, 1);
        misses(&out, &[("the receiver to refuse it", "no answer")]);
    }
}

#[test]
fn the_receiver_knows_what_it_was_told_and_not_what_our_client_was() {
    let folder = empty_folder();
    let steps = "  - receiver: down
  - issuer: {event: token.suspend, token: subscription}
  - call: {getToken: {token: subscription}, answer: {state: SUSPENDED}}
  - expect: {receiver: {subscription: SUSPENDED}}
  - receiver: up
  - advance: 1h
  - expect: {receiver: {subscription: sameAsD1}}
  - issuer: {event: card.renew, card: alice, expiry: \"1244\"}
  - receiver: down
  - issuer: {event: token.extend, token: subscription}
  - expect: {receiver: {subscription: sameAsD1}}
";
    let out = played(folder.path(), "told", steps, 1);
    misses(
        &out,
        &[
            ("the receiver to know `subscription`", "it has never heard of it"),
            ("the receiver to have tokenExpiryDate", "\""),
            ("the receiver to have dpanLastDigits", "none"),
        ],
    );
}

#[test]
fn what_was_dropped_waits_no_more_and_what_came_twice_is_counted() {
    let folder = empty_folder();
    let steps = "  - fault: {name: twice, on: [notifications], times: 1, duplicate: 1}
  - issuer: {event: token.suspend, token: subscription}
  - advance: {until: quiet}
  - expect: {notifications: {token: subscription, count: 1, attempts: 1, deliveries: 2, outcome: delivered}}
  - fault: {name: lost, on: [notifications], times: 1, drop: true}
  - issuer: {event: token.resume, token: subscription}
  - advance: 1d
  - expect:
      notifications:
        - {event: TOKEN_RESUMED, count: 1, outcome: dropped, deliveries: 0}
        - {outcome: waiting, count: 0}
";
    let out = played(folder.path(), "counted", steps, 0);
    assert!(out.ends_with("counted: as expected\n"), "{out}");
    let steps = steps.replace("deliveries: 2", "deliveries: 1");
    let out = played(folder.path(), "miscounted", &steps, 1);
    misses(&out, &[("1 delivery of notification of the token `subscription`", "2")]);
}

#[test]
fn what_the_state_forbids_can_be_shown_to_change_nothing() {
    let folder = empty_folder();
    let steps = "  - issuer: {event: token.suspend, token: subscription}
  - issuer: {event: token.suspend, token: subscription, gives: forbidden}
  - call: {deleteToken: {token: subscription}}
  - issuer: {event: card.renew, card: alice, gives: forbidden}
  - advance: {until: quiet}
  - expect: {notifications: {token: subscription, count: 1}}
";
    assert!(played(folder.path(), "forbidden", steps, 0).ends_with("forbidden: as expected\n"));
    let steps = steps.replacen("token.suspend", "token.extend", 1).replace(
        "  - call: {deleteToken",
        "  - fault: {name: gone, on: [deleteToken], reset: before}\n  - call: {deleteToken",
    );
    scenario(folder.path(), "allowed", &steps);
    let (_, said) = ends(folder.path(), &["scenario", "run", "allowed.yaml"], 64);
    assert!(said.contains("is ACTIVE by then, so that token.suspend is done; expected no `gives`"), "{said}");
}

#[test]
fn what_a_cause_leaves_as_it_was_can_be_asked_for() {
    let folder = empty_folder();
    let steps = "  - issuer: {event: token.extend, token: subscription, expiry: \"1245\"}
  - advance: {until: quiet}
  - expect:
      tokens: {subscription: {tokenExpiryDate: \"1245\", cardExpiryDate: unchanged, cardLastDigits: unchanged, tokenLastDigits: unchanged}}
      receiver: {subscription: {cardExpiryDate: unchanged}}
";
    assert!(played(folder.path(), "extended", steps, 0).ends_with("extended: as expected\n"));
    let steps = steps.replace("tokenExpiryDate: \"1245\"", "tokenExpiryDate: unchanged");
    let out = played(folder.path(), "not-extended", &steps, 1);
    misses(&out, &[("D1 to have tokenExpiryDate", "\"1245\"")]);
}

#[test]
fn a_fault_of_handshakes_strikes_a_client_that_has_a_connection() {
    let folder = empty_folder();
    let steps = "  - call: {getToken: {token: subscription}}
  - fault: {name: stranger, on: [connections], handshake: {certificate: unknownAuthority}}
  - call: {getToken: {token: subscription}, gives: noAnswer}
  - lift: stranger
  - call: {getToken: {token: subscription}}
";
    let out = played(folder.path(), "strangers", steps, 0);
    assert!(out.ends_with("strangers: as expected\n"), "{out}");
}

#[test]
fn what_stalls_is_given_up_and_goes_on_once_it_is_lifted() {
    let folder = empty_folder();
    let steps = "  - fault: {name: stuck, on: [getToken], stall: before}
  - call: {getToken: {token: subscription}, gives: noAnswer, attempts: 4}
  - lift: stuck
  - call: {getToken: {token: subscription}}
";
    let out = played(folder.path(), "stuck", steps, 0);
    assert!(out.ends_with("stuck: as expected\n"), "{out}");
}

#[test]
fn of_two_gateways_the_transcript_says_which() {
    let folder = empty_folder();
    let text = "scenario: 1\nname: two\ntitle: Two.\nwhy: For a test.\nstage:\n  gateways: {one: {receiver: own}, other: {receiver: own}}\n  \
                merchants: {books: {gateway: one}, music: {gateway: other}}\nsteps:\n  - call: {createMerchant: {gateway: other, as: travel}}\n";
    fs::write(folder.path().join("two.yaml"), text).expect("written");
    let (out, _) = ends(folder.path(), &["scenario", "run", "two.yaml"], 0);
    assert!(out.contains("createMerchant `books`: 201 [gateway `one`]"), "{out}");
    assert!(out.contains("createMerchant `travel`: 201 [gateway `other`]"), "{out}");
}

#[test]
fn a_wait_in_vain_says_who_calls() {
    let folder = empty_folder();
    let steps = "  - call: {getToken: {token: subscription}}
  - wait: {call: {operation: getToken, answered: 404}, within: 1ms}
";
    let out = played(folder.path(), "waits", steps, 1);
    assert!(out.contains("with `caller: own` nobody else calls D1") && !out.contains("your system"), "{out}");
}
