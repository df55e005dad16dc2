//! A body: its media type, its size, and its value against the schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Contract;
use super::parameters::one_header;
use crate::fault::Fault;
use crate::schema::Check;
use crate::{form, json};

/// The largest body that is judged; longer ones are a fault.
const MAX_BODY_BYTES: usize = 1 << 20;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

impl Contract {
    pub(super) fn judge_body(
        &self,
        side: &str,
        media: &BTreeMap<String, Option<Arc<Check>>>,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Vec<Fault> {
        let place = format!("{side} body");
        let declared = match media_type(headers, side) {
            Ok(declared) => declared,
            Err(fault) => return vec![fault],
        };
        let Some(check) = media.get(&declared) else {
            let wanted: Vec<&str> = media.keys().map(String::as_str).collect();
            return vec![Fault::new(
                format!("{side} header content-type"),
                wanted.join(" or "),
                "another media type",
            )];
        };
        if let Err(fault) = check_size(&place, body) {
            return vec![fault];
        }
        let Some(check) = check else {
            return Vec::new();
        };
        let value = match declared.as_str() {
            JSON => json::read(body, &place),
            FORM => form::read(body, &place),
            _ => match std::str::from_utf8(body) {
                Ok(text) => Ok(Value::String(text.to_owned())),
                Err(_) => Err(Fault::new(&place, "UTF-8 text", "bytes that are not UTF-8")),
            },
        };
        match value {
            Ok(value) => check.judge(&self.inner.document, &value, &place),
            Err(fault) => vec![fault],
        }
    }
}

pub(super) fn check_size(place: &str, body: &[u8]) -> Result<(), Fault> {
    if body.len() > MAX_BODY_BYTES {
        return Err(Fault::new(
            place,
            format!("at most {MAX_BODY_BYTES} bytes"),
            format!("{} bytes", body.len()),
        ));
    }
    Ok(())
}

/// The declared media type in small letters; its only parameter may be `charset=utf-8`.
fn media_type(headers: &[(String, String)], side: &str) -> Result<String, Fault> {
    let place = format!("{side} header content-type");
    let Some(declared) = one_header(headers, "content-type", &place)? else {
        return Err(Fault::new(place, "this header", "nothing"));
    };
    let mut parts = declared.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let mut parameters = parts.map(str::to_ascii_lowercase);
    if parameters.all(|parameter| matches!(parameter.as_str(), "charset=utf-8" | "charset=\"utf-8\"")) {
        Ok(essence)
    } else {
        Err(Fault::new(place, "no parameter but charset=utf-8", "another parameter"))
    }
}
