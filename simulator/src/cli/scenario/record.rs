//! `d1sim scenario record`: a journal as a scenario that replays it.

mod asked;
mod calls;
mod cards;
mod ending;
mod lines;
mod piece;
mod story;
#[cfg(test)]
mod tests;
mod whole;
mod yaml;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use super::super::args::RecordScenario;
use super::super::exit::{Exit, Failure};
use super::super::{journal, print, say};
use super::new::write_new;
use super::run::admin::Admin;
use super::run::miss::Broken;
use crate::scenario::is_name;
use lines::Line;
use whole::{Head, whole};

/// The longest journal that is read: the ring of a sandbox holds half of it.
const MAX_BYTES: u64 = 128 * 1024 * 1024;

/// Where the lines come from, and what else is known of them.
struct Journal {
    lines: Vec<Line>,
    seed: Option<u32>,
    /// As the scenario names it.
    of: String,
}

pub(super) fn run(args: &RecordScenario) -> Result<(), Failure> {
    if !is_name(&args.name) {
        let reason =
            format!("--name {}: expected small letters, digits and hyphens, e.g. lost-token", args.name);
        return Err(Failure::usage(reason));
    }
    let journal = match (&args.admin, &args.journal) {
        (Some(url), _) => of_sandbox(url, args.admin_token_file.as_deref())?,
        (None, Some(file)) => of_file(file)?,
        (None, None) => return Err(Failure::usage("expected --admin URL or --journal FILE")),
    };
    let (before, lines) = since_reset(&journal.lines);
    let gateway = gateway(lines, args.gateway.as_deref(), &journal.of)?;
    let head = Head {
        name: &args.name,
        of: &journal.of,
        seed: journal.seed,
        before,
        others: others(lines, &gateway),
    };
    let (text, notes) = whole(&head, lines, &gateway)?;
    let Some(out) = &args.out else {
        print(text.trim_end());
        return Ok(());
    };
    if !write_new(out, &text)? {
        return Err(Failure::resource(format!(
            "{} is there already, and nothing is overwritten; take another name",
            out.display()
        )));
    }
    let file = out.display();
    let left = match notes {
        0 => String::new(),
        1 => "\n1 comment in it tells what is not played".to_owned(),
        more => format!("\n{more} comments in it tell what is not played"),
    };
    let blind = if text.contains("\n  - expect:") {
        ""
    } else {
        "\nit expects nothing: what came of that day is in a comment, so that no replay can be red; add a step `expect`"
    };
    say(&format!("wrote {file}{left}{blind}\nnext: d1sim scenario run {file}"));
    Ok(())
}

fn of_file(file: &Path) -> Result<Journal, Failure> {
    let failed = |fault: std::io::Error| Failure::file("read", file, &fault);
    let mut bytes = Vec::new();
    File::open(file).map_err(failed)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    let called = file.display().to_string();
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(Failure::usage(format!("{called}: expected at most {MAX_BYTES} bytes, found more")));
    }
    let lines = lines::read(&called, &bytes)?;
    journal::warn_of_pages(file, &String::from_utf8_lossy(&bytes));
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Journal { lines, seed: None, of: name })
}

/// The journal up to now; what comes while it is read is not waited for.
fn of_sandbox(url: &str, token_file: Option<&Path>) -> Result<Journal, Failure> {
    let admin = Admin::new("--admin", url, token_file)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let read = async {
        let (info, state) = (admin.get("info").await?, admin.get("state").await?);
        let end = state["journal"].as_u64().unwrap_or_default();
        let (mut lines, mut after) = (Vec::new(), 0);
        while after < end {
            let page = admin.page(after, Duration::ZERO).await?;
            let page = lines::read(&format!("{url}/journal?after={after}"), &page)
                .map_err(|failure| Broken(failure.error.to_string()))?;
            after = page.last().map_or(end, Line::n);
            lines.extend(page);
        }
        Ok::<_, Broken>((lines, info["seed"].as_u64().and_then(|seed| u32::try_from(seed).ok())))
    };
    let (lines, seed) =
        runtime.map_err(Failure::internal)?.block_on(read).map_err(|Broken(why)| Failure::resource(why))?;
    Ok(Journal { lines, seed, of: "a sandbox".to_owned() })
}

/// What was before the last reset is forgotten; its last number, and the rest.
fn since_reset(lines: &[Line]) -> (Option<u64>, &[Line]) {
    let reset = lines.iter().rposition(|line| matches!(line, Line::Entry(entry) if entry.is("reset")));
    match reset {
        Some(at) => (Some(lines[at].n()), &lines[at + 1..]),
        None => (None, lines),
    }
}

/// The gateway whose doings are played: the one that is asked for, or the only one.
fn gateway(lines: &[Line], wanted: Option<&str>, of: &str) -> Result<String, Failure> {
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for line in lines {
        if let Line::Entry(entry) = line
            && entry.is("request")
            && let Some(gateway) = entry.text("gateway")
        {
            *calls.entry(gateway).or_default() += 1;
        }
    }
    let known: Vec<&str> = calls.keys().copied().collect();
    match (wanted, &known[..]) {
        (Some(wanted), _) if calls.contains_key(wanted) => Ok(wanted.to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (_, []) => {
            let error = format!("{of}: no gateway has called D1, so that there is nothing to record").into();
            Err(Failure { exit: Exit::NothingRan, error })
        }
        (Some(wanted), _) => {
            let reason = format!(
                "--gateway {wanted}: it makes no call in this journal; those that do: {}",
                known.join(", ")
            );
            Err(Failure::usage(reason))
        }
        (None, _) => {
            let reason =
                format!("{of}: several gateways call D1; name one with --gateway: {}", known.join(", "));
            Err(Failure::usage(reason))
        }
    }
}

/// How many entries other gateways have.
fn others(lines: &[Line], gateway: &str) -> BTreeMap<String, u64> {
    let mut others: BTreeMap<String, u64> = BTreeMap::new();
    for line in lines {
        if let Line::Entry(entry) = line
            && let Some(other) = entry.text("gateway").filter(|other| *other != gateway)
        {
            *others.entry(other.to_owned()).or_default() += 1;
        }
    }
    others
}
