//! `d1sim contract serve`: cases for a client that is run by hand. Nobody reports what the client makes of an answer, so that
//! two of the three witnesses are heard: what was served, and what the client did on the wire.

use std::sync::Arc;

use d1_contracts::{Arguments, Case, Catalogue, Exchange, Kind, Play, Stage, WireVerdict, judge_wire};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::super::args::ServeCases;
use super::super::exit::Failure;
use super::super::folder::SandboxFolder;
use super::super::serve::raise_file_limit;
use super::super::signals::Signals;
use super::super::{print, say};
use super::{natural_d1, picked, stage};

/// Cases that are served at once: more are no help to whoever runs a client by hand.
const MOST_CASES: usize = 100;

/// A case that is being served.
struct Served {
    case: Case,
    play: Play,
    /// What had passed before anybody could come: that nobody is let in.
    before: usize,
}

pub(super) fn run(catalogue: &Catalogue, args: &ServeCases) -> Result<(), Failure> {
    let cases = picked(catalogue, args.filter.as_deref())?;
    if cases.len() > MOST_CASES {
        let error = format!(
            "{} cases, and at most {MOST_CASES} are served at once: pick some with --filter TEXT, a part of their ids \
             (`d1sim contract list` prints all)",
            cases.len()
        );
        return Err(Failure::usage(error));
    }
    // Says how to make one where there is none.
    SandboxFolder::open(&args.sandbox)?;
    let stage = stage(&args.sandbox, &natural_d1(&args.sandbox)?, catalogue)?;
    raise_file_limit();
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)?;
    runtime.block_on(serve(&stage, cases))
}

async fn serve(stage: &Stage, cases: Vec<Case>) -> Result<(), Failure> {
    // Taken before anything listens, so that no signal is missed.
    let mut signals = Signals::listen()?;
    let mut all = Vec::new();
    for case in cases {
        let play = stage.play(&case).await.map_err(Failure::resource)?;
        let before = play.so_far().len();
        print(&format!("{}  {}", play.url(), case.id));
        if case.kind() == Kind::Natural {
            print(&with(case.operation(), play.arguments()));
        }
        all.push(Arc::new(Served { case, play, before }));
    }
    say(
        "Ready. Point your client at an address, let it make the call of that case, and read what it did here; what it must \
         tell its caller is not judged (see `d1sim contract show ID`). Each case is played once. Ctrl-C ends it.",
    );
    let mut watching = JoinSet::new();
    for one in &all {
        watching.spawn(watch(Arc::clone(one)));
    }
    signals.next().await;
    watching.abort_all();
    print(&summary(&all));
    Ok(())
}

/// What the call of a natural case has to be made with: D1 knows it, or does not.
fn with(operation: &str, arguments: &Arguments) -> String {
    let Arguments { merchant_id, token_id, card: (pan, exp), .. } = arguments;
    match operation {
        "createToken" => {
            let last = pan.get(pan.len().saturating_sub(4)..).unwrap_or_default();
            format!("    with merchantId {merchant_id} and the test card that ends in {last}, exp {exp}")
        }
        "getToken" | "createTransaction" | "deleteToken" => {
            format!("    with merchantId {merchant_id} and tokenId {token_id}")
        }
        _ => "    with any merchantName".to_owned(),
    }
}

/// Prints what comes, until no more is answered.
async fn watch(served: Arc<Served>) {
    let Served { case, play, before } = served.as_ref();
    let mut seen = *before;
    while seen < Play::MOST {
        let exchanges = play.beyond(seen).await;
        let told = exchanges.iter().skip(seen).map(|one| format!("{}: {}\n", case.id, line(one)));
        let verdict = words(&judge_wire(case, &exchanges));
        print(&format!("{}{}: so far {verdict}", told.collect::<String>(), case.id));
        seen = exchanges.len();
    }
    print(&format!("{}: {seen} requests, and no more are answered; start anew", case.id));
}

/// What was asked and what was answered, without what is secret in it.
fn line(exchange: &Exchange) -> String {
    let asked = if exchange.is_connection() {
        "a connection".to_owned()
    } else if exchange.operation.is_empty() {
        "a request of no operation".to_owned()
    } else {
        format!("{} ({} {})", exchange.operation, exchange.shown.method, exchange.shown.path)
    };
    let code = serde_json::from_slice::<serde_json::Value>(&exchange.body).unwrap_or_default();
    let code = code["errorCode"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
    let answered = match exchange.status {
        0 => "no answer".to_owned(),
        status => format!("{status}{code}"),
    };
    let fault = exchange.fault.as_ref().map(|fault| format!(", with a fault: {fault}")).unwrap_or_default();
    let cut = if exchange.written { "" } else { ", not written to its end" };
    format!("{asked} -> {answered}{fault}{cut}")
}

fn words(verdict: &WireVerdict) -> String {
    let witness = |name: &str, told: &Result<(), String>| match told {
        Ok(()) => format!("{name}: as expected"),
        Err(fault) => format!("{name}: {fault}"),
    };
    format!("{}; {}", witness("served", &verdict.served), witness("behaved", &verdict.behaved))
}

/// How each case ended that a client came to.
fn summary(all: &[Arc<Served>]) -> String {
    let (mut text, mut asked, mut good) = (String::from("\n"), 0, 0);
    for one in all {
        if let Some(error) = one.play.broken() {
            text.push_str(&format!("{}: {error}\n", one.case.id));
        }
        let exchanges = one.play.so_far();
        if exchanges.len() <= one.before {
            continue;
        }
        let verdict = judge_wire(&one.case, &exchanges);
        asked += 1;
        good += usize::from(verdict.served.is_ok() && verdict.behaved.is_ok());
        text.push_str(&format!("{}: {}\n", one.case.id, words(&verdict)));
    }
    text.push_str(&format!(
        "{} cases, {asked} of them asked for, {good} served and behaved as expected; what the client told its caller \
         was not judged",
        all.len()
    ));
    text
}
