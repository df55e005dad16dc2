//! An exchange in words, for people.

use std::fmt::Write as _;

use crate::stage::{Exchange, ShownMessage};

/// What a request was for. Its path is not shown: a client under test can put anything into it.
pub(super) fn named(one: &Exchange) -> &str {
    if one.operation.is_empty() { "a request of no operation" } else { &one.operation }
}

/// The status, or that there was none.
pub(super) fn answered(one: &Exchange) -> String {
    let status = if one.status == 0 { "no answer".to_owned() } else { one.status.to_string() };
    match &one.fault {
        Some(fault) => format!("{status} ({fault})"),
        None => status,
    }
}

/// What is shown of a request, a line for each part.
pub(super) fn request_text(one: &Exchange) -> String {
    let shown = &one.shown;
    let mut text = format!("{} {}", shown.method, shown.path).trim().to_owned();
    if text.is_empty() {
        named(one).clone_into(&mut text);
    }
    message_text(&mut text, &shown.request);
    text
}

/// What is shown of an answer, a line for each part.
pub(super) fn answer_text(one: &Exchange) -> String {
    let mut text = answered(one);
    message_text(&mut text, &one.shown.answer);
    if !one.written {
        text.push_str("\n(not written to its end)");
    }
    text
}

fn message_text(text: &mut String, message: &ShownMessage) {
    for (name, value) in &message.headers {
        // Writing to a String does not fail, here and below.
        let _ = write!(text, "\n{name}: {value}");
    }
    if let Some(body) = &message.body {
        let _ = write!(text, "\n{body}");
    }
}
