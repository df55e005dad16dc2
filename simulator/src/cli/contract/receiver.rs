//! `d1sim contract run --receiver`: D1's side of notifications, played against a receiver.

use std::path::Path;

use d1_contracts::{
    CaseError, D1Side, FileError, NotRun, Observer, ProbeCommand, ReceiverCase, ReceiverKills, ReceiverRan,
    ReceiverUrl, Side, documented_cells, outbound, receiver_cases, receiver_cases_in, receiver_report,
    run_receiver_cases, sabotage_receivers,
};
use tokio::runtime::{Builder, Runtime};

use super::super::args::{ReceiverTarget, Run, Sabotage};
use super::super::exit::{Exit, Failure};
use super::super::{print, say};
use super::d1_side::{broken_receiver_props, own_d1_props, receiver_d1_props};
use super::own_receiver::OwnReceiver;
use super::reports::{Reports, paint};
use super::{gate, harness, nothing_to_run, pretend_world, print_aside, write};
use crate::chance::fresh_seed;

/// What was run, and what was not.
type Ended = (Vec<ReceiverRan>, Vec<NotRun>);

pub(super) fn run(all: &[ReceiverCase], args: &Run) -> Result<(), Failure> {
    let filter = args.filter.as_deref().unwrap_or_default();
    let planned: Vec<ReceiverCase> = all.iter().filter(|case| case.id.contains(filter)).cloned().collect();
    if planned.is_empty() {
        return Err(nothing_to_run(filter));
    }
    let reports = Reports::open(&args.reports)?;
    let cells = documented_cells(&outbound().map_err(Failure::internal)?, Side::Outbound);
    let (name, side, ended) = match &args.receiver {
        None | Some(ReceiverTarget::Own) => own(&planned)?,
        Some(ReceiverTarget::At(url)) => at(url, args, &planned)?,
    };
    if ended.0.is_empty() {
        let error = "no case could be run: each needs what this receiver has not".into();
        return Err(Failure { exit: Exit::NothingRan, error });
    }
    let (report, aside) = receiver_report(&name, &side, &cells, all, ended);
    print(&report.text(paint(args.color)));
    print_aside(&aside, planned.len());
    reports.write(&report)?;
    let failed = report.unexpected().count();
    if failed > 0 {
        let error = format!("{failed} cases failed").into();
        return Err(Failure { exit: Exit::CaseFailed, error });
    }
    gate(if planned.len() == all.len() { report.gaps().len() } else { 0 })
}

/// Every broken receiver against these cases.
pub(super) fn sabotage(cases: &[ReceiverCase], args: &Sabotage) -> Result<(), Failure> {
    if cases.is_empty() {
        let error = "no case of receivers: expected some below the folder outbound".into();
        return Err(Failure { exit: Exit::NothingRan, error });
    }
    let world = pretend_world()?;
    let props = own_d1_props(world.path()).map_err(Failure::internal)?;
    let receiver = broken_receiver_props(world.path()).map_err(Failure::internal)?;
    let kills = runtime()?.block_on(sabotage_receivers(&props, &receiver, cases)).map_err(harness)?;
    print(&kills.text());
    write(args.json.as_deref(), || Ok(format!("{:#}\n", kills.json())))?;
    judge(&kills)
}

fn judge(kills: &ReceiverKills) -> Result<(), Failure> {
    let fault = |exit, error: String| Err(Failure { exit, error: error.into() });
    let (unsound, survivors, idle) = (kills.unsound.len(), kills.survivors().count(), kills.idle.len());
    if unsound > 0 {
        return fault(
            Exit::CaseFailed,
            format!("{unsound} cases fail a receiver without a fault, see above"),
        );
    }
    if survivors > 0 {
        return fault(Exit::Survivor, format!("{survivors} broken receivers survived, see above"));
    }
    if idle > 0 {
        return fault(
            Exit::Survivor,
            format!("{idle} cases kill no broken receiver but blunt ones, see above"),
        );
    }
    Ok(())
}

fn own(planned: &[ReceiverCase]) -> Result<(String, D1Side, Ended), Failure> {
    let world = pretend_world()?;
    let props = own_d1_props(world.path()).map_err(Failure::internal)?;
    runtime()?.block_on(async {
        let receiver = OwnReceiver::start(world.path()).await.map_err(Failure::internal)?;
        let side = D1Side::new(props, receiver.url().clone());
        let ended = run_receiver_cases(&side, Some(&receiver), planned).await;
        Ok((concat!("the receiver of d1-client ", env!("CARGO_PKG_VERSION")).to_owned(), side, ended))
    })
}

fn at(url: &ReceiverUrl, args: &Run, planned: &[ReceiverCase]) -> Result<(String, D1Side, Ended), Failure> {
    // Other tokens and events in each run, since a receiver remembers those of the last one.
    let seed = args.seed.map_or_else(fresh_seed, Ok).map_err(Failure::internal)?;
    say(&format!("seed {seed}: with --seed {seed} the tokens and events are the same again"));
    let props = receiver_d1_props(&args.sandbox, seed).map_err(Failure::usage)?;
    if args.probe.is_none() {
        say("without --probe only the answers are judged, not what became of the events");
    }
    let not_there = |error: String| Failure { exit: Exit::Harness, error: error.into() };
    let (side, probe) = (D1Side::new(props, url.clone()), args.probe.clone().map(ProbeCommand::new));
    let ended = runtime()?.block_on(async {
        side.reach().await.map_err(|fault| not_there(format!("--receiver {url}: {fault}")))?;
        if let (Some(probe), Some(case)) = (&probe, planned.first()) {
            let tried = probe.try_out(&side.token(case)).await;
            tried.map_err(|fault| not_there(format!("--probe: {fault}")))?;
        }
        let observer = probe.as_ref().map(|probe| probe as &dyn Observer);
        Ok(run_receiver_cases(&side, observer, planned).await)
    })?;
    let probed = if args.probe.is_some() { "probed" } else { "not probed" };
    Ok((format!("the receiver at --receiver, {probed}"), side, ended))
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
