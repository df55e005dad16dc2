//! One mistake is told once: what comes of it is not told as well.

use super::{findings, with_steps};

/// All that is said of a file, which is one thing.
fn only(text: &str, wanted: &str) {
    let told = findings(&[("a.yaml", text)], &[]);
    let all_of_it = told.iter().all(|told| told.contains(wanted));
    assert!(!told.is_empty() && all_of_it, "{text}\nwanted: {wanted} alone\n{}", told.join("\n"));
}

#[test]
fn what_a_broken_step_would_have_made_is_not_missed() {
    let after = "  - call: {createTransaction: {token: new}}\n  - expect: {tokens: {new: ACTIVE}}\n";
    for (steps, wanted) in [
        ("  - call: {creatToken: {merchant: books, card: visa, as: new}}\n", "creatToken"),
        ("  - call: {createToken: {merchnt: books, card: visa, as: new}}\n", "mer"),
        ("  - cal: {createToken: {merchant: books, card: visa, as: new}}\n", "unknown member `cal`"),
        ("  - call: {createToken: {merchant: books, card: visa, as: new}, atempts: 1}\n", "atempts"),
        ("  - wait: {call: {operation: creatToken}, as: new}\n", "unknown operation `creatToken`"),
        (
            "  - repeat: {tims: 2, steps: [{call: {createToken: {merchant: books, card: visa, as: new}}}]}\n",
            "tim",
        ),
        (
            "  - repeat: {times: 1, as: I, steps: [{call: {createToken: {merchant: books, card: visa, as: \"${I}\"}}}]}\n",
            "`as`: a name of letters and digits",
        ),
    ] {
        only(&with_steps(&format!("{steps}{after}")), wanted);
    }
}

#[test]
fn what_a_broken_step_would_have_done_is_not_missed() {
    for (steps, wanted) in [
        (
            "  - issuer: {event: token.suspnd, token: sub}\n  - expect: {tokens: {sub: SUSPENDED}}\n",
            "token.suspnd",
        ),
        ("  - issuer: {evnt: token.suspend, token: sub}\n  - wait: {notification: {token: sub}}\n", "ev"),
        ("  - call: {getTokn: {token: sub}}\n  - wait: {call: {operation: getToken}}\n", "getTokn"),
        (
            "  - fault: {name: storm, anwer: {status: 503}}\n  - lift: storm\n  - expect: {calls: {}}\n",
            "anwer",
        ),
        ("  - expct: {tokens: {sub: ACTIVE}}\n", "expct"),
    ] {
        only(&with_steps(steps), wanted);
    }
    // But what is wrong by itself is told beside it.
    let both = with_steps("  - call: {getTokn: {token: sub}}\n  - call: {getToken: {token: sup}}\n");
    assert_eq!(findings(&[("a.yaml", &both)], &[]).len(), 2);
}

#[test]
fn what_a_broken_stage_or_include_would_have_made_is_not_missed() {
    let steps =
        "  - call: {getToken: {token: sub}}\n  - call: {createToken: {merchant: books, card: visa}}\n";
    let good = with_steps(steps);
    for (from, to, wanted) in [
        ("merchants: {books: {}}", "merchans: {books: {}}", "merchans"),
        (
            "cards: {visa: approve, bad: decline}",
            "card: {visa: approve, bad: decline}",
            "unknown member `card`",
        ),
        ("books: {}", "books: {nam: x, gateway: 1}", "a.yaml:6"),
        ("card: visa}}", "crd: visa}}", "c"),
        ("visa: approve", "visa: {pan: 4111111111111111, exp: \"1239\"}", "12 to 19 digits in quotes"),
        ("stage:\n", "stage: []\nstages:\n", "a.yaml:"),
    ] {
        assert!(good.contains(from), "{from}");
        only(&good.replacen(from, to, 1), wanted);
    }
    let gateway = good.replace("stage:\n", "stage:\n  gateways: {shop: {reciever: own}}\n");
    only(&gateway.replace("steps:\n", "steps:\n  - receiver: {gateway: shop, is: up}\n"), "rec");
    let head = "scenario: 1\nname: a\ntitle: A.\nwhy: B.\ninclude: [_shp.yaml]\nsteps:\n";
    only(&format!("{head}{steps}"), "cannot read _shp.yaml");
}
