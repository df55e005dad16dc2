//! Steps `call`: our client calls D1, and what must come of it.

use std::collections::BTreeMap;

use d1_client::receiver::{TokenKey, TokenRecord};
use d1_client::{
    Card, CardSource, CorrelationId, Error, MerchantId, NewMerchant, NewToken, TokenId, TransactionType,
};
use serde_json::Value;

use super::flaw::{Flaw, PATIENCE};
use super::miss::{Broken, Miss};
use super::names::{MerchantOf, TokenOf};
use super::our_client::{Done, Made, Send};
use super::player::Player;
use super::transcript::Kind;
use crate::scenario::{self, Call, Gives, Named, Request, Scalar, Step, counted};

/// Whose call it is, and what is sent; nothing is left to look up.
struct Ready {
    gateway: String,
    operation: &'static str,
    send: Send,
}

impl Player<'_> {
    pub(super) async fn call(&mut self, step: &Step, call: &Call) -> Result<(), Broken> {
        let ready = match self.ready(&call.request)? {
            Ok(ready) => ready,
            Err(missing) => {
                let miss = Miss::of(step, "to make the call", missing);
                self.misses.push(miss.look("the step that should have made it: it did not come out well"));
                return Ok(());
            }
        };
        let (correlation, behind) = (format!("step-{}", step.number), self.entries.len());
        let result = self.send_as_broken(&ready, &correlation).await?;
        if let Ok(done) = &result {
            self.keep(&ready, &call.request, done).await;
            self.must_be_news(&call.request).await?;
        }
        self.settle().await?;
        self.leave_doomed(behind)?;
        let attempts = match &result {
            Ok(_) => self.arrived(&ready, &correlation),
            Err(error) => error.context().attempts,
        };
        let before = self.misses.len();
        self.judge(step, call, &result, attempts, &correlation);
        if self.misses.len() == before {
            self.note(Kind::Good, told(&result));
        }
        Ok(())
    }

    /// Makes what the stage names, before the first step.
    pub(super) async fn set_the_stage(&mut self) -> Result<(), Broken> {
        let stage = &self.scenario.stage;
        let merchants = stage.merchants.iter().map(|merchant| {
            let request = Request::CreateMerchant {
                gateway: merchant.gateway.clone(),
                merchant_name: Some(merchant.merchant_name.clone()),
                merchant: merchant.name.clone(),
            };
            (&merchant.name, request)
        });
        let tokens = stage.tokens.iter().map(|token| {
            let request = Request::CreateToken {
                merchant: token.merchant.clone(),
                card: token.card.clone(),
                source: None,
                token: Some(token.name.clone()),
            };
            (&token.name, request)
        });
        for (number, (name, request)) in merchants.chain(tokens).enumerate() {
            let ready = match self.ready(&request)? {
                Ok(ready) => ready,
                Err(missing) => return Err(Broken(format!("the stage: {missing}"))),
            };
            let behind = self.entries.len();
            let result = self.send(&ready, &format!("stage-{}", number + 1)).await?;
            if let Ok(done) = &result {
                self.keep(&ready, &request, done).await;
                self.must_be_news(&request).await?;
            }
            self.settle().await?;
            self.leave_doomed(behind)?;
            if let Err(error) = result {
                let Named { name, place } = name.clone();
                let miss = Miss {
                    place,
                    step: 0,
                    path: "of the stage".to_owned(),
                    expected: format!("to make `{name}`"),
                    found: vec![told(&Err(error))],
                    look: "the certificates, the keys and the clock of this stage, and the card".to_owned(),
                };
                self.note(Kind::Miss, miss.told());
                self.misses.push(miss);
                return Ok(());
            }
        }
        Ok(())
    }

    /// What the request says, with ids for names. The inner error is for a name that nothing has, because an earlier
    /// step did not do what it should.
    fn ready(&mut self, request: &Request) -> Result<Result<Ready, String>, Broken> {
        let refused = |fault: d1_client::InvalidValue| Broken(format!("our client: {fault}"));
        Ok(match request {
            Request::CreateMerchant { gateway, merchant_name, merchant } => {
                let name = merchant_name.as_deref().unwrap_or(&merchant.name);
                let send = Send::CreateMerchant(NewMerchant::new(name).map_err(refused)?);
                let gateway = self.gateway(gateway.as_ref())?.0.to_owned();
                Ok(Ready { gateway, operation: "createMerchant", send })
            }
            Request::CreateToken { merchant, card, source, .. } => {
                let Some(known) = self.names.merchants.get(&merchant.name) else {
                    return Ok(Err(format!("no merchant `{}`", merchant.name)));
                };
                let Some((pan, exp)) = self.cards.get(&card.name) else {
                    return Ok(Err(format!("no card `{}`", card.name)));
                };
                let mut new = NewToken::new(Card::new(pan.clone(), exp).map_err(refused)?);
                if let Some(source) = source {
                    new = new.with_source(match source {
                        scenario::CardSource::Manual => CardSource::Manual,
                        scenario::CardSource::OnFile => CardSource::OnFile,
                    });
                }
                let send = Send::CreateToken(known.id.clone(), Box::new(new));
                Ok(Ready { gateway: known.gateway.clone(), operation: "createToken", send })
            }
            Request::GetToken { token } => self.with_token(token, "getToken", Send::GetToken),
            Request::CreateTransaction { token, transaction_type } => {
                let kind = match transaction_type {
                    scenario::TransactionType::Single => TransactionType::Single,
                    scenario::TransactionType::Recurring => TransactionType::Recurring,
                    scenario::TransactionType::Split => TransactionType::Split,
                };
                self.with_token(token, "createTransaction", |merchant, token| {
                    Send::CreateTransaction(merchant, token, kind)
                })
            }
            Request::DeleteToken { token } => self.with_token(token, "deleteToken", Send::DeleteToken),
        })
    }

    fn with_token(
        &self,
        named: &Named,
        operation: &'static str,
        send: impl Fn(MerchantId, TokenId) -> Send,
    ) -> Result<Ready, String> {
        let token = self.names.tokens.get(&named.name).ok_or(format!("no token `{}`", named.name))?;
        let send = send(token.merchant.clone(), token.id.clone());
        Ok(Ready { gateway: token.gateway.clone(), operation, send })
    }

    async fn send(&mut self, ready: &Ready, correlation: &str) -> Result<Result<Done, Error>, Broken> {
        let gateway = self.ground.gateways.get(&ready.gateway);
        let gateway = gateway.ok_or_else(|| Broken("no such gateway".to_owned()))?;
        let (client, clock) = (gateway.client.clone(), gateway.clock.clone());
        let correlation =
            CorrelationId::new(correlation).map_err(|fault| Broken(format!("our client: {fault}")))?;
        let send = ready.send.clone();
        self.through_time(&clock, async move { send.by(&client, correlation).await }).await
    }

    /// Sends it as a client does that is broken in some way.
    async fn send_as_broken(
        &mut self,
        ready: &Ready,
        correlation: &str,
    ) -> Result<Result<Done, Error>, Broken> {
        let Some(flaw) = self.flaw else { return self.send(ready, correlation).await };
        let broken = |failure: super::super::super::exit::Failure| Broken(failure.error.to_string());
        match (flaw, &ready.send) {
            (Flaw::DeletesAtHome, Send::DeleteToken(..)) => {
                return Ok(Ok(Done { members: BTreeMap::new(), made: Made::Nothing }));
            }
            (Flaw::NewTokenEachTime, Send::CreateTransaction(merchant, token, _)) => {
                let known = self.names.tokens.values().find(|known| known.id == *token);
                let card = known.and_then(|known| self.cards.get(known.card.as_ref()?));
                if let Some(card) = card.and_then(|(pan, exp)| Card::new(pan.clone(), exp).ok()) {
                    let send = Send::CreateToken(merchant.clone(), Box::new(NewToken::new(card)));
                    let anew = Ready { gateway: ready.gateway.clone(), operation: "createToken", send };
                    // What it makes is of no use to anybody.
                    let _ = self.send(&anew, correlation).await?;
                }
            }
            (Flaw::NewBearerEachTime, _) => {
                if let Some(gateway) = self.ground.gateways.get_mut(&ready.gateway) {
                    gateway.reconnect().map_err(broken)?;
                }
            }
            _ => {}
        }
        let began = self.now;
        let result = self.send(ready, correlation).await?;
        let again = match (flaw, &result) {
            (Flaw::RepeatsRefused, Err(Error::Refused { .. })) => true,
            (Flaw::RepeatsLost, Err(error)) => error.is_ambiguous(),
            (Flaw::Impatient, _) => std::time::Duration::try_from(self.now.duration_since(began))
                .is_ok_and(|took| took > PATIENCE),
            _ => false,
        };
        if again { self.send(ready, correlation).await } else { Ok(result) }
    }

    /// The gateway keeps what it made, by the names of the scenario, and what its receiver must know of it.
    async fn keep(&mut self, ready: &Ready, request: &Request, done: &Done) {
        let gateway = ready.gateway.clone();
        let (key, record) = match (&done.made, request, &ready.send) {
            (Made::Merchant(id), Request::CreateMerchant { merchant, .. }, _) => {
                self.names.merchants.insert(merchant.name.clone(), MerchantOf { gateway, id: id.clone() });
                return;
            }
            (Made::Token(made), Request::CreateToken { token, card, .. }, Send::CreateToken(merchant, _)) => {
                if let Some(named) = token {
                    let (merchant, id) = (merchant.clone(), made.token_id.clone());
                    let token = TokenOf { gateway, merchant, id, card: Some(card.name.clone()) };
                    self.names.tokens.insert(named.name.clone(), token);
                }
                ((merchant, made.token_id.clone()), TokenRecord::from(&**made))
            }
            (Made::Known(record), _, Send::GetToken(merchant, id)) => {
                ((merchant, id.clone()), (**record).clone())
            }
            _ => return,
        };
        if let Some(gateway) = self.ground.gateways.get(&ready.gateway)
            && let Some(receiver) = &gateway.receiver
        {
            let (merchant_id, token_id) = (key.0.clone(), key.1);
            let key = TokenKey { gateway_id: gateway.id.clone(), merchant_id, token_id };
            let record = match done.made {
                Made::Known(_) => record.as_of(receiver.record(&key).await.as_ref()),
                _ => record,
            };
            receiver.keep(&key, &record).await;
        }
    }

    /// So many requests of this call came to D1.
    fn arrived(&self, ready: &Ready, correlation: &str) -> u32 {
        let came = self.entries.iter().filter(|entry| {
            entry.is("request")
                && entry.text("operation") == Some(ready.operation)
                && entry.text("correlationId") == Some(correlation)
        });
        u32::try_from(came.count()).unwrap_or(u32::MAX)
    }

    fn judge(
        &mut self,
        step: &Step,
        call: &Call,
        result: &Result<Done, Error>,
        attempts: u32,
        correlation: &str,
    ) {
        let mut misses = Vec::new();
        if !gives(&call.gives, result) {
            misses.push(Miss::of(step, wanted(&call.gives), told(result)));
        }
        if let (Some(wanted), Err(error)) = (call.ambiguous, result)
            && error.is_ambiguous() != wanted
        {
            let word =
                |yes: bool| if yes { "it may have been carried out" } else { "it was not carried out" };
            misses.push(Miss::of(step, format!("the client to say that {}", word(wanted)), word(!wanted)));
        }
        if let Some(wanted) = call.attempts.filter(|wanted| *wanted != attempts) {
            misses.push(Miss::of(step, counted(wanted, "attempt"), attempts.to_string()));
        }
        if let Ok(done) = result {
            for (member, wanted) in &call.answer {
                let found = done.members.get(member.as_str()).unwrap_or(&Value::Null);
                if !is(wanted, found) {
                    let expected = format!("`{member}` of the answer to be {}", wanted.told());
                    misses.push(Miss::of(step, expected, shown(found)));
                }
            }
        }
        for miss in misses {
            let nearest = self.of_correlation(correlation);
            let look = "D1's side of the call: the check that failed stands in brackets behind its status";
            self.misses.push(miss.nearest(nearest).look(look));
        }
    }

    /// D1's side of a call, a line an exchange.
    fn of_correlation(&self, correlation: &str) -> Vec<String> {
        let of_it = self.entries.iter().filter(|entry| entry.text("correlationId") == Some(correlation));
        let lines = of_it.filter_map(|entry| {
            let line = super::transcript::line_of(entry, self.step, &self.names)?;
            Some(format!("{}{}", line.text, self.names.in_journal(entry.n)))
        });
        lines.collect()
    }
}

