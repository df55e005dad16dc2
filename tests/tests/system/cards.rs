//! The test cards do what their table says (contract C30).

use std::time::Duration;

use d1_fixtures::{Behaviour, IssuerEvent, TestCard};
use serde_json::{Value, json};
use system_tests::{Answer, Caller, Papers, Port, Sandbox, ScriptedReceiver};

struct Bench {
    sandbox: Sandbox,
    receiver: ScriptedReceiver,
    caller: Caller,
    bearer: String,
    merchant: String,
}

impl Bench {
    async fn new() -> Self {
        let port = Port::take();
        let sandbox = Sandbox::notifying(port.url()).await;
        let receiver = ScriptedReceiver::start(&sandbox.folder, port, Vec::new(), Vec::new());
        let caller = sandbox.caller(Papers::good());
        let bearer = caller.bearer().await;
        let merchant = caller.merchant(&bearer).await;
        Self { sandbox, receiver, caller, bearer, merchant }
    }

    async fn tokenize(&self, card: &TestCard) -> Answer {
        self.caller.tokenize(&self.bearer, &self.merchant, &card.pan, &card.exp).await
    }

    async fn approved(&self, card: &TestCard) -> String {
        let answer = self.tokenize(card).await;
        assert_eq!(answer.status, 201, "{}: {}", card.name, answer.json());
        answer.text("tokenId")
    }

    /// The notification of the token's first event.
    async fn told(&self, token: &str, event: IssuerEvent) -> Value {
        let delivery = self.sandbox.admin.delivery(token, 1, 1).await;
        assert_eq!(delivery["outcome"], "delivered");
        self.receiver.assert_clean();
        let got = self.receiver.got();
        let told = got.iter().find(|got| got.path.contains(token)).expect("a notification").body.clone();
        let wanted = match event {
            IssuerEvent::TokenSuspend => "TOKEN_SUSPENDED",
            IssuerEvent::TokenResume => "TOKEN_RESUMED",
            IssuerEvent::TokenDelete | IssuerEvent::CardDelete => "TOKEN_DELETED",
            IssuerEvent::TokenExtend => "TOKEN_UPDATED",
            IssuerEvent::CardRenew | IssuerEvent::CardReplace => "CARD_UPDATED",
        };
        assert_eq!(told["eventType"], wanted);
        told
    }

    async fn check(&self, card: &TestCard) {
        match card.behaviour {
            Behaviour::Approve => {
                self.approved(card).await;
            }
            Behaviour::Decline => {
                for _ in 0..2 {
                    let answer = self.tokenize(card).await;
                    let code = answer.text("errorCode");
                    assert_eq!(
                        (answer.status, code.as_str()),
                        (403, "TOKENIZATION_DECLINED"),
                        "{}",
                        card.name
                    );
                }
            }
            Behaviour::Unavailable { times } => {
                for _ in 0..times {
                    let answer = self.tokenize(card).await;
                    let code = answer.text("errorCode");
                    assert_eq!((answer.status, code.as_str()), (503, "SERVICE_UNAVAILABLE"), "{}", card.name);
                }
                self.approved(card).await;
            }
            Behaviour::Slow { seconds } => self.check_slow(card, u64::from(seconds)).await,
            Behaviour::AfterFirstUse { event } => {
                let token = self.approved(card).await;
                let paid = self.caller.pay(&self.bearer, &self.merchant, &token).await;
                assert_eq!(paid.status, 201, "{}", card.name);
                self.told(&token, event).await;
            }
            Behaviour::Soon { seconds, event } => {
                let token = self.approved(card).await;
                let just_before = Duration::from_secs(u64::from(seconds)) - Duration::from_millis(1);
                self.sandbox.advance(just_before).await;
                assert!(
                    !self
                        .sandbox
                        .admin
                        .journal_text()
                        .await
                        .contains(&format!("\"cause\":\"{}\"", event.as_str()))
                );
                self.sandbox.advance(Duration::from_millis(1)).await;
                let told = self.told(&token, event).await;
                let now = self.sandbox.admin.now().await;
                assert_eq!(told["lastUpdateTimestamp"], json!(now), "at its moment on the sandbox clock");
            }
        }
    }

    /// Only the clock lets the answer go.
    async fn check_slow(&self, card: &TestCard, seconds: u64) {
        let mut answer = std::pin::pin!(self.tokenize(card));
        let creations = || async {
            let text = self.sandbox.admin.journal_text().await;
            text.matches("\"cause\":\"token.created\"").count()
        };
        let before = creations().await;
        // Asked over and over until the request has surely reached the sandbox's clock: an answer that came in
        // spite of the clock would be seen here.
        for _ in 0..20 {
            tokio::select! {
                biased;
                early = &mut answer => panic!("{}: answered {} at once", card.name, early.status),
                count = creations() => assert_eq!(count, before, "{}", card.name),
            }
        }
        // A request that had not got there yet counts its seconds from when it does.
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answer => break answer,
                () = self.sandbox.advance(Duration::from_secs(seconds)) => {}
            }
        };
        assert_eq!(answer.status, 201, "{}", card.name);
        assert_eq!(creations().await, before + 1);
    }
}

#[tokio::test]
async fn every_card_of_the_table_behaves_as_the_table_says() {
    let cards = d1_fixtures::test_cards().expect("the table");
    assert!(cards.len() >= 8, "the whole table");
    for card in &cards {
        // A sandbox each: what one card has planned does not come in the way of the next.
        Bench::new().await.check(card).await;
    }
}

#[tokio::test]
async fn the_client_repeats_a_tokenization_that_is_unavailable_twice_and_makes_one_token() {
    let sandbox = Sandbox::start().await;
    let tap = system_tests::Tap::inbound(&sandbox.folder, sandbox.api_url());
    let start = std::time::UNIX_EPOCH + Duration::from_millis(system_tests::START_MS.unsigned_abs());
    let config =
        system_tests::client_config(&sandbox.folder, &tap.url()).clock(d1_client::Clock::skipping(start));
    let client = d1_client::Client::new(config).expect("a client");
    let now = sandbox.admin.now().await;
    let merchant = crate::flow::onboard(&client, &now).await.expect("a merchant");
    let card = d1_client::Card::new("9999990000000030", "1239").expect("a card");
    client.create_token(&merchant, &d1_client::NewToken::new(card), None).await.expect("a token");
    let contract = tap.contract();
    let statuses: Vec<u16> = tap
        .exchanges()
        .iter()
        .filter(|one| one.operation(contract) == Some("createToken"))
        .map(|one| one.status)
        .collect();
    assert_eq!(statuses, [503, 503, 201]);
    tap.assert_clean();
}
