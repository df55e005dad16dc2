//! A program that is asked: one line in, one value of JSON out.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::super::ShimCommand;
use super::super::process::Group;
use super::{MOST_BYTES, late};

/// Whether it can be started.
pub(super) fn starts(command: &ShimCommand) -> Result<(), String> {
    spawn(command).map(drop)
}

/// Asks one question; gives all that was said.
pub(super) async fn ask(
    command: &ShimCommand,
    question: &str,
    patience: Duration,
) -> Result<Vec<u8>, String> {
    let mut group = spawn(command)?;
    let (Some(mut stdin), Some(stdout)) = (group.0.stdin.take(), group.0.stdout.take()) else {
        return Err("it has no input or no output".to_owned());
    };
    let talk = async {
        // One that does not read its question may still know the answer.
        let _ = stdin.write_all(question.as_bytes()).await;
        drop(stdin);
        let mut said = Vec::new();
        // One byte more than it may say, so that too much is seen.
        let mut bounded = stdout.take(MOST_BYTES as u64 + 1);
        bounded.read_to_end(&mut said).await.map_err(|fault| format!("it cannot be read: {fault}"))?;
        if said.len() > MOST_BYTES {
            return Ok(said);
        }
        let ended = group.0.wait().await.map_err(|fault| format!("its end cannot be waited for: {fault}"))?;
        if ended.success() { Ok(said) } else { Err(format!("it ended with {ended}")) }
    };
    timeout(patience, talk).await.unwrap_or_else(|_| Err(late(patience)))
}

fn spawn(command: &ShimCommand) -> Result<Group, String> {
    Command::new(&command.program)
        .args(&command.arguments)
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

#[cfg(test)]
mod tests {
    use super::super::Probe;
    use super::*;
    use crate::receiver::{Observer as _, State, TokenRef};

    fn token() -> TokenRef {
        let text = |text: &str| text.to_owned();
        TokenRef { gateway_id: text("MGW_000001"), merchant_id: text("10610027312"), token_id: text("t") }
    }

    fn probe(command: &str) -> Probe {
        command.parse().expect("a command")
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
        let fault = probe("head -c 65537 /dev/zero").look(&token()).await.expect_err("a fault");
        assert!(fault.contains("more than 65536 bytes"), "{fault}");
        let hangs = probe("sh -c 'sleep 60 & wait'").within(Duration::from_millis(50));
        let fault = hangs.look(&token()).await.expect_err("a fault");
        assert!(fault.contains("50 ms"), "{fault}");
        let fault = probe("/nowhere/at-all").try_out(&token()).await.expect_err("a fault");
        assert!(fault.contains("started"), "{fault}");
        probe("sh -c 'exit 3'").try_out(&token()).await.expect("it starts");
    }
}
