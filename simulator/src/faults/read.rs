//! From the form to a fault that can be set. Every refusal names the member.

mod answer;
mod form;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Known;
use super::fault::{Act, CallEffect, Effect, Fault, Latency, Notice, OPERATIONS, When};
use super::form::{BadCertificate, DrawnForm, FaultForm, HandshakeFault, LatencyForm, LimitForm};
use crate::config::parse_duration;
use crate::domain::{GatewayId, MerchantId, Pan, TokenId};
use answer::answer;
pub(super) use answer::usual_object;
pub(crate) use form::form;

/// The longest name.
const LONGEST_NAME: usize = 80;
/// The longest a call or a notification may be kept waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest a fault lasts by itself.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// The longest a connection idles before it is closed.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
/// Members added to one answer, and copies of one notification.
const MOST_MORE: u32 = 10;
/// The most gateways that one fault names.
const MOST_GATEWAYS: usize = 64;

/// The calls whose path names a merchant, and a token.
const OF_MERCHANTS: [&str; 4] = ["createToken", "getToken", "createTransaction", "deleteToken"];
const OF_TOKENS: [&str; 3] = ["getToken", "createTransaction", "deleteToken"];

/// What stands for others whose names are not known yet.
const ANY_GATEWAY: &str = "MGW_000001";
const ANY_MERCHANT: &str = "10000000000";
const ANY_TOKEN: &str = "00000000-0000-4000-8000-000000000000";
const ANY_CARD: &str = "9999990000000014";

/// What is wrong with a fault. `expected` says what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member}: expected {expected}")]
pub(crate) struct FaultError {
    pub(crate) kind: FaultErrorKind,
    /// With the members above it: `answer.status`.
    pub(crate) member: Cow<'static, str>,
    pub(crate) expected: String,
}

/// Whether another fault could be set, or this one later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultErrorKind {
    Invalid,
    /// A fault that is not over has the name.
    Taken,
    /// There are too many.
    Full,
}

pub(super) fn wrong(member: impl Into<Cow<'static, str>>, expected: impl Into<String>) -> FaultError {
    FaultError { kind: FaultErrorKind::Invalid, member: member.into(), expected: expected.into() }
}

/// Whether a sandbox could set the fault of a body of `POST /faults`, for who asks beforehand. The names of gateways,
/// merchants, tokens and cards may be any: they stand for others.
pub(crate) fn check(body: &Map<String, Value>) -> Result<(), FaultError> {
    let form = form(body)?;
    let any = |name: &Option<String>, good: &str| name.as_ref().map(|_| good.to_owned());
    let cards = form.card.iter().filter_map(|name| Some((name.clone(), Pan::parse(ANY_CARD)?)));
    let known = Known { cards: cards.collect(), authority: true };
    let form = FaultForm {
        gateway: any(&form.gateway, ANY_GATEWAY),
        merchant: any(&form.merchant, ANY_MERCHANT),
        token: any(&form.token, ANY_TOKEN),
        ..form
    };
    read(&form, "fault", &known).map(drop)
}

/// Checks a form. `fresh` is the name of a fault that has none.
pub(super) fn read(form: &FaultForm, fresh: &str, known: &Known) -> Result<Fault, FaultError> {
    let effect = effect(form)?;
    let signed = |bad| !matches!(bad, BadCertificate::UnknownAuthority | BadCertificate::SelfSigned);
    if matches!(effect, Effect::Connection(HandshakeFault::Certificate(bad)) if signed(bad))
        && !known.authority
    {
        return Err(wrong(
            "handshake",
            "ca/server-ca.pem and ca/server-ca.key beside sandbox.yaml to sign it with",
        ));
    }
    let operations = operations(form.on.as_deref(), &effect)?;
    let card = form.card.as_ref().map(|name| {
        known
            .cards
            .get(name)
            .cloned()
            .ok_or_else(|| wrong("card", "the name of a card that `d1sim cards` prints"))
    });
    let card = card.transpose()?;
    if card.is_some() && operations.iter().any(|operation| *operation != "createToken") {
        return Err(wrong("card", "none, or `on: [createToken]`: no other call shows its card"));
    }
    if card.is_some() && matches!(effect, Effect::Call(CallEffect::Act(Act::RevokeBearer))) {
        return Err(wrong("card", "none with revokeBearer: the bearer is judged before the card is known"));
    }
    let mut shown = form.shown();
    let name = name(form.name.as_deref().unwrap_or(fresh))?;
    shown["name"] = Value::from(&*name);
    whose(form, &effect)?;
    named_in_paths(form, &effect, &operations)?;
    Ok(Fault {
        name,
        operations,
        gateways: form.gateway.iter().chain(form.gateways.iter().flatten()).cloned().collect(),
        merchant: form.merchant.clone(),
        token: form.token.clone(),
        card,
        when: when(form, &effect)?,
        effect,
        shown,
    })
}

fn name(text: &str) -> Result<Arc<str>, FaultError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let fits = (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(good);
    fits.then(|| text.into()).ok_or_else(|| wrong("name", "1 to 80 of A-Z, a-z, 0-9, _ and -"))
}

