//! `d1sim explain`: why a call or a handshake was refused, and what to do.

mod advice;
mod dated;

use serde_json::Value;

use super::args;
use super::exit::Failure;
use super::{journal, print};

/// Checks of a handshake that fail when a fault strikes it: it comes to nothing, or its caller trusts what he is shown as
/// little as he should.
const OF_FAULTS: [&str; 2] = ["handshake", "the caller's view of D1's certificate"];

pub(super) fn run(args: &args::Explain) -> Result<(), Failure> {
    let lines = match &args.journal {
        Some(path) => journal::saved(path)?,
        None => journal::fetched("--admin", &args.admin, args.admin_token_file.as_deref())?,
    };
    let entries = entries(&lines)?;
    print(explained(&entries, args.id.as_deref()).map_err(Failure::usage)?.trim_end());
    Ok(())
}

fn entries(lines: &str) -> Result<Vec<Value>, Failure> {
    let read = |(at, line): (usize, &str)| {
        let entry: Option<Value> = serde_json::from_str(line).ok();
        let entry = entry.filter(|entry| entry["n"].is_u64() && entry["kind"].is_string());
        // The line itself may hold anything.
        let fault = || format!("line {}: expected an entry of a journal, as GET /journal gives it", at + 1);
        entry.ok_or_else(|| Failure::usage(fault()))
    };
    lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(read).collect()
}

/// What is told of the entry with this number, of those under this correlation id, or of the last refusal.
fn explained(entries: &[Value], id: Option<&str>) -> Result<String, String> {
    let Some(id) = id else {
        let Some(last) = entries.iter().rposition(is_refusal) else { return Ok(nothing_refused(entries)) };
        return Ok(told(&entries[last]) + &since(&entries[last + 1..]));
    };
    let number = id.parse::<u64>().ok();
    let numbered = entries.iter().find(|entry| number.is_some() && entry["n"].as_u64() == number);
    let is_under =
        |entry: &&Value| entry["correlationId"] == id && numbered.is_none_or(|one| one["n"] != entry["n"]);
    let under: Vec<&Value> = entries.iter().filter(is_under).collect();
    match numbered {
        Some(entry) if under.is_empty() => Ok(told(entry)),
        // Digits may be either, and only who asks knows which he means.
        Some(entry) => {
            Ok(format!("{}\nUnder the correlation id {id}:\n\n{}", told(entry), told_under(id, &under)))
        }
        None if under.is_empty() => {
            let known = known(entries);
            Err(format!("{id}: no entry has this number or correlation id; the journal has {known}"))
        }
        None => Ok(told_under(id, &under)),
    }
}

/// What was refused of the entries under a correlation id; all of them if nothing was.
fn told_under(id: &str, under: &[&Value]) -> String {
    let refused: Vec<String> =
        under.iter().filter(|entry| is_refusal(entry)).map(|entry| told(entry)).collect();
    if refused.is_empty() {
        let all: Vec<String> = under.iter().map(|entry| told(entry)).collect();
        return format!("Nothing was refused under {id}.\n\n{}", all.join("\n"));
    }
    refused.join("\n")
}

fn known(entries: &[Value]) -> String {
    let number = |entry: Option<&Value>| entry.and_then(|entry| entry["n"].as_u64());
    match number(entries.first()).zip(number(entries.last())) {
        Some((first, last)) => format!("{first} to {last}"),
        None => "no entry".to_owned(),
    }
}

fn nothing_refused(entries: &[Value]) -> String {
    format!("Nothing was refused (journal: {}).", known(entries))
}

/// The calls behind the last refusal, which is not why the newest of them did not do what it should.
fn since(entries: &[Value]) -> String {
    let calls = entries.iter().filter(|entry| entry["kind"] == "request");
    match calls.clone().next_back() {
        None => String::new(),
        Some(last) => {
            let after = if calls.count() == 1 { "a call" } else { "calls, the last" };
            format!("\nNothing was refused since. After it came {after}: {}\n", head(last))
        }
    }
}

