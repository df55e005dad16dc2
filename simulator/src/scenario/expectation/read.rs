//! Reading steps `wait` and `expect`.

use std::time::Duration;

use super::{
    CallWait, Calls, ExpectCalls, ExpectNotifications, Expectation, Expected, Header, HowMany, MAX_WAIT,
    Never, NeverWhat, NotificationWait, Notifications, Since, TokenExpectation, USUAL_WAIT, Wait,
};
use crate::scenario::finding::Findings;
use crate::scenario::members::{self, MAX_STEP, MAX_TIME, Members, Named};
use crate::scenario::node::{Node, Value};
use crate::scenario::scalar::{self, Scalar};
use crate::scenario::words::{EVENT_TYPES, INBOUND, OUTCOMES, STATES};

pub(in crate::scenario) const EXPECTATIONS: [&str; 6] =
    ["calls", "notifications", "tokens", "receiver", "inOrder", "never"];
const MAX_COUNT: i64 = 1_000_000;
/// The longest text that a header is expected to be.
const MAX_HEADER: usize = 256;
/// In place of the digits of a member.
const UNCHANGED: &str = "unchanged";
/// What a receiver must know of a token, in place of a state.
const AS_D1: &str = "sameAsD1";
const INSTANT: Duration = Duration::from_millis(1);
const SINCE: [(&str, Since); 2] = [("start", Since::Start), ("lastExpect", Since::LastExpect)];

fn optional_name(m: &mut Members<'_>, name: &'static str, findings: &mut Findings) -> Option<Named> {
    m.take(name).and_then(|node| members::name(node, findings))
}

fn status(m: &mut Members<'_>, findings: &mut Findings) -> Option<u32> {
    m.take("answered").and_then(|node| members::whole(node, "`answered`: a status", 200, 599, findings))
}

fn calls(m: &mut Members<'_>, findings: &mut Findings) -> Calls {
    let operation = m.take("operation").and_then(|node| members::word(node, "operation", &INBOUND, findings));
    let [gateway, merchant, token] =
        ["gateway", "merchant", "token"].map(|name| optional_name(m, name, findings));
    Calls { place: m.place().clone(), operation, gateway, merchant, token, answered: status(m, findings) }
}

fn notifications(m: &mut Members<'_>, findings: &mut Findings) -> Notifications {
    let [gateway, token] = ["gateway", "token"].map(|name| optional_name(m, name, findings));
    let event = m.take("event").and_then(|node| members::word(node, "event", &EVENT_TYPES, findings));
    Notifications { gateway, token, event, answered: status(m, findings) }
}

pub(in crate::scenario) fn wait(node: &Node, findings: &mut Findings) -> Option<Wait> {
    if !matches!(node.value, Value::Members(_)) {
        return members::word(node, "wait", &[("quiet", ())], findings).map(|()| Wait::Quiet);
    }
    let mut m = Members::of(node, "a wait", findings)?;
    let found = m.one_of(&["call", "notification"], findings);
    let made = optional_name(&mut m, "as", findings);
    let within = m.take("within");
    let within =
        within.map_or(Some(USUAL_WAIT), |node| members::time(node, "`within`", INSTANT, MAX_WAIT, findings));
    m.done(findings);
    let (kind, _, node) = found?;
    let mut m = Members::of(node, "what is waited for", findings)?;
    let nth = m.take("nth").map_or(Some(1), |node| members::whole(node, "`nth`", 1, MAX_COUNT, findings));
    let wait = if kind == "call" {
        let calls = calls(&mut m, findings);
        Wait::Call(CallWait { calls, nth: nth.unwrap_or(1), made, within: within.unwrap_or(USUAL_WAIT) })
    } else {
        if let Some(made) = &made {
            findings
                .sense(&made.place, "a notification makes nothing that could have a name; expected no `as`");
        }
        let notifications = notifications(&mut m, findings);
        let (nth, within) = (nth.unwrap_or(1), within.unwrap_or(USUAL_WAIT));
        Wait::Notification(NotificationWait { notifications, nth, within })
    };
    m.done(findings);
    Some(wait)
}

