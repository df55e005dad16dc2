//! Steps `expect`: what happened, against what had to.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::happened::{Entry, Told, is_answered, notifications};
use super::judged::{is, shown as shown_value};
use super::miss::{Broken, Miss};
use super::player::Player;
use super::transcript::line_of;
use crate::scenario::{
    Calls, ExpectCalls, ExpectNotifications, Expectation, Expected, Header, HowMany, Never, NeverWhat, Since,
    Step, counted, shown, told_calls, told_notifications,
};

/// So many of what came near are told.
const NEAREST: usize = 5;

impl Player<'_> {
    pub(super) async fn expect(&mut self, step: &Step, all: &[Expectation]) -> Result<(), Broken> {
        let first = self.misses.len();
        for one in all {
            // A long journal is looked through at one go: signals and the step's limit get their turn between.
            tokio::task::yield_now().await;
            let before = self.misses.len();
            match &one.expected {
                Expected::Calls(wanted) => self.expect_calls(step, wanted),
                Expected::Notifications(wanted) => self.expect_notifications(step, wanted),
                Expected::Tokens(all) => self.expect_tokens(step, all).await?,
                Expected::Receiver(all) => self.expect_receiver(step, all).await?,
                Expected::InOrder(all) => self.expect_order(step, all),
                Expected::Never(never) => self.expect_never(step, never).await?,
            }
            for miss in &mut self.misses[before..] {
                // A more exact place is a token's own.
                if miss.place == step.place {
                    miss.place = one.place.clone();
                }
            }
        }
        // As they stand in the file.
        self.misses[first..].sort_by(|one, other| one.place.cmp(&other.place));
        Ok(())
    }

    fn since(&self, since: Since) -> u64 {
        if since == Since::LastExpect { self.last_expect } else { 0 }
    }

    fn expect_calls(&mut self, step: &Step, wanted: &ExpectCalls) {
        let since = self.since(wanted.since);
        let came: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|entry| entry.n > since && entry.fits_call(&wanted.calls, &self.names))
            .collect();
        let what = told_calls(&wanted.calls);
        let mut misses = Vec::new();
        if !fits(wanted.number, came.len()) {
            let near = Calls { answered: None, merchant: None, token: None, ..wanted.calls.clone() };
            let near =
                self.entries.iter().filter(|entry| entry.n > since && entry.fits_call(&near, &self.names));
            let lines: Vec<String> = near.map(|entry| self.entry_told(entry)).collect();
            let expected = format!("{} of {what}", how_many(wanted.number));
            let miss = Miss::of(step, expected, came.len().to_string()).nearest(newest(lines));
            misses.push(miss.look("the calls of this kind above: their merchant, their token, their status"));
        }
        let pauses: Vec<(Duration, &Entry)> =
            came.windows(2).map(|two| (between(two[0], two[1]), two[1])).collect();
        misses.extend(spacing(step, &wanted.spacing, &pauses, |entry| self.entry_told(entry)));
        for entry in &came {
            for (name, wanted) in &wanted.headers {
                let found = header(entry, name);
                let good = match wanted {
                    Header::Is(text) => found == Some(text),
                    Header::There => found.is_some(),
                    Header::Absent => found.is_none(),
                };
                if !good {
                    let expected = format!("the header `{name}` to be {} in {what}", wanted.told());
                    let found = found.map_or_else(|| "none".to_owned(), |found| format!("{found:?}"));
                    misses.push(Miss::of(step, expected, found).nearest([self.entry_told(entry)]));
                }
            }
            for (name, wanted) in &wanted.members {
                let found = entry.of_request(name).cloned().unwrap_or_default();
                if !is(wanted, &found) {
                    let expected = format!("the member `{name}` to be {} in {what}", wanted.told());
                    misses.push(
                        Miss::of(step, expected, shown_value(&found)).nearest([self.entry_told(entry)]),
                    );
                }
            }
        }
        self.misses.extend(misses);
    }

    pub(super) fn entry_told(&self, entry: &Entry) -> String {
        let text = line_of(entry, self.step, &self.names).map(|line| line.text).unwrap_or_default();
        format!("{:.3} {text}{}", entry.at, self.names.in_journal(entry.n))
    }

    fn expect_notifications(&mut self, step: &Step, wanted: &ExpectNotifications) {
        let since = self.since(wanted.since);
        let all = notifications(&self.entries);
        let of_it = |told: &&Told<'_>| {
            told.queued.n > since
                && told.fits(&wanted.notifications, &self.names)
                && wanted.outcome.is_none_or(|outcome| told.outcome() == outcome.as_str())
        };
        let came: Vec<&Told<'_>> = all.iter().filter(of_it).collect();
        let what = told_notifications(&wanted.notifications);
        let outcome = wanted.outcome.map(|outcome| format!(", {}", outcome.told())).unwrap_or_default();
        let mut misses = Vec::new();
        if !fits(wanted.number, came.len()) {
            let lines: Vec<String> =
                all.iter().filter(|told| told.queued.n > since).map(|told| told.told(&self.names)).collect();
            let expected = format!("{} of {what}{outcome}", how_many(wanted.number));
            let miss = Miss::of(step, expected, came.len().to_string()).nearest(newest(lines));
            misses.push(miss.look("what the receiver answered, and when the next attempt is due"));
        }
        for told in &came {
            let tries = told.tries();
            let count = tries.len();
            if let Some(attempts) =
                wanted.attempts.filter(|wanted| usize::try_from(*wanted).ok() != Some(count))
            {
                let miss =
                    Miss::of(step, format!("{} of {what}", counted(attempts, "attempt")), count.to_string());
                misses.push(
                    miss.nearest([told.told(&self.names)]).look("what the receiver answered to each attempt"),
                );
            }
            let deliveries = told.attempts.len();
            if let Some(wanted) =
                wanted.deliveries.filter(|wanted| usize::try_from(*wanted).ok() != Some(deliveries))
            {
                let expected = format!("{} of {what}", counted(wanted, "delivery"));
                let lines = told.attempts.iter().map(|attempt| self.entry_told(attempt)).collect();
                let miss = Miss::of(step, expected, deliveries.to_string()).nearest(newest(lines));
                misses.push(
                    miss.look("the deliveries above: attempts, and repetitions that a fault made of them"),
                );
            }
            let attempts = tries.windows(2);
            let pauses: Vec<(Duration, &Entry)> =
                attempts.map(|two| (between(two[0], two[1]), two[1])).collect();
            misses.extend(spacing(step, &wanted.spacing, &pauses, |entry| self.entry_told(entry)));
        }
        self.misses.extend(misses);
    }

    fn expect_order(&mut self, step: &Step, all: &[Calls]) {
        let mut entries = self.entries.iter();
        for (at, wanted) in all.iter().enumerate() {
            if entries.any(|entry| entry.fits_call(wanted, &self.names)) {
                continue;
            }
            let expected = format!("{} as number {} of the order", told_calls(wanted), at + 1);
            let calls = self.entries.iter().filter(|entry| entry.is("request"));
            let lines: Vec<String> = calls.map(|entry| self.entry_told(entry)).collect();
            let found = if at == 0 { "none at all" } else { "none behind those before it" };
            let miss = Miss::of(step, expected, found).nearest(newest(lines));
            self.misses.push(miss.look("the order of the calls in the transcript"));
            return;
        }
    }

    async fn expect_never(&mut self, step: &Step, never: &Never) -> Result<(), Broken> {
        self.settle().await?;
        let from = self.read;
        let way = ("by", Value::from(format!("{}ms", never.within.as_millis())));
        let answer = self.ground.admin.advance(way, self.silence).await?;
        self.moved(&answer)?;
        self.read_journal().await?;
        let unwanted: BTreeSet<u64> = match &never.what {
            NeverWhat::Call(calls) => {
                let fit = self.entries.iter().filter(|entry| entry.fits_call(calls, &self.names));
                fit.map(|entry| entry.n).collect()
            }
            NeverWhat::Notification(wanted) => {
                let all = notifications(&self.entries);
                let about = all.iter().filter(|told| told.is_about(wanted, &self.names));
                let attempts = about.flat_map(|told| &told.attempts);
                attempts.filter(|one| is_answered(one, wanted)).map(|one| one.n).collect()
            }
        };
        let came: Vec<String> = self
            .entries
            .iter()
            .filter(|entry| entry.n > from && unwanted.contains(&entry.n))
            .map(|entry| self.entry_told(entry))
            .collect();
        if came.is_empty() {
            return Ok(());
        }
        let what = match &never.what {
            NeverWhat::Call(calls) => told_calls(calls),
            NeverWhat::Notification(wanted) => told_notifications(wanted),
        };
        let expected = format!("none of {what} within {}", shown(never.within));
        let miss = Miss::of(step, expected, came.len().to_string()).nearest(newest(came));
        self.misses.push(miss.look("what made it happen: the entries before it in the transcript"));
        Ok(())
    }
}

