//! The whole first payment.

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
