//! `d1sim scenario run`: plays scenarios and tells what came of them.

mod admin;
mod call;
mod doings;
mod expect;
mod gateway;
mod ground;
mod happened;
mod miss;
mod names;
mod played;
mod player;
mod receiver;
mod transcript;
mod wait;

use super::super::args::RunScenarios;
use super::super::exit::{Exit, Failure};
use super::super::print;
use super::source::sources;
use crate::chance::fresh_seed;
use crate::scenario::{self, Scenario, Weight};
use ground::Papermill;
use played::{Played, play};

pub(super) fn run(args: &RunScenarios) -> Result<(), Failure> {
    let sources = sources(&args.paths)?;
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut faults = Vec::new();
    for source in &sources {
        let loaded = scenario::load(&source.file, &args.set, &source.read);
        faults
            .extend(loaded.findings.all().filter(|one| one.weight != Weight::Hint).map(ToString::to_string));
        scenarios.extend(loaded.scenario);
    }
    if !faults.is_empty() {
        return Err(Failure::usage(format!("nothing was played\n{}", faults.join("\n"))));
    }
    let most = scenarios.iter().map(|scenario| scenario.stage.gateways.len()).max().unwrap_or_default();
    let mill = Papermill::new(most)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)?;
    let mut all = Vec::new();
    for scenario in &scenarios {
        let seed = seed(args, scenario)?;
        let played = runtime.block_on(play(&mill, scenario, seed))?;
        print(&played.transcript());
        all.push(played);
    }
    judge(&all)
}

fn seed(args: &RunScenarios, scenario: &Scenario) -> Result<u64, Failure> {
    match args.seed.or(scenario.stage.seed) {
        Some(seed) => Ok(seed.into()),
        None => fresh_seed().map(|seed| seed % (1 << 32)).map_err(Failure::internal),
    }
}

fn judge(all: &[Played]) -> Result<(), Failure> {
    let fault = |exit, error: String| Err(Failure { exit, error: error.into() });
    let count = all.len();
    let broken = all.iter().filter(|played| played.broken.is_some()).count();
    let failed = all.iter().filter(|played| !played.misses.is_empty()).count();
    if broken > 0 {
        return fault(Exit::Harness, format!("{broken} of {count} scenarios broke off, see above"));
    }
    if failed > 0 {
        return fault(Exit::CaseFailed, format!("{failed} of {count} scenarios failed, see above"));
    }
    Ok(())
}
