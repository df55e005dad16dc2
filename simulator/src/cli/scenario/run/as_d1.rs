//! `sameAsD1`, what a receiver must know to know of a token what D1 does; `unchanged`, what it was before.

use serde_json::Value;

use super::miss::Broken;
use super::player::Player;
use crate::scenario::{Action, Expectation, Expected, Scalar, TokenExpectation};

/// What a receiver can know of a token, and what D1 calls it: the token's last digits are the DPAN's.
const AS_D1: [(&str, &str); 6] = [
    ("state", "state"),
    ("cardLastDigits", "cardLastDigits"),
    ("cardExpiryDate", "cardExpiryDate"),
    ("tokenLastDigits", "tokenLastDigits"),
    ("tokenExpiryDate", "tokenExpiryDate"),
    (DPAN, "tokenLastDigits"),
];
const DPAN: &str = "dpanLastDigits";

impl Player<'_> {
    /// What the receiver must know to know what D1 does: of what a probe leaves out the state alone is asked, and of the
    /// DPAN nothing before D1 has told one.
    pub(super) fn as_d1_has_it(
        &self,
        wanted: &TokenExpectation,
        id: &str,
        of_d1: &[Value],
        found: &Value,
    ) -> TokenExpectation {
        let told_dpan = self.entries.iter().any(|entry| {
            let of_it = entry.text("tokenId") == Some(id) && entry.text("forged").is_none();
            of_it && entry.is("delivery") && entry.of_request("encryptedData").is_some()
        });
        let token = of_d1.iter().find(|token| token["tokenId"] == id).cloned().unwrap_or_default();
        let members = AS_D1.into_iter().filter(|(member, _)| *member != DPAN || told_dpan);
        let told = |member: &str| member == "state" || found.get(member).is_some();
        let members = members.filter(|(member, _)| told(member)).map(|(member, of_d1)| {
            let value = token[of_d1].as_str().map_or(Scalar::Absent, |text| Scalar::Text(text.to_owned()));
            (member.to_owned(), value)
        });
        TokenExpectation { members: members.collect(), ..wanted.clone() }
    }

    /// D1's tokens are noted before the issuer acts, where anything is expected to be unchanged behind that.
    pub(super) async fn note_what_was(&mut self) -> Result<(), Broken> {
        let asks = |one: &Expectation| match &one.expected {
            Expected::Tokens(all) | Expected::Receiver(all) => {
                all.iter().any(|one| !one.unchanged.is_empty())
            }
            _ => false,
        };
        let asked = self.scenario.steps.iter().any(|step| match &step.action {
            Action::Expect(all) => all.iter().any(asks),
            _ => false,
        });
        if asked {
            self.before_issuer = self.tokens_of_d1().await?;
        }
        Ok(())
    }

    /// What a member of a token was before the issuer acted last.
    pub(super) fn as_it_was(&self, name: &str, member: &str) -> Scalar {
        let id = self.names.tokens.get(name).map(|token| token.id.as_str());
        let token = self.before_issuer.iter().find(|token| id.is_some() && token["tokenId"].as_str() == id);
        let value = token.and_then(|token| token[member].as_str());
        value.map_or(Scalar::Absent, |text| Scalar::Text(text.to_owned()))
    }
}
