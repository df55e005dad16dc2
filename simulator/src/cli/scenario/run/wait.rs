//! Steps `wait`: for what somebody outside does, in real time.

use std::time::Duration;

use d1_client::{MerchantId, TokenId};
use serde_json::Value;
use tokio::time::timeout;

use super::super::super::say;
use super::happened::{Entry, notifications};
use super::miss::{Broken, Miss};
use super::names::{MerchantOf, TokenOf};
use super::player::Player;
use crate::scenario::{
    CallWait, Caller, Named, NotificationWait, Step, Wait, counted, shown, told, told_calls,
    told_notifications,
};

/// How long one question may take; then it is asked anew.
const ASK: Duration = Duration::from_secs(10);

impl Player<'_> {
    pub(super) async fn wait(&mut self, step: &Step, wait: &Wait) -> Result<(), Broken> {
        self.tell_outside(step);
        match wait {
            Wait::Quiet => {
                let answer = self.ground.admin.advance(("until", "quiet".into()), self.silence).await?;
                self.moved(&answer)
            }
            Wait::Call(wait) => self.wait_for_call(step, wait).await,
            Wait::Notification(wait) => self.wait_for_notification(step, wait).await,
        }
    }

    async fn wait_for_call(&mut self, step: &Step, wait: &CallWait) -> Result<(), Broken> {
        let nth = usize::try_from(wait.nth).unwrap_or(usize::MAX);
        let fits = |player: &Self| {
            let mut all = player.entries.iter().filter(|entry| entry.fits_call(&wait.calls, &player.names));
            all.nth(nth.saturating_sub(1)).cloned()
        };
        match self.until(wait.within, fits).await? {
            Some(entry) => self.call_made(&entry, wait.made.as_ref()),
            None => {
                let what = format!(
                    "number {} of {} within {}",
                    wait.nth,
                    told_calls(&wait.calls),
                    shown(wait.within)
                );
                let look = match self.scenario.stage.caller {
                    Caller::Outside => "whether your system calls D1 at all, and what D1 answers it",
                    Caller::Own => "the steps `call` before it: with `caller: own` nobody else calls D1",
                };
                self.in_vain(step, what, look);
                Ok(())
            }
        }
    }

    async fn wait_for_notification(&mut self, step: &Step, wait: &NotificationWait) -> Result<(), Broken> {
        let nth = usize::try_from(wait.nth).unwrap_or(usize::MAX);
        let came = |player: &Self| {
            let all = notifications(&player.entries);
            let fit = |told: &&super::happened::Told<'_>| {
                !told.attempts.is_empty() && told.fits(&wait.notifications, &player.names)
            };
            (all.iter().filter(fit).count() >= nth).then_some(())
        };
        if self.until(wait.within, came).await?.is_none() {
            let what = told_notifications(&wait.notifications);
            let what = format!("number {} of {what} within {}", wait.nth, shown(wait.within));
            self.in_vain(step, what, "whether the clock has to move for it: `advance` instead of `wait`");
        }
        Ok(())
    }

    /// Waits until there is what is looked for, in real time. Where an exchange waits for the sandbox clock, time
    /// passes: whoever calls would wait in vain.
    async fn until<T>(
        &mut self,
        within: Duration,
        look: impl Fn(&Self) -> Option<T>,
    ) -> Result<Option<T>, Broken> {
        let search = async {
            loop {
                self.read_journal().await?;
                if let Some(found) = look(self) {
                    return Ok(found);
                }
                let admin = &self.ground.admin;
                let until = tokio::select! {
                    page = admin.journal(self.read, ASK) => page.map(|_| None)?,
                    held = admin.held(ASK) => held?,
                };
                if let Some(until) = until {
                    let way = ("to", Value::from(until.to_string()));
                    let answer = self.ground.admin.advance(way, Duration::ZERO).await?;
                    self.moved(&answer)?;
                }
            }
        };
        match timeout(within, search).await {
            Ok(found) => found.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Whoever has to do something at this step is told when it comes.
    pub(super) fn tell_outside(&self, step: &Step) {
        if self.scenario.stage.caller == Caller::Outside {
            let told = told(step);
            let told = told.strip_prefix("Wait ").map_or(told.clone(), |rest| format!("waits {rest}"));
            say(&format!("{}: step {}: {told}", self.scenario.name, step.path));
        }
    }

    fn in_vain(&mut self, step: &Step, expected: String, look: &str) {
        let calls = self.entries.iter().filter(|entry| entry.is("request")).count();
        let calls = counted(u32::try_from(calls).unwrap_or(u32::MAX), "call");
        let found = format!("nothing of the kind; D1 got {calls} since the scenario began");
        self.misses.push(Miss::of(step, expected, found).look(look));
    }

    /// Gives what somebody outside made its name.
    fn call_made(&mut self, entry: &Entry, made: Option<&Named>) -> Result<(), Broken> {
        let Some(named) = made else { return Ok(()) };
        let strange = || Broken(format!("what is to be called `{}` has no id in the journal", named.name));
        let whose =
            entry.text("gateway").and_then(|id| self.names.gateways.iter().find(|(_, known)| *known == id));
        let gateway = whose.map(|(name, _)| name.clone()).ok_or_else(strange)?;
        let merchant = entry.merchant().and_then(|id| MerchantId::new(id).ok()).ok_or_else(strange)?;
        match entry.token() {
            Some(id) => {
                let id = TokenId::new(id).map_err(|_| strange())?;
                self.names.tokens.insert(named.name.clone(), TokenOf { gateway, merchant, id, card: None });
            }
            None => {
                self.names.merchants.insert(named.name.clone(), MerchantOf { gateway, id: merchant });
            }
        }
        Ok(())
    }
}
