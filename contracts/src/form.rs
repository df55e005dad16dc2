//! `application/x-www-form-urlencoded`, decoded to an object of strings.

use serde_json::{Map, Value};

use crate::fault::{Fault, shown_name};

/// Decodes `+` and `%XX`; nothing else is special.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' if plus_is_space => decoded.push(b' '),
            b'%' => {
                let [high, low, after @ ..] = tail else {
                    return None;
                };
                let high = char::from(*high).to_digit(16)?;
                let low = char::from(*low).to_digit(16)?;
                decoded.push(u8::try_from(high * 16 + low).ok()?);
                rest = after;
            }
            other => decoded.push(other),
        }
    }
    String::from_utf8(decoded).ok()
}

/// Reads name and value pairs; a name may stand once.
pub(crate) fn read_pairs(text: &str, place: &str) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (percent_decode(name, true), percent_decode(value, true)) else {
            return Err(Fault::new(place, "percent-encoded UTF-8 text", "a broken percent-encoding"));
        };
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(Fault::new(place, "each name once", format!("{} more than once", shown_name(&name))));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Reads a form body.
pub(crate) fn read(bytes: &[u8], place: &str) -> Result<Value, Fault> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Fault::new(place, "UTF-8 text", "bytes that are not UTF-8"))?;
    let mut object = Map::new();
    for (name, value) in read_pairs(text, place)? {
        object.insert(name, Value::String(value));
    }
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded_to_strings() {
        let read = read(b"grant_type=client_credentials&scope=a+b%2Fc", "body");
        assert_eq!(read, Ok(serde_json::json!({"grant_type": "client_credentials", "scope": "a b/c"})));
    }

    #[test]
    fn a_broken_form_is_a_fault_and_no_panic() {
        for bad in [&b"a=%"[..], b"a=%4", b"a=%zz", b"\xff", b"a=%ff", b"a=1&a=2"] {
            assert!(read(bad, "body").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_plus_in_a_path_stays_a_plus() {
        assert_eq!(percent_decode("a+b%20", false).as_deref(), Some("a+b "));
    }
}
