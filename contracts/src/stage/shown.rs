//! What a report may show of an exchange. A client under test can put anything anywhere, card data too: of a request
//! there is shown what the contract or the suite has put into the world, and of all else only that it was there. Answers
//! are those of the script, without what is secret in them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::http::Request;
use crate::document::Document;
use crate::operation::Operation;
use crate::subject::{MERCHANT_ID, MERCHANT_NAME, TOKEN_ID};

/// The longest text of an answer that is shown, in characters.
const LONGEST_TEXT: usize = 256;
/// The longest body that is looked into, in bytes.
const LONGEST_BODY: usize = 64 * 1024;
/// The most values of a body that are shown; what stands behind them is named.
const MOST_VALUES: usize = 200;
/// So many digits in a row, with blanks and hyphens between them or not, may be a card number.
const CARD_DIGITS: usize = 12;

/// Methods that are shown by name.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Headers whose names are shown beside those of the contract.
const HEADERS: [&str; 21] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "idempotency-key",
    "location",
    "retry-after",
    "traceparent",
    "transfer-encoding",
    "user-agent",
    "www-authenticate",
    "x-correlation-id",
    "x-request-id",
];

/// Values of headers that are shown, in small letters and without blanks.
const HEADER_VALUES: [&str; 14] = [
    "*/*",
    "application/json",
    "application/json,*/*",
    "application/json,text/plain,*/*",
    "application/json;charset=utf-8",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "close",
    "gzip",
    "gzip,deflate",
    "gzip,deflate,br",
    "identity",
    "keep-alive",
    "text/plain",
];

/// Headers of the script's answers whose values are shown. (The others may repeat what the client has sent.)
const ANSWER_HEADERS: [&str; 7] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "retry-after",
    "transfer-encoding",
    "www-authenticate",
];

/// Members whose texts are secret wherever they stand.
const SECRET_MEMBERS: [&str; 7] =
    ["access_token", "assertion", "cryptogram", "dpan", "encryptedData", "pan", "refresh_token"];

/// What may be shown of one exchange: no value that the client under test has chosen, and no secret of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ShownExchange {
    /// The method; of an unusual one only that it is.
    pub method: String,
    /// The operation's path as the contract writes it, with its base path; empty for a request of no operation.
    pub path: String,
    /// The request.
    pub request: ShownMessage,
    /// The answer.
    pub answer: ShownMessage,
}

/// What may be shown of a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ShownMessage {
    /// Names and values, in their order; `(...)` stands for what is not shown.
    pub headers: Vec<(String, String)>,
    /// The JSON body, with `(...)` for what is not shown; a text in round brackets for one that is no JSON.
    pub body: Option<Value>,
}

/// What a client can have from the contract or from the suite, and what is therefore no secret of its own.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    members: BTreeSet<String>,
    values: BTreeSet<String>,
}

impl Known {
    pub(crate) fn of(document: &Document) -> Self {
        let values = [MERCHANT_ID, MERCHANT_NAME, TOKEN_ID].map(str::to_owned);
        let mut known = Self { members: BTreeSet::new(), values: values.into() };
        known.gather(document.root());
        known
    }

    /// The names of all properties, and the texts of all `enum`s and `const`s.
    fn gather(&mut self, element: &Value) {
        match element {
            Value::Object(members) => {
                if let Some(Value::Object(properties)) = members.get("properties") {
                    self.members.extend(properties.keys().cloned());
                }
                let listed = members.get("enum").and_then(Value::as_array).into_iter().flatten();
                let texts = listed.chain(members.get("const")).filter_map(Value::as_str);
                self.values.extend(texts.map(str::to_owned));
                members.values().for_each(|member| self.gather(member));
            }
            Value::Array(items) => items.iter().for_each(|item| self.gather(item)),
            _ => {}
        }
    }

    pub(super) fn exchange(
        &self,
        request: &Request,
        operation: Option<&Operation>,
        headers: &BTreeMap<String, String>,
        body: &[u8],
    ) -> ShownExchange {
        let method = METHODS.into_iter().find(|known| *known == request.method);
        ShownExchange {
            method: method.unwrap_or("(another method)").to_owned(),
            path: operation
                .map(|one| format!("{}{}", one.base_path(), one.path_template()))
                .unwrap_or_default(),
            request: self.foreign(&request.headers, &request.body),
            answer: ShownMessage {
                headers: headers.iter().map(|(name, value)| answer_header(name, value)).collect(),
                body: shown_body(body, of_script),
            },
        }
    }

    /// The same of an answer that D1 gave by itself: what it has made up is another thing each time, and is not shown.
    pub(super) fn exchange_by_itself(
        &self,
        request: &Request,
        operation: Option<&Operation>,
        headers: &BTreeMap<String, String>,
        body: &[u8],
    ) -> ShownExchange {
        let mut shown = self.exchange(request, operation, headers, body);
        let known = |text: &String| self.members.contains(text) || self.values.contains(text);
        shown.answer.body = shown_body(body, |member, text, place| {
            of_script(member, text, place).filter(|text| place == Place::Name || known(text))
        });
        shown
    }

