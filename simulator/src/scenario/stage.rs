//! The stage: what there is before the first step.

mod draft;

pub(super) use draft::Draft;

use std::time::Duration;

use jiff::Timestamp;

use super::finding::{Findings, Place};
use super::members::{self, Members, Named};
use super::node::{Key, Node, Value};

/// The name of the gateway that there is without any named.
pub(super) const ONLY_GATEWAY: &str = "gateway";

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
        self.caller == Caller::Outside || self.any_receiver_of_others()
    }

    pub(crate) fn any_receiver_of_others(&self) -> bool {
        self.gateways.iter().any(|gateway| matches!(gateway.receiver, Receiver::At(_)))
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
    /// Where it stands, if anywhere.
    pub(crate) place: Option<Place>,
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

fn named(key: &Key) -> Named {
    Named { name: key.name.clone(), place: key.place.clone() }
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
        if names_somebody(&text) {
            return Some(text);
        }
        let reason = format!("expected {what}: a host, and a port from 1 to 65535 if any, found `{text}`");
        findings.sense(&node.place, reason);
        return None;
    }
    members::wrong(node, &format!("{what}: an https URL, since D1 speaks TLS alone"), findings);
    None
}

/// Whether a URL has a host, and a port that can be.
fn names_somebody(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    let Some(authority) = url.authority().filter(|authority| !authority.host().is_empty()) else {
        return false;
    };
    let behind_host = authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, behind)| behind);
    !behind_host.contains(':') || authority.port_u16().is_some_and(|port| port > 0)
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
        let pan = m.need("pan", findings).and_then(|node| members::digits(node, "`pan`", 12, 19, findings));
        let exp = m.need("exp", findings).and_then(|node| members::digits(node, "`exp`", 4, 4, findings));
        m.done(findings);
        CardGiven::Number { pan: pan?, exp: exp? }
    } else {
        CardGiven::Test(members::name(node, findings)?)
    };
    Some(Card { name: named(key), card })
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
