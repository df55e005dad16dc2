//! From what happened to steps that make it happen again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use d1_fixtures::Behaviour;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::run::happened::Entry;
use super::calls::{Effects, Made, calls};
use super::cards::Cards;
use super::lines::Line;
use super::piece::Pieces;
use super::yaml::Yaml;

/// What the issuer or the TSP does (C25).
const ISSUER: [&str; 7] = [
    "token.suspend",
    "token.resume",
    "token.delete",
    "token.extend",
    "card.renew",
    "card.replace",
    "card.delete",
];
/// What a test card does by itself may come so late on a real clock.
const LATE: SignedDuration = SignedDuration::from_secs(2);

/// A token that the scenario makes.
pub(super) struct Token<'e> {
    pub(super) name: String,
    pub(super) card: String,
    pub(super) merchant: &'e str,
    /// As the last transition left it.
    pub(super) state: &'e str,
    pub(super) used: bool,
}

/// How the receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Up,
    Down,
    Answers(u64),
}

/// Everything that is known while a journal is walked through.
pub(super) struct Story<'e> {
    pub(super) gateway: &'e str,
    /// Without a seed what chance decided comes otherwise.
    pub(super) seeded: bool,
    /// Time is told to the millisecond.
    manual: bool,
    entries: Vec<&'e Entry>,
    /// The number of the last request with this correlation id.
    pub(super) last_request: BTreeMap<&'e str, u64>,
    pub(super) calls: BTreeMap<u64, Made<'e>>,
    pub(super) effects: Effects,
    pub(super) pieces: Pieces,
    pub(super) cards: Cards,
    pub(super) merchants: BTreeMap<&'e str, String>,
    pub(super) merchants_made: usize,
    pub(super) tokens: BTreeMap<&'e str, Token<'e>>,
    /// How often D1 answered a call that is played again so.
    pub(super) answered: BTreeMap<(&'e str, u64), u64>,
    /// The ids of events that are told again.
    pub(super) told: BTreeSet<&'e str>,
    /// What test cards do by themselves: the event, the card, when.
    planned: Vec<(&'static str, String, Timestamp)>,
    pub(super) faults: BTreeMap<&'e str, String>,
    pub(super) faults_made: BTreeSet<String>,
    /// Faults that are not played, so that what they did cannot be either.
    pub(super) left_out: BTreeSet<&'e str>,
    /// The names of test cards that faults are for.
    pub(super) fault_cards: BTreeMap<&'e str, String>,
    mode: Mode,
    /// Something fell due by itself since the last step, and the next has to come behind it.
    exact: bool,
    /// Transitions that were played together with one before them.
    done: BTreeSet<u64>,
}

impl<'e> Story<'e> {
    pub(super) fn new(
        gateway: &'e str,
        lines: &'e [Line],
        seeded: bool,
        now: Timestamp,
    ) -> Result<Self, String> {
        let entries: Vec<&Entry> = lines
            .iter()
            .filter_map(|line| match line {
                Line::Entry(entry) if entry.text("gateway").is_none_or(|id| id == gateway) => Some(entry),
                _ => None,
            })
            .collect();
        let set = entries.iter().filter(|entry| entry.is("fault") && entry.text("what") == Some("set"));
        let effects: Effects = set
            .filter_map(|entry| Some((entry.text("name")?.to_owned(), entry.text("effect")?.to_owned())))
            .collect();
        let made = entries.iter().filter(|entry| entry.text("cause") == Some("token.created"));
        let digits = made.filter_map(|entry| entry.text("cardLastDigits").map(str::to_owned)).collect();
        let table = d1_fixtures::test_cards().map_err(|fault| fault.to_string())?;
        let manual = entries.iter().any(|entry| entry.is("clock"));
        let calls = calls(&entries, &effects);
        let requests = entries.iter().filter(|entry| entry.is("request"));
        let last_request =
            requests.filter_map(|entry| Some((entry.text("correlationId")?, entry.n))).collect();
        // An earlier call may have begun before the first entry that tells of one.
        let now = calls.values().map(|made| made.began).fold(now, Timestamp::min);
        Ok(Self {
            gateway,
            seeded,
            manual,
            last_request,
            calls,
            effects,
            pieces: Pieces::new(now),
            cards: Cards::new(table, &digits),
            entries,
            merchants: BTreeMap::new(),
            merchants_made: 0,
            tokens: BTreeMap::new(),
            answered: BTreeMap::new(),
            told: BTreeSet::new(),
            planned: Vec::new(),
            faults: BTreeMap::new(),
            faults_made: BTreeSet::new(),
            left_out: BTreeSet::new(),
            fault_cards: BTreeMap::new(),
            mode: Mode::Up,
            exact: false,
            done: BTreeSet::new(),
        })
    }

    pub(super) fn entries(&self) -> &[&'e Entry] {
        &self.entries
    }

    /// Walks through all of it. What others did is not ours to tell.
    pub(super) fn walk(&mut self, lines: &'e [Line]) {
        for line in lines {
            match line {
                Line::Gap { n, from } => {
                    self.pieces.note(
                        *n,
                        format!("the entries from {from} on are lost; what happened in them is not played"),
                    );
                }
                Line::Entry(entry) if entry.text("gateway").is_none_or(|id| id == self.gateway) => {
                    self.entry(entry)
                }
                Line::Entry(_) => {}
            }
        }
        if let Some(last) = self.entries.last() {
            self.advance_to(last.n, last.at);
        }
    }

    fn entry(&mut self, entry: &'e Entry) {
        match entry.text("kind").unwrap_or_default() {
            "handshake" if entry.line["accepted"] == false => {
                let check = entry.line["refused"]["check"].as_str().unwrap_or("no reason given");
                let peer = entry.text("peer").unwrap_or("no certificate");
                self.pieces
                    .note(entry.n, format!("a connection that D1 refused ({check}; {peer}) is not played"));
            }
            "request" => self.request(entry),
            "transition" => self.transition(entry),
            "delivery" => self.delivery(entry),
            "gatewayToken" => {
                self.pieces.note(entry.n, "an access token of the receiver's; ours asks for none");
            }
            "fault" => self.fault(entry),
            "handshake" | "expiry" | "clock" | "reset" => {}
            _ => self.pieces.note(entry.n, "an entry of a kind that this d1sim does not know"),
        }
    }

    pub(super) fn advance_to(&mut self, n: u64, to: Timestamp) {
        let exact = self.manual || std::mem::take(&mut self.exact);
        self.pieces.advance_to(n, to, exact);
    }

    fn transition(&mut self, entry: &'e Entry) {
        let cause = entry.text("cause").unwrap_or_default();
        let id = entry.text("tokenId").unwrap_or_default();
        if let (Some(token), Some(to)) = (self.tokens.get_mut(id), entry.text("to")) {
            token.state = to;
        }
        if self.done.remove(&entry.n) {
            return;
        }
        match cause {
            _ if ISSUER.contains(&cause) => self.issuer(entry, cause, id),
            "notification.forged" => self.forged(entry, id),
            _ if cause.starts_with("transaction.") => {
                let Some(token) = self.tokens.get_mut(id) else { return };
                let first = !std::mem::replace(&mut token.used, true);
                let behaviour = self.cards.behaviour(&token.card);
                if let (true, Some(Behaviour::AfterFirstUse { event })) = (first, behaviour) {
                    self.planned.push((event.as_str(), token.card.clone(), entry.at));
                }
            }
            _ => {}
        }
    }

    /// What the card of a new token will do by itself.
    pub(super) fn plan(&mut self, card: &str, made: Timestamp) {
        if let Some(Behaviour::Soon { seconds, event }) = self.cards.behaviour(card) {
            let due = made.checked_add(Duration::from_secs(seconds.into())).unwrap_or(made);
            self.planned.push((event.as_str(), card.to_owned(), due));
        }
    }

    fn issuer(&mut self, entry: &'e Entry, cause: &str, id: &'e str) {
        let group = if cause.starts_with("card.") { self.same_card(entry, cause) } else { vec![entry] };
        self.done.extend(group.iter().map(|one| one.n).filter(|n| *n != entry.n));
        let known = group.iter().find_map(|one| self.tokens.get(one.text("tokenId")?));
        let Some(token) = known else {
            let why = format!("{cause} of a token that nothing played here has made");
            group.iter().for_each(|one| self.pieces.note(one.n, why.clone()));
            return;
        };
        let (name, card) = (token.name.clone(), token.card.clone());
        let events = group.iter().filter_map(|one| one.line["queued"]["eventId"].as_str());
        self.told.extend(events);
        let due = |plan: &(&str, String, Timestamp)| {
            plan.0 == cause && plan.1 == card && plan.2.duration_until(entry.at).abs() <= LATE
        };
        if let Some(at) = self.planned.iter().position(due) {
            self.planned.remove(at);
            self.exact = true;
            return;
        }
        let mut step = vec![("event".to_owned(), Yaml::text(cause))];
        if cause.starts_with("card.") {
            step.push(("card".to_owned(), Yaml::text(card)));
        } else {
            step.push(("token".to_owned(), Yaml::text(name)));
        }
        let shown = |member: &str| self.shown_of(entry, id, member);
        let dated = match cause {
            "card.renew" | "card.replace" => shown("cardExpiryDate"),
            "token.extend" => shown("tokenExpiryDate"),
            _ => None,
        };
        let digits = (cause == "card.replace").then(|| shown("cardLastDigits")).flatten();
        if let Some(expiry) = dated.filter(|text| text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()))
        {
            step.push(("expiry".to_owned(), Yaml::text(expiry)));
        }
        if let Some(digits) = digits {
            step.push(("pan".to_owned(), Yaml::text(self.cards.number(digits))));
        }
        self.advance_to(entry.n, entry.at);
        self.pieces.step(entry.n, "issuer", Yaml::Members(step));
    }

    /// One doing of the issuer's to a card changes each of its tokens.
    fn same_card(&self, first: &'e Entry, cause: &str) -> Vec<&'e Entry> {
        let card = |entry: &Entry| self.tokens.get(entry.text("tokenId")?).map(|token| token.card.as_str());
        let start = self.entries.partition_point(|entry| entry.n < first.n);
        let mut group: Vec<&Entry> = Vec::new();
        for entry in &self.entries[start..] {
            let of_it =
                entry.text("cause") == Some(cause) && entry.at == first.at && card(entry) == card(first);
            let new = group.iter().all(|one| one.text("tokenId") != entry.text("tokenId"));
            match entry.text("kind") {
                Some("transition") if of_it && new => group.push(entry),
                // What strikes the notification stands between them.
                Some("fault") => {}
                _ => break,
            }
        }
        group
    }

    /// What the notification of a transition told.
    fn shown_of(&self, transition: &Entry, token: &str, member: &str) -> Option<&'e str> {
        let event = transition.line["queued"]["eventId"].as_str()?;
        let delivery = |entry: &&&Entry| entry.is("delivery") && entry.text("eventId") == Some(event);
        let told = self.entries.iter().find(delivery).filter(|entry| entry.text("tokenId") == Some(token))?;
        told.of_request(member).and_then(Value::as_str)
    }

    fn forged(&mut self, entry: &'e Entry, id: &str) {
        let event = entry.line["queued"]["eventId"].as_str();
        let sent = |one: &&&Entry| one.is("delivery") && one.text("eventId") == event;
        let sent = self.entries.iter().find(sent).copied();
        let forgery = sent.and_then(|sent| sent.text("forged"));
        let (Some(token), Some(sent), Some(forgery)) = (self.tokens.get(id), sent, forgery) else {
            self.pieces.note(entry.n, "a forged notification of which it is not known what it was");
            return;
        };
        let answered = match sent.status() {
            Some(200..=299) => Yaml::text("taken"),
            None | Some(400..=499) => Yaml::text("refused"),
            Some(other) => Yaml::number(other),
        };
        let step = Yaml::members([
            ("token", Yaml::text(&token.name)),
            ("as", Yaml::text(forgery)),
            ("answered", answered),
        ]);
        self.advance_to(entry.n, entry.at);
        self.pieces.step(entry.n, "forge", step);
    }

    fn delivery(&mut self, entry: &'e Entry) {
        let told = entry.text("eventId").is_some_and(|event| self.told.contains(event));
        if entry.text("forged").is_some() {
            self.pieces.tried();
            return;
        }
        if !told {
            self.pieces.note(entry.n, "a notification of what is not played");
            return;
        }
        self.exact |= entry.attempt() > 1;
        let (mode, step) = match entry.status() {
            None => (Mode::Down, Yaml::text("down")),
            Some(200..=299) => (Mode::Up, Yaml::text("up")),
            Some(_) if entry.text("call") == Some("getAccessToken") => (Mode::Down, Yaml::text("down")),
            Some(status) => (Mode::Answers(status), Yaml::one("answers", Yaml::number(status))),
        };
        if mode != self.mode {
            match self.pieces.before(entry.n, entry.at, step) {
                Ok(()) => self.mode = mode,
                Err(()) => {
                    self.pieces.note(
                        entry.n,
                        "the receiver behaved in two ways within one moment; the former is played",
                    );
                }
            }
        }
        self.pieces.tried();
    }
}
