//! Steps in which others do something: the issuer, the network, the receiver, the gateway's clock.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::admin::Answer;
use super::flaw::Flaw;
use super::happened::Entry;
use super::miss::{Broken, Miss};
use super::names::TokenOf;
use super::player::Player;
use super::receiver::OwnReceiver;
use super::transcript::Kind;
use crate::scenario::{
    Action, Certificate, Fault, Forge, ForgeAnswer, Forgery, Issuer, Named, ReceiverMode, ReceiverStep, Skew,
    Step, Target,
};

impl Player<'_> {
    pub(super) async fn issuer(&mut self, step: &Step, issuer: &Issuer) -> Result<(), Broken> {
        self.note_what_was().await?;
        let token = match &issuer.target {
            Target::Token(named) => self.names.tokens.get(&named.name),
            // Any of its tokens will do, as long as it lives: `check` has seen to it that they have one number.
            Target::Card(named) => {
                let of_card = |token: &&TokenOf| token.card.as_ref() == Some(&named.name);
                let mut all = self.names.tokens.values().filter(of_card);
                all.find(|token| issuer.forbidden || !self.deleted.contains(token.id.as_str()))
            }
        };
        let Some(token) = token else {
            let miss = Miss::of(step, "a live token for the issuer to act on", "none");
            self.misses.push(miss.look("the step that should have made it"));
            return Ok(());
        };
        let mut body = json!({
            "gateway": self.names.gateways.get(&token.gateway),
            "tokenId": token.id.as_str(),
            "event": issuer.event.as_str(),
        });
        if let Some(expiry) = &issuer.expiry {
            body["exp"] = json!(expiry);
        }
        if let Some(pan) = &issuer.pan {
            body["pan"] = json!(pan);
        }
        let answer = self.ground.admin.post("events", &body).await?;
        let forbidden = answer.status == 409 && answer.body["errorCode"] == "FORBIDDEN_STATE";
        let fits = if issuer.forbidden { forbidden } else { answer.status == 202 };
        if !fits {
            let expected = match issuer.forbidden {
                true => format!("the state to forbid `{}`", issuer.event),
                false => format!("the issuer to do `{}`", issuer.event),
            };
            let found =
                if answer.status == 202 { "the issuer has done it".to_owned() } else { answer.told() };
            let miss = Miss::of(step, expected, found);
            self.misses
                .push(miss.look("the state of the token by then: each transition stands in the transcript"));
        }
        Ok(())
    }

    /// All tokens, as D1 has them.
    pub(super) async fn tokens_of_d1(&self) -> Result<Vec<Value>, Broken> {
        let list = |value: &Value, member: &str| value[member].as_array().cloned().unwrap_or_default();
        let mut tokens = Vec::new();
        for id in self.names.gateways.values() {
            let state = self.ground.admin.get(&format!("state?gateway={id}")).await?;
            let merchants =
                list(&state, "gateways").into_iter().flat_map(|gateway| list(&gateway, "merchants"));
            tokens.extend(merchants.flat_map(|merchant| list(&merchant, "tokens")));
        }
        Ok(tokens)
    }

    pub(super) async fn fault(&mut self, step: &Step, fault: &Fault) -> Result<(), Broken> {
        let mut body = fault.body.clone();
        let mut put = |member: &str, id: Option<String>| match id {
            Some(id) => {
                body.insert(member.to_owned(), Value::from(id));
                Ok(())
            }
            None => Err(Broken(format!("fault: nothing is called as `{member}` says"))),
        };
        if let Some(named) = &fault.gateway {
            put("gateway", self.names.gateways.get(&named.name).cloned())?;
        }
        if let Some(named) = &fault.merchant {
            put("merchant", self.names.merchants.get(&named.name).map(|known| known.id.as_str().to_owned()))?;
        }
        if let Some(named) = &fault.token {
            put("token", self.names.tokens.get(&named.name).map(|known| known.id.as_str().to_owned()))?;
        }
        if let Some(named) = &fault.card {
            put("card", self.test_card(named))?;
        }
        let answer = self.ground.set_fault(body).await?;
        self.must(step, &answer, 201, "the fault to be taken");
        if fault.effect == "handshake" {
            // Who has a connection needs no handshake.
            let whose = fault.gateway.as_ref().map(|named| named.name.as_str());
            for (name, gateway) in &mut self.ground.gateways {
                if whose.is_none_or(|whose| whose == name) {
                    gateway.reconnect().map_err(|failure| Broken(failure.error.to_string()))?;
                }
            }
        }
        self.faults.push(fault.name.name.clone());
        Ok(())
    }

    pub(super) async fn lift(&mut self, step: &Step, name: &Named) -> Result<(), Broken> {
        let answer = self.ground.lift_fault(&name.name).await?;
        self.must(step, &answer, 204, "the fault to be lifted");
        self.faults.retain(|other| *other != name.name);
        Ok(())
    }

    fn must(&mut self, step: &Step, answer: &Answer, status: u16, expected: &str) {
        if answer.status != status {
            let miss = Miss::of(step, expected, answer.told());
            self.misses.push(miss.look("what the step says, and `d1sim scenario check`"));
        }
    }

    /// The test card that a card of the scenario is.
    fn test_card(&self, named: &Named) -> Option<String> {
        let card = self.scenario.stage.cards.iter().find(|card| card.name.name == named.name)?;
        match &card.card {
            crate::scenario::CardGiven::Test(test) => Some(test.name.clone()),
            crate::scenario::CardGiven::Number { .. } => None,
        }
    }

    pub(super) async fn forge(&mut self, step: &Step, forge: &Forge) -> Result<(), Broken> {
        let Some(token) = self.names.tokens.get(&forge.token.name) else {
            self.misses.push(Miss::of(step, "a token to forge a notification of", "none"));
            return Ok(());
        };
        let whose = token.gateway.clone();
        let body = json!({
            "gateway": self.names.gateways.get(&token.gateway),
            "tokenId": token.id.as_str(),
            "as": forge.forgery.as_str(),
        });
        let answer = self.ground.admin.post("notifications/forged", &body).await?;
        if answer.status != 202 {
            self.misses.push(Miss::of(step, "the notification to be forged", answer.told()));
            return Ok(());
        }
        let queued = answer.body["journal"].as_u64().unwrap_or(u64::MAX);
        self.settle().await?;
        let sent =
            |entry: &&Entry| entry.n > queued && entry.is("delivery") && entry.text("forged").is_some();
        let Some(sent) = self.entries.iter().find(sent) else {
            return Err(Broken("the forged notification was not sent".to_owned()));
        };
        let status = sent.status();
        let gateway = self.ground.gateways.get(&whose);
        let up = gateway.and_then(|gateway| gateway.receiver.as_ref()).is_none_or(OwnReceiver::is_up);
        // TLS answers a certificate; who is not there has refused nothing.
        let shut_out = forge.forgery == Forgery::WrongCertificate && up && sent.ended();
        let fits = match forge.answered {
            None => true,
            Some(ForgeAnswer::Taken) => status.is_some_and(|status| (200..300).contains(&status)),
            Some(ForgeAnswer::Refused) => status.map_or(shut_out, |status| (400..500).contains(&status)),
            Some(ForgeAnswer::Status(wanted)) => status == Some(u64::from(wanted)),
        };
        if !fits {
            let expected = match forge.answered {
                Some(ForgeAnswer::Taken) => "the receiver to take it".to_owned(),
                Some(ForgeAnswer::Status(wanted)) => format!("the receiver to answer {wanted}"),
                _ => "the receiver to refuse it".to_owned(),
            };
            let miss = Miss::of(step, expected, super::happened::answered(status));
            self.misses.push(miss.look("how the receiver knows D1: its certificate, and the key of the JWE"));
        }
        Ok(())
    }

    pub(super) fn receiver(&mut self, step: &ReceiverStep) -> Result<(), Broken> {
        let (_, gateway) = self.gateway(step.gateway.as_ref())?;
        if let Some(receiver) = &gateway.receiver {
            receiver.set(step.mode);
        }
        let text = match step.mode {
            ReceiverMode::Up => "the receiver is up".to_owned(),
            ReceiverMode::Down => "the receiver is down".to_owned(),
            ReceiverMode::Answers(status) => format!("the receiver answers {status}"),
        };
        self.note(Kind::Event, text);
        Ok(())
    }

    pub(super) fn skew(&mut self, skew: &Skew) -> Result<(), Broken> {
        let by = SignedDuration::try_from(skew.by).map_err(|fault| Broken(fault.to_string()))?;
        let (by, now) = (if skew.ahead { by } else { -by }, self.now);
        self.gateway(skew.gateway.as_ref())?.1.skew(by, now);
        Ok(())
    }

    pub(super) fn certificate(&mut self, step: &Certificate) -> Result<(), Broken> {
        let mut before = self.scenario.steps.iter().take_while(|other| other.number < self.step);
        let renewal = before.any(|other| matches!(other.action, Action::Certificate(_)));
        if renewal && self.flaw == Some(Flaw::KeepsCertificate) {
            return Ok(());
        }
        let (now, lifetime) = (self.now, step.lifetime);
        let authority = self.ground.authority.clone();
        let authority = authority.ok_or_else(|| Broken("the sandbox folder is not at hand".to_owned()))?;
        let (_, gateway) = self.gateway(step.gateway.as_ref())?;
        let minted = authority.sign(gateway.id.as_str(), now, lifetime);
        let (certificate, key) = minted.map_err(|failure| Broken(failure.error.to_string()))?;
        gateway.show(certificate, key).map_err(|failure| Broken(failure.error.to_string()))
    }
}