/// The operations that `on` names; none for what is no call.
fn operations(on: Option<&[String]>, effect: &Effect) -> Result<Vec<&'static str>, FaultError> {
    let other = match effect {
        Effect::Call(_) => None,
        Effect::Connection(_) => Some("connections"),
        Effect::Notification(_) => Some("notifications"),
    };
    if let Some(only) = other {
        let fits = on.is_none_or(|on| on.iter().all(|name| name == only) && !on.is_empty());
        let expected = format!("[{only}]: {} befalls nothing else", effect.name());
        return fits.then(Vec::new).ok_or_else(|| wrong("on", expected));
    }
    let can = effect.operations();
    let Some(on) = on else { return Ok(can.to_vec()) };
    let mut named = Vec::new();
    for name in on {
        match name.as_str() {
            "calls" => named.extend(OPERATIONS),
            "reads" => named.push("getToken"),
            // What may be sent again whatever became of it (C34).
            "repeatable" => named.extend(["getAccessToken", "getToken", "deleteToken"]),
            "creates" => named.extend(["createMerchant", "createToken", "createTransaction"]),
            name => {
                let known = can.iter().copied().find(|known| *known == name);
                let groups = "calls, reads, repeatable or creates";
                let expected = || format!("{}, {groups} with {}", can.join(", "), effect.name());
                named.push(known.ok_or_else(|| wrong("on", expected()))?);
            }
        }
    }
    // Of a group those that the effect can befall.
    named.retain(|name| can.contains(name));
    named.sort_unstable();
    named.dedup();
    if named.is_empty() {
        Err(wrong("on", "at least one operation or group, or leave it out"))
    } else {
        Ok(named)
    }
}

/// Selectors that can match something.
fn whose(form: &FaultForm, effect: &Effect) -> Result<(), FaultError> {
    let named = [
        ("gateway", form.gateway.is_some()),
        ("gateways", form.gateways.is_some()),
        ("merchant", form.merchant.is_some()),
        ("token", form.token.is_some()),
    ];
    if matches!(effect, Effect::Connection(_))
        && let Some((member, _)) = named.into_iter().find(|(_, is_named)| *is_named)
    {
        return Err(wrong(member, "none with handshake: nobody has said who they are by then"));
    }
    let fits = |value: &Option<String>, good: fn(&str) -> bool| value.as_deref().is_none_or(good);
    if !fits(&form.gateway, |text| GatewayId::parse(text).is_some()) {
        return Err(wrong("gateway", "10 characters of A-Z, a-z, 0-9, _ and -"));
    }
    if let Some(gateways) = &form.gateways {
        if form.gateway.is_some() {
            return Err(wrong("gateways", "none beside gateway: one of the two"));
        }
        let good = gateways.iter().all(|text| GatewayId::parse(text).is_some());
        if !good || gateways.is_empty() || gateways.len() > MOST_GATEWAYS {
            let expected = format!("1 to {MOST_GATEWAYS} of 10 characters of A-Z, a-z, 0-9, _ and -");
            return Err(wrong("gateways", expected));
        }
    }
    if !fits(&form.merchant, |text| MerchantId::parse(text).is_some()) {
        return Err(wrong("merchant", "11 digits"));
    }
    if !fits(&form.token, |text| TokenId::parse(text).is_some()) {
        return Err(wrong("token", "a tokenId of this sandbox"));
    }
    Ok(())
}

/// What the path of no call names would match none.
fn named_in_paths(form: &FaultForm, effect: &Effect, operations: &[&str]) -> Result<(), FaultError> {
    let named = [
        ("merchant", form.merchant.is_some(), &OF_MERCHANTS[..]),
        ("token", form.token.is_some(), &OF_TOKENS),
    ];
    for (member, is_named, within) in named {
        let fits = operations.iter().any(|operation| within.contains(operation));
        if is_named && !fits && matches!(effect, Effect::Call(_)) {
            return Err(wrong(
                member,
                format!("none, or one of {} in `on`: no other path names it", within.join(", ")),
            ));
        }
    }
    Ok(())
}

fn when(form: &FaultForm, effect: &Effect) -> Result<When, FaultError> {
    let counts = [("nth", form.nth), ("every", form.every), ("times", form.times)];
    if let Some((member, _)) = counts.into_iter().find(|(_, count)| *count == Some(0)) {
        return Err(wrong(member, "a whole number from 1"));
    }
    if let (Some(nth), Some(every)) = (form.nth, form.every)
        && !nth.is_multiple_of(every)
    {
        return Err(wrong(
            "nth",
            format!("a multiple of every ({every}), or one of the two: it would strike nothing"),
        ));
    }
    if form.probability.is_some_and(|probability| !(probability > 0.0 && probability <= 1.0)) {
        return Err(wrong("probability", "a number above 0, and at most 1"));
    }
    if form.most_in_a_row == Some(0) {
        return Err(wrong("mostInARow", "a whole number from 1"));
    }
    let limits = matches!(effect, Effect::Call(CallEffect::Limit { .. }));
    let chosen = form.nth.is_some() || form.every.is_some() || form.probability.is_some();
    if limits && (chosen || form.most_in_a_row.is_some()) {
        return Err(wrong(
            "limit",
            "no nth, every, probability or mostInARow beside it: a limit counts every call",
        ));
    }
    if form.lasts.is_some() && matches!(effect, Effect::Notification(Notice::Hold(_))) {
        return Err(wrong("for", "none with hold, which ends when the fault is lifted; see delay"));
    }
    let lasts = form.lasts.as_deref().map(|text| duration("for", text, LONGEST_LIFE)).transpose()?;
    Ok(When {
        nth: form.nth,
        every: form.every,
        times: form.times,
        lasts,
        probability: form.probability,
        most_in_a_row: form.most_in_a_row,
    })
}

