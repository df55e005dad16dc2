//! Client and simulator together against a plain model of both, under any doings of gateway, issuer and time, legal and
//! illegal ones: over real mutual TLS, every exchange held against the contract, every answer and notification against the
//! model.

mod plain;
mod scenario;

use std::fmt::Debug;
use std::time::Duration;

use d1_client::receiver::Notification;
use d1_client::{
    Card, Client, Error, MerchantId, NewMerchant, NewToken, Operation, Retry, TokenDetails, TokenId,
    TransactionType,
};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use serde_json::json;
use system_tests::{GatewayReceiver, Port, Sandbox, Tap};
use tokio::runtime::Runtime;

use crate::flow::Checked;
use plain::{Model, Refusal, Told};
use scenario::{GOOD_CARDS, Scenario, Step};

/// The card that is always declined.
const DECLINED: &str = "9999990000000022";

/// Client, sandbox and receiver, with a proxy on each way. All scenarios of a test share them.
struct Stage {
    sandbox: Sandbox,
    receiver: GatewayReceiver,
    client: Client,
    inbound: Tap,
    outbound: Tap,
    scenarios: u64,
}

impl Stage {
    async fn new() -> Self {
        let folder = system_tests::Folder::shared();
        let port = Port::take();
        let outbound = Tap::outbound(&folder, port.url());
        let sandbox = Sandbox::notifying(outbound.url()).await;
        let receiver = GatewayReceiver::start(&folder, port, None, sandbox.clock.clone());
        let inbound = Tap::inbound(&folder, sandbox.api_url());
        let client = sandbox.client(&inbound.url());
        Self { sandbox, receiver, client, inbound, outbound, scenarios: 0 }
    }

    /// Plays a scenario, and says what went otherwise than the model has it.
    async fn play(&mut self, scenario: &Scenario, model: Model) -> Checked {
        self.scenarios += 1;
        let cards = (0..GOOD_CARDS as u64).map(|card| pan(self.scenarios * 10 + card)).collect();
        let mut run = Run { stage: self, cards, merchants: Vec::new(), tokens: Vec::new(), model };
        for (number, step) in scenario.steps.iter().enumerate() {
            run.make(step).await.map_err(|fault| format!("step {number}: {fault}"))?;
        }
        run.stores().await.map_err(|fault| format!("at the end: {fault}"))?;
        same("faults of exchanges", &[self.inbound.faults(), self.outbound.faults()].concat(), &Vec::new())
    }
}

/// A card number that no other scenario has: cards outlive scenarios.
fn pan(number: u64) -> String {
    let with = |check: u64| format!("400000{:010}", number * 10 + check);
    (0..10).map(with).find(|pan| d1_fixtures::luhn_valid(pan)).expect("one of ten check digits is right")
}

/// A scenario that is being played: what the model knows by number, by its identifier.
struct Run<'a> {
    stage: &'a Stage,
    cards: Vec<String>,
    merchants: Vec<MerchantId>,
    tokens: Vec<TokenId>,
    model: Model,
}

/// For what is no secret.
fn same<T: PartialEq + Debug>(what: &str, found: &T, wanted: &T) -> Checked {
    if found == wanted { Ok(()) } else { Err(format!("{what}: found {found:?}, wanted {wanted:?}")) }
}

/// The end of a call is the one that the model has, and a refusal says that it is final and in no doubt (contract C34).
fn ended<T>(
    operation: Operation,
    found: Result<T, Error>,
    wanted: Result<(), Refusal>,
) -> Checked<Option<T>> {
    let error = match (found, wanted) {
        (Ok(found), Ok(())) => return Ok(Some(found)),
        (Ok(_), Err(wanted)) => return Err(format!("{operation}: found success, wanted {wanted:?}")),
        (Err(error), Ok(())) => return Err(format!("{operation}: found {error}, wanted success")),
        (Err(error), Err(_)) => error,
    };
    let advice = (error.retry(), error.is_ambiguous(), error.context().operation);
    same("advice", &advice, &(Retry::Never, false, operation))?;
    let Error::Refused { status, code: Some(code), error: Some(_), retry_after: None, .. } = &error else {
        return Err(format!("{operation}: found {error}, wanted a refusal"));
    };
    same("refusal", &Err((*status, code.as_str())), &wanted)?;
    Ok(None)
}

