//! Of steps `expect`: what D1 and the receiver know of tokens, against what they must.

use d1_client::receiver::TokenKey;
use d1_contracts::{Observer as _, Probed, TokenRef};
use serde_json::{Value, json};

use super::expect::newest;
use super::happened::Entry;
use super::judged::{is, shown};
use super::miss::{Broken, Miss};
use super::player::Player;
use crate::scenario::{Named, Scalar, Step, TokenExpectation};

impl Player<'_> {
    pub(super) async fn expect_tokens(
        &mut self,
        step: &Step,
        all: &[TokenExpectation],
    ) -> Result<(), Broken> {
        let known = self.tokens_of_d1().await?;
        for wanted in all {
            let Some(token) = self.names.tokens.get(&wanted.token.name) else {
                self.no_token(step, &wanted.token);
                continue;
            };
            let found = known.iter().find(|known| known["tokenId"] == token.id.as_str());
            let found = found.cloned().unwrap_or_default();
            let look = "the transitions of this token in the transcript";
            self.compare(step, wanted, "D1", &found, look);
        }
        Ok(())
    }

    pub(super) async fn expect_receiver(
        &mut self,
        step: &Step,
        all: &[TokenExpectation],
    ) -> Result<(), Broken> {
        let of_d1 = if all.iter().any(|one| one.as_d1) { self.tokens_of_d1().await? } else { Vec::new() };
        for wanted in all {
            let Some(token) = self.names.tokens.get(&wanted.token.name).cloned() else {
                self.no_token(step, &wanted.token);
                continue;
            };
            let gateway = self.ground.gateways.get(&token.gateway);
            let gateway = gateway.ok_or_else(|| Broken("no such gateway".to_owned()))?;
            let found = if let Some(receiver) = &gateway.receiver {
                let (gateway_id, merchant_id, token_id) =
                    (gateway.id.clone(), token.merchant, token.id.clone());
                receiver.probed(&TokenKey { gateway_id, merchant_id, token_id }).await
            } else if let Some(probe) = &gateway.probe {
                let asked = TokenRef {
                    gateway_id: gateway.id.as_str().to_owned(),
                    merchant_id: token.merchant.as_str().to_owned(),
                    token_id: token.id.as_str().to_owned(),
                };
                probe.look(&asked).await.map_err(|fault| Broken(format!("the probe: {fault}")))?
            } else {
                let why = "the receiver has no probe: give it one on the stage (`probe`) or with --probe";
                return Err(Broken(why.to_owned()));
            };
            let look =
                "the notifications of this token: what the receiver answered, and in which order they came";
            match found.map(told) {
                Some(found) if wanted.as_d1 => {
                    let wanted = self.as_d1_has_it(wanted, token.id.as_str(), &of_d1, &found);
                    self.compare(step, &wanted, "the receiver", &found, look);
                }
                Some(found) => self.compare(step, wanted, "the receiver", &found, look),
                None => {
                    let name = &wanted.token.name;
                    let miss =
                        Miss::of(step, format!("the receiver to know `{name}`"), "it has never heard of it");
                    let lines = newest(self.about_token(name));
                    self.misses.push(miss.at(&wanted.token.place).nearest(lines).look(look));
                }
            }
        }
        Ok(())
    }

    fn no_token(&mut self, step: &Step, named: &Named) {
        let miss = Miss::of(step, format!("a token `{}`", named.name), "it was never made").at(&named.place);
        self.misses.push(miss.look("the step that should have made it: it did not come out well"));
    }

    fn compare(&mut self, step: &Step, wanted: &TokenExpectation, whose: &str, found: &Value, look: &str) {
        let state = wanted.state.map(|state| ("state".to_owned(), Scalar::Text(state.as_str().to_owned())));
        let unchanged = wanted.unchanged.iter().map(|member| {
            let was = self.as_it_was(&wanted.token.name, member);
            (member.clone(), was)
        });
        let unchanged: Vec<(String, Scalar)> = unchanged.collect();
        for (member, expected) in state.iter().chain(&wanted.members).chain(&unchanged) {
            let value = found.get(member).unwrap_or(&Value::Null);
            if !is(expected, value) {
                let name = &wanted.token.name;
                let expected = format!("{whose} to have {member} {} for `{name}`", expected.told());
                let lines = self.about_token(name);
                // Only a probe leaves out what it does not know.
                let found = match found.get(member) {
                    None => format!("your probe did not tell {member}"),
                    Some(value) => shown(value),
                };
                let miss = Miss::of(step, expected, found).at(&wanted.token.place);
                self.misses.push(miss.nearest(newest(lines)).look(look));
            }
        }
    }

    /// Everything that happened to a token.
    fn about_token(&self, name: &str) -> Vec<String> {
        let of_it = |entry: &&Entry| {
            (entry.is("transition") || entry.is("delivery"))
                && self.names.is_token(name, entry.text("tokenId"))
        };
        self.entries.iter().filter(of_it).map(|entry| self.entry_told(entry)).collect()
    }
}

/// What a receiver knows, as members.
fn told(probed: Probed) -> Value {
    let mut all = json!(probed.token);
    if let Some(events) = probed.events {
        all["events"] = json!(events);
    }
    all
}
