//! Faulty scenarios, and what is said of them.

use super::{findings, loaded, with_steps};

/// The findings of these steps; the first line of each, in order.
fn check(steps: &str, wanted: &[&str]) {
    let text = with_steps(steps);
    let told = findings(&[("a.yaml", &text)], &[]);
    assert_eq!(told.len(), wanted.len(), "{steps}\n{}", told.join("\n"));
    for (told, wanted) in told.iter().zip(wanted) {
        assert!(told.contains(wanted), "{steps}\nwanted: {wanted}\ntold: {told}");
    }
}

#[test]
fn all_faults_of_a_file_are_told_at_once_with_place_and_proposal() {
    check(
        "  - cal: {getToken: {token: sub}}\n  - call: {getTokn: {token: sub}}\n  - call: {getToken: {token: sup}}\n  \
         - issuer: {event: token.suspnd, token: sub}\n  - advance: -5d\n  - expect: {tokens: {sub: SUSPEND}}\n",
        &[
            "a.yaml:10:5: a step: unknown member `cal`",
            "a.yaml:11:12: a call: unknown member `getTokn`",
            "a.yaml:12:30: no token is called `sup`; known here: sub; did you mean `sub`?",
            "a.yaml:13:21: unknown event `token.suspnd`; expected one of token.suspend",
            "a.yaml:14:14: expected `advance`: a time that is not negative",
            "a.yaml:15:28: unknown state `SUSPEND`; expected one of ACTIVE, SUSPENDED, DELETED; did you mean `SUSPENDED`?",
        ],
    );
}

#[test]
fn transitions_that_cannot_be_are_told() {
    let end = "  - expect: {calls: {}}\n";
    for (steps, wanted) in [
        (
            "  - issuer: {event: token.resume, token: sub}\n",
            "`sub` is ACTIVE by then, and only a suspended token",
        ),
        (
            "  - issuer: {event: token.suspend, token: sub}\n  - issuer: {event: token.suspend, token: sub}\n",
            "`sub` is SUSPENDED by then, and cannot be suspended twice",
        ),
        (
            "  - issuer: {event: token.delete, token: sub}\n  - issuer: {event: token.extend, token: sub}\n",
            "`sub` is DELETED by then, which is final",
        ),
        (
            "  - call: {deleteToken: {token: sub}}\n  - issuer: {event: card.renew, card: visa}\n",
            "all tokens of the card `visa` are DELETED",
        ),
        ("  - issuer: {event: card.renew, card: bad}\n", "no step so far makes a token of the card `bad`"),
        ("  - issuer: {event: token.suspend, card: visa}\n", "token.suspend concerns one token"),
        (
            "  - issuer: {event: token.suspend, token: sub}\n  - call: {createTransaction: {token: sub}}\n",
            "cannot come out well; expected `gives: {refused: {status: 403, errorCode: FORBIDDEN_STATE}}`",
        ),
        (
            "  - call: {deleteToken: {token: sub}}\n  - call: {getToken: {token: sub}}\n",
            "expected `gives: {refused: {status: 404, errorCode: RESOURCE_NOT_FOUND}}`",
        ),
        (
            "  - call: {createTransaction: {token: sub}, gives: {refused: {status: 403, errorCode: FORBIDDEN_STATE}}}\n",
            "D1 has no reason for FORBIDDEN_STATE",
        ),
        ("  - call: {createToken: {merchant: books, card: bad, as: x}}\n", "this card is declined"),
        (
            "  - issuer: {event: card.renew, card: visa, expiry: \"1230\"}\n",
            "`expiry`: the card `visa` is good until 1239 by then; expected a later month",
        ),
        (
            "  - issuer: {event: card.replace, card: visa, expiry: \"0140\"}\n  - issuer: {event: card.renew, token: sub, expiry: \"0140\"}\n",
            "`expiry`: the card `visa` is good until 0140 by then; expected a later month",
        ),
        ("  - expect: {tokens: {sub: {cardExpiryDate: unchanged}}}\n", "there is none before this"),
        (
            "  - issuer: {event: token.suspend, token: sub, gives: forbidden}\n",
            "`sub` is ACTIVE by then, so that token.suspend is done; expected no `gives`",
        ),
        (
            "  - issuer: {event: card.renew, card: visa, gives: forbidden}\n",
            "the card `visa` has tokens that live by then",
        ),
        ("  - expect: {tokens: {sub: SUSPENDED}}\n", "`sub` is ACTIVE by then, and cannot be SUSPENDED"),
    ] {
        check(&format!("{steps}{end}"), &[wanted]);
    }
}

