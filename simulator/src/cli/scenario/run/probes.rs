//! Whom to ask what a receiver knows that is not ours.

use std::collections::BTreeMap;

use d1_contracts::Probe;

use super::super::super::exit::Failure;
use crate::scenario::{Action, Expected, Named, Place, Receiver, ReceiverAt, Request, Scenario, Stage, Wait};

/// The probe that the scenario names, or else that of the command line.
pub(super) fn probe_of(
    at: &ReceiverAt,
    place: &Place,
    otherwise: Option<&Probe>,
) -> Result<Option<Probe>, Failure> {
    let named = at
        .probe
        .as_ref()
        .map(|named| named.parse().map_err(|fault| Failure::usage(format!("{place}: `probe`: {fault}"))));
    Ok(named.transpose()?.or_else(|| otherwise.cloned()))
}

/// Every probe that cannot be one, and every expectation of a receiver that nobody can be asked about: what is known before
/// anything is played.
pub(super) fn faults(scenario: &Scenario, otherwise: Option<&Probe>) -> Vec<String> {
    let (mut faults, mut blind) = (Vec::new(), Vec::new());
    for gateway in &scenario.stage.gateways {
        let Receiver::At(at) = &gateway.receiver else { continue };
        match probe_of(at, &gateway.name.place, otherwise) {
            Ok(Some(_)) => {}
            Ok(None) => blind.push(gateway.name.name.as_str()),
            Err(failure) => faults.push(failure.error.to_string()),
        }
    }
    let gateways = gateways_of_tokens(scenario);
    for step in &scenario.steps {
        let Action::Expect(all) = &step.action else { continue };
        for expectation in all {
            let Expected::Receiver(tokens) = &expectation.expected else { continue };
            let unseen = tokens.iter().find_map(|wanted| {
                let gateway = *gateways.get(wanted.token.name.as_str())?;
                blind.contains(&gateway).then_some((&wanted.token.name, gateway))
            });
            if let Some((token, gateway)) = unseen {
                faults.push(format!(
                    "{}: what the receiver of `{gateway}` knows of `{token}` nobody tells: give it a `probe` on the stage, \
                     or --probe COMMAND|URL (contracts/shims/RECEIVER.md)",
                    expectation.place
                ));
            }
        }
    }
    faults
}

/// Whose each token is, as far as the file says it.
fn gateways_of_tokens(scenario: &Scenario) -> BTreeMap<&str, &str> {
    let Stage { gateways, merchants, tokens, .. } = &scenario.stage;
    let only = match gateways.as_slice() {
        [only] => Some(only.name.name.as_str()),
        _ => None,
    };

    let whose = |gateway| gateway_named(gateway).or(only);
    let mut of_merchants: BTreeMap<&str, &str> = BTreeMap::new();
    for merchant in merchants {
        let gateway = whose(merchant.gateway.as_ref());
        of_merchants.extend(gateway.map(|gateway| (merchant.name.name.as_str(), gateway)));
    }
    let mut of_tokens: BTreeMap<&str, &str> = BTreeMap::new();
    for token in tokens {
        let gateway = of_merchants.get(token.merchant.name.as_str());
        of_tokens.extend(gateway.map(|gateway| (token.name.name.as_str(), *gateway)));
    }
    for step in &scenario.steps {
        match &step.action {
            Action::Call(call) => match &call.request {
                Request::CreateMerchant { gateway, merchant, .. } => {
                    let gateway = whose(gateway.as_ref());
                    of_merchants.extend(gateway.map(|gateway| (merchant.name.as_str(), gateway)));
                }
                Request::CreateToken { merchant, token: Some(token), .. } => {
                    let gateway = of_merchants.get(merchant.name.as_str());
                    of_tokens.extend(gateway.map(|gateway| (token.name.as_str(), *gateway)));
                }
                _ => {}
            },
            Action::Wait(Wait::Call(wait)) => {
                let gateway = whose(wait.calls.gateway.as_ref());
                of_tokens.extend(
                    wait.made.as_ref().zip(gateway).map(|(made, gateway)| (made.name.as_str(), gateway)),
                );
            }
            _ => {}
        }
    }
    of_tokens
}

fn gateway_named(named: Option<&Named>) -> Option<&str> {
    named.map(|named| named.name.as_str())
}
