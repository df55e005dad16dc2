//! Judging a receiver case: what went out, what came back, and what became of it. Pure.

use super::case::{Answer, ReceiverCase, Refused, Step};
use super::play::{Came, Delivered, Found};
use super::words::{presentable, shown, wanted};
use crate::judge::Contract;
use crate::verdict::Verdict;

/// Judges a case.
#[must_use]
pub fn judge_receiver_case(case: &ReceiverCase, deliveries: &[Delivered], found: &Found) -> Verdict {
    Verdict {
        served: served(case, deliveries),
        reported: reported(case, deliveries),
        behaved: behaved(case, found),
    }
}

/// Each step with its requests.
fn by_step<'a>(
    case: &'a ReceiverCase,
    deliveries: &'a [Delivered],
) -> impl Iterator<Item = (usize, &'a Step, Vec<&'a Delivered>)> {
    case.steps.iter().enumerate().map(move |(place, step)| {
        (place + 1, step, deliveries.iter().filter(|one| one.step == place).collect())
    })
}

fn served(case: &ReceiverCase, deliveries: &[Delivered]) -> Result<(), String> {
    for (number, step, sent) in by_step(case, deliveries) {
        if sent.len() != step.at_once as usize {
            return Err(format!(
                "step {number}: expected {} requests, {} were sent",
                step.at_once,
                sent.len()
            ));
        }
        for one in sent {
            if let Came::Nothing(why) = one.came {
                return Err(format!("step {number}: {why}"));
            }
            if let (None, Some(fault)) = (&step.wrong, one.request_faults.first()) {
                return Err(format!("step {number}: the request is against the contract: {fault}"));
            }
        }
    }
    Ok(())
}

fn reported(case: &ReceiverCase, deliveries: &[Delivered]) -> Result<(), String> {
    for (number, step, sent) in by_step(case, deliveries) {
        for one in sent.into_iter().filter(|_| !step.hang_up) {
            if !step.answers.iter().any(|answer| holds(answer, &one.came)) {
                let wanted: Vec<String> = step.answers.iter().map(wanted).collect();
                let (wanted, came) = (wanted.join(" or "), shown(&one.came));
                return Err(format!("step {number}: expected {wanted}, came {came}"));
            }
            if let Some(fault) = one.answer_faults.first() {
                return Err(format!("step {number}: the answer is against the contract: {fault}"));
            }
        }
    }
    Ok(())
}

fn holds(answer: &Answer, came: &Came) -> bool {
    match (came, answer.status, answer.refused) {
        (Came::Answer { status: 200..=299, .. }, Some(204), _) => true,
        (Came::Answer { status, code, .. }, Some(wanted), _) => {
            *status == wanted && (answer.code.is_none() || *code == answer.code)
        }
        (Came::HandshakeRefused, _, Some(Refused::Handshake))
        | (Came::Closed, _, Some(Refused::Connection)) => true,
        _ => false,
    }
}

/// Whether all that a case expects in the end was looked at: what a probe does not tell is not judged.
pub(super) fn looked_at(case: &ReceiverCase, found: &Found) -> bool {
    let Some(end) = &case.end else { return true };
    match found {
        None => false,
        Some(Err(_) | Ok(None)) => true,
        Some(Ok(Some(found))) => {
            let told = |name: &String| found.token.contains_key(name);
            let of_token = if end.unknown { !found.token.is_empty() } else { end.token.keys().all(told) };
            of_token && (end.events.is_none() || found.events.is_some())
        }
    }
}

fn behaved(case: &ReceiverCase, found: &Found) -> Result<(), String> {
    let (Some(end), Some(found)) = (&case.end, found) else { return Ok(()) };
    let found = found.as_ref().map_err(|fault| format!("the probe: {fault}"))?;
    if end.unknown && found.as_ref().is_some_and(|found| found.token.values().any(Option::is_some)) {
        return Err("the token is known although nothing of it was to be kept".to_owned());
    }
    // Of a token that is unknown no event was handed on.
    let events = found.as_ref().map_or(Some(0), |found| found.events);
    if let (Some(wanted), Some(events)) = (end.events, events)
        && !wanted.holds(events)
    {
        return Err(format!("expected {wanted} events to be handed on, found {events}"));
    }
    for (name, wanted) in &end.token {
        let found =
            found.as_ref().ok_or_else(|| format!("{name}: expected {wanted}, the token is unknown"))?;
        match found.token.get(name) {
            Some(Some(value)) if value == wanted => {}
            Some(Some(value)) => {
                return Err(format!("{name}: expected {wanted}, found {}", presentable(value)));
            }
            Some(None) => return Err(format!("{name}: expected {wanted}, found none")),
            // Not told: not judged.
            None => {}
        }
    }
    Ok(())
}

/// The cells whose answers have come. An answer without a body is that of its status, if that has one code alone.
pub(super) fn cells_shown(contract: &Contract, deliveries: &[Delivered]) -> Vec<String> {
    let mut cells = Vec::new();
    for one in deliveries {
        let Came::Answer { status, code, bare } = &one.came else { continue };
        let operation = contract.operations().find(|operation| operation.id() == one.operation);
        let Some(answer) = operation.and_then(|operation| operation.answer(*status)) else { continue };
        let known: Vec<&str> = answer.error_codes().map(|code| code.code.as_str()).collect();
        let code = match (code, &known[..]) {
            (None, [only]) if *bare => only,
            (code, _) => code.as_deref().unwrap_or("none"),
        };
        cells.push(format!("outbound/{}/{status}/{code}", one.operation));
    }
    cells
}
