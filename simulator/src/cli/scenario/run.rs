//! `d1sim scenario run`: plays scenarios and tells what came of them.

pub(super) mod admin;
mod as_d1;
mod attach;
mod attached;
mod call;
mod doings;
mod expect;
mod flaw;
mod gateway;
mod ground;
pub(super) mod happened;
mod hostile;
mod in_order;
mod in_play;
mod judged;
mod known;
pub(super) mod miss;
mod names;
mod our_client;
mod papers;
mod passing;
mod played;
mod player;
mod probes;
mod receiver;
mod remembered;
mod report;
mod shown;
mod transcript;
mod unplayed;
mod wait;
mod watched;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use super::super::args::RunScenarios;
use super::super::exit::{Exit, Failure};
use super::super::say;
use super::super::signals::Signals;
use super::nothing;
use super::source::{Source, built_in, sources, unknown};
use crate::chance::fresh_seed;
use crate::journal::redacted_whole;
use crate::scenario::{self, Action, Receiver, ReceiverAt, Scenario, Weight};
use crate::stop::Stop;
use attached::{Attached, MOST_AT_ONCE};
pub(in crate::cli) use flaw::Flaw;
use ground::With;
use in_order::in_order;
use in_play::InPlay;
use papers::Papermill;
use played::{On, Played, Watched, play};
use remembered::before_again;
use report::Reports;
use shown::Shown;
use unplayed::{Unplayed, of_nothing};
use watched::to_the_end;

/// Where `d1sim serve` has its certificates and keys.
pub(super) const DEFAULT_FOLDER: &str = "d1-sandbox";

pub(super) fn run(args: &RunScenarios) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)?;
    // Before there is a folder with keys that a signal could leave behind.
    let signals = runtime.block_on(async { Signals::listen() })?;
    let (mut reports, mut others) = (Reports::open(args)?, Vec::new());
    let begun = scenarios(args, &mut others).and_then(|scenarios| {
        reports.open_each(&args.files, scenarios.len() > 1)?;
        Ok((on(args, &scenarios)?, scenarios))
    });
    let (on, scenarios) = match begun {
        Ok(begun) => begun,
        Err(failure) => {
            reports.write(&[], &of_nothing(others, &failure))?;
            return Err(failure);
        }
    };
    let cores = available_parallelism().map_or(1, usize::from);
    // Somebody's system is there once. Where all share a sandbox, they take turns there.
    let outside = scenarios.iter().any(|scenario| scenario.stage.any_outside());
    let at_once = match (&on, args.jobs.map_or(cores, usize::from)) {
        (On::Own(..), _) if outside => 1,
        (On::Own(..), jobs) => jobs,
        (On::Attached(_), jobs) => jobs.min(MOST_AT_ONCE),
    };
    let tasks = tasks(args, &scenarios)?;
    let mut shown = Shown::new(scenarios.len(), args.seeds.clone());
    let (stop, stopped) = Stop::pair();
    let watched = Watched { stop: stopped.clone(), in_play: Arc::new(InPlay::default()) };
    let beat = shown.beat(&watched.in_play);
    let work = |(scenario, seed): Task| {
        let (on, watched) = (on.clone(), watched.clone());
        async move { play(&on, &scenario, seed, watched).await }
    };
    let playing = async {
        let tell = |played: Result<Played, Failure>| {
            if played.is_err() {
                // What else is in play is told of as far as it got.
                stop.send_replace(true);
            }
            // Told in order, and all of it, once nothing new begins.
            shown.tell(played) || stopped.is_told()
        };
        in_order(tasks.take_while(|_| !stopped.is_told()), at_once, work, tell)
            .await
            .map_err(Failure::internal)
    };
    let ended = runtime.block_on(to_the_end(signals, playing, &stop, || beat.tell()));
    if let On::Attached(to) = &on {
        runtime.block_on(to.leave());
    }
    // What was given up is over before the folder with its papers goes.
    drop(runtime);
    drop(on);
    let (all, failure) = shown.close();
    let left = scenarios.iter().filter(|scenario| !all.iter().any(|played| played.name == scenario.name));
    others.extend(left.map(|scenario| Unplayed::not_played(&scenario.name, "the run was broken off")));
    others.extend(failure.as_ref().map(Unplayed::run));
    reports.write(&all, &others)?;
    ended?;
    failure.map_or(Ok(()), Err)?;
    if let Some(played) = all.iter().find(|played| played.outcome() != "passed") {
        say(&format!("to see it again: {}", again(args, played)));
        let scenario = scenarios.iter().find(|scenario| scenario.name == played.name);
        scenario.and_then(|scenario| before_again(scenario)).into_iter().for_each(say);
    } else if let Some(flaw) = args.flaw.as_ref().and_then(clap::ValueEnum::to_possible_value) {
        let hint = "made no difference: nothing that was played depends on what it breaks";
        say(&format!("hint: --flaw {} {hint}", flaw.get_name()));
    }
    judge(&all)
}