    /// A message of whoever is under test.
    pub(crate) fn foreign(&self, headers: &[(String, String)], body: &[u8]) -> ShownMessage {
        ShownMessage {
            headers: headers.iter().map(|(name, value)| foreign_header(name, value)).collect(),
            body: shown_body(body, |_, text, place| self.of_foreigner(text, place)),
        }
    }

    /// A name or a text of whoever is under test.
    fn of_foreigner(&self, text: &str, place: Place) -> Option<String> {
        let known = match place {
            Place::Name => &self.members,
            Place::Value => &self.values,
        };
        (text.is_empty() || known.contains(text)).then(|| text.to_owned())
    }
}

impl ShownMessage {
    /// A request of the suite's own to a receiver. Its headers hold secrets: they are shown as those of a client.
    pub(crate) fn of_suite(headers: &[(String, String)], body: &[u8]) -> Self {
        Self {
            headers: headers.iter().map(|(name, value)| foreign_header(name, value)).collect(),
            body: shown_body(body, of_script),
        }
    }
}

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Name,
    Value,
}

/// A name or a text of the script.
fn of_script(member: &str, text: &str, place: Place) -> Option<String> {
    let secret = place == Place::Value && SECRET_MEMBERS.contains(&member);
    let long = text.chars().count() > LONGEST_TEXT;
    (!secret && !long && !holds_secret(text)).then(|| text.to_owned())
}

/// Whether a text looks as if a card number, a JWT or a JWE were in it.
pub(crate) fn holds_secret(text: &str) -> bool {
    let mut digits = 0;
    for character in text.chars() {
        match character {
            '0'..='9' => digits += 1,
            ' ' | '-' => {}
            _ => digits = 0,
        }
        if digits >= CARD_DIGITS {
            return true;
        }
    }
    // The protected header of either is a JSON object in base64url.
    text.match_indices("eyJ").any(|(at, _)| text[at..].contains('.'))
}

fn not_shown(value: &str) -> String {
    format!("({} characters)", value.chars().count())
}

fn foreign_header(name: &str, value: &str) -> (String, String) {
    let Some(name) = HEADERS.into_iter().find(|known| *known == name) else {
        return ("(another header)".to_owned(), not_shown(value));
    };
    let plain: String = value.chars().filter(|one| *one != ' ').collect::<String>().to_ascii_lowercase();
    let shown = HEADER_VALUES.into_iter().find(|known| *known == plain);
    (name.to_owned(), shown.map_or_else(|| not_shown(value), str::to_owned))
}

fn answer_header(name: &str, value: &str) -> (String, String) {
    let name = name.to_ascii_lowercase();
    let shown = ANSWER_HEADERS.contains(&name.as_str()) && !holds_secret(value);
    (name, if shown { value.to_owned() } else { not_shown(value) })
}

/// A body as `show` allows it, which is asked for each name and each text, with the member that it stands in.
fn shown_body(body: &[u8], show: impl Fn(&str, &str, Place) -> Option<String>) -> Option<Value> {
    if body.is_empty() {
        return None;
    }
    let read = (body.len() <= LONGEST_BODY).then(|| serde_json::from_slice(body).ok()).flatten();
    Some(match read {
        Some(value) => Masking { show, left: MOST_VALUES }.value("", &value),
        None => format!("({} bytes that were not read as JSON)", body.len()).into(),
    })
}

struct Masking<F> {
    show: F,
    left: usize,
}

impl<F: Fn(&str, &str, Place) -> Option<String>> Masking<F> {
    fn value(&mut self, member: &str, value: &Value) -> Value {
        let Some(left) = self.left.checked_sub(1) else { return "(more)".into() };
        self.left = left;
        match value {
            Value::Null | Value::Bool(_) => value.clone(),
            // A card number can be written as a number; none has so few digits.
            Value::Number(number) if number.to_string().len() <= 4 => value.clone(),
            Value::Number(_) => "(number)".into(),
            Value::String(text) => {
                (self.show)(member, text, Place::Value).unwrap_or_else(|| not_shown(text)).into()
            }
            Value::Array(items) => {
                let shown = items.iter().take(self.left + 1).map(|item| self.value(member, item));
                shown.collect()
            }
            Value::Object(members) => self.members(members),
        }
    }

    fn members(&mut self, members: &Map<String, Value>) -> Value {
        let mut shown = Map::new();
        for (place, (name, value)) in members.iter().enumerate() {
            if self.left == 0 {
                shown.insert("(more)".to_owned(), Value::Null);
                break;
            }
            // The number keeps them apart.
            let unknown = || format!("(unknown member {})", place + 1);
            let as_shown = (self.show)(name, name, Place::Name).unwrap_or_else(unknown);
            shown.insert(as_shown, self.value(name, value));
        }
        shown.into()
    }
}

#[cfg(test)]
mod tests;
