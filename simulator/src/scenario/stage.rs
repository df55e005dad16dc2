//! The stage: what there is before the first step.

use std::time::Duration;

use jiff::Timestamp;

use super::finding::{Findings, Place};
use super::members::{self, MAX_TIME, Members, Named};
use super::node::{Key, Node, Value};

/// The clock stands here before the first step, unless the stage says otherwise.
const FIRST_MOMENT: &str = "2026-04-22T10:00:00Z";
/// The name of the gateway that there is without any named.
pub(super) const ONLY_GATEWAY: &str = "gateway";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// What there is before the first step, with every default filled in.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// Seed of all that is drawn, unless `--seed` says otherwise.
    pub(crate) seed: Option<u32>,
    /// Where the manual clock starts.
    pub(crate) clock: Timestamp,
    /// Who calls D1.
    pub(crate) caller: Caller,
    /// Which clock dates assertions; by default the sandbox's for our own client, the system's for others.
    pub(crate) auth_clock: AuthClock,
    /// How D1 repeats notifications (C24).
    pub(crate) retry: Retry,
    /// Whether the sandbox has the faults of the hostile profile from the start on (`d1sim serve --hostile`).
    pub(crate) hostile: bool,
    /// So much real time without an exchange is quiet, where somebody outside takes part.
    pub(crate) silence: Duration,
    /// In the order of their names; never empty.
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) merchants: Vec<Merchant>,
    pub(crate) cards: Vec<Card>,
    pub(crate) tokens: Vec<Token>,
}

impl Stage {
    /// Whether anybody takes part who is not ours.
    pub(crate) fn any_outside(&self) -> bool {
        let foreign = |gateway: &Gateway| matches!(gateway.receiver, Receiver::At(_));
        self.caller == Caller::Outside || self.gateways.iter().any(foreign)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Our client, in process; steps `call`.
    Own,
    /// The system under test.
    Outside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthClock {
    Sandbox,
    System,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) first_delay: Duration,
    pub(crate) factor: u32,
    pub(crate) max_delay: Duration,
    pub(crate) attempts: u32,
    pub(crate) timeout: Duration,
}

/// A merchant gateway of the scenario's own; the sandbox gives it an id.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    pub(crate) name: Named,
    pub(crate) receiver: Receiver,
}

#[derive(Debug, Clone)]
pub(crate) enum Receiver {
    /// Ours, in process.
    Own,
    /// The one under test.
    At(Box<ReceiverAt>),
}

#[derive(Debug, Clone)]
pub(crate) struct ReceiverAt {
    /// An `https` URL.
    pub(crate) url: String,
    /// The file (PEM) of the authority that signed the receiver's certificate, relative to the scenario file.
    pub(crate) authority: Option<String>,
    /// A command, or an `http` URL, that tells what the receiver knows of a token.
    pub(crate) probe: Option<String>,
    pub(crate) oauth: Option<Oauth>,
}

#[derive(Debug, Clone)]
pub(crate) struct Oauth {
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret_file: String,
    pub(crate) scope: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Merchant {
    pub(crate) name: Named,
    /// `None` if it could not be told, which is among the findings.
    pub(crate) gateway: Option<Named>,
    /// `merchantName` of createMerchant.
    pub(crate) merchant_name: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Card {
    pub(crate) name: Named,
    pub(crate) card: CardGiven,
}

#[derive(Debug, Clone)]
pub(crate) enum CardGiven {
    /// A card of the table that `d1sim cards` prints.
    Test(Named),
    /// Another number; never a real one.
    Number { pan: String, exp: String },
}

/// A token that is made before the first step.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) name: Named,
    pub(crate) merchant: Named,
    pub(crate) card: Named,
}

/// The stages of several files, put together; names that stand in two of them are told.
#[derive(Debug, Default)]
pub(super) struct Draft {
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
    pub(super) fn add(&mut self, node: &Node, findings: &mut Findings) {
        let Some(mut m) = Members::of(node, "the stage", findings) else { return };
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
            add(&mut self.gateways, node, "gateways", gateway, |gateway| &gateway.name, findings);
        }
        if let Some(node) = m.take("merchants") {
            add(&mut self.merchants, node, "merchants", merchant, |merchant| &merchant.name, findings);
        }
        if let Some(node) = m.take("cards") {
            add(&mut self.cards, node, "cards", card, |card| &card.name, findings);
        }
        if let Some(node) = m.take("tokens") {
            add(&mut self.tokens, node, "tokens", token, |token| &token.name, findings);
        }
        m.done(findings);
    }

