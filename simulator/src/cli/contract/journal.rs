//! `d1sim contract coverage --journal`: the answers that a sandbox has given, against the documents.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use d1_contracts::{JournalVerdict, inbound, judge_journal, outbound};
use reqwest::{Client, Url, redirect};
use serde_json::Value;

use super::super::admin_port;
use super::super::exit::{Exit, Failure};
use super::super::print;
use super::natural::NaturalD1;

/// The longest journal that is read. A sandbox keeps a quarter of it.
const MOST: u64 = 256 * 1024 * 1024;
/// How long the admin port may take for a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints which cells a journal has touched: that of a file, or of the sandbox whose admin port a URL names.
pub(super) fn coverage(from: &str, token_file: Option<&Path>) -> Result<(), Failure> {
    let lines = if from.starts_with("http://") || from.starts_with("https://") {
        fetch(from, token_file)?
    } else {
        saved(Path::new(from))?
    };
    let verdict = judged(&lines).map_err(|reason| Failure::usage(format!("--journal {from}: {reason}")))?;
    print(&verdict.text());
    if verdict.answers == 0 {
        let error = format!("--journal {from}: there is no answer in it").into();
        return Err(Failure { exit: Exit::NothingRan, error });
    }
    gate(&verdict)
}

/// Judges what the real D1 of natural cases has answered in a run, if there were some.
pub(super) fn judge_run(d1: &NaturalD1) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let lines = runtime.block_on(d1.journal()).map_err(harness)?;
    if lines.is_empty() {
        return Ok(());
    }
    let verdict = judged(&lines).map_err(harness)?;
    print(&verdict.summary());
    gate(&verdict)
}

fn harness(reason: String) -> Failure {
    Failure { exit: Exit::Harness, error: reason.into() }
}

fn judged(lines: &str) -> Result<JournalVerdict, String> {
    let contracts = inbound().and_then(|inbound| Ok((inbound, outbound()?)));
    let (inbound, outbound) = contracts.map_err(|fault| fault.to_string())?;
    judge_journal(&inbound, &outbound, lines).map_err(|fault| fault.to_string())
}

fn gate(verdict: &JournalVerdict) -> Result<(), Failure> {
    match verdict.strangers.len() {
        0 => Ok(()),
        count => {
            let error = format!("the journal holds {count} answers that no document lists, see above").into();
            Err(Failure { exit: Exit::CaseFailed, error })
        }
    }
}

fn saved(path: &Path) -> Result<String, Failure> {
    let cannot = |fault: std::io::Error| Failure::file("read", path, &fault);
    let mut text = String::new();
    let read = File::open(path).map_err(cannot)?.take(MOST + 1).read_to_string(&mut text).map_err(cannot)?;
    if read as u64 > MOST {
        return Err(Failure::usage(format!("{}: expected at most {MOST} bytes of journal", path.display())));
    }
    Ok(text)
}

fn fetch(url: &str, token_file: Option<&Path>) -> Result<String, Failure> {
    let hint = || {
        Failure::usage("--journal: expected a file, or the URL of an admin port like http://127.0.0.1:8444")
    };
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "http").ok_or_else(hint)?;
    let mut client = Client::builder().tls_certs_only([]).no_proxy().redirect(redirect::Policy::none());
    if let Some(path) = token_file {
        let bearer = format!("Bearer {}", admin_port::token(path)?.as_str());
        let mut bearer = reqwest::header::HeaderValue::from_str(&bearer).map_err(Failure::usage)?;
        bearer.set_sensitive(true);
        client = client.default_headers([(reqwest::header::AUTHORIZATION, bearer)].into_iter().collect());
    }
    let client = client.timeout(PATIENCE).build().map_err(Failure::internal)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let base = url.as_str().trim_end_matches('/').to_owned();
    runtime.block_on(read(&client, &base)).map_err(Failure::resource)
}

/// The whole journal of the sandbox whose admin port is at `base`, one entry a line.
pub(super) async fn read(client: &Client, base: &str) -> Result<String, String> {
    let (mut lines, mut after) = (String::new(), 0);
    loop {
        let answer = client.get(format!("{base}/journal?after={after}")).send().await;
        let answer =
            answer.map_err(|fault| format!("the admin port does not answer: {}", fault.without_url()))?;
        if !answer.status().is_success() {
            let hint = "--admin-token-file names the file that serve was given";
            return Err(format!("the admin port answers {}; {hint}", answer.status()));
        }
        let page = answer.text().await.map_err(|fault| fault.without_url().to_string())?;
        let last = page.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
        let Some(last) = last else { return Ok(lines) };
        let last = last["n"].as_u64().filter(|last| *last > after);
        after = last.ok_or("the admin port told no numbers that grow: is it that of a d1sim?")?;
        lines.push_str(&page);
        if lines.len() as u64 > MOST {
            return Err(format!("expected at most {MOST} bytes of journal"));
        }
    }
}
