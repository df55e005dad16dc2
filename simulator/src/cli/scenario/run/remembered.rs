//! Receivers that remember: one that is not ours outlives a run, and with one seed the next run makes the same tokens and
//! events, which it takes for repetitions.

use d1_contracts::{Observer as _, Probed, TokenRef};

use super::miss::Broken;
use super::player::Player;
use crate::scenario::{Request, Scenario};

impl Player<'_> {
    /// Breaks off where somebody's receiver knows the token that this request has just made, before anything was told of it.
    pub(super) async fn must_be_news(&self, request: &Request) -> Result<(), Broken> {
        let Request::CreateToken { token: Some(named), .. } = request else { return Ok(()) };
        let Some(token) = self.names.tokens.get(&named.name) else { return Ok(()) };
        let gateway = self.ground.gateways.get(&token.gateway);
        let Some((gateway, probe)) = gateway.and_then(|gateway| Some((gateway, gateway.probe.as_ref()?)))
        else {
            return Ok(());
        };
        let asked = TokenRef {
            gateway_id: gateway.id.as_str().to_owned(),
            merchant_id: token.merchant.as_str().to_owned(),
            token_id: token.id.as_str().to_owned(),
        };
        // A probe that fails is told of where its answer is needed.
        match probe.look(&asked).await {
            Ok(Some(probed)) if knows_anything(&probed) => Err(Broken(format!(
                "your receiver knows the token `{}` already, from an earlier run with seed {}: start it anew, or take another \
                 seed",
                named.name, self.ground.seed
            ))),
            _ => Ok(()),
        }
    }
}

/// An object of nothing is what some programs answer for a token that they have never heard of.
fn knows_anything(probed: &Probed) -> bool {
    probed.events.is_some_and(|events| events > 0) || probed.token.values().any(Option::is_some)
}

/// What to mind before a scenario is played again with the same seed.
pub(super) fn before_again(scenario: &Scenario) -> Option<&'static str> {
    scenario
        .stage
        .any_receiver_of_others()
        .then_some("(start your receiver anew before: it remembers the tokens and events of this seed)")
}