    pub(super) fn finish(mut self, main: &Place, findings: &mut Findings) -> Stage {
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
        Self { first_delay: SECOND, factor: 2, max_delay: SECOND * 300, attempts: 8, timeout: SECOND * 10 }
    }
}

fn add<T>(
    all: &mut Vec<T>,
    node: &Node,
    what: &'static str,
    read: impl Fn(&Key, &Node, &mut Findings) -> Option<T>,
    name_of: impl Fn(&T) -> &Named,
    findings: &mut Findings,
) {
    for (name, (key, node)) in members::named(node, what, findings) {
        if let Some(first) = all.iter().map(&name_of).find(|first| first.name == name) {
            let reason =
                format!("`{name}` stands in {} already; give one of the two another name", first.place);
            findings.sense(&key.place, reason);
        } else {
            all.extend(read(key, node, findings));
        }
    }
}

fn named(key: &Key) -> Named {
    Named { name: key.name.clone(), place: key.place.clone() }
}

fn retry(node: &Node, findings: &mut Findings) -> Option<Retry> {
    let mut m = Members::of(node, "`retry`", findings)?;
    let usual = Retry::default();
    let mut time = |name, most, findings: &mut Findings| {
        m.take(name).and_then(|node| members::time(node, name, Duration::from_millis(1), most, findings))
    };
    let first_delay = time("firstDelay", HOUR, findings);
    let max_delay = time("maxDelay", MAX_TIME, findings);
    let timeout = time("timeout", HOUR, findings);
    let factor = m.take("factor").and_then(|node| members::whole(node, "`factor`", 1, 100, findings));
    let attempts = m.take("attempts").and_then(|node| members::whole(node, "`attempts`", 1, 100, findings));
    m.done(findings);
    Some(Retry {
        first_delay: first_delay.unwrap_or(usual.first_delay),
        factor: factor.unwrap_or(usual.factor),
        max_delay: max_delay.unwrap_or(usual.max_delay),
        attempts: attempts.unwrap_or(usual.attempts),
        timeout: timeout.unwrap_or(usual.timeout),
    })
}

fn gateway(key: &Key, node: &Node, findings: &mut Findings) -> Option<Gateway> {
    let mut m = Members::of(node, "a gateway", findings)?;
    let receiver = m.need("receiver", findings);
    m.done(findings);
    Some(Gateway { name: named(key), receiver: receiver.and_then(|node| receiver_of(node, findings))? })
}

fn receiver_of(node: &Node, findings: &mut Findings) -> Option<Receiver> {
    if !matches!(node.value, Value::Members(_)) {
        return members::word(node, "receiver", &[("own", ())], findings).map(|()| Receiver::Own);
    }
    let mut m = Members::of(node, "a receiver", findings)?;
    let url = m.need("url", findings).and_then(|node| https(node, "`url`", findings));
    let mut text = |name, findings: &mut Findings| {
        m.take(name).and_then(|node| members::text(node, name, 1024, findings))
    };
    let authority = text("authority", findings);
    let probe = m.take("probe").and_then(|node| probe(node, findings));
    let oauth = m.take("oauth").and_then(|node| oauth(node, findings));
    m.done(findings);
    Some(Receiver::At(Box::new(ReceiverAt { url: url?, authority, probe, oauth })))
}

