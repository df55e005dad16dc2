//! What has the form of a scenario, and cannot come about.

use super::{findings, with_steps};

const END: &str = "  - expect: {calls: {}}\n";
const CALL: &str = "  - call: {getToken: {token: sub}}\n";
const SUSPENDED: &str = "  - issuer: {event: token.suspend, token: sub}\n";

fn only(text: &str, wanted: &str) {
    let told = findings(&[("a.yaml", text)], &[]);
    assert!(told.len() == 1 && told[0].contains(wanted), "{text}\nwanted: {wanted}\n{}", told.join("\n"));
}

fn check(steps: &str, wanted: &str) {
    only(&with_steps(steps), wanted);
}

fn good(steps: &str) {
    let text = with_steps(steps);
    let told = findings(&[("a.yaml", &text)], &[]);
    assert_eq!(told, [""; 0], "{text}");
}

#[test]
fn outcomes_that_nothing_brings_about_are_told() {
    for (call, wanted) in [
        (
            "{getToken: {token: sub}, gives: refused}",
            "nothing so far makes this call fail; expected `gives: ok`",
        ),
        ("{getToken: {token: sub}, gives: noAnswer}", "nothing so far makes this call fail"),
        ("{getToken: {token: sub}, gives: notSent}", "nothing so far makes this call fail"),
        ("{getToken: {token: sub}, attempts: 3}", "nothing so far makes the client send this more than once"),
        ("{getToken: {token: sub}, attempts: 0}", "what is sent has one attempt at least"),
        (
            "{createToken: {merchant: books, card: bad}, gives: {refused: {status: 409, errorCode: TOKENIZATION_DECLINED}}}",
            "D1 answers TOKENIZATION_DECLINED with 403; expected `status: 403`, found 409",
        ),
        ("{getToken: {token: sub}, answer: {state: ACTIV}}", "did you mean `ACTIVE`?"),
        (
            "{createTransaction: {token: sub}, answer: {eci: 7}}",
            "`eci` is text; expected it in quotes, found 7",
        ),
        (
            "{getToken: {token: sub}, answer: {state: SUSPENDED}}",
            "`sub` is ACTIVE by then, and cannot be SUSPENDED",
        ),
        ("{deleteToken: {token: sub}, answer: {state: DELETED}}", "it has none; expected no `answer`"),
    ] {
        check(&format!("  - call: {call}\n{END}"), wanted);
    }
    let refused = "  - call: {createTransaction: {token: sub}, gives: {refused: {status: 404}}}\n";
    check(
        &format!("{SUSPENDED}{refused}{END}"),
        "D1 refuses with 403 FORBIDDEN_STATE; expected `status: 403`, found 404",
    );
    // A fault, time that passes, a wrong clock may do it.
    let storm = "  - fault: {name: f, on: [getToken], answer: {status: 503}}\n";
    for before in [storm, "  - advance: 1h\n", "  - skew: {ahead: 1h}\n", "  - certificate: {lifetime: 1s}\n"]
    {
        good(&format!("{before}  - call: {{getToken: {{token: sub}}, gives: refused, attempts: 2}}\n"));
    }
    good(
        "  - fault: {name: f, on: [getToken], answer: {status: 409, errorCode: FORBIDDEN}}\n  \
         - call: {getToken: {token: sub}, gives: {refused: {status: 409, errorCode: FORBIDDEN}}}\n",
    );
}

#[test]
fn notifications_that_no_step_brings_about_are_told() {
    for (steps, wanted) in [
        ("  - wait: {notification: {token: sub, event: TOKEN_DELETED}}\n", "let D1 tell 0 of this at most"),
        (
            "  - wait: {notification: {token: sub, nth: 2}}\n",
            "let D1 tell 1 of this at most, so that number 2 is waited for in vain",
        ),
        ("  - expect: {notifications: {event: TOKEN_RESUMED}}\n", "let D1 tell 0 of this at most"),
        ("  - expect: {notifications: {token: sub, count: 2}}\n", "let D1 tell 1 of this at most"),
        ("  - expect: {notifications: {token: sub, attempts: 9}}\n", "D1 makes 8 attempts at most"),
        (
            "  - expect: {notifications: {token: sub, attempts: 2, spacing: [1s, 2s]}}\n",
            "between 2 attempts there are 1",
        ),
        ("  - forge: {token: sub, as: oldSequence, answered: taken}\n", "the token must have had two"),
    ] {
        check(&format!("{SUSPENDED}{steps}"), wanted);
    }
    good(&format!(
        "{SUSPENDED}  - expect: {{notifications: [{{count: 1}}, {{event: TOKEN_RESUMED, count: 0}}]}}\n"
    ));
    // A test card does something by itself.
    let planned =
        with_steps("  - advance: 1m\n  - expect: {notifications: {token: sub, event: TOKEN_SUSPENDED}}\n");
    let told = findings(&[("a.yaml", &planned.replace("visa: approve", "visa: suspended-soon"))], &[]);
    assert_eq!(told, [""; 0]);
}

