//! Waits and expectations in sentences.

use std::time::Duration;

use super::{counted, members, quoted};
use crate::scenario::expectation::{
    Calls, ExpectCalls, ExpectNotifications, Expected, Header, HowMany, NeverWhat, Notifications, Since,
    TokenExpectation, Wait,
};
use crate::scenario::members::shown;

pub(super) fn waited(wait: &Wait) -> String {
    match wait {
        Wait::Quiet => "Wait until nothing is open or due.".to_owned(),
        Wait::Call(wait) => {
            let made = wait.made.as_ref().map(|made| format!("; what it makes is called {}", quoted(made)));
            let within = shown(wait.within);
            format!(
                "Wait at most {within} for {}{}{}.",
                nth(wait.nth),
                calls(&wait.calls),
                made.unwrap_or_default()
            )
        }
        Wait::Notification(wait) => {
            let what = notifications(&wait.notifications);
            format!("Wait at most {} for {}{what}.", shown(wait.within), nth(wait.nth))
        }
    }
}

fn nth(nth: u32) -> String {
    if nth == 1 { "a ".to_owned() } else { format!("number {nth} of: ") }
}

pub(crate) fn calls(calls: &Calls) -> String {
    let mut text = calls.operation.map_or("call", |operation| operation.as_str()).to_owned();
    for (who, named) in [("gateway", &calls.gateway), ("merchant", &calls.merchant), ("token", &calls.token)]
    {
        if let Some(named) = named {
            text.push_str(&format!(" of the {who} {}", quoted(named)));
        }
    }
    if let Some(status) = calls.answered {
        text.push_str(&format!(" answered {status}"));
    }
    text
}

pub(crate) fn notifications(notifications: &Notifications) -> String {
    let mut text = "notification".to_owned();
    if let Some(event) = notifications.event {
        text.push_str(&format!(" {}", event.as_str()));
    }
    for (who, named) in [("gateway", &notifications.gateway), ("token", &notifications.token)] {
        if let Some(named) = named {
            text.push_str(&format!(" of the {who} {}", quoted(named)));
        }
    }
    if let Some(status) = notifications.answered {
        text.push_str(&format!(" answered {status}"));
    }
    text
}

pub(super) fn expected(expected: &Expected) -> String {
    match expected {
        Expected::Calls(expected) => expected_calls(expected),
        Expected::Notifications(expected) => expected_notifications(expected),
        Expected::Tokens(tokens) => states("for D1", tokens),
        Expected::Receiver(tokens) => states("for the receiver", tokens),
        Expected::InOrder(all) => {
            let all: Vec<String> = all.iter().map(calls).collect();
            format!("in this order: {}", all.join(", then "))
        }
        Expected::Never(never) => {
            let what = match &never.what {
                NeverWhat::Call(what) => calls(what),
                NeverWhat::Notification(what) => notifications(what),
            };
            format!("no {what} within {} of the sandbox clock", shown(never.within))
        }
    }
}

fn how_many(number: HowMany) -> String {
    match number {
        HowMany::Exactly(0) => "no".to_owned(),
        HowMany::Exactly(number) => number.to_string(),
        HowMany::Between(least, None) => format!("at least {least}"),
        HowMany::Between(0, Some(most)) => format!("at most {most}"),
        HowMany::Between(least, Some(most)) => format!("from {least} to {most}"),
    }
}

fn since(since: Since) -> &'static str {
    match since {
        Since::Start => "",
        Since::LastExpect => ", since the expectation before",
    }
}

fn pauses(spacing: &[Duration]) -> String {
    if spacing.is_empty() {
        return String::new();
    }
    let all: Vec<String> = spacing.iter().map(|pause| shown(*pause)).collect();
    format!(", with pauses of at least {} between", all.join(", "))
}

fn expected_calls(expected: &ExpectCalls) -> String {
    let mut text =
        format!("{} {}{}", how_many(expected.number), calls(&expected.calls), pauses(&expected.spacing));
    if !expected.headers.is_empty() {
        let one = |(name, header): &(String, Header)| format!("{name} = {}", header.told());
        let all: Vec<String> = expected.headers.iter().map(one).collect();
        text.push_str(&format!(", headers {}", all.join(", ")));
    }
    if !expected.members.is_empty() {
        text.push_str(&format!(", members {}", members(&expected.members)));
    }
    text + since(expected.since)
}

fn expected_notifications(expected: &ExpectNotifications) -> String {
    let mut text = format!("{} {}", how_many(expected.number), notifications(&expected.notifications));
    if let Some(outcome) = expected.outcome {
        text.push_str(&format!(", {}", outcome.told()));
    }
    if let Some(attempts) = expected.attempts {
        text.push_str(&format!(", after {} each", counted(attempts, "attempt")));
    }
    if let Some(deliveries) = expected.deliveries {
        text.push_str(&format!(", sent {deliveries} times each"));
    }
    text + &pauses(&expected.spacing) + since(expected.since)
}

fn states(side: &str, tokens: &[TokenExpectation]) -> String {
    let one = |token: &TokenExpectation| {
        let state = match token.state {
            _ if token.as_d1 => " is as D1 has it, with the DPAN that D1 told last".to_owned(),
            Some(state) => format!(" is {}", state.as_str()),
            None => String::new(),
        };
        let with = if token.members.is_empty() {
            String::new()
        } else {
            format!(" with {}", members(&token.members))
        };
        let unchanged = match token.unchanged.is_empty() {
            true => String::new(),
            false => format!(" with {} as before the issuer acted last", token.unchanged.join(", ")),
        };
        format!("{}{state}{with}{unchanged}", quoted(&token.token))
    };
    let all: Vec<String> = tokens.iter().map(one).collect();
    format!("{side} {}", all.join(", "))
}