impl Run<'_> {
    async fn make(&mut self, step: &Step) -> Checked {
        let client = &self.stage.client;
        match *step {
            Step::Register => self.register().await?,
            Step::Tokenize { merchant, card } => self.tokenize(merchant, card).await?,
            Step::Get { token, merchant } => {
                let wanted = self.model.get(token, merchant);
                let found = client.get_token(&self.merchant(merchant), &self.token(token), None).await;
                ended(Operation::GetToken, found, wanted)?;
            }
            Step::Pay { token } => self.pay(token).await?,
            Step::Delete { token } => {
                let wanted = self.model.delete(token);
                let found = client.delete_token(&self.merchant_of(token), &self.token(token), None).await;
                ended(Operation::DeleteToken, found, wanted)?;
            }
            Step::Event { token, ref event, months, pan } => self.event(token, event, months, pan).await?,
            Step::Pass { seconds } => self.stage.sandbox.advance(Duration::from_secs(seconds.into())).await,
        }
        self.compare().await
    }

    async fn register(&mut self) -> Checked {
        self.model.register();
        let new = NewMerchant::new("Corner Bookshop").map_err(|fault| fault.to_string())?;
        let found = self.stage.client.create_merchant(&new, None).await;
        let merchant = ended(Operation::CreateMerchant, found, Ok(()))?.ok_or("no merchant")?;
        same("a known merchant's id", &self.merchants.contains(&merchant.merchant_id), &false)?;
        self.merchants.push(merchant.merchant_id);
        Ok(())
    }

    async fn tokenize(&mut self, merchant: usize, card: usize) -> Checked {
        let now = self.stage.sandbox.admin.now().await;
        let month = now[..4].parse::<i32>().ok().zip(now[5..7].parse::<i32>().ok());
        let (year, month) = month.ok_or("no time")?;
        let wanted = self.model.tokenize(merchant, card, year * 12 + month - 1);
        let pan = self.cards.get(card).map_or(DECLINED, String::as_str);
        let new = NewToken::new(Card::new(pan, "1239").map_err(|fault| fault.to_string())?);
        let found = self.stage.client.create_token(&self.merchant(merchant), &new, None).await;
        if let Some(token) = ended(Operation::CreateToken, found, wanted)? {
            same("creationTimestamp", &token.creation_timestamp, &Some(now))?;
            self.tokens.push(token.token_id);
        }
        Ok(())
    }

    async fn pay(&self, token: usize) -> Checked {
        let (merchant, id) = (self.merchant_of(token), self.token(token));
        let wanted = self.model.pay(token);
        let kind = TransactionType::Single;
        let found = self.stage.client.create_transaction(&merchant, &id, kind, None).await;
        let Some(payment) = ended(Operation::CreateTransaction, found, wanted)? else { return Ok(()) };
        let details = self.details(token).await?.ok_or("a token that pays is not there")?;
        // Neither is shown.
        same("the payment has the token's DPAN", &(payment.network_token == details.network_token), &true)
    }

    /// Lets the issuer do it, and waits until each gateway was told.
    async fn event(&mut self, token: usize, event: &str, months: Option<i16>, pan: Option<usize>) -> Checked {
        let mut body =
            json!({"gateway": system_tests::GATEWAY, "tokenId": self.token(token).as_str(), "event": event});
        if let Some(date) = self.model.given_date(token, months) {
            body["exp"] = date.into();
        }
        if let Some(card) = pan {
            body["pan"] = self.cards[card].as_str().into();
        }
        let wanted = self.model.event(token, event, months, pan);
        let (status, answer) = self.stage.sandbox.admin.post("/events", body).await;
        same("status of the event", &status, &wanted.as_ref().map_or_else(|status| *status, |_| 202))?;
        for told in wanted.unwrap_or_default() {
            let first = answer["journal"].as_u64().ok_or("no number of a journal entry")?;
            self.told(&told, first).await?;
        }
        Ok(())
    }

    /// The handler was given what the model says, once it was delivered.
    async fn told(&self, told: &Told, first: u64) -> Checked {
        let (Stage { sandbox, receiver, .. }, token) = (self.stage, self.token(told.token));
        let delivery = sandbox.admin.entry_after(first, "a delivery", |entry| {
            entry["kind"] == "delivery"
                && entry["tokenId"] == token.as_str()
                && entry["sequence"] == told.sequence
        });
        same("outcome of the delivery", &delivery.await["outcome"], &json!("delivered"))?;
        let seen = receiver.seen.last_of(token.as_str());
        let (found, _) = seen.ok_or("the handler was told nothing")?;
        self.check_told(&found, told)
    }

    fn check_told(&self, found: &Notification, told: &Told) -> Checked {
        same("merchant", &found.merchant_id, &self.merchant_of(told.token))?;
        same("sequence", &found.sequence, &Some(told.sequence))?;
        same("eventType", &found.event_type.as_ref().map(|kind| kind.as_str()), &Some(told.kind))?;
        same("state", &found.state.as_ref().map(|state| state.as_str()), &Some(told.state))?;
        let dates = (&found.card_expiry_date, &found.token_expiry_date);
        same("dates", &dates, &(&Some(told.card_expiry.clone()), &Some(told.token_expiry.clone())))?;
        same("credentials", &found.network_token.is_some(), &told.credentials)?;
        self.last_digits(&found.card_last_digits, told.card)
    }

    fn last_digits(&self, found: &Option<String>, card: Option<usize>) -> Checked {
        let wanted = card.map(|card| self.cards[card][12..].to_owned());
        same("cardLastDigits", &found.as_ref().map(String::len), &Some(4))?;
        if wanted.is_some() { same("cardLastDigits", found, &wanted) } else { Ok(()) }
    }

    /// Every token is as the model says.
    async fn compare(&mut self) -> Checked {
        for number in 0..self.tokens.len() {
            let Some(TokenDetails { token, network_token, .. }) = self.details(number).await? else {
                continue;
            };
            same("tokenId", &token.token_id, &self.tokens[number])?;
            let state = token.state.as_ref().map(|state| state.as_str());
            same("state", &state, &Some(self.model.state(number)))?;
            let (card, end) = self.model.dates(number);
            same(
                "dates",
                &(token.card_expiry_date, token.token_expiry_date),
                &(Some(card), Some(end.clone())),
            )?;
            same("exp", &network_token.exp, &end)?;
            self.last_digits(&token.card_last_digits, self.model.known_card(number))?;
            let dpan = network_token.dpan.expose();
            same("tokenLastDigits", &token.token_last_digits.as_deref(), &dpan.get(12..))?;
            self.model.check_dpan(number, dpan)?;
        }
        Ok(())
    }

    /// What the receiver has in its store at the end is the newest that was told.
    async fn stores(&self) -> Checked {
        for number in 0..self.tokens.len() {
            let record = self.stage.receiver.record(&self.merchant_of(number), &self.token(number)).await;
            let (told, credentials) = self.model.told(number);
            let (record, told) = match (record, told) {
                (None, None) => continue,
                (Some(record), Some(told)) => (record, told),
                (found, _) => return Err(format!("token {number} is in the store: {}", found.is_some())),
            };
            same("sequence in the store", &record.position.sequence, &Some(told.sequence))?;
            let state = record.state.as_ref().map(|state| state.as_str());
            same("state in the store", &state, &Some(told.state))?;
            let (found, wanted) = (
                (record.card_expiry_date, record.token_expiry_date),
                (&told.card_expiry, &told.token_expiry),
            );
            same("dates in the store", &found, &(Some(wanted.0.clone()), Some(wanted.1.clone())))?;
            self.last_digits(&record.card_last_digits, told.card)?;
            same("credentials in the store", &record.network_token.is_some(), &credentials)?;
            if let (Some(kept), Some(present)) = (record.network_token, self.details(number).await?) {
                same("the DPAN in the store is the present one", &(kept == present.network_token), &true)?;
            }
        }
        Ok(())
    }

    /// What D1 says of a token; nothing if it is gone and is to be.
    async fn details(&self, token: usize) -> Checked<Option<TokenDetails>> {
        let merchant = self.merchant_of(token);
        let wanted = self.model.get(token, self.model.merchant(token));
        let found = self.stage.client.get_token(&merchant, &self.token(token), None).await;
        ended(Operation::GetToken, found, wanted)
    }

    /// A merchant that never was has an id too.
    fn merchant(&self, merchant: usize) -> MerchantId {
        let never = || MerchantId::new("99999999999").expect("an id");
        self.merchants.get(merchant).cloned().unwrap_or_else(never)
    }

    /// So has a token.
    fn token(&self, token: usize) -> TokenId {
        let never = || TokenId::new("00000000-0000-4000-8000-000000000000").expect("an id");
        self.tokens.get(token).cloned().unwrap_or_else(never)
    }

    fn merchant_of(&self, token: usize) -> MerchantId {
        let known = token < self.tokens.len();
        self.merchant(if known { self.model.merchant(token) } else { 0 })
    }
}