fn on(args: &RunScenarios, scenarios: &[Arc<Scenario>]) -> Result<On, Failure> {
    let sandbox = args.sandbox.clone();
    let with = With { probe: args.probe.clone(), flaw: args.flaw };
    if let Some(url) = &args.attach {
        let port = (url.clone(), args.admin_token_file.clone());
        return Ok(On::Attached(Arc::new(Attached::new(port, sandbox, with, args.clock_wait))));
    }
    // Who takes part from outside has papers already.
    let outside = scenarios.iter().any(|scenario| scenario.stage.any_outside());
    let mill = match sandbox.or_else(|| outside.then(|| DEFAULT_FOLDER.into())) {
        Some(folder) => Papermill::of(&folder)?,
        None => {
            let all = scenarios.iter().map(|scenario| scenario.stage.gateways.len());
            Papermill::new(all.max().unwrap_or_default())?
        }
    };
    Ok(On::Own(Arc::new(mill), with))
}

/// All of them, checked; nothing is played if one cannot be. What is not to be played goes to the `others`.
fn scenarios(args: &RunScenarios, others: &mut Vec<Unplayed>) -> Result<Vec<Arc<Scenario>>, Failure> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let (mut scenarios, mut faults) = (Vec::new(), Vec::new());
    for source in chosen(&args.paths)? {
        let loaded = scenario::load(&source.file, &args.set, &source.read);
        let found = loaded.findings.all().filter(|one| one.weight != Weight::Hint);
        faults.extend(found.map(ToString::to_string));
        let Some(mut scenario) = loaded.scenario else { continue };
        if let Some(first) = all.insert(scenario.name.clone(), source.file.clone()) {
            let (file, name) = (&source.file, &scenario.name);
            faults.push(format!("{file}:1:1: {first} has the name `{name}` already; give this one another"));
        }
        match put_aside(args, &mut scenario) {
            Some(why) => {
                say(&format!("aside: {}: {why}", scenario.name));
                others.push(Unplayed::aside(&scenario.name, why));
            }
            None => scenarios.push(Arc::new(scenario)),
        }
    }
    if !faults.is_empty() {
        others.extend(Unplayed::files(&faults));
        let good = scenarios.iter().filter(|good| !others.iter().any(|other| other.name == *good.file));
        let good = good.map(|good| Unplayed::not_played(&good.name, "other files are faulty"));
        others.extend(good.collect::<Vec<_>>());
        return Err(Failure::usage(format!("nothing was played\n{}", faults.join("\n"))));
    }
    if let Some(filter) = &args.filter {
        scenarios.retain(|scenario| scenario.name.contains(filter.as_str()));
        if scenarios.is_empty() {
            return Err(nothing(format!("--filter {filter}: no scenario's name contains it")));
        }
    }
    if scenarios.is_empty() {
        return Err(nothing("every scenario was put aside".to_owned()));
    }
    if args.probe.is_some() && !scenarios.iter().any(|scenario| scenario.stage.any_receiver_of_others()) {
        let hint =
            "no scenario here notifies a receiver of yours; name it with --receiver URL or on the stage";
        return Err(Failure::usage(format!("--probe: {hint}")));
    }
    let unseen = scenarios.iter().flat_map(|scenario| probes::faults(scenario, args.probe.as_ref()));
    nothing_wrong(&unseen.collect::<Vec<_>>())?;
    Ok(scenarios)
}

fn nothing_wrong(faults: &[String]) -> Result<(), Failure> {
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!("nothing was played\n{}", faults.join("\n"))))
}

/// The library, names of it, files, and the files of folders.
fn chosen(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    if paths.is_empty() {
        return Ok(built_in());
    }
    let mut all = Vec::new();
    for path in paths {
        let name = format!("{}.yaml", path.display());
        match built_in().into_iter().find(|known| known.file == name) {
            // A folder may be called as a scenario is.
            Some(known) if !path.exists() => all.push(known),
            None if !path.exists() => return Err(unknown(path)),
            _ => all.extend(sources(std::slice::from_ref(path))?),
        }
    }
    Ok(all)
}

