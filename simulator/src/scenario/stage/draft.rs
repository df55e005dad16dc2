//! The stages of several files, put together.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    AuthClock, Caller, Card, Gateway, Merchant, ONLY_GATEWAY, Receiver, Retry, Stage, Token, card, gateway,
    merchant, token,
};
use crate::scenario::broken::Broken;
use crate::scenario::finding::{Findings, Place};
use crate::scenario::members::{self, Members, Named};
use crate::scenario::node::{Key, Node};

/// The clock stands here before the first step, unless the stage says otherwise.
const FIRST_MOMENT: &str = "2026-04-22T10:00:00Z";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
/// As a sandbox takes it.
const DAY: Duration = Duration::from_hours(24);
/// As a sandbox takes it.
const MINUTE: Duration = Duration::from_secs(60);

/// The stages of several files, put together; names that stand in two of them are told.
#[derive(Debug, Default)]
pub(in crate::scenario) struct Draft {
    seed: Option<u32>,
    clock: Option<Timestamp>,
    caller: Option<Caller>,
    auth_clock: Option<AuthClock>,
    retry: Option<Retry>,
    hostile: Option<bool>,
    silence: Option<Duration>,
    gateways: Vec<Gateway>,
    merchants: Vec<Merchant>,
    cards: Vec<Card>,
    tokens: Vec<Token>,
}

const CALLERS: [(&str, Caller); 2] = [("own", Caller::Own), ("outside", Caller::Outside)];
const AUTH_CLOCKS: [(&str, AuthClock); 2] = [("sandbox", AuthClock::Sandbox), ("system", AuthClock::System)];

impl Draft {
    /// Adds what a file says; what a later file says of a single value counts.
    pub(in crate::scenario) fn add(&mut self, node: &Node, broken: &mut Broken, findings: &mut Findings) {
        let Some(mut m) = Members::of(node, "the stage", findings) else { return broken.whole() };
        let seed =
            m.take("seed").and_then(|node| members::whole(node, "`seed`", 0, i64::from(u32::MAX), findings));
        self.seed = seed.or(self.seed);
        let clock = m.take("clock").and_then(|node| members::instant(node, "`clock`", findings));
        self.clock = clock.or(self.clock);
        let caller = m.take("caller").and_then(|node| members::word(node, "caller", &CALLERS, findings));
        self.caller = caller.or(self.caller);
        let auth = m.take("authClock").and_then(|node| members::word(node, "clock", &AUTH_CLOCKS, findings));
        self.auth_clock = auth.or(self.auth_clock);
        let hostile = m.take("hostile").and_then(|node| members::truth(node, "`hostile`", findings));
        self.hostile = hostile.or(self.hostile);
        let silence = m.take("silence").and_then(|node| {
            members::time(node, "`silence`", Duration::from_millis(1), SECOND * 60, findings)
        });
        self.silence = silence.or(self.silence);
        if let Some(node) = m.take("retry") {
            self.retry = retry(node, findings).or(self.retry.take());
        }
        if let Some(node) = m.take("gateways") {
            add(&mut self.gateways, node, "gateways", gateway, |gateway| &gateway.name, (broken, findings));
        }
        if let Some(node) = m.take("merchants") {
            add(
                &mut self.merchants,
                node,
                "merchants",
                merchant,
                |merchant| &merchant.name,
                (broken, findings),
            );
        }
        if let Some(node) = m.take("cards") {
            add(&mut self.cards, node, "cards", card, |card| &card.name, (broken, findings));
        }
        if let Some(node) = m.take("tokens") {
            add(&mut self.tokens, node, "tokens", token, |token| &token.name, (broken, findings));
        }
        m.left().for_each(|node| broken.section(node));
        m.done(findings);
    }

    pub(in crate::scenario) fn finish(mut self, main: &Place, findings: &mut Findings) -> Stage {
        let caller = self.caller.unwrap_or(Caller::Own);
        if self.gateways.is_empty() {
            let name = Named { name: ONLY_GATEWAY.to_owned(), place: main.clone() };
            self.gateways.push(Gateway { name, receiver: Receiver::Own });
        }
        let only = (self.gateways.len() == 1).then(|| self.gateways[0].name.name.clone());
        for merchant in self.merchants.iter_mut().filter(|merchant| merchant.gateway.is_none()) {
            let place = merchant.name.place.clone();
            match &only {
                Some(only) => merchant.gateway = Some(Named { name: only.clone(), place }),
                None => {
                    findings.sense(&place, "expected a member `gateway`, since there are several; add it")
                }
            }
        }
        let by_caller = if caller == Caller::Own { AuthClock::Sandbox } else { AuthClock::System };
        Stage {
            seed: self.seed,
            clock: self.clock.unwrap_or_else(|| FIRST_MOMENT.parse().unwrap_or(Timestamp::UNIX_EPOCH)),
            caller,
            auth_clock: self.auth_clock.unwrap_or(by_caller),
            retry: self.retry.unwrap_or_default(),
            hostile: self.hostile.unwrap_or(false),
            silence: self.silence.unwrap_or(Duration::from_millis(200)),
            gateways: self.gateways,
            merchants: self.merchants,
            cards: self.cards,
            tokens: self.tokens,
        }
    }
}

impl Default for Retry {
    /// C24.
    fn default() -> Self {
        Self {
            first_delay: SECOND,
            factor: 2,
            max_delay: SECOND * 300,
            attempts: 8,
            timeout: SECOND * 10,
            place: None,
        }
    }
}

fn add<T>(
    all: &mut Vec<T>,
    node: &Node,
    what: &'static str,
    read: impl Fn(&Key, &Node, &mut Findings) -> Option<T>,
    name_of: impl Fn(&T) -> &Named,
    (broken, findings): (&mut Broken, &mut Findings),
) {
    for (name, (key, node)) in members::named(node, what, findings) {
        if let Some(first) = all.iter().map(&name_of).find(|first| first.name == name) {
            let reason =
                format!("`{name}` stands in {} already; give one of the two another name", first.place);
            findings.sense(&key.place, reason);
        } else {
            let thing = read(key, node, findings);
            if thing.is_none() {
                broken.thing(name);
            }
            all.extend(thing);
        }
    }
}

fn retry(node: &Node, findings: &mut Findings) -> Option<Retry> {
    let mut m = Members::of(node, "`retry`", findings)?;
    let usual = Retry::default();
    let mut time = |name, most, findings: &mut Findings| {
        m.take(name).and_then(|node| members::time(node, name, Duration::from_millis(1), most, findings))
    };
    let first_delay = time("firstDelay", HOUR, findings);
    let max_delay = time("maxDelay", DAY, findings);
    let timeout = time("timeout", MINUTE, findings);
    let factor = m.take("factor").and_then(|node| members::whole(node, "`factor`", 1, 100, findings));
    let attempts = m.take("attempts").and_then(|node| members::whole(node, "`attempts`", 1, 100, findings));
    m.done(findings);
    Some(Retry {
        first_delay: first_delay.unwrap_or(usual.first_delay),
        factor: factor.unwrap_or(usual.factor),
        max_delay: max_delay.unwrap_or(usual.max_delay),
        attempts: attempts.unwrap_or(usual.attempts),
        timeout: timeout.unwrap_or(usual.timeout),
        place: Some(node.place.clone()),
    })
}
