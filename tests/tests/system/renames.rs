//! The decisive check: a wire member that has another name on one side, or on both, must be noticed.
//!
//! The names are those that the two flows put on the wire. On one side: the proxy renames the member on its way, which is
//! what a simulator (or a client) with a wrong name would look like. On both sides: the parties agree, and the contract
//! has the other name.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use d1_client::receiver::ClientCredentials;
use d1_client::{Client, Clock};
use d1_contracts::{Contract, Document};
use serde_json::Value;
use system_tests::{
    Exchange, Folder, GatewayReceiver, Port, Rename, START_MS, Sandbox, Setup, Tap, client_config,
};

use crate::flow::{Checked, LifeCycle, first_payment};

/// Members whose absence a client is not to mind: operation, in the answer, name, and why. A rename of these must still
/// be seen by the contract.
const A_CLIENT_MAY_IGNORE: &[(&str, bool, &str, &str)] = &[
    (
        "getAccessToken",
        true,
        "expires_in",
        "optional [D1]; without it the documented 15 minutes are taken [D8]",
    ),
    ("getAccessToken", true, "token_type", "optional [D1]; it is always Bearer [D8]"),
    ("getAccessToken", true, "scope", "nothing depends on it [D1]"),
];

/// What may leave the flow without notice, at the outbound token endpoint: D1 is the client there.
const D1_MAY_IGNORE: &[(&str, bool, &str, &str)] = &[
    ("getAccessToken", true, "expires_in", "optional [D4]; the simulator takes 15 minutes"),
    ("getAccessToken", true, "token_type", "optional [D4]"),
    ("getAccessToken", true, "scope", "optional [D4]"),
    ("getAccessToken", false, "scope", "optional [D4]; the receiver gives what it has"),
];

fn may_be_ignored(list: &[(&str, bool, &str, &str)], rename: &Rename) -> bool {
    list.iter().any(|(operation, answer, member, _)| {
        rename.operation == *operation && rename.answer == *answer && rename.member == *member
    })
}

/// A client whose pauses take no time: what it cannot read it asks for again, and the sandbox's clock stands.
fn impatient(folder: &Folder, url: &str) -> Client {
    let start = SystemTime::UNIX_EPOCH + Duration::from_millis(START_MS.unsigned_abs());
    Client::new(client_config(folder, url).clock(Clock::skipping(start))).expect("a client")
}

/// Runs `flow` once for each member, with that member renamed, and gives what nobody noticed.
async fn unnoticed(
    tap: &Tap,
    members: &BTreeSet<Rename>,
    ignorable: &[(&str, bool, &str, &str)],
    flow: impl AsyncFn() -> Checked,
) -> Vec<String> {
    let mut unnoticed = Vec::new();
    for rename in members {
        tap.clear(Some(rename.clone()));
        let outcome = flow().await;
        let faults = tap.faults();
        let renamed = tap.clear(None);
        assert!(renamed > 0, "{rename}: was not there to be renamed; the flow ended with {outcome:?}");
        if faults.is_empty() {
            unnoticed.push(format!("{rename}: the contract says nothing"));
        }
        if outcome.is_ok() && !may_be_ignored(ignorable, rename) {
            unnoticed.push(format!("{rename}: the flow goes on as if nothing were"));
        }
    }
    unnoticed
}

/// The contract with one member renamed wherever a schema names it.
fn with_renamed(contract: &Contract, rename: &Rename) -> Contract {
    let mut root = contract.document().root().clone();
    rename_in(&mut root, &rename.member, &rename.new_name());
    let document = Document::from_value(root, "renamed.yaml").expect("still a document");
    Contract::from_document(document).expect("still a contract")
}

fn rename_in(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get_mut("properties")
                && let Some(schema) = properties.remove(old)
            {
                properties.insert(new.to_owned(), schema);
            }
            if let Some(Value::Array(required)) = members.get_mut("required") {
                for name in required.iter_mut().filter(|name| *name == old) {
                    *name = new.into();
                }
            }
            members.values_mut().for_each(|value| rename_in(value, old, new));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rename_in(value, old, new)),
        _ => {}
    }
}

/// What the contract with the member renamed finds no fault in.
fn unnoticed_on_both_sides(
    contract: &Contract,
    members: &BTreeSet<Rename>,
    exchanges: &[Exchange],
) -> Vec<String> {
    let blind = |rename: &&Rename| {
        let renamed = with_renamed(contract, rename);
        let of_operation = |one: &&Exchange| one.operation(contract) == Some(rename.operation.as_str());
        exchanges.iter().filter(of_operation).all(|exchange| exchange.faults(&renamed).is_empty())
    };
    members.iter().filter(blind).map(|rename| format!("{rename}: renamed on both sides")).collect()
}

