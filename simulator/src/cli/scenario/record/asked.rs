//! Calls and faults of the journal as steps.

use d1_fixtures::Behaviour;
use serde_json::Value;

use super::super::run::happened::Entry;
use super::calls::{Came, Made};
use super::story::{Story, Token};
use super::yaml::Yaml;
use crate::scenario::is_name;

/// Faults that leave no trace of what was to be called.
const TRACELESS: [&str; 2] = ["stall", "handshake"];

/// A request as a step says it, and the name of what it makes.
struct Asked {
    request: Yaml,
    makes: Option<String>,
    card: Option<String>,
}

impl<'e> Story<'e> {
    pub(super) fn request(&mut self, entry: &'e Entry) {
        let Some(operation) = entry.text("operation") else {
            let (method, path) =
                (entry.text("method").unwrap_or_default(), entry.text("path").unwrap_or_default());
            self.pieces.note(entry.n, format!("{method} {path} is no operation of D1"));
            return;
        };
        if operation == "getAccessToken" {
            self.access_token(entry);
        } else if let Some(made) = self.calls.remove(&entry.n)
            && let Err(why) = self.call(&made)
        {
            made.attempts.iter().for_each(|one| self.pieces.note(one.n, format!("{operation}: {why}")));
        }
    }

    /// Our client asks for access tokens by itself. A call that has none is not in the journal.
    fn access_token(&mut self, entry: &'e Entry) {
        let last = entry.text("correlationId").and_then(|id| self.last_request.get(id));
        if entry.status() == Some(200) || last.is_some_and(|last| *last > entry.n) {
            return;
        }
        let status = entry.status().map_or("no answer".to_owned(), |status| status.to_string());
        let check = entry.line["refused"]["check"].as_str();
        let check = check.map(|check| format!(" ({check})")).unwrap_or_default();
        let why = format!("no access token: {status}{check}; what was to be called with it is not known");
        self.pieces.note(entry.n, why);
    }

    fn call(&mut self, made: &Made<'e>) -> Result<(), String> {
        if let Some(fault) = made.faults().find(|fault| self.left_out.contains(fault)) {
            return Err(format!("it was struck by the fault `{fault}`, which is not played"));
        }
        let came = made.came(&self.effects);
        if let Came::Strange(why) = came {
            return Err(why);
        }
        let last = made.last();
        let asked = match made.operation() {
            "createMerchant" => self.create_merchant(made, &came)?,
            "createToken" => self.create_token(made, &came)?,
            _ => self.with_token(made, &came)?,
        };
        let mut step = vec![(made.operation().to_owned(), asked.request)];
        match &came {
            Came::Refused(status, code) => {
                let mut refused = vec![("status".to_owned(), Yaml::number(*status))];
                refused.extend(code.as_ref().map(|code| ("errorCode".to_owned(), Yaml::text(code))));
                step.push(("gives".to_owned(), Yaml::one("refused", Yaml::Members(refused))));
            }
            Came::NoAnswer => step.push(("gives".to_owned(), Yaml::text("noAnswer"))),
            Came::Unreadable => step.push(("gives".to_owned(), Yaml::text("unreadable"))),
            Came::Ok | Came::Strange(_) => {}
        }
        // How often a limit is met depends on pauses that are drawn.
        let limited =
            made.faults().any(|name| self.effects.get(name).is_some_and(|effect| effect == "limit"));
        if made.attempts.len() > 1 && !limited {
            step.push(("attempts".to_owned(), Yaml::number(made.attempts.len() as u64)));
        }
        let waits = asked.card.as_ref().and_then(|card| self.cards.behaviour(card));
        let began = match waits {
            Some(Behaviour::Slow { seconds }) if made.attempts.len() == 1 => {
                let before = std::time::Duration::from_secs(seconds.into());
                last.at.checked_sub(before).unwrap_or(made.began).min(made.began)
            }
            _ => made.began,
        };
        self.advance_to(made.first().n, began);
        self.pieces.step(made.first().n, "call", Yaml::Members(step));
        self.pieces.now = self.pieces.now.max(last.at);
        for status in made.attempts.iter().filter_map(|entry| entry.status()) {
            *self.answered.entry((made.operation(), status)).or_default() += 1;
        }
        if came == Came::Ok {
            self.keep(made, asked.makes, asked.card);
        }
        Ok(())
    }

