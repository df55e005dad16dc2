//! Requests: closed objects (C15).

use crate::domain::{Month, Pan};
use crate::http::strict_json::{DecodeError, Members, Wire, decode};
use crate::journal::Why;
use crate::world::{PresentedCard, TransactionKind};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Body of getAccessToken [D2].
pub(crate) struct AccessTokenRequest {
    pub(crate) assertion: String,
}

/// Body of createMerchant (C16).
pub(crate) struct NewMerchant {
    pub(crate) name: String,
}

/// Body of createToken (C17).
pub(crate) struct NewToken {
    pub(crate) encrypted_data: String,
}

/// Body of createTransaction (C19).
pub(crate) struct NewTransaction {
    pub(crate) kind: TransactionKind,
}

impl Wire for AccessTokenRequest {
    const MEMBERS: &'static [(&'static str, bool)] = &[("grant_type", true), ("assertion", true)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        if members.text("grant_type")? != GRANT {
            return Err(DecodeError::invalid("grant_type", GRANT, "another text"));
        }
        Ok(Self { assertion: members.text("assertion")?.to_owned() })
    }
}

impl Wire for NewMerchant {
    const MEMBERS: &'static [(&'static str, bool)] = &[("merchantName", true)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        Ok(Self { name: members.text_of_length("merchantName", 1, 128)?.to_owned() })
    }
}

impl Wire for NewToken {
    const MEMBERS: &'static [(&'static str, bool)] = &[("encryptedData", true), ("source", false)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        let encrypted_data = members.text_of_length("encryptedData", 1, 8196)?.to_owned();
        match members.optional_text("source")? {
            None | Some("MANUAL" | "ON_FILE") => Ok(Self { encrypted_data }),
            Some(_) => Err(DecodeError::invalid("source", "MANUAL or ON_FILE", "another text")),
        }
    }
}

impl Wire for NewTransaction {
    const MEMBERS: &'static [(&'static str, bool)] = &[("transactionType", true)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        let kind = match members.text("transactionType")? {
            "SINGLE" => TransactionKind::Single,
            "RECURRING" => TransactionKind::Recurring,
            "SPLIT" => TransactionKind::Split,
            _ => {
                return Err(DecodeError::invalid(
                    "transactionType",
                    "SINGLE, RECURRING or SPLIT",
                    "another text",
                ));
            }
        };
        Ok(Self { kind })
    }
}

/// The plaintext of a card [D9].
struct Card {
    pan: Pan,
    expiry: Month,
}

impl Wire for Card {
    const MEMBERS: &'static [(&'static str, bool)] = &[("pan", true), ("exp", true)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        let pan = Pan::parse(members.text("pan")?);
        let expiry = Month::from_mmyy(members.text("exp")?);
        Ok(Self {
            pan: pan.ok_or_else(|| {
                DecodeError::invalid("pan", "12 to 19 digits with a good check digit", "another text")
            })?,
            expiry: expiry.ok_or_else(|| DecodeError::invalid("exp", "MMYY", "another text"))?,
        })
    }
}

/// Reads the plaintext of a card and holds its date against the present month (C28, C29).
pub(crate) fn card_of(plaintext: &[u8], present: Month) -> Result<PresentedCard, Why> {
    let why = |check, expected: String, actual: String| Why {
        check,
        expected: expected.into(),
        actual: actual.into(),
    };
    let card: Card = decode(plaintext).map_err(|fault| {
        let expected = format!("{}: {}", fault.member, fault.expected);
        why("card in the JWE", expected, fault.actual)
    })?;
    if card.expiry < present {
        let expected = format!("{} or later", present.mmyy());
        return Err(why("card expiry date (MMYY)", expected, card.expiry.mmyy()));
    }
    Ok(PresentedCard { pan: card.pan, expiry: card.expiry })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(plaintext: &str, wanted: bool) {
        let present = Month::from_mmyy("0426").expect("a month");
        assert_eq!(card_of(plaintext.as_bytes(), present).is_ok(), wanted, "{plaintext}");
    }

    #[test]
    fn a_card_is_a_luhn_valid_pan_and_a_date_that_is_not_past() {
        check(r#"{"pan":"4000000000000002","exp":"0426"}"#, true);
        check(r#"{"exp":"1299","pan":"4000000000000002"}"#, true);
        check(r#"{"pan":"4000000000000002","exp":"0326"}"#, false);
        check(r#"{"pan":"4000000000000003","exp":"0427"}"#, false);
        check(r#"{"pan":"40000000002","exp":"0427"}"#, false);
        check(r#"{"pan":4000000000000002,"exp":"0427"}"#, false);
        check(r#"{"pan":"4000000000000002","exp":"0427","cvv":"123"}"#, false);
        check(r#"{"pan":"4000000000000002"}"#, false);
        check("", false);
    }

    #[test]
    fn the_reason_never_holds_the_number() {
        let present = Month::from_mmyy("0426").expect("a month");
        let plaintext = br#"{"pan":"4000000000000003","exp":"0427"}"#;
        let why = card_of(plaintext, present).expect_err("bad check digit");
        assert!(!format!("{why:?}").contains("4000000000000003"));
    }
}