#[test]
fn a_card_that_was_replaced_and_tokenized_again_by_its_old_number_is_two() {
    let twice = "  - issuer: {event: card.replace, card: visa}\n  - call: {createToken: {merchant: books, card: visa, as: anew}}\n";
    check(
        &format!("{twice}  - issuer: {{event: card.delete, card: visa}}\n  - expect: {{calls: {{}}}}\n"),
        &[
            "a.yaml:12:40: `visa` was replaced, and tokenized by its old number too, so that D1 has several cards by then: that of `anew`, that of `sub`; expected `token`",
        ],
    );
    // By a token it is clear which, and the other one lives on.
    check(
        &format!(
            "{twice}  - issuer: {{event: card.delete, token: sub}}\n  - expect: {{tokens: {{sub: DELETED, anew: ACTIVE}}}}\n  \
             - issuer: {{event: card.renew, card: visa}}\n  - expect: {{calls: {{}}}}\n"
        ),
        &[],
    );
    check(
        "  - issuer: {event: card.replace, card: visa}\n  - issuer: {event: card.replace, card: visa}\n  \
         - issuer: {event: card.delete, card: visa}\n  - expect: {tokens: {sub: DELETED}}\n",
        &[],
    );
}

#[test]
fn what_is_not_known_is_not_judged() {
    for steps in [
        // A lost answer: the token may be deleted or not.
        "  - fault: {name: f, on: [deleteToken], reset: after}\n  - call: {deleteToken: {token: sub}, gives: noAnswer}\n  \
         - expect: {tokens: {sub: DELETED}}\n  - issuer: {event: token.resume, token: sub}\n  - expect: {calls: {}}\n",
        // A fault answers in D1's place.
        "  - fault: {name: f, answer: {status: 403, errorCode: FORBIDDEN_STATE}}\n  \
         - call: {createTransaction: {token: sub}, gives: {refused: {status: 403, errorCode: FORBIDDEN_STATE}}}\n",
    ] {
        check(steps, &[]);
    }
    let outside = "scenario: 1\nname: a\ntitle: A.\nwhy: B.\nstage: {caller: outside, merchants: {books: {}}}\nsteps:\n  \
                   - wait: {call: {operation: createToken, merchant: books}, as: sub}\n  - issuer: {event: token.resume, token: sub}\n  \
                   - expect: {tokens: {sub: SUSPENDED}}\n";
    assert_eq!(findings(&[("a.yaml", outside)], &[]), [""; 0]);
}

#[test]
fn on_a_hostile_stage_its_faults_have_their_names_to_themselves() {
    let steps = "  - fault: {name: hostile-busy, goaway: true}\n  - expect: {calls: {}}\n";
    let calm = with_steps(steps);
    for (stage, wanted) in
        [("stage:\n  hostile: false\n", false), ("stage:\n  hostile: true\n", true), ("stage:\n", false)]
    {
        let told = findings(&[("a.yaml", &calm.replace("stage:\n", stage))], &[]);
        assert_eq!(
            told.iter().any(|told| told.contains("names that begin with `hostile-`")),
            wanted,
            "{told:?}"
        );
        assert_eq!(told.len(), usize::from(wanted), "{told:?}");
    }
}

#[test]
fn waits_in_vain_faults_and_names_are_told() {
    for (steps, wanted) in [
        ("  - wait: {call: {operation: getToken}}\n", vec!["nobody makes a getToken before"]),
        ("  - wait: {notification: {token: sub}}\n", vec!["no step before does anything of which D1 tells"]),
        ("  - lift: storm\n  - expect: {calls: {}}\n", vec!["no step before sets a fault `storm`"]),
        (
            "  - fault: {name: f, goaway: true}\n  - fault: {name: f, goaway: true}\n  - expect: {calls: {}}\n",
            vec!["a fault `f` is set already, in a.yaml:10:19"],
        ),
        (
            "  - call: {createToken: {merchant: books, card: visa, as: sub}}\n",
            vec!["a token is called `sub` already"],
        ),
        (
            "  - call: {getToken: {token: new}}\n  - call: {createToken: {merchant: books, card: visa, as: new}}\n",
            vec!["the token `new` is made later, in a.yaml:11:59; put this step behind that one"],
        ),
        (
            "  - fault: {name: f, on: [notifications], stall: before}\n  - expect: {calls: {}}\n",
            vec!["a.yaml:10:26: on: expected getAccessToken", "with stall"],
        ),
        ("  - fault: {name: f, goaway: true, drop: true}\n", vec!["found goaway and drop; make two of it"]),
        ("  - advance: 0s\n", vec!["expected `advance` from 1ms to 3660d"]),
        ("  - advance: {to: 2026-01-01T00:00:00Z}\n  - expect: {calls: {}}\n", vec!["never goes back"]),
        ("  - advance: {to: 2026-02-31T00:00:00Z}\n", vec!["a day between 2000 and 2099"]),
        ("  - advance: 90\n", vec!["with a unit, e.g. `90s`"]),
        (
            "  - advance: {until: {event: card.renew}}\n  - expect: {calls: {}}\n",
            vec!["no test card of a token so far"],
        ),
        ("  - advance: 1d\n", vec!["nothing is expected anywhere"]),
        ("  - expect: {calls: {}}\n  - advance: 1d\n", vec!["hint: nothing is expected after this step"]),
        ("  - certificate: {lifetime: 0s}\n", vec!["expected `lifetime` from 1s"]),
    ] {
        let text = with_steps(steps);
        let told = findings(&[("a.yaml", &text)], &[]);
        for wanted in wanted {
            assert!(
                told.iter().any(|told| told.contains(wanted)),
                "{steps}\nwanted: {wanted}\n{}",
                told.join("\n")
            );
        }
    }
}

