//! Life-cycle events, from the issuer to the gateway's store.

use system_tests::{GatewayReceiver, Port, Sandbox, Tap};

use crate::flow::LifeCycle;

#[tokio::test]
async fn every_event_of_the_issuer_reaches_the_handler_and_the_store_within_the_contract() {
    let folder = system_tests::Folder::shared();
    let clock = d1_client::Clock::system();
    let receiver = GatewayReceiver::start(&folder, Port::take(), None, clock);
    let outbound = Tap::outbound(&folder, receiver.url.clone());
    let sandbox = Sandbox::notifying(outbound.url()).await;
    let inbound = Tap::inbound(&folder, sandbox.api_url());
    let (client, now) = (sandbox.client(&inbound.url()), sandbox.admin.now().await);
    let life = LifeCycle { client: &client, admin: &sandbox.admin, receiver: &receiver, now: &now };
    assert_eq!(life.whole().await, Ok(()));
    inbound.assert_clean();
    outbound.assert_clean();
    assert_eq!(outbound.exchanges().len(), 7, "one notification for each cause, none of them twice");
    assert!(outbound.exchanges().iter().all(|exchange| exchange.status == 204));
}

#[tokio::test]
async fn a_gateway_is_not_told_of_its_own_deletion_of_a_token() {
    let folder = system_tests::Folder::shared();
    let receiver = GatewayReceiver::start(&folder, Port::take(), None, d1_client::Clock::system());
    let sandbox = Sandbox::notifying(receiver.url.clone()).await;
    let (client, now) = (sandbox.client(&sandbox.api_url()), sandbox.admin.now().await);
    let merchant = crate::flow::onboard(&client, &now).await.expect("a merchant");
    let gone = crate::flow::tokenize(&client, &merchant, &now).await.expect("a token").token_id;
    let kept = crate::flow::tokenize(&client, &merchant, &now).await.expect("a token").token_id;
    client.delete_token(&merchant, &gone, None).await.expect("deleted");
    sandbox.admin.event(kept.as_str(), "token.suspend", serde_json::json!({})).await;
    sandbox.admin.delivery(kept.as_str(), 1, 1).await;
    // Notifications are taken out in the order in which they are due: one of the deletion would be here by now.
    let told: Vec<_> = receiver.seen.all().into_iter().map(|(told, _)| told.token_id).collect();
    assert_eq!(told, [kept]);
}