/// The one effect that a form names.
fn effect(form: &FaultForm) -> Result<Effect, FaultError> {
    let act = |act| Effect::Call(CallEffect::Act(act));
    let more = |member, count: u32| {
        let fits = (1..=MOST_MORE).contains(&count);
        fits.then_some(count).ok_or_else(|| wrong(member, format!("a whole number from 1 to {MOST_MORE}")))
    };
    let mut found = Vec::new();
    let mut take = |effect: Option<Result<Effect, FaultError>>| found.extend(effect);
    take(form.answer.as_ref().map(|form| Ok(act(Act::Answer(Arc::new(answer(form)?))))));
    take(form.latency.as_ref().map(|form| Ok(Effect::Call(CallEffect::Latency(latency(form)?)))));
    take(form.limit.as_ref().map(|form| Ok(Effect::Call(limit(form)?))));
    take(form.reset.map(|at| Ok(act(Act::Reset(at)))));
    take(form.stall.map(|at| Ok(act(Act::Stall(at)))));
    take(form.truncate.map(|yes| flag("truncate", yes, act(Act::Truncate))));
    take(form.malformed.clone().map(|malformed| Ok(act(Act::Malformed(malformed)))));
    take(form.unknown_members.map(|count| Ok(act(Act::UnknownMembers(more("unknownMembers", count)?)))));
    take(form.revoke_bearer.map(|yes| flag("revokeBearer", yes, act(Act::RevokeBearer))));
    take(
        form.close_idle
            .as_ref()
            .map(|text| Ok(act(Act::CloseIdle(duration("closeIdle", text, LONGEST_IDLE)?)))),
    );
    take(form.goaway.map(|yes| flag("goaway", yes, act(Act::Goaway))));
    take(form.handshake.map(|handshake| Ok(Effect::Connection(handshake))));
    let notice = Effect::Notification;
    take(form.duplicate.map(|count| Ok(notice(Notice::Duplicate(more("duplicate", count)?)))));
    take(form.delay.as_ref().map(|text| Ok(notice(Notice::Delay(duration("delay", text, LONGEST_WAIT)?)))));
    take(form.drop.map(|yes| flag("drop", yes, notice(Notice::Drop))));
    take(form.hold.map(|order| Ok(notice(Notice::Hold(order)))));
    take(
        form.reorder
            .as_ref()
            .map(|text| Ok(notice(Notice::Reorder(duration("reorder", text, LONGEST_WAIT)?)))),
    );
    let count = found.len();
    match found.pop() {
        Some(effect) if count == 1 => effect,
        _ => Err(wrong(
            "body",
            format!(
                "exactly one of answer, latency, limit, reset, stall, truncate, malformed, unknownMembers, \
                 revokeBearer, closeIdle, goaway, handshake, duplicate, delay, drop, hold and reorder, found {count}"
            ),
        )),
    }
}

fn flag(member: &'static str, yes: bool, effect: Effect) -> Result<Effect, FaultError> {
    yes.then_some(effect).ok_or_else(|| wrong(member, "true, or leave it out"))
}

fn duration(member: &'static str, text: &str, most: Duration) -> Result<Duration, FaultError> {
    let read = parse_duration(text).filter(|length| !length.is_zero() && *length <= most);
    read.ok_or_else(|| {
        wrong(member, format!("a duration like 500ms, 30s or 10m, at most {} s", most.as_secs()))
    })
}

fn latency(form: &LatencyForm) -> Result<Latency, FaultError> {
    let read = |text: &str| duration("latency", text, LONGEST_WAIT);
    Ok(match form {
        LatencyForm::Fixed(text) => Latency::Fixed(read(text)?),
        LatencyForm::Drawn(DrawnForm::Uniform { from, to }) => {
            let (from, to) = (read(from)?, read(to)?);
            if from > to {
                return Err(wrong("latency", "uniform with from at most to"));
            }
            Latency::Uniform { from, to }
        }
        LatencyForm::Drawn(DrawnForm::Exponential { mean, most }) => {
            Latency::Exponential { mean: read(mean)?, most: read(most)? }
        }
    })
}

fn limit(form: &LimitForm) -> Result<CallEffect, FaultError> {
    let per = form.per.as_deref().map(|text| duration("limit", text, LONGEST_LIFE)).transpose()?;
    Ok(CallEffect::Limit { calls: form.calls, per })
}