/// A refused handshake or call, or one that a fault answered or left without an answer.
fn is_refusal(entry: &Value) -> bool {
    let of_faults = entry["forced"] == true || (entry["kind"] == "request" && entry["status"].is_null());
    let bad = entry["kind"] == "request" && entry["status"].as_u64().is_some_and(|status| status >= 400);
    entry["refused"].is_object() || of_faults || bad
}

fn text<'a>(entry: &'a Value, member: &str) -> Option<&'a str> {
    entry[member].as_str().filter(|text| !text.is_empty())
}

fn told(entry: &Value) -> String {
    let mut lines = vec![head(entry)];
    let mut line = |name: &str, told: &str| lines.push(format!("  {name:9} {told}"));
    for (name, member) in [("gateway", "gateway"), ("call", "correlationId"), ("peer", "peer")] {
        if let Some(told) = text(entry, member) {
            line(name, told);
        }
    }
    if let Some((method, path)) = text(entry, "method").zip(text(entry, "path")) {
        line("request", &format!("{method} {path}"));
    }
    let faults = faults(entry);
    let refused = &entry["refused"];
    if !faults.is_empty() {
        let forced = entry["forced"] == true || is_of_its_fault(entry);
        line(if forced { "forced by" } else { "struck by" }, &faults.join(", "));
        if forced {
            line("do", &format!("A fault made this, not a check. {}", lift(&faults)));
        }
    }
    if refused.is_object() && !is_of_its_fault(entry) {
        let check = refused["check"].as_str().unwrap_or_default();
        line("check", check);
        line("expected", &dated::dated(check, refused["expected"].as_str().unwrap_or_default()));
        line("found", &dated::dated(check, refused["actual"].as_str().unwrap_or_default()));
        if let Some(advice) = advice::of(check) {
            line(
                "says so",
                &advice.sources.iter().map(|source| source_told(source)).collect::<Vec<_>>().join(", "),
            );
            line("do", advice.next);
        }
        if !faults.is_empty() && check == "bearer" {
            line("or", &format!("a fault may have revoked it. {}", lift(&faults)));
        }
    }
    lines.join("\n") + "\n"
}

fn head(entry: &Value) -> String {
    let (n, at) = (entry["n"].as_u64().unwrap_or_default(), text(entry, "at").unwrap_or("some time"));
    let what = match entry["kind"].as_str() {
        Some("handshake") if entry["refused"].is_object() => "a handshake was refused".to_owned(),
        Some("handshake") => "a handshake was accepted".to_owned(),
        Some("request") => {
            let call = text(entry, "operation").unwrap_or("a call of no operation");
            match entry["status"].as_u64() {
                None => format!("{call} got no answer"),
                Some(status) => format!("{call} was answered {status}{}", code(entry)),
            }
        }
        kind => {
            let detail = ["cause", "outcome", "what"].into_iter().find_map(|member| text(entry, member));
            format!("{} {}", kind.unwrap_or_default(), detail.unwrap_or_default()).trim_end().to_owned()
        }
    };
    format!("{n}, {at}: {what}")
}

/// The code of an answer, as far as the journal shows it.
fn code(entry: &Value) -> String {
    let shown = &entry["answer"]["shown"];
    let words = ["errorCode", "error"].into_iter().filter_map(|member| shown[member].as_str());
    words.map(|word| format!(" {word}")).collect()
}

/// The faults that struck a call or a handshake.
fn faults(entry: &Value) -> Vec<&str> {
    entry["faults"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A handshake that its fault has ended: what the caller shows is judged in other checks.
fn is_of_its_fault(entry: &Value) -> bool {
    let check = entry["refused"]["check"].as_str().unwrap_or_default();
    entry["kind"] == "handshake" && !faults(entry).is_empty() && OF_FAULTS.contains(&check)
}

fn lift(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("DELETE /faults/{name}")).collect();
    format!("Lift it on the admin port: {}", names.join(", "))
}

/// A source with its standing, which must never look better than it is.
fn source_told(source: &str) -> String {
    let standing = match source.chars().next() {
        Some('D') => "documented",
        Some('S') => "of a sibling product",
        Some('I') => "inferred",
        _ => "our choice",
    };
    match source.len() {
        1 => standing.to_owned(),
        _ => format!("{source} ({standing})"),
    }
}

#[cfg(test)]
mod tests;