pub(in crate::scenario) fn expect(node: &Node, findings: &mut Findings) -> Option<Vec<Expectation>> {
    let mut m = Members::of(node, "`expect`", findings)?;
    let mut all = Vec::new();
    let mut any = false;
    for kind in EXPECTATIONS {
        let Some(node) = m.take(kind) else { continue };
        any = true;
        let several = ["calls", "notifications", "never"].contains(&kind);
        let items =
            if several { members::one_or_more(node, kind, findings) } else { std::slice::from_ref(node) };
        for item in items {
            let expected = match kind {
                "calls" => expect_calls(item, findings).map(Expected::Calls),
                "notifications" => expect_notifications(item, findings).map(Expected::Notifications),
                "tokens" => tokens(item, "`tokens`", &[], findings).map(Expected::Tokens),
                "receiver" => tokens(item, "`receiver`", &PROBED, findings).map(Expected::Receiver),
                "inOrder" => in_order(item, findings).map(Expected::InOrder),
                _ => never(item, findings).map(Expected::Never),
            };
            all.extend(expected.map(|expected| Expectation { place: item.place.clone(), expected }));
        }
    }
    if !any {
        findings.form(m.place(), format!("`expect`: expected one of {}", EXPECTATIONS.join(", ")));
    }
    m.done(findings);
    Some(all)
}

fn how_many(m: &mut Members<'_>, findings: &mut Findings) -> HowMany {
    let place = m.place();
    let [count, least, most] = ["count", "atLeast", "atMost"]
        .map(|name| m.take(name).map(|node| members::whole(node, name, 0, MAX_COUNT, findings)));
    if count.is_some() && (least.is_some() || most.is_some()) {
        findings.form(place, "expected `count` alone, or `atLeast` and `atMost`; take one away");
    }
    let (count, least, most) = (count.flatten(), least.flatten(), most.flatten());
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        findings.sense(place, "expected `atLeast` to be no more than `atMost`");
    }
    match (count, least, most) {
        (Some(count), ..) => HowMany::Exactly(count),
        (None, None, None) => HowMany::Between(1, None),
        (None, least, most) => HowMany::Between(least.unwrap_or(0), most),
    }
}

fn spacing(m: &mut Members<'_>, findings: &mut Findings) -> Vec<Duration> {
    let Some(node) = m.take("spacing") else { return Vec::new() };
    let items = members::list(node, "`spacing`: a list of times", findings);
    items
        .iter()
        .filter_map(|item| members::time(item, "a pause", Duration::ZERO, MAX_TIME, findings))
        .collect()
}

fn since(m: &mut Members<'_>, findings: &mut Findings) -> Since {
    let since = m.take("since").and_then(|node| members::word(node, "`since`", &SINCE, findings));
    since.unwrap_or(Since::Start)
}

fn expect_calls(node: &Node, findings: &mut Findings) -> Option<ExpectCalls> {
    let mut m = Members::of(node, "`calls`", findings)?;
    let (calls, number) = (calls(&mut m, findings), how_many(&mut m, findings));
    let spacing = spacing(&mut m, findings);
    let headers = m.take("headers").map(|node| headers(node, findings)).unwrap_or_default();
    let body = m.take("members").map(|node| scalar::members(node, "`members`", findings)).unwrap_or_default();
    let since = since(&mut m, findings);
    m.done(findings);
    Some(ExpectCalls { calls, number, spacing, headers, members: body, since })
}

/// Headers by their names, whose letters may be small or capital.
fn headers(node: &Node, findings: &mut Findings) -> Vec<(String, Header)> {
    let Value::Members(members) = &node.value else {
        members::wrong(node, "`headers`: an object of headers and their values", findings);
        return Vec::new();
    };
    let mut all = Vec::new();
    for (key, node) in members {
        if !is_header(&key.name) {
            let reason =
                format!("`headers`: expected the name of a header, e.g. content-type, found `{}`", key.name);
            findings.form(&key.place, reason);
            continue;
        }
        let header = match &node.value {
            Value::Text(text) if text.chars().count() <= MAX_HEADER => Header::Is(text.clone()),
            Value::Whole(number) => Header::Is(number.to_string()),
            Value::Truth(true) => Header::There,
            Value::Nothing => Header::Absent,
            _ => {
                let expected = "short text, a whole number, true for a header that must be there, or null for one that must not";
                members::wrong(node, expected, findings);
                continue;
            }
        };
        all.push((key.name.clone(), header));
    }
    all
}

fn is_header(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(good)
}