pub(super) fn newest(mut lines: Vec<String>) -> Vec<String> {
    let left_out = lines.len().saturating_sub(NEAREST);
    if left_out > 0 {
        lines.drain(..left_out);
        lines.insert(0, format!("({left_out} earlier ones)"));
    }
    lines
}

fn fits(number: HowMany, found: usize) -> bool {
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    match number {
        HowMany::Exactly(wanted) => found == wanted,
        HowMany::Between(least, most) => found >= least && most.is_none_or(|most| found <= most),
    }
}

fn how_many(number: HowMany) -> String {
    match number {
        HowMany::Exactly(wanted) => format!("{wanted}"),
        HowMany::Between(least, None) => format!("at least {least}"),
        HowMany::Between(0, Some(most)) => format!("at most {most}"),
        HowMany::Between(least, Some(most)) => format!("{least} to {most}"),
    }
}

/// From the end of an exchange to the arrival of the next; of two that overlap there is none.
fn between(one: &Entry, other: &Entry) -> Duration {
    Duration::try_from(other.arrived().duration_since(one.at)).unwrap_or_default()
}

/// Pauses that are shorter than they must be, or that there are not.
fn spacing(
    step: &Step,
    wanted: &[Duration],
    pauses: &[(Duration, &Entry)],
    told: impl Fn(&Entry) -> String,
) -> Vec<Miss> {
    let mut misses = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        let expected = format!("a pause of at least {} before number {}", shown(*wanted), at + 2);
        match pauses.get(at) {
            Some((pause, _)) if pause >= wanted => {}
            Some((pause, entry)) => misses.push(
                Miss::of(step, expected, shown(*pause))
                    .nearest([told(entry)])
                    .look("the moments at which they came, on the sandbox clock"),
            ),
            None => misses.push(Miss::of(step, expected, format!("no number {}", at + 2))),
        }
    }
    misses
}

/// A header of a call, as far as the journal shows it.
fn header<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    let name = name.to_ascii_lowercase();
    // One that D1 takes is among the members of every entry.
    let correlation = entry.text("correlationId").filter(|_| name == "x-correlation-id");
    correlation.or_else(|| entry.line.get("headers")?.get(&name)?.as_str())
}