    /// What the call made has its name from here on.
    fn keep(&mut self, made: &Made<'e>, name: Option<String>, card: Option<String>) {
        let last = made.last();
        match (made.operation(), name, card) {
            ("createMerchant", Some(name), _) => {
                self.merchants.extend(last.of_answer("merchantId").map(|id| (id, name)));
            }
            ("createToken", Some(name), Some(card)) => {
                self.plan(&card, last.at);
                let Some((id, merchant)) = last.of_answer("tokenId").zip(last.merchant()) else { return };
                self.tokens.insert(id, Token { name, card, merchant, state: "ACTIVE", used: false });
            }
            _ => {}
        }
    }

    fn create_merchant(&mut self, made: &Made<'e>, came: &Came) -> Result<Asked, String> {
        if *came == Came::Ok && made.last().of_answer("merchantId").is_none() {
            return Err("the id of what it made is not in the journal".to_owned());
        }
        self.merchants_made += 1;
        let name = format!("merchant-{}", self.merchants_made);
        let told = made.first().of_request("merchantName").and_then(Value::as_str);
        // `${` would be a parameter.
        let told = told.filter(|text| (1..=128).contains(&text.chars().count()) && !text.contains("${"));
        let mut request: Vec<_> =
            told.map(|text| ("name".to_owned(), Yaml::text(text))).into_iter().collect();
        request.push(("as".to_owned(), Yaml::text(&name)));
        Ok(Asked { request: Yaml::Members(request), makes: Some(name), card: None })
    }

    fn create_token(&mut self, made: &Made<'e>, came: &Came) -> Result<Asked, String> {
        let merchant = made.first().merchant().and_then(|id| self.merchants.get(id));
        let merchant = merchant.ok_or("nothing played here has made its merchant")?.clone();
        if *came == Came::Ok && made.last().of_answer("tokenId").is_none() {
            return Err("the id of what it made is not in the journal".to_owned());
        }
        let card = self.card_of(made, came);
        let mut request =
            vec![("merchant".to_owned(), Yaml::text(merchant)), ("card".to_owned(), Yaml::text(&card))];
        let source = made.first().of_request("source").and_then(Value::as_str);
        let source = source.filter(|word| ["MANUAL", "ON_FILE"].contains(word));
        request.extend(source.map(|word| ("source".to_owned(), Yaml::text(word))));
        let makes = (*came == Came::Ok).then(|| format!("token-{}", self.tokens.len() + 1));
        request.extend(makes.as_ref().map(|name| ("as".to_owned(), Yaml::text(name))));
        Ok(Asked { request: Yaml::Members(request), makes, card: Some(card) })
    }

    /// The card that behaves as the one of this call did.
    fn card_of(&mut self, made: &Made<'e>, came: &Came) -> String {
        let of_fault = made.faults().find_map(|name| self.fault_cards.get(name).cloned());
        if let Some(card) = of_fault {
            return self.cards.test(&card);
        }
        let last = made.last();
        let mut digits = last.of_answer("cardLastDigits");
        let declined = *came == Came::Refused(403, Some("TOKENIZATION_DECLINED".to_owned()));
        if digits.is_none() && made.faults().next().is_some() {
            // The answer was lost, but the token was made.
            let of_it = |entry: &&&Entry| {
                entry.text("cause") == Some("token.created")
                    && entry.n < last.n
                    && entry.text("correlationId") == last.text("correlationId")
            };
            digits = self.entries().iter().rev().find(of_it).and_then(|entry| entry.text("cardLastDigits"));
        }
        let expiry = last.of_answer("cardExpiryDate");
        let unavailable =
            |entry: &&Entry| entry.status() == Some(503) && super::calls::faults(entry).next().is_none();
        let card = match digits {
            Some(digits) => Some(self.cards.of_digits(digits, expiry)),
            None if declined && made.faults().next().is_none() => {
                self.cards.behaving(|one| one == Behaviour::Decline)
            }
            None if made.attempts.iter().any(unavailable) => {
                self.cards.behaving(|one| matches!(one, Behaviour::Unavailable { .. }))
            }
            None => self.cards.behaving(|one| one == Behaviour::Approve),
        };
        card.unwrap_or_else(|| self.cards.test("approve"))
    }

