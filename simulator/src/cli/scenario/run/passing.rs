//! How time passes for the player: by steps that say so, and wherever our client or an exchange waits for it.

use std::time::Duration;

use d1_client::Clock;
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;

use super::admin::Answer;
use super::miss::{Broken, Miss};
use super::player::Player;
use super::transcript::{Kind, line_of};
use crate::scenario::{Advance, Step};

/// How long one question for who waits for the clock may take; then it is asked anew.
const ASK: Duration = Duration::from_secs(10);
/// A gateway that called nobody for so long has no connection any more, whatever real time shows.
const IDLE: Duration = Duration::from_mins(15);

impl Player<'_> {
    /// Waits until all is quiet, and reads what happened. The clock stays where it is.
    pub(super) async fn settle(&mut self) -> Result<(), Broken> {
        let answer = self.ground.admin.advance(("until", "quiet".into()), Duration::ZERO).await?;
        self.moved(&answer)?;
        self.read_journal().await
    }

    pub(super) async fn read_journal(&mut self) -> Result<(), Broken> {
        loop {
            let page = self.ground.admin.journal(self.read, Duration::ZERO).await?;
            let Some(last) = page.last() else { return Ok(()) };
            self.read = last.n;
            for entry in page {
                let ours = match entry.text("gateway") {
                    Some(id) => self.names.gateways.values().any(|known| known == id),
                    None => self.ground.is_alone() || self.names.has_fault(&entry),
                };
                if !ours {
                    continue;
                }
                while let Some(tick) = self.ticks.pop_front_if(|tick| tick.at <= entry.at) {
                    self.lines.push(tick);
                }
                self.lines.extend(line_of(&entry, self.step, &self.names));
                if entry.is("transition") && entry.text("to") == Some("DELETED") {
                    self.deleted.extend(entry.text("tokenId").map(str::to_owned));
                }
                self.entries.push(entry);
            }
        }
    }

    /// Lets a piece of work of our client's go on to its end. Whenever that needs time to pass, time passes at once: to
    /// the end of the client's pause, or to the moment at which the sandbox answers.
    pub(super) async fn through_time<T: Send + 'static>(
        &mut self,
        clock: &Clock,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Broken> {
        let mut working = JoinSet::new();
        working.spawn(work);
        loop {
            let held = self.ground.admin.held(ASK);
            let until = tokio::select! {
                biased;
                Some(done) = working.join_next() => {
                    return done.map_err(|fault| Broken(format!("our client: {fault}")));
                }
                () = clock.somebody_waits() => None,
                held = held => match held? {
                    Some(until) => Some(until),
                    None => continue,
                },
            };
            let way = match until {
                Some(until) => {
                    // Before the answer can be there: what our client reckons from it begins at that moment.
                    self.it_is(until)?;
                    ("to", Value::from(until.to_string()))
                }
                None => {
                    let left = clock.until_next_pause_ends().unwrap_or_default();
                    // Whole milliseconds, and never before the pause has ended.
                    let left = u64::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
                    ("by", Value::from(format!("{}ms", left.max(1))))
                }
            };
            let answer = self.ground.admin.advance(way, Duration::ZERO).await?;
            self.moved(&answer)?;
        }
    }

    /// Takes over what an advance came to: the clocks of the gateways go along.
    pub(super) fn moved(&mut self, answer: &Answer) -> Result<(), Broken> {
        let now =
            answer.body.get("now").and_then(Value::as_str).and_then(|now| now.parse::<Timestamp>().ok());
        let Some(now) = now.filter(|_| answer.status == 200) else {
            return Err(Broken(format!("the clock does not move: {}", answer.told())));
        };
        self.it_is(now)
    }

    /// Moves the clocks of the gateways to this moment.
    fn it_is(&mut self, now: Timestamp) -> Result<(), Broken> {
        let by = Duration::try_from(now.duration_since(self.now)).unwrap_or_default();
        if by.is_zero() {
            return Ok(());
        }
        for gateway in self.ground.gateways.values_mut() {
            gateway.pass(by);
            if by >= IDLE {
                gateway.reconnect().map_err(|failure| Broken(failure.error.to_string()))?;
            }
        }
        self.now = now;
        let text = format!("the clock shows {now:.3}");
        self.ticks.push_back(self.line(Kind::Event, text));
        Ok(())
    }

    pub(super) async fn advance(&mut self, step: &Step, advance: Advance) -> Result<(), Broken> {
        let way = match advance {
            Advance::By(by) => ("by", Value::from(format!("{}ms", by.as_millis()))),
            Advance::To(to) => ("to", Value::from(to.to_string())),
            Advance::UntilQuiet => ("until", Value::from("quiet")),
            Advance::UntilNext => ("until", Value::from("next")),
            Advance::UntilEvent(event) => ("until", serde_json::json!({"event": event.as_str()})),
        };
        let answer = self.ground.admin.advance(way, self.silence).await?;
        if answer.status == 409 && answer.body["errorCode"] == "NOTHING_DUE" {
            let miss = Miss::of(step, "something that falls due", answer.told());
            self.misses.push(
                miss.look("what the steps before it planned: GET /state tells of `planned` and `outbox`"),
            );
            return Ok(());
        }
        self.moved(&answer)
    }
}
