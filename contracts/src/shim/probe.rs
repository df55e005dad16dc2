//! Looking into a receiver in any language: a program or a URL that tells what it knows of a token (see
//! `shims/RECEIVER.md`).

mod at_url;
mod command;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};

use super::ShimCommand;
use crate::receiver::{Observer, PROBED_MEMBERS, Probed, State, TokenRef};
use crate::subject::BoxFuture;
use at_url::ProbeUrl;

/// A probe that has not answered after so long hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most that a probe may say.
const MOST_BYTES: usize = 64 * 1024;

/// Whoever looks into a receiver, asked anew for each token.
#[derive(Debug, Clone)]
pub struct Probe {
    asked: Asked,
    patience: Duration,
}

#[derive(Debug, Clone)]
enum Asked {
    /// It is started for each question.
    Command(ShimCommand),
    Url(ProbeUrl),
}

/// A text that is neither a command nor an `http` URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// No command.
    #[error(transparent)]
    Command(#[from] super::CommandError),
    /// A URL that cannot be asked.
    #[error("expected a command or http://HOST[:PORT][/PATH], {0}")]
    Url(&'static str),
}

/// What begins with `http://` is a URL, what begins with `https://` is refused, everything else is a command, whose words are
/// split as a shell does.
impl FromStr for Probe {
    type Err = ProbeError;

    fn from_str(text: &str) -> Result<Self, ProbeError> {
        let asked = match text.trim() {
            url if url.contains("://") && !url.contains(char::is_whitespace) => Asked::Url(url.parse()?),
            command => Asked::Command(command.parse()?),
        };
        Ok(Self { asked, patience: PATIENCE })
    }
}

/// As [`FromStr`], and a command as a shell, takes it.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.asked {
            Asked::Command(command) => command.fmt(f),
            Asked::Url(url) => url.fmt(f),
        }
    }
}

impl Probe {
    /// Another deadline for each question than 10 s.
    #[must_use]
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Asks once for a token, whatever the answer.
    ///
    /// # Errors
    /// Why nobody can be asked: the program cannot be started, nobody listens at the URL.
    pub async fn try_out(&self, token: &TokenRef) -> Result<(), String> {
        match &self.asked {
            Asked::Command(command) => command::starts(command)?,
            Asked::Url(url) => url.is_there(self.patience).await?,
        }
        // What it answers is judged where it matters.
        let _ = self.look(token).await;
        Ok(())
    }
}

impl Observer for Probe {
    fn look<'a>(&'a self, token: &'a TokenRef) -> BoxFuture<'a, Result<Option<Probed>, String>> {
        Box::pin(async move {
            let TokenRef { gateway_id, merchant_id, token_id } = token;
            let question = json!({"gatewayId": gateway_id, "merchantId": merchant_id, "tokenId": token_id});
            let said = match &self.asked {
                Asked::Command(command) => {
                    command::ask(command, &format!("{question}\n"), self.patience).await?
                }
                Asked::Url(url) => url.ask(&question.to_string(), self.patience).await?,
            };
            if said.len() > MOST_BYTES {
                return Err(format!("it said more than {MOST_BYTES} bytes"));
            }
            read(&said)
        })
    }

    /// What it knows of, it cannot change.
    fn enter(&self, state: Option<State>) -> BoxFuture<'_, bool> {
        Box::pin(async move { state.is_none() })
    }
}

/// What is said of one that hangs.
fn late(patience: Duration) -> String {
    format!("no answer within {} ms", patience.as_millis())
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

    #[test]
    fn a_probe_is_a_command_or_a_url() {
        for (text, told) in [
            ("python3 probe.py", "python3 probe.py"),
            ("curl -sf http://127.0.0.1:9/x -d @-", "curl -sf http://127.0.0.1:9/x -d @-"),
            ("http://127.0.0.1:9/x?y=z", "http://127.0.0.1:9/x?y=z"),
            (" http://[::1]:9 ", "http://[::1]:9/"),
            ("http://gateway", "http://gateway/"),
        ] {
            let probe: Probe = text.parse().expect(text);
            assert_eq!(
                (probe.to_string().as_str(), matches!(probe.asked, Asked::Url(_))),
                (told, told.starts_with("http"))
            );
        }
        for (text, reason) in [
            ("", "a program"),
            ("'", "quote"),
            ("https://127.0.0.1:9", "curl"),
            ("ftp://127.0.0.1:9", "http://HOST"),
            ("http://", "a host"),
            ("http://127.0.0.1:0/", "a port from 1"),
            ("http://me:secret@127.0.0.1/", "without a user"),
            ("http://127.0.0.1/#x", "without a user"),
        ] {
            let fault = text.parse::<Probe>().expect_err(text).to_string();
            assert!(fault.contains(reason) && !fault.contains("secret"), "{text}: {fault}");
        }
    }
}