fn https(node: &Node, what: &str, findings: &mut Findings) -> Option<String> {
    let text = members::text(node, what, 1024, findings)?;
    if text.len() > "https://".len() && text.starts_with("https://") && !text.contains(char::is_whitespace) {
        return Some(text);
    }
    members::wrong(node, &format!("{what}: an https URL, since D1 speaks TLS alone"), findings);
    None
}

/// What a command is, whoever starts it knows; a URL is one without TLS.
fn probe(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = members::text(node, "probe", 1024, findings)?;
    let url = text.trim();
    if url.contains("://") && !url.contains(char::is_whitespace) {
        let host = url.strip_prefix("http://").filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if host.is_none() {
            let reason =
                "`probe`: expected a command, or http://HOST[:PORT][/PATH]; for https a command with curl";
            findings.sense(&node.place, reason);
            return None;
        }
    }
    Some(text)
}

fn oauth(node: &Node, findings: &mut Findings) -> Option<Oauth> {
    let mut m = Members::of(node, "`oauth`", findings)?;
    let token_url = m.need("tokenUrl", findings).and_then(|node| https(node, "`tokenUrl`", findings));
    let mut text = |name, findings: &mut Findings| {
        m.need(name, findings).and_then(|node| members::text(node, name, 1024, findings))
    };
    let (client_id, secret) = (text("clientId", findings), text("clientSecretFile", findings));
    let scope = m.take("scope").and_then(|node| members::text(node, "`scope`", 1024, findings));
    m.done(findings);
    Some(Oauth { token_url: token_url?, client_id: client_id?, client_secret_file: secret?, scope })
}

fn merchant(key: &Key, node: &Node, findings: &mut Findings) -> Option<Merchant> {
    let mut m = Members::of(node, "a merchant", findings)?;
    let gateway = m.take("gateway").map(|node| members::name(node, findings));
    let merchant_name = m.take("name").and_then(|node| members::text(node, "`name`", 128, findings));
    m.done(findings);
    if gateway == Some(None) {
        return None;
    }
    let merchant_name = merchant_name.unwrap_or_else(|| key.name.clone());
    Some(Merchant { name: named(key), gateway: gateway.flatten(), merchant_name })
}

fn card(key: &Key, node: &Node, findings: &mut Findings) -> Option<Card> {
    let card = if matches!(node.value, Value::Members(_)) {
        let mut m = Members::of(node, "a card", findings)?;
        let pan = m.need("pan", findings).and_then(|node| digits(node, "`pan`", 12, 19, findings));
        let exp = m.need("exp", findings).and_then(|node| digits(node, "`exp`", 4, 4, findings));
        m.done(findings);
        CardGiven::Number { pan: pan?, exp: exp? }
    } else {
        CardGiven::Test(members::name(node, findings)?)
    };
    Some(Card { name: named(key), card })
}

/// Digits, which are text. They are never told: it may be a real card.
pub(super) fn digits(
    node: &Node,
    what: &str,
    least: usize,
    most: usize,
    findings: &mut Findings,
) -> Option<String> {
    let found = match &node.value {
        Value::Text(text)
            if text.bytes().all(|b| b.is_ascii_digit()) && (least..=most).contains(&text.len()) =>
        {
            return Some(text.clone());
        }
        Value::Unknown => return None,
        Value::Text(_) => "other text",
        Value::Whole(_) => "a number without quotes",
        _ => "something else",
    };
    let count = if least == most { format!("{least}") } else { format!("{least} to {most}") };
    members::tell(node, format!("expected {what}: {count} digits in quotes, found {found}"), findings);
    None
}

fn token(key: &Key, node: &Node, findings: &mut Findings) -> Option<Token> {
    let mut m = Members::of(node, "a token", findings)?;
    let mut name = |member, findings: &mut Findings| {
        m.need(member, findings).and_then(|node| members::name(node, findings))
    };
    let (merchant, card) = (name("merchant", findings), name("card", findings));
    m.done(findings);
    Some(Token { name: named(key), merchant: merchant?, card: card? })
}
