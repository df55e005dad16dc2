//! The whole first payment.

use std::time::Duration;

use system_tests::{Sandbox, Tap};

use crate::flow::first_payment;

#[tokio::test]
async fn the_client_makes_the_whole_first_payment_within_the_contract() {
    let sandbox = Sandbox::start().await;
    let tap = Tap::inbound(&sandbox.folder, sandbox.api_url());
    let now = sandbox.admin.now().await;
    let paid = first_payment(&sandbox.client(&tap.url()), &now).await;
    assert_eq!(paid, Ok(()));
    tap.assert_clean();
    let contract = tap.contract();
    let operations: Vec<String> = tap
        .exchanges()
        .iter()
        .filter_map(|exchange| Some(format!("{} {}", exchange.operation(contract)?, exchange.status)))
        .collect();
    let wanted = [
        "getAccessToken 200",
        "createMerchant 201",
        "createToken 201",
        "getToken 200",
        "createTransaction 201",
        "createTransaction 201",
        "createTransaction 201",
        "createToken 403",
        "deleteToken 204",
        "getToken 404",
        "deleteToken 404",
    ];
    assert_eq!(operations, wanted, "one access token serves all calls, and nothing is sent twice");
    sandbox.stop().await;
}

#[tokio::test]
async fn the_client_fetches_a_new_access_token_ahead_of_the_end_of_the_old_one() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client(&sandbox.api_url());
    let asked = async || {
        let entries = sandbox.admin.journal().await;
        entries.iter().filter(|entry| entry["operation"] == "getAccessToken").count()
    };
    let call = async || {
        let now = sandbox.admin.now().await;
        crate::flow::onboard(&client, &now).await.expect("a merchant");
    };
    call().await;
    let before = sandbox.admin.journal().await.len() as u64;
    sandbox.advance(Duration::from_secs(850)).await;
    call().await;
    // The call itself may go on with the old one.
    let again = |entry: &serde_json::Value| entry["operation"] == "getAccessToken";
    sandbox.admin.entry_after(before, "a second access token", again).await;
    sandbox.advance(Duration::from_secs(100)).await;
    call().await;
    assert_eq!(asked().await, 2, "after 850 of 900 seconds, and then not before the new one's end");
}
