//! Steps `call`: our client calls D1, and what must come of it.

use std::collections::BTreeMap;

use d1_client::{
    Card, CardSource, CorrelationId, Error, MerchantId, NewMerchant, NewToken, TokenId, TransactionType,
};

use super::flaw::{Flaw, HASTY, PATIENCE};
use super::judged::told;
use super::miss::{Broken, Miss};
use super::names::{MerchantOf, TokenOf};
use super::our_client::{Done, Made, Send};
use super::player::Player;
use super::transcript::Kind;
use crate::scenario::{self, Call, Named, Request, Step};

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
            self.keep(&ready, &call.request, done);
            self.must_be_news(&call.request).await?;
        }
        self.settle().await?;
        self.leave_doomed(behind)?;
        let attempts = match &result {
            Ok(_) => self.arrived(&ready, &correlation, behind),
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
                self.keep(&ready, &request, done);
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
                self.misses.push(miss);
                self.note_misses();
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
                    gateway.begin_anew().map_err(broken)?;
                }
            }
            _ => {}
        }
        let (began, mut left) = (self.now, HASTY);
        let mut result = self.send(ready, correlation).await?;
        while let (Flaw::IgnoresRetryAfter, Err(Error::Refused { status: 429 | 503, .. }), 1..) =
            (flaw, &result, left)
        {
            left -= 1;
            result = self.send(ready, correlation).await?;
        }
        let again = match (flaw, &result) {
            (Flaw::RepeatsRefused, Err(Error::Refused { .. })) => true,
            (Flaw::RepeatsLost, Err(error)) => error.is_ambiguous(),
            (Flaw::Impatient, _) => std::time::Duration::try_from(self.now.duration_since(began))
                .is_ok_and(|took| took > PATIENCE),
            _ => false,
        };
        if again { self.send(ready, correlation).await } else { Ok(result) }
    }

    /// What was made has its name from here on. The receiver is told nothing: it knows what notifications say.
    fn keep(&mut self, ready: &Ready, request: &Request, done: &Done) {
        let gateway = ready.gateway.clone();
        match (done.made.clone(), request, &ready.send) {
            (Made::Merchant(id), Request::CreateMerchant { merchant, .. }, _) => {
                self.names.merchants.insert(merchant.name.clone(), MerchantOf { gateway, id });
            }
            (
                Made::Token(id),
                Request::CreateToken { token: Some(named), card, .. },
                Send::CreateToken(merchant, _),
            ) => {
                let (merchant, card) = (merchant.clone(), Some(card.name.clone()));
                self.names.tokens.insert(named.name.clone(), TokenOf { gateway, merchant, id, card });
            }
            _ => {}
        }
    }

    /// So many requests of this call came to D1.
    fn arrived(&self, ready: &Ready, correlation: &str, behind: usize) -> u32 {
        let came = self.entries.iter().skip(behind).filter(|entry| {
            entry.is("request")
                && entry.text("operation") == Some(ready.operation)
                && entry.text("correlationId") == Some(correlation)
        });
        u32::try_from(came.count()).unwrap_or(u32::MAX)
    }
}
