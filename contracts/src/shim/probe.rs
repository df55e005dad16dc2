//! Looking into a receiver in any language: a program that tells what it knows of a token (see `shims/RECEIVER.md`).

use std::collections::BTreeMap;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::ShimCommand;
use super::process::Group;
use crate::receiver::{Observer, PROBED_MEMBERS, Probed, State, TokenRef};
use crate::subject::BoxFuture;

/// A probe that has not ended after so long hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most that a probe may say.
const MOST_BYTES: u64 = 64 * 1024;

/// A program that looks into a receiver, started for each question anew.
#[derive(Debug, Clone)]
pub struct ProbeCommand {
    command: ShimCommand,
    patience: Duration,
}

impl ProbeCommand {
    /// A probe by this command, with the default deadline of 10 s for each question.
    #[must_use]
    pub fn new(command: ShimCommand) -> Self {
        Self { command, patience: PATIENCE }
    }

    /// Another deadline.
    #[must_use]
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Asks once for a token, whatever the answer.
    ///
    /// # Errors
    /// Why the program cannot be started.
    pub async fn try_out(&self, token: &TokenRef) -> Result<(), String> {
        // What it answers is judged where it matters.
        self.spawn().map(drop)?;
        let _ = self.look(token).await;
        Ok(())
    }

    fn spawn(&self) -> Result<Group, String> {
        Command::new(&self.command.program)
            .args(&self.command.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It may hold secrets.
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map(Group)
            .map_err(|fault| format!("it cannot be started: {fault}"))
    }

    /// Asks one question; gives all that was said, and how it ended.
    async fn ask(&self, question: &str) -> Result<(Vec<u8>, ExitStatus), String> {
        let mut group = self.spawn()?;
        let (Some(mut stdin), Some(stdout)) = (group.0.stdin.take(), group.0.stdout.take()) else {
            return Err("it has no input or no output".to_owned());
        };
        let talk = async {
            // One that does not read its question may still know the answer.
            let _ = stdin.write_all(question.as_bytes()).await;
            drop(stdin);
            let mut said = Vec::new();
            let mut bounded = stdout.take(MOST_BYTES + 1);
            bounded.read_to_end(&mut said).await.map_err(|fault| format!("it cannot be read: {fault}"))?;
            if said.len() as u64 > MOST_BYTES {
                return Err(format!("it said more than {MOST_BYTES} bytes"));
            }
            let ended =
                group.0.wait().await.map_err(|fault| format!("its end cannot be waited for: {fault}"))?;
            Ok((said, ended))
        };
        let late = || Err(format!("no answer within {} ms", self.patience.as_millis()));
        timeout(self.patience, talk).await.unwrap_or_else(|_| late())
    }
}

impl Observer for ProbeCommand {
    fn look<'a>(&'a self, token: &'a TokenRef) -> BoxFuture<'a, Result<Option<Probed>, String>> {
        Box::pin(async move {
            let TokenRef { gateway_id, merchant_id, token_id } = token;
            let question = json!({"gatewayId": gateway_id, "merchantId": merchant_id, "tokenId": token_id});
            let (said, ended) = self.ask(&format!("{question}\n")).await?;
            if !ended.success() {
                return Err(format!("it ended with {ended}"));
            }
            read(&said)
        })
    }

    /// What it knows of, it cannot change.
    fn enter(&self, state: Option<State>) -> BoxFuture<'_, bool> {
        Box::pin(async move { state.is_none() })
    }
}

/// Reads the answer of a probe. A fault tells the place of what is wrong, and no value.
fn read(said: &[u8]) -> Result<Option<Probed>, String> {
    let answer: Value = serde_json::from_slice(said)
        .map_err(|fault| format!("its answer is not one value of JSON (column {})", fault.column()))?;
    let members = match answer {
        Value::Null => return Ok(None),
        Value::Object(members) => members,
        _ => return Err("its answer is neither null nor an object".to_owned()),
    };
    let (mut token, mut events) = (BTreeMap::new(), None);
    for (name, value) in members {
        match (name.as_str(), value) {
            ("events", value) => {
                let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
                events = Some(count.ok_or("events: expected a whole number")?);
            }
            (known, Value::String(value)) if PROBED_MEMBERS.contains(&known) => {
                token.insert(name, Some(value));
            }
            (known, Value::Null) if PROBED_MEMBERS.contains(&known) => {
                token.insert(name, None);
            }
            (known, _) if PROBED_MEMBERS.contains(&known) => {
                return Err(format!("{known}: expected a text or null"));
            }
            _ => {
                let known = PROBED_MEMBERS.join(", ");
                return Err(format!("a member that is none of {known} and events"));
            }
        }
    }
    Ok(Some(Probed { token, events }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> TokenRef {
        let text = |text: &str| text.to_owned();
        TokenRef { gateway_id: text("MGW_000001"), merchant_id: text("10610027312"), token_id: text("t") }
    }

    fn probe(command: &str) -> ProbeCommand {
        ProbeCommand::new(command.parse().expect("a command"))
    }

    #[test]
    fn an_answer_is_read_or_refused_with_a_reason() {
        assert_eq!(read(b"null\n"), Ok(None));
        let known =
            read(br#"{"state":"ACTIVE","cardExpiryDate":null,"events":2}"#).expect("good").expect("known");
        assert_eq!((known.events, known.token.len()), (Some(2), 2));
        assert_eq!(known.token["state"].as_deref(), Some("ACTIVE"));
        for bad in ["", "1", "{}{}", r#"{"events":-1}"#, r#"{"state":1}"#, r#"{"stat":"ACTIVE"}"#] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_probe_is_asked_with_one_line_and_ends_in_time() {
        let echo =
            probe(r#"sh -c 'read line; case "$line" in *\"tokenId\":\"t\"*) echo "{\"events\": 7}";; esac'"#);
        assert_eq!(echo.look(&token()).await.expect("an answer").expect("known").events, Some(7));
        assert!(echo.enter(None).await);
        assert!(!echo.enter(Some(State::Busy)).await);
        let fault = probe("sh -c 'exit 3'").look(&token()).await.expect_err("a fault");
        assert!(fault.contains('3'), "{fault}");
        let hangs = probe("sh -c 'sleep 60 & wait'").within(Duration::from_millis(50));
        let fault = hangs.look(&token()).await.expect_err("a fault");
        assert!(fault.contains("50 ms"), "{fault}");
        let fault = probe("/nowhere/at-all").try_out(&token()).await.expect_err("a fault");
        assert!(fault.contains("started"), "{fault}");
        probe("sh -c 'exit 3'").try_out(&token()).await.expect("it starts");
    }
}
