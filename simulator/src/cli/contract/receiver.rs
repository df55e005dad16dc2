//! `d1sim contract run --receiver`: D1's side of notifications, played against a receiver.

use std::path::Path;

use d1_contracts::{
    Case, CaseError, D1Side, FileError, KillMatrix, Matrix, NotRun, Observer, ReceiverBreak, ReceiverCase,
    ReceiverRan, ReceiverUrl, Side, documented_cells, outbound, receiver_cases, receiver_cases_in,
    receiver_report, run_receiver_cases, sabotage_receivers,
};
use tokio::runtime::{Builder, Runtime};

use super::super::args::{ReceiverTarget, Run, Sabotage};
use super::super::exit::{Exit, Failure};
use super::super::{print, say};
use super::d1_side::{broken_receiver_props, own_d1_props, receiver_d1_props};
use super::own_receiver::OwnReceiver;
use super::progress::{Played, Progress, unless_interrupted};
use super::reports::Reports;
use super::sabotage::judge;
use super::{conclude, harness, nothing_to_run, pretend_world, waivers, writable, write};
use crate::chance::fresh_seed;

/// A case that was run, or not.
type Ended = Result<ReceiverRan, NotRun>;

pub(super) fn run(all: &[ReceiverCase], args: &Run) -> Result<(), Failure> {
    let filter = args.filter.as_deref().unwrap_or_default();
    let planned: Vec<ReceiverCase> = all.iter().filter(|case| case.id.contains(filter)).cloned().collect();
    if all.is_empty() {
        return Err(no_case());
    }
    if planned.is_empty() {
        return Err(nothing_to_run(filter));
    }
    let whole = planned.len() == all.len();
    let cells = documented_cells(&outbound().map_err(Failure::internal)?, Side::Outbound);
    let stand_ins: Vec<Case> = all.iter().map(ReceiverCase::stand_in).collect();
    let mut gaps = Matrix::new(&cells, &stand_ins).gaps();
    let exempt = waivers::exempt(args.exempt.as_deref(), &cells, &mut gaps)?;
    // What cannot be read or written ends the run before it begins.
    let known = waivers::known(args.known_failing.as_deref())?;
    let reports = Reports::open(args)?;
    let (side, Played { client, ran, ended }) = match &args.receiver {
        None | Some(ReceiverTarget::Own) => own(&planned)?,
        Some(ReceiverTarget::At(url)) => at(url, args, &planned)?,
    };
    if ended.is_ok() && ran.iter().all(Result::is_err) {
        let error = "no case could be run: each needs what this receiver has not".into();
        return Err(Failure { exit: Exit::NothingRan, error });
    }
    let passed = ran.iter().flatten().map(|one| (one.case.id.as_str(), one.verdict.passed()));
    let known = known.judge(all.iter().map(|case| case.id.as_str()), passed)?;
    let report = receiver_report(&client, &side, &cells, (all, &planned), ran).with_waived(known, exempt);
    conclude(report, args, reports, whole, ended, || kills(&planned), || Ok(()))
}

/// Every broken receiver against these cases.
pub(super) fn sabotage(cases: &[ReceiverCase], args: &Sabotage) -> Result<(), Failure> {
    if cases.is_empty() {
        return Err(no_case());
    }
    // A file that cannot be written is found before.
    writable(args.json.as_deref())?;
    let kills = kills(cases)?;
    print(&kills.text());
    write(args.json.as_deref(), || Ok(format!("{:#}\n", kills.json())))?;
    judge(&kills)
}

fn no_case() -> Failure {
    let error = "no case of receivers: expected some below the folder outbound of --cases".into();
    Failure { exit: Exit::NothingRan, error }
}

/// Every broken receiver against these cases, in a pretend world of their own.
fn kills(cases: &[ReceiverCase]) -> Result<KillMatrix<ReceiverBreak>, Failure> {
    let world = pretend_world()?;
    let props = own_d1_props(world.path()).map_err(Failure::internal)?;
    let receiver = broken_receiver_props(world.path()).map_err(Failure::internal)?;
    let run = async { sabotage_receivers(&props, &receiver, cases).await.map_err(harness) };
    runtime()?.block_on(unless_interrupted(run))
}

fn own(planned: &[ReceiverCase]) -> Result<(D1Side, Played<Ended>), Failure> {
    let world = pretend_world()?;
    let props = own_d1_props(world.path()).map_err(Failure::internal)?;
    runtime()?.block_on(async {
        let receiver = OwnReceiver::start(world.path()).await.map_err(Failure::internal)?;
        let side = D1Side::new(props, receiver.url().clone());
        let name = concat!("the receiver of d1-client ", env!("CARGO_PKG_VERSION"));
        let played = play(name, &side, Some(&receiver), planned).await;
        Ok((side, played))
    })
}

fn at(url: &ReceiverUrl, args: &Run, planned: &[ReceiverCase]) -> Result<(D1Side, Played<Ended>), Failure> {
    // Other tokens and events in each run, since a receiver remembers those of the last one.
    let seed = args.seed.map_or_else(fresh_seed, Ok).map_err(Failure::internal)?;
    say(&format!("seed {seed}: with --seed {seed} the tokens and events are the same again"));
    let props = receiver_d1_props(&args.sandbox, seed).map_err(Failure::usage)?;
    if args.probe.is_none() {
        say("without --probe only the answers are judged, not what became of the events");
    }
    let not_there = |error: String| Failure { exit: Exit::Harness, error: error.into() };
    let (side, probe) = (D1Side::new(props, url.clone()), &args.probe);
    let probed = if args.probe.is_some() { "probed" } else { "not probed" };
    let played = runtime()?.block_on(async {
        side.reach().await.map_err(|fault| not_there(format!("--receiver {url}: {fault}")))?;
        side.reach_token_endpoint().await.map_err(|(url, fault)| {
            not_there(format!("gateways[0].receiver.oauth.tokenUrl: {url}: {fault}"))
        })?;
        if let (Some(probe), Some(case)) = (probe, planned.first()) {
            let tried = probe.try_out(&side.token(case)).await;
            tried.map_err(|fault| not_there(format!("--probe: {fault}")))?;
        }
        let observer = probe.as_ref().map(|probe| probe as &dyn Observer);
        Ok(play(&format!("the receiver at --receiver, {probed}"), &side, observer, planned).await)
    })?;
    Ok((side, played))
}

/// Runs the cases until their end, or until somebody breaks the run off.
async fn play(
    name: &str,
    side: &D1Side,
    observer: Option<&dyn Observer>,
    planned: &[ReceiverCase],
) -> Played<Ended> {
    let progress = Progress::of(planned.len());
    let note = |one: &_| progress.note(one);
    let run = async { Ok(run_receiver_cases(side, observer, planned, &note).await) };
    let ended = unless_interrupted(run).await;
    progress.played(name.to_owned(), ended)
}

fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)
}

pub(super) fn cases(folder: Option<&Path>) -> Result<Vec<ReceiverCase>, Failure> {
    folder.map_or_else(receiver_cases, receiver_cases_in).map_err(|error| match error {
        CaseError::File(FileError::Io { .. }) => Failure::resource(error),
        _ => Failure::usage(error),
    })
}
