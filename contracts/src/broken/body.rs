//! How the baseline client reads the body of a good answer, and what is sealed in it.

use std::panic::resume_unwind;

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
use serde_json::{Map, Value};

use super::BrokenClient;
use super::breaks::Break;
use super::wire::Reply;
use crate::jwe::Care;

/// The memory of the machine that a client without a bound runs on: no answer is worth more, and the suite's own is spared.
const MEMORY: usize = 16 * 1024 * 1024;
/// The head of gzip without a name, and what stands behind its data (RFC 1952, 2.3).
const GZIP_HEAD: usize = 10;
const GZIP_TAIL: usize = 8;

impl BrokenClient {
    /// The JSON of a good answer.
    pub(super) fn json(&self, reply: &Reply) -> Option<Value> {
        let body = &reply.body[..];
        let is_json =
            || reply.header("content-type").is_some_and(|media| media.starts_with("application/json"));
        match self.broken {
            Some(Break::WantMediaType) if !is_json() => None,
            Some(Break::OrderedMembers) if !self.takes_order_of(body) => None,
            Some(Break::InflateAll) if reply.header("content-encoding") == Some("gzip") => inflated(body),
            Some(Break::PanicUnreadable) => {
                let read = serde_json::from_slice(body);
                // Without the message of a panic that nobody meant.
                Some(read.unwrap_or_else(|_| resume_unwind(Box::new("broken on purpose"))))
            }
            Some(Break::LossyUtf8) => serde_json::from_str(&String::from_utf8_lossy(body)).ok(),
            Some(Break::IgnoreTrailing) => {
                serde_json::Deserializer::from_slice(body).into_iter().next()?.ok()
            }
            _ => serde_json::from_slice(body).ok(),
        }
    }

    /// The plaintext of a JWE.
    pub(super) fn opened(&self, jwe: String) -> Option<Map<String, Value>> {
        if self.broken == Some(Break::IgnoreSealed) {
            let names = ["dpan", "exp", "cryptogram"];
            return Some(names.map(|name| (name.to_owned(), Value::from(jwe.clone()))).into_iter().collect());
        }
        let care = match self.broken {
            Some(Break::SkipTag) => Care::NoTag,
            Some(Break::TrustHeader) => Care::AsTold,
            _ => Care::Whole,
        };
        let plaintext = self.props.key.open(&jwe, care)?;
        let fits = self.takes_order_of(&plaintext) && self.is_documented_plaintext(&plaintext);
        serde_json::from_slice(&plaintext).ok().filter(|_| fits)
    }
}

/// What was sent with gzip, however much it is: more than there is memory takes the process along.
fn inflated(body: &[u8]) -> Option<Value> {
    let deflated = body.get(GZIP_HEAD..body.len().checked_sub(GZIP_TAIL)?)?;
    match decompress_to_vec_with_limit(deflated, MEMORY) {
        Ok(whole) => serde_json::from_slice(&whole).ok(),
        // Without the message of a panic that nobody meant.
        Err(fault) if fault.status == TINFLStatus::HasMoreOutput => {
            resume_unwind(Box::new("broken on purpose"))
        }
        Err(_) => None,
    }
}