#[tokio::test]
async fn every_inbound_member_is_noticed_when_it_is_renamed_on_either_side_or_on_both() {
    let sandbox = Sandbox::start().await;
    let tap = Tap::inbound(&sandbox.folder, sandbox.api_url());
    let now = sandbox.admin.now().await;
    let once = async || first_payment(&impatient(&sandbox.folder, &tap.url()), &now).await;
    assert_eq!(once().await, Ok(()));
    tap.assert_clean();
    let (members, exchanges) = (tap.members(), tap.exchanges());
    assert!(members.len() >= 40, "the flow shows its members: {}", members.len());
    for (_, _, name, _) in A_CLIENT_MAY_IGNORE {
        assert!(
            members.iter().any(|member| member.member == *name),
            "{name} is on the list, but not on the wire"
        );
    }
    let mut found = unnoticed(&tap, &members, A_CLIENT_MAY_IGNORE, once).await;
    found.extend(unnoticed_on_both_sides(tap.contract(), &members, &exchanges));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn every_outbound_member_is_noticed_when_it_is_renamed_on_either_side_or_on_both() {
    let folder = Folder::shared();
    let receiver = GatewayReceiver::start(&folder, Port::take(), None, Clock::system());
    let tap = Tap::outbound(&folder, receiver.url.clone());
    let seed = Cell::new(0);
    // A sandbox each time, of another seed: a flow that ended early leaves a changed card behind, and the receiver knows
    // the events of a seed that it has seen.
    let once = async || {
        seed.set(seed.get() + 1);
        let setup = Setup { seed: seed.get(), receiver: Some(tap.url()), ..Setup::default() };
        let sandbox = Sandbox::with(folder.clone(), setup).await;
        let (client, now) = (impatient(&folder, &sandbox.api_url()), sandbox.admin.now().await);
        let life = LifeCycle { client: &client, admin: &sandbox.admin, receiver: &receiver, now: &now };
        life.whole().await
    };
    assert_eq!(once().await, Ok(()));
    tap.assert_clean();
    let (members, exchanges) = (tap.members(), tap.exchanges());
    assert_eq!(members.len(), 12, "ten members of the body and two of the plaintext");
    let mut found = unnoticed(&tap, &members, &[], once).await;
    found.extend(unnoticed_on_both_sides(tap.contract(), &members, &exchanges));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn every_member_of_the_gateway_s_token_endpoint_is_noticed_when_it_is_renamed() {
    let folder = Folder::shared();
    let credentials = ClientCredentials::new("d1-sandbox", "open-sesame-12345").expect("credentials");
    let receiver = GatewayReceiver::start(&folder, Port::take(), Some(credentials), Clock::system());
    let tap = Tap::outbound(&folder, receiver.url.clone());
    let file = crate::delivery::with_oauth(&folder, "renames", &tap.url());
    // A sandbox each time: the bearer of the last one would otherwise still be good.
    let once = async || {
        let setup = Setup { receiver: Some(tap.url()), file: file.clone(), ..Setup::default() };
        let sandbox = Sandbox::with(folder.clone(), setup).await;
        let (client, now) = (sandbox.client(&sandbox.api_url()), sandbox.admin.now().await);
        let merchant = crate::flow::onboard(&client, &now).await?;
        let token = crate::flow::tokenize(&client, &merchant, &now).await?.token_id;
        sandbox.admin.event(token.as_str(), "token.suspend", serde_json::json!({})).await;
        let delivery = sandbox.admin.delivery(token.as_str(), 1, 1).await;
        if delivery["outcome"] == "delivered" { Ok(()) } else { Err(delivery.to_string()) }
    };
    assert_eq!(once().await, Ok(()));
    tap.assert_clean();
    let exchanges = tap.exchanges();
    let mut members = tap.members();
    members.retain(|member| member.operation == "getAccessToken");
    assert!(members.len() >= 5, "grant_type, scope, and the answer's: {}", members.len());
    let mut found = unnoticed(&tap, &members, D1_MAY_IGNORE, once).await;
    found.extend(unnoticed_on_both_sides(tap.contract(), &members, &exchanges));
    assert!(found.is_empty(), "{}", found.join("\n"));
}