fn expect_notifications(node: &Node, findings: &mut Findings) -> Option<ExpectNotifications> {
    let mut m = Members::of(node, "`notifications`", findings)?;
    let (notifications, number) = (notifications(&mut m, findings), how_many(&mut m, findings));
    let attempts = m.take("attempts").and_then(|node| members::whole(node, "`attempts`", 1, 100, findings));
    let deliveries =
        m.take("deliveries").and_then(|node| members::whole(node, "`deliveries`", 0, 1000, findings));
    let spacing = spacing(&mut m, findings);
    let outcome = m.take("outcome").and_then(|node| members::word(node, "outcome", &OUTCOMES, findings));
    let since = since(&mut m, findings);
    m.done(findings);
    Some(ExpectNotifications { notifications, number, attempts, deliveries, spacing, outcome, since })
}

/// What one may expect of each token; of a receiver also what D1 has no word for.
const OF_TOKENS: [&str; 4] = ["cardLastDigits", "cardExpiryDate", "tokenLastDigits", "tokenExpiryDate"];
const PROBED: [&str; 2] = ["dpanLastDigits", "events"];

fn tokens(
    node: &Node,
    what: &'static str,
    more: &[&'static str],
    findings: &mut Findings,
) -> Option<Vec<TokenExpectation>> {
    let mut all = Vec::new();
    let named = members::named(node, what, findings);
    if named.is_empty() && matches!(&node.value, Value::Members(members) if members.is_empty()) {
        findings.form(&node.place, format!("{what}: expected the name of a token, found none"));
    }
    for (name, (key, node)) in named {
        let token = Named { name: name.to_owned(), place: key.place.clone() };
        if matches!(node.value, Value::Members(_)) {
            let Some(mut m) = Members::of(node, "a token", findings) else { continue };
            let state = m.take("state").and_then(|node| members::word(node, "state", &STATES, findings));
            let mut unchanged = Vec::new();
            let members = OF_TOKENS.iter().chain(more).filter_map(|member| {
                let node = m.take(member)?;
                if OF_TOKENS.contains(member) && matches!(&node.value, Value::Text(word) if word == UNCHANGED)
                {
                    unchanged.push((*member).to_owned());
                    return None;
                }
                let value = match *member {
                    "events" => {
                        let events = members::whole(node, "`events`: how many", 0, MAX_COUNT, findings)?;
                        Scalar::Whole(events.into())
                    }
                    _ => Scalar::Text(members::digits(node, member, 4, 4, findings)?),
                };
                Some(((*member).to_owned(), value))
            });
            let members = members.collect();
            m.done(findings);
            all.push(TokenExpectation { token, state, as_d1: false, unchanged, members });
        } else if matches!(&node.value, Value::Text(word) if word == AS_D1 && what == "`receiver`") {
            all.push(TokenExpectation {
                token,
                state: None,
                as_d1: true,
                unchanged: Vec::new(),
                members: Vec::new(),
            });
        } else if let Some(state) = members::word(node, "state", &STATES, findings) {
            all.push(TokenExpectation {
                token,
                state: Some(state),
                as_d1: false,
                unchanged: Vec::new(),
                members: Vec::new(),
            });
        }
    }
    Some(all)
}

fn in_order(node: &Node, findings: &mut Findings) -> Option<Vec<Calls>> {
    let items = members::list(node, "`inOrder`: a list of calls", findings);
    if items.len() == 1 {
        members::tell(node, "`inOrder`: expected at least two calls, found one".to_owned(), findings);
    }
    let one = |item: &Node, findings: &mut Findings| {
        if matches!(item.value, Value::Members(_)) {
            let mut m = Members::of(item, "a call", findings)?;
            let calls = calls(&mut m, findings);
            m.done(findings);
            return Some(calls);
        }
        let operation = members::word(item, "operation", &INBOUND, findings)?;
        let place = item.place.clone();
        Some(Calls {
            place,
            operation: Some(operation),
            gateway: None,
            merchant: None,
            token: None,
            answered: None,
        })
    };
    Some(items.iter().filter_map(|item| one(item, findings)).collect())
}

fn never(node: &Node, findings: &mut Findings) -> Option<Never> {
    let mut m = Members::of(node, "`never`", findings)?;
    let found = m.one_of(&["call", "notification"], findings);
    let within = m.need("within", findings);
    let within = within.and_then(|node| members::time(node, "`within`", INSTANT, MAX_STEP, findings));
    m.done(findings);
    let (kind, _, node) = found?;
    let mut m = Members::of(node, "what must not happen", findings)?;
    let what = if kind == "call" {
        NeverWhat::Call(calls(&mut m, findings))
    } else {
        NeverWhat::Notification(notifications(&mut m, findings))
    };
    m.done(findings);
    Some(Never { what, within: within? })
}