#[test]
fn calls_that_no_step_makes_are_told() {
    for (expect, wanted) in [
        ("calls: {operation: deleteToken}", "nobody makes a deleteToken before"),
        ("calls: {operation: getToken, answered: 201}", "D1 answers a getToken that comes out well with 200"),
        ("calls: {operation: getToken, count: 5}", "hint: the steps before make 1 getToken"),
        ("calls: {count: 1, spacing: [1s]}", "between 1 calls there are 0"),
        (
            "inOrder: [getToken, createMerchant]",
            "the steps before make no createMerchant as number 2 of this order",
        ),
        ("calls: {operation: getToken, members: {source: MANUAL}}", "this call has no body"),
        ("calls: {operation: createToken, members: {surce: MANUAL}}", "did you mean `source`?"),
        (
            "calls: {operation: createToken, members: {encryptedData: x}}",
            "the journal shows no value of a member `encryptedData`",
        ),
        ("calls: {headers: {x-shop: abc}}", "the journal shows no value of the header `x-shop`"),
        (
            "calls: {headers: {Authorization: Bearer abc}}",
            "of `authorization` the journal shows the kind alone",
        ),
    ] {
        check(&format!("{CALL}  - expect: {{{expect}}}\n"), wanted);
    }
    let other = "  - call: {createToken: {merchant: books, card: visa, as: other}}\n";
    check(
        &format!("{CALL}{other}  - wait: {{call: {{operation: getToken, token: other}}}}\n"),
        "nobody makes a getToken of the token `other` before",
    );
    good(&format!(
        "{CALL}{other}  - wait: {{call: {{operation: createToken, token: other}}}}\n  - wait: {{call: {{token: sub}}}}\n"
    ));
    good("  - wait: {call: {nth: 2}}\n");
    good(&format!(
        "{CALL}  - expect: {{calls: {{operation: getToken, count: 1, headers: {{x-shop: null, cookie: true, Content-Type: a, authorization: Bearer, \
         x-correlation-id: z}}, members: {{surce: null}}}}, inOrder: [createMerchant, createToken, getToken]}}\n"
    ));
}

#[test]
fn what_belongs_to_others_is_told() {
    let two = with_steps(&format!("{CALL}  - expect: {{calls: {{merchant: other, token: sub}}}}\n"));
    let two = two.replace("books: {}", "books: {gateway: one}, other: {gateway: two}");
    let two = two.replace("stage:\n", "stage:\n  gateways: {one: {receiver: own}, two: {receiver: own}}\n");
    only(&two, "the token is one of the merchant `books`, so that no call has both");
    only(&two.replace("merchant: other", "gateway: two"), "the merchant is one of the gateway `one`");
    assert_eq!(findings(&[("a.yaml", &two.replace("merchant: other", "gateway: one"))], &[]), [""; 0]);
}

#[test]
fn what_the_sandbox_would_refuse_is_told_before() {
    check(&format!("  - advance: 4000d\n{END}"), "expected `advance` from 1ms to 3660d");
    check(
        "  - expect: {never: {call: {operation: getToken}, within: 7300d}}\n",
        "expected `within` from 1ms to 3660d",
    );
    let many = "  - repeat: {times: 257, as: i, steps: [{fault: {name: \"f-${i}\", on: [getToken], goaway: true}}]}\n";
    check(&format!("{many}{END}"), "expected at most 256 faults at once");
    good(&format!("{}{END}", many.replace("goaway: true", "goaway: true, times: 1")));
    let card = with_steps(&format!(
        "  - fault: {{name: f, card: bad, on: [createToken], answer: {{status: 503}}}}\n{END}"
    ));
    assert_eq!(findings(&[("a.yaml", &card)], &[]), [""; 0]);
    only(
        &card.replace("bad: decline", "bad: {pan: \"4000000000000002\", exp: \"1239\"}"),
        "a fault can name test cards alone",
    );
    let late = with_steps(END)
        .replace("stage:\n", "stage:\n  clock: 2045-01-01T00:00:00Z\n")
        .replace(", bad: decline", "");
    only(&late, "the expiry date of this test card: the month is past on the scenario's clock");
    let worn = with_steps(&format!(
        "  - advance: 3000d\n  - call: {{createToken: {{merchant: books, card: own}}}}\n{END}"
    ));
    only(
        &worn.replace("bad: decline", "own: {pan: \"4000000000000002\", exp: \"0127\"}"),
        "`exp` of this card: the month is past",
    );
    for (url, wrong) in [
        ("https:///token", true),
        ("https://here:99999/x", true),
        ("https://here:0", true),
        ("https://[::1]:8445/x", false),
        ("https://here/x:y", false),
    ] {
        let text = with_steps(END).replace(
            "stage:\n",
            &format!("stage:\n  gateways: {{shop: {{receiver: {{url: \"{url}\"}}}}}}\n"),
        );
        let told = findings(&[("a.yaml", &text)], &[]);
        assert_eq!(
            told.iter().any(|told| told.contains("expected `url`: a host, and a port from 1 to 65535")),
            wrong,
            "{url}: {told:?}"
        );
        assert_eq!(told.len(), usize::from(wrong), "{url}: {told:?}");
    }
    let pauses = with_steps(END).replace("stage:\n", "stage:\n  retry: {firstDelay: 10m, maxDelay: 1s}\n");
    only(&pauses, "hint: `maxDelay` is shorter than `firstDelay`");
}