    fn with_token(&mut self, made: &Made<'e>, came: &Came) -> Result<Asked, String> {
        let first = made.first();
        let token = first.token().and_then(|id| self.tokens.get(id));
        let token = token.filter(|token| first.merchant() == Some(token.merchant));
        let token = token.ok_or("nothing played here has made its token")?;
        let forced = made.last().line.get("forced").is_some();
        if matches!(came, Came::Refused(404, _)) && token.state != "DELETED" && !forced {
            return Err("D1 knows the token, and refused it with 404 for another reason".to_owned());
        }
        let mut request = vec![("token".to_owned(), Yaml::text(&token.name))];
        let kind = first.of_request("transactionType").and_then(Value::as_str);
        let kind = kind.filter(|word| ["RECURRING", "SPLIT"].contains(word));
        request.extend(kind.map(|word| ("transactionType".to_owned(), Yaml::text(word))));
        Ok(Asked { request: Yaml::Members(request), makes: None, card: None })
    }

    pub(super) fn fault(&mut self, entry: &'e Entry) {
        let Some(name) = entry.text("name") else { return };
        match entry.text("what") {
            Some("set") => {
                if let Err(why) = self.set_fault(entry, name) {
                    self.left_out.insert(name);
                    self.pieces.note(entry.n, format!("the fault `{name}` is not played: {why}"));
                }
            }
            Some("lifted") => {
                self.left_out.remove(name);
                if let Some(called) = self.faults.remove(name) {
                    self.advance_to(entry.n, entry.at);
                    self.pieces.step(entry.n, "lift", Yaml::text(called));
                }
            }
            _ => {}
        }
    }

    fn set_fault(&mut self, entry: &'e Entry, name: &'e str) -> Result<(), String> {
        let effect = entry.text("effect").unwrap_or_default();
        if TRACELESS.contains(&effect) {
            return Err(format!("what was to be called when `{effect}` struck is not in the journal"));
        }
        let asked = entry.line.get("asked").and_then(Value::as_object);
        let asked = asked.ok_or("the journal is of an older d1sim and does not say what it does")?;
        // On a sandbox that others share a scenario's faults have its gateway before their names.
        let own = name.strip_prefix(self.gateway).and_then(|rest| rest.strip_prefix('-'));
        let mut called = own.unwrap_or(name).to_owned();
        if !is_name(&called) || self.faults.values().any(|other| *other == called) {
            let free = (1..).map(|number| format!("fault-{number}"));
            called = free.into_iter().find(|free| !self.faults_made.contains(free)).unwrap_or_default();
        }
        let mut members = vec![("name".to_owned(), Yaml::text(&called))];
        members.extend(asked.get("on").map(|on| ("on".to_owned(), Yaml::from(on))));
        for (member, value) in asked.iter().filter(|(member, _)| *member != "name" && *member != "on") {
            let id = value.as_str().unwrap_or_default();
            let named = match member.as_str() {
                "gateway" if id == self.gateway => continue,
                "gateway" => return Err("it is for another gateway".to_owned()),
                "gateways" if value.as_array().is_some_and(|ids| *ids == [self.gateway]) => continue,
                "gateways" => return Err("it is not for this gateway alone".to_owned()),
                "merchant" => {
                    Yaml::text(self.merchants.get(id).ok_or("nothing played here has made its merchant")?)
                }
                "token" => {
                    let token = self.tokens.get(id).ok_or("nothing played here has made its token")?;
                    Yaml::text(&token.name)
                }
                "card" => {
                    self.fault_cards.insert(name, id.to_owned());
                    Yaml::text(self.cards.test(id))
                }
                _ => Yaml::from(value),
            };
            members.push((member.clone(), named));
        }
        let step = Yaml::Members(members);
        if step.has("${") {
            return Err("a text of it has `${` in it, which the language takes for a parameter".to_owned());
        }
        if step.has("[redacted]") || step.has("…") {
            self.pieces.note(entry.n, "a text of the next step is not in the journal as it was: what is secret or long was taken out");
        }
        if asked.contains_key("probability") && !self.seeded {
            self.pieces.note(entry.n, "chance decides whom the next step strikes: it takes the `seed` of that sandbox to be the same");
        }
        self.advance_to(entry.n, entry.at);
        self.faults_made.insert(called.clone());
        self.faults.insert(name, called);
        self.pieces.step(entry.n, "fault", step);
        Ok(())
    }
}
