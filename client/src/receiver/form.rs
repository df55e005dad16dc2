//! `application/x-www-form-urlencoded`, as much of it as a token request needs.

/// The members in the order given, decoded. `None` if a percent sign does not introduce a byte, or the text is not
/// UTF-8.
pub(super) fn decode(body: &[u8]) -> Option<Vec<(String, String)>> {
    body.split(|b| *b == b'&')
        .filter(|member| !member.is_empty())
        .map(|member| {
            let mut halves = member.splitn(2, |b| *b == b'=');
            let name = text(halves.next()?)?;
            let value = text(halves.next().unwrap_or(b""))?;
            Some((name, value))
        })
        .collect()
}

fn text(encoded: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(*rest.next()?)? * 16 + hex(*rest.next()?)?,
            other => *other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_are_decoded() {
        let decoded = decode(b"grant_type=client%5Fcredentials&scope=a+b%20c&&empty").expect("a form");
        let expected = [("grant_type", "client_credentials"), ("scope", "a b c"), ("empty", "")];
        assert_eq!(decoded.len(), expected.len());
        for ((name, value), (expected_name, expected_value)) in decoded.iter().zip(expected) {
            assert_eq!((name.as_str(), value.as_str()), (expected_name, expected_value));
        }
        for bad in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%ff"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _form = decode(&body);
        }
    }
}