#[test]
fn ten_thousand_steps_are_told_and_not_made() {
    let text = with_steps(
        "  - repeat:\n      times: 10000\n      steps:\n        - call: {getToken: {token: sub}}\n",
    );
    let (scenario, told, _) = loaded(&[("a.yaml", &text)], &[]);
    assert!(scenario.is_none());
    assert!(told[0].contains("expected at most 5000 steps in all") && told.len() == 1, "{told:?}");
    let deep = "  - repeat: {times: 1000000, steps: [{repeat: {times: 1000000, steps: [{note: x}]}}]}\n";
    assert!(findings(&[("a.yaml", &with_steps(deep))], &[])[0].contains("expected at most 5000 steps"));
}

#[test]
fn includes_are_read_first_and_rings_are_told() {
    let part = "scenario: 1\ntitle: P.\nstage: {merchants: {books: {}}, cards: {visa: approve}, tokens: {sub: {merchant: books, card: visa}}}\n\
                steps:\n  - note: first\n";
    let main = "scenario: 1\nname: a\ntitle: A.\nwhy: B.\ninclude: [../parts/_p.yaml]\nsteps:\n  - call: {getToken: {token: sub}}\n";
    let (scenario, told, _) = loaded(&[("x/a.yaml", main), ("parts/_p.yaml", part)], &[]);
    assert_eq!(told, [""; 0]);
    let paths: Vec<String> = scenario.expect("a scenario").steps.into_iter().map(|step| step.path).collect();
    assert_eq!(paths, ["../parts/_p.yaml:1", "1"]);

    let ring = "scenario: 1\ntitle: P.\ninclude: [_q.yaml]\n";
    let back = "scenario: 1\ntitle: Q.\ninclude: [_p.yaml]\n";
    let main = main.replace("../parts/", "");
    let told = findings(&[("a.yaml", &main), ("_p.yaml", ring), ("_q.yaml", back)], &[]);
    assert!(
        told[0]
            .starts_with("_q.yaml:3:11: files include each other in a ring: _p.yaml -> _q.yaml -> _p.yaml"),
        "{told:?}"
    );
    let told = findings(&[("a.yaml", &main)], &[]);
    assert!(told[0].starts_with("a.yaml:5:11: cannot read _p.yaml: no such file"), "{told:?}");
    assert!(findings(&[("_p.yaml", part)], &[])[0].contains("this is a part that others include"));
}

#[test]
fn parameters_have_kinds_and_repetitions_have_numbers() {
    let text = with_steps(
        "  - repeat:\n      times: \"${n}\"\n      as: i\n      steps:\n        - call: {createToken: {merchant: books, card: visa, as: \"t-${i}\"}}\n  \
         - expect: {tokens: {\"t-${n}\": ACTIVE}}\n",
    );
    let text = text.replace("why: B.\n", "why: B.\nparameters: {n: 2}\n");
    let (scenario, told, _) = loaded(&[("a.yaml", &text)], &[("n", "3")]);
    assert_eq!(told, [""; 0]);
    let paths: Vec<String> = scenario.expect("a scenario").steps.into_iter().map(|step| step.path).collect();
    assert_eq!(paths, ["1[1].1", "1[2].1", "1[3].1", "2"]);
    for (set, wanted) in [
        (("n", "many"), "--set n: a.yaml expects a whole number"),
        (("m", "3"), "--set m: a.yaml has no such parameter; there are: n"),
        (("n", "0"), "`times`: a whole number from 1"),
    ] {
        let told = findings(&[("a.yaml", &text)], &[set]);
        assert!(told.iter().any(|told| told.contains(wanted)), "{told:?}");
    }
    let told = findings(&[("a.yaml", &text.replace("t-${n}", "t-${m}"))], &[]);
    assert!(
        told.iter().any(|told| told.contains("no parameter is called `m`; there are here: n")),
        "{told:?}"
    );
}

#[test]
fn no_card_number_is_shown() {
    let text = with_steps("  - expect: {calls: {}}\n")
        .replace("bad: decline", "bad: {pan: 4111111111111111, exp: \"1239\"}");
    let told = findings(&[("a.yaml", &text)], &[]).join("\n");
    assert!(told.contains("12 to 19 digits in quotes, found a number without quotes"), "{told}");
    assert!(told.contains("************1111") && !told.contains("41111"), "{told}");
}