/// Puts the receiver of the command line into the place of ours; tells why the scenario cannot be played.
fn put_aside(args: &RunScenarios, scenario: &mut Scenario) -> Option<&'static str> {
    if args.attach.is_some() && scenario.ages_certificates() {
        return Some("its certificates age, which a sandbox that runs already judges by real time");
    }
    let url = args.receiver.as_ref()?.to_string();
    if scenario.stage.gateways.len() > 1 {
        return Some("it has several gateways, and --receiver is one");
    }
    if scenario.steps.iter().any(|step| matches!(step.action, Action::Receiver(_))) {
        return Some("it shuts the receiver down, which only ours lets itself be");
    }
    for gateway in &mut scenario.stage.gateways {
        if matches!(gateway.receiver, Receiver::Own) {
            let at = ReceiverAt { url: url.clone(), authority: None, probe: None, oauth: None };
            gateway.receiver = Receiver::At(Box::new(at));
        }
    }
    None
}

/// A scenario and the seed that it is played with.
type Task = (Arc<Scenario>, u64);

/// What is played, in the order in which it is told: all scenarios with one seed, before any with the next.
fn tasks(
    args: &RunScenarios,
    scenarios: &[Arc<Scenario>],
) -> Result<Box<dyn Iterator<Item = Task>>, Failure> {
    let scenarios = scenarios.to_vec();
    if let Some(seeds) = &args.seeds {
        let with = move |seed: u32| {
            let all = scenarios.clone();
            all.into_iter().map(move |scenario| (scenario, u64::from(seed)))
        };
        return Ok(Box::new(seeds.clone().flat_map(with)));
    }
    let mut all = Vec::new();
    for scenario in scenarios {
        // Somebody's receiver remembers the events of an earlier run, which with one seed are the same.
        let named = scenario.stage.seed.filter(|_| !scenario.stage.any_outside());
        let seed = match args.seed.or(named) {
            Some(seed) => seed.into(),
            // What --seed takes.
            None => fresh_seed().map_err(Failure::internal)? % (1 << 32),
        };
        all.push((scenario, seed));
    }
    Ok(Box::new(all.into_iter()))
}

/// The line that plays it in the same way.
fn again(args: &RunScenarios, played: &Played) -> String {
    let known = built_in().into_iter().find(|known| known.file == played.file);
    let file = known.map_or(&played.file, |_| &played.name);
    let mut line = format!("d1sim scenario run {}", quoted(file));
    // What is drawn on a sandbox that runs already hangs on all that was drawn there before.
    let _ = match &args.attach {
        Some(url) => write!(line, " --attach {}", quoted(url)),
        None => write!(line, " --seed {}", played.seed),
    };
    if let Some(file) = &args.admin_token_file {
        let _ = write!(line, " --admin-token-file {}", quoted(&file.display().to_string()));
    }
    for (name, value) in &args.set {
        // Writing to a String cannot fail.
        let _ = write!(line, " --set {}", quoted(&format!("{name}={}", redacted_whole(value))));
    }
    if let Some(receiver) = &args.receiver {
        let _ = write!(line, " --receiver {receiver}");
    }
    if let Some(sandbox) = &args.sandbox {
        let _ = write!(line, " --sandbox {}", quoted(&sandbox.display().to_string()));
    }
    if let Some(probe) = &args.probe {
        let _ = write!(line, " --probe {}", quoted(&probe.to_string()));
    }
    if let Some(flaw) = args.flaw.as_ref().and_then(clap::ValueEnum::to_possible_value) {
        let _ = write!(line, " --flaw {}", flaw.get_name());
    }
    line
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-=:,+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn judge(all: &[Played]) -> Result<(), Failure> {
    let fault = |exit, error: String| Err(Failure { exit, error: error.into() });
    let count = all.len();
    let of = |some: usize| {
        if count == 1 { "the scenario".to_owned() } else { format!("{some} of {count} scenarios") }
    };
    let broken = all.iter().filter(|played| played.broken.is_some()).count();
    let failed = all.iter().filter(|played| !played.misses.is_empty()).count();
    if broken > 0 {
        return fault(Exit::Harness, format!("{} broke off, see above", of(broken)));
    }
    if failed > 0 {
        return fault(Exit::CaseFailed, format!("{} failed, see above", of(failed)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_see_two() {
        assert_eq!(quoted("days/a-b.yaml"), "days/a-b.yaml");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(quoted(""), "''");
    }
}