/// The surroundings of a test, and what makes them go.
fn stage() -> (Runtime, std::cell::RefCell<Stage>) {
    let runtime = Runtime::new().expect("a runtime");
    let stage = runtime.block_on(Stage::new());
    (runtime, stage.into())
}

#[test]
fn any_scenario_goes_as_the_model_says() {
    let (runtime, stage) = stage();
    let config = ProptestConfig { cases: 12, max_shrink_iters: 200, ..ProptestConfig::default() };
    let gone = TestRunner::new(config).run(&scenario::any_scenario(), |scenario| {
        let played = runtime.block_on(stage.borrow_mut().play(&scenario, Model::default()));
        played.map_err(TestCaseError::fail)
    });
    match gone {
        Ok(()) => {}
        Err(TestError::Fail(reason, least)) => panic!("{reason}\nin\n{least}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// As a counterexample is printed and pasted. A model that was told wrongly stands for a sandbox or a client that does wrong.
#[test]
fn a_pasted_scenario_is_played_and_a_fault_is_found_in_it() {
    let pasted = "steps:
  - register
  - tokenize: {merchant: 0, card: 0}
  - event: {token: 0, event: card.replace, months: 36, pan: 1}
  - event: {token: 0, event: token.suspend}
  - pass: {seconds: 3600}
  - pay: {token: 0}
  - get: {token: 0, merchant: 1}
  - delete: {token: 0}
";
    let scenario: Scenario = serde_saphyr::from_str(pasted).expect("a scenario");
    assert_eq!(scenario.to_string(), pasted);
    let (runtime, stage) = stage();
    let play = |model| runtime.block_on(stage.borrow_mut().play(&scenario, model));
    assert_eq!(play(Model::default()), Ok(()));
    let found = play(Model::told_wrongly()).expect_err("a suspended token does not pay");
    assert!(found.starts_with("step 5: createTransaction") && found.contains("403"), "{found}");
}
