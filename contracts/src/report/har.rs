//! The exchanges as HTTP Archive (HAR) 1.2, so that a foreign tool can hold them against the documents and count for
//! itself. The address of a request is its operation's path with the examples of the documents: not what was sent, which
//! is not shown.

use serde_json::{Value, json};

use super::exchange_text::{answered, named};
use super::view::View;
use super::{CATALOGUE, DISCLAIMER};
use crate::stage::{Exchange, ShownMessage};
use crate::subject::{MERCHANT_ID, TOKEN_ID};

/// A host that is none (RFC 6761).
const HOST: &str = "https://d1.invalid";

/// What stands in the place of the path parameters.
const PARAMETERS: [(&str, &str); 3] =
    [("{merchantGatewayId}", "MGW_000001"), ("{merchantId}", MERCHANT_ID), ("{tokenId}", TOKEN_ID)];

pub(super) fn har(view: &View<'_>, started: &str) -> String {
    let entries = view
        .cases
        .iter()
        .flat_map(|one| one.exchanges.iter().map(|exchange| entry(&one.case.id, exchange, started)));
    let log = json!({"log": {
        "version": "1.2",
        "creator": {"name": "d1-contracts", "version": CATALOGUE},
        "comment": format!("D1 contract catalogue {CATALOGUE}; client: {}. {DISCLAIMER} {}", view.client, view.summary()),
        "entries": entries.collect::<Vec<_>>(),
    }});
    format!("{log:#}\n")
}

fn entry(case: &str, one: &Exchange, started: &str) -> Value {
    let shown = &one.shown;
    let mut request = json!({
        "method": if shown.method.is_empty() { "(unknown)" } else { &shown.method },
        "url": url(&shown.path),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&shown.request),
        "queryString": [],
        "headersSize": -1,
        "bodySize": -1,
        "comment": named(one),
    });
    if let Some(body) = &shown.request.body {
        request["postData"] =
            json!({"mimeType": media_type(&shown.request), "params": [], "text": body.to_string()});
    }
    let answer = shown.answer.body.as_ref().map(ToString::to_string);
    // The body of a receiver's answer is not kept: what is shown of it is all there is.
    let unkept = answer.as_ref().filter(|_| one.body.is_empty());
    let (size, body_size) = match unkept {
        Some(text) => (text.len(), json!(-1)),
        None => (one.body.len(), json!(one.body.len())),
    };
    let mut content = json!({"size": size, "mimeType": media_type(&shown.answer)});
    if let Some(text) = answer {
        content["text"] = text.into();
    }
    json!({
        "startedDateTime": started,
        "time": 0,
        "request": request,
        "response": {
            "status": one.status,
            "statusText": if one.status == 0 { answered(one) } else { String::new() },
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": headers(&shown.answer),
            "content": content,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": body_size,
        },
        "cache": {},
        "timings": {"send": 0, "wait": 0, "receive": 0},
        "comment": case,
    })
}

fn url(path: &str) -> String {
    if path.is_empty() {
        return format!("{HOST}/of-no-operation");
    }
    let filled = PARAMETERS.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
    format!("{HOST}{filled}")
}

fn headers(message: &ShownMessage) -> Vec<Value> {
    message.headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn media_type(message: &ShownMessage) -> &str {
    let found = message.headers.iter().find(|(name, _)| name == "content-type");
    found.map_or("", |(_, value)| value)
}