/// Whether a value is as it must be.
pub(super) fn is(wanted: &Scalar, found: &Value) -> bool {
    match wanted {
        Scalar::Text(text) => found.as_str() == Some(text),
        Scalar::Whole(number) => found.as_i64() == Some(*number),
        Scalar::Truth(truth) => found.as_bool() == Some(*truth),
        Scalar::Absent => found.is_null(),
    }
}

/// A value as it is told.
pub(super) fn shown(found: &Value) -> String {
    match found {
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

fn gives(wanted: &Gives, result: &Result<Done, Error>) -> bool {
    match (wanted, result) {
        (Gives::Ok, Ok(_))
        | (Gives::NoAnswer, Err(Error::NoAnswer { .. }))
        | (Gives::Unreadable, Err(Error::Unreadable { .. }))
        | (Gives::NotSent, Err(Error::Prepare { .. })) => true,
        (Gives::Refused { status: wanted, error_code }, Err(Error::Refused { status, code, .. })) => {
            wanted.is_none_or(|wanted| wanted == u32::from(*status))
                && error_code
                    .as_ref()
                    .is_none_or(|wanted| code.as_ref().is_some_and(|code| code.as_str() == wanted))
        }
        _ => false,
    }
}

fn wanted(gives: &Gives) -> String {
    match gives {
        Gives::Ok => "the call to come out well".to_owned(),
        Gives::Refused { status, error_code } => {
            let status = status.map_or("a refusal".to_owned(), |status| format!("a refusal with {status}"));
            let code = error_code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
            format!("{status}{code}")
        }
        Gives::NoAnswer => "no answer".to_owned(),
        Gives::Unreadable => "an answer that cannot be read".to_owned(),
        Gives::NotSent => "nothing to be sent".to_owned(),
    }
}

/// What came, without what only this run has.
fn told(result: &Result<Done, Error>) -> String {
    match result {
        Ok(_) => "it came out well".to_owned(),
        Err(Error::Prepare { reason, .. }) => format!("nothing was sent: {reason}"),
        Err(Error::NoAnswer { loss, .. }) => format!("no answer: {loss}"),
        Err(Error::Unreadable { status, reason, .. }) => format!("{status}, unreadable: {reason}"),
        Err(Error::Refused { status, code, error, .. }) => {
            let code = code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
            let error = error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
            format!("refused with {status}{code}{error}")
        }
        Err(other) => other.to_string(),
    }
}
