//! Which bearers are good: those that were given out and not refused since (contract C10).

use std::collections::BTreeMap;

use serde_json::Value;

use super::http::Request;

/// The bearers that were given out, and whether one has been refused since.
#[derive(Debug, Default)]
pub(super) struct Bearers(BTreeMap<String, bool>);

impl Bearers {
    /// What is wrong with the bearer of a request. That there is one at all is the contract's matter.
    pub(super) fn fault(&self, request: &Request) -> Option<String> {
        let expected = match self.0.get(shown(request)?) {
            Some(false) => return None,
            Some(true) => "another bearer than the one that was refused",
            None => "a bearer that was given out",
        };
        Some(format!("request authorization: expected {expected}"))
    }

    /// Takes note of an answer: of a bearer in it, or of the refusal of the one that was shown.
    pub(super) fn keep(&mut self, request: &Request, status: u16, body: &[u8]) {
        if status == 401
            && let Some(refused) = shown(request).and_then(|shown| self.0.get_mut(shown))
        {
            *refused = true;
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if let Some(given) = body.get("access_token").and_then(Value::as_str) {
            self.0.insert(given.to_owned(), false);
        }
    }
}

fn shown(request: &Request) -> Option<&str> {
    request.header("authorization")?.strip_prefix("Bearer ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_bearer(bearer: &str) -> Request {
        let headers = vec![("authorization".to_owned(), format!("Bearer {bearer}"))];
        Request { headers, ..Request::default() }
    }

    #[test]
    fn a_bearer_is_good_from_when_it_was_given_out_until_it_was_refused() {
        let mut bearers = Bearers::default();
        assert!(bearers.fault(&with_bearer("first")).is_some_and(|fault| fault.contains("given out")));
        bearers.keep(&Request::default(), 200, br#"{"access_token": "first"}"#);
        bearers.keep(&Request::default(), 200, br#"{"access_token": "second"}"#);
        bearers.keep(&with_bearer("first"), 403, b"{}");
        assert_eq!(bearers.fault(&with_bearer("first")), None);
        bearers.keep(&with_bearer("first"), 401, b"{}");
        let fault = bearers.fault(&with_bearer("first")).expect("a fault");
        assert!(fault.contains("refused") && !fault.contains("first"), "{fault}");
        assert_eq!(bearers.fault(&with_bearer("second")), None);
        assert_eq!(bearers.fault(&Request::default()), None, "the contract asks for a bearer, not this");
    }
}
