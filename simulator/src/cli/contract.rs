//! `d1sim contract`: what the contract holds, and the suite that proves what a client makes of it.

mod d1_side;
mod journal;
mod natural;
mod own_client;
mod own_receiver;
mod progress;
mod props;
mod receiver;
mod reports;
mod sabotage;
mod serve;
mod shim;
mod stage;
mod waivers;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use d1_contracts::{
    CASE_SCHEMA, Case, CaseError, Catalogue, FileError, Flaw, GOOD_SCHEMA, JweKey, KillMatrix, Kind, Matrix,
    Now, RECEIVER_CASE_SCHEMA, REPORT_SCHEMA, ReceiverCase, Report, RunError, Side, Stage, Subject,
    TRANSPORT_SCHEMA, documented_cells, inbound, outbound, run_cases,
};

use super::args::{Contract, ContractCommand, Coverage, Run, SchemaOf, Show};
use super::exit::{Exit, Failure};
use super::{print, say, targets};
use crate::clock::{Clock, ClockMode};
pub(super) use progress::broken_off;
use progress::{Played, Progress, unless_interrupted};
use reports::{Reports, paint};

/// Cases that are run at once: some of them wait.
const AT_ONCE: usize = 8;

pub use d1_side::{broken_receiver_props, own_d1_props, receiver_d1_props};
use natural::NaturalD1;
pub use own_client::OwnClient;
pub use own_receiver::OwnReceiver;
pub(super) use own_receiver::{HandedOn, members as told_of_token};
pub use props::contract_props;
pub use stage::contract_stage;

pub(super) fn run(args: Contract) -> Result<(), Failure> {
    let catalogue = || catalogue(args.cases.as_deref());
    let of_receivers = || receiver::cases(args.cases.as_deref());
    match args.command {
        ContractCommand::Coverage(Coverage { journal: Some(from), admin_token_file, .. }) => {
            journal::coverage(&from, admin_token_file.as_deref())
        }
        ContractCommand::Coverage(args) => coverage(&catalogue()?, &of_receivers()?, &args),
        ContractCommand::List => list(&catalogue()?, &of_receivers()?),
        ContractCommand::Show(args) => show(&catalogue()?, &of_receivers()?, &args),
        ContractCommand::Run(args) if args.receiver.is_some() => receiver::run(&of_receivers()?, &args),
        ContractCommand::Run(args) => run_suite(&catalogue()?, &args),
        ContractCommand::Sabotage(args) if args.receiver => receiver::sabotage(&of_receivers()?, &args),
        ContractCommand::Serve(args) => serve::run(&catalogue()?, &args),
        ContractCommand::Sabotage(args) => sabotage::run(&catalogue()?, &args),
        ContractCommand::Schema(args) => {
            print(match args.of {
                SchemaOf::Case => CASE_SCHEMA.trim_end(),
                SchemaOf::Good => GOOD_SCHEMA.trim_end(),
                SchemaOf::Transport => TRANSPORT_SCHEMA.trim_end(),
                SchemaOf::Receiver => RECEIVER_CASE_SCHEMA.trim_end(),
                SchemaOf::Report => REPORT_SCHEMA.trim_end(),
            });
            Ok(())
        }
    }
}

fn coverage(catalogue: &Catalogue, of_receivers: &[ReceiverCase], args: &Coverage) -> Result<(), Failure> {
    let mut all = catalogue.cells().to_vec();
    all.extend(documented_cells(&outbound().map_err(Failure::internal)?, Side::Outbound));
    let stand_ins = of_receivers.iter().map(ReceiverCase::stand_in);
    let cases: Vec<Case> = catalogue.cases().iter().cloned().chain(stand_ins).collect();
    let matrix = Matrix::new(&all, &cases);
    let mut gaps = matrix.gaps();
    let exempt = waivers::exempt(args.exempt.as_deref(), &all, &mut gaps)?;
    print(format!("{}{}", matrix.text(), exempt.text("exempt")).trim_end());
    waivers::gate(exempt.stale.len())?;
    gate(gaps.len())
}

fn list(catalogue: &Catalogue, of_receivers: &[ReceiverCase]) -> Result<(), Failure> {
    for case in catalogue.cases() {
        let natural = if case.kind() == Kind::Natural { "(natural) " } else { "" };
        print(&format!("{}  {natural}{}", case.id, case.why));
    }
    for case in of_receivers {
        print(&format!("{}  {}", case.id, case.why));
    }
    Ok(())
}

fn show(catalogue: &Catalogue, of_receivers: &[ReceiverCase], args: &Show) -> Result<(), Failure> {
    let of_client = catalogue.cases().iter().find(|case| case.id == args.id);
    let of_receiver = of_receivers.iter().find(|case| case.id == args.id);
    let text = match (of_client, of_receiver) {
        (Some(case), _) => serde_json::to_string_pretty(case),
        (None, Some(case)) => serde_json::to_string_pretty(case),
        (None, None) => {
            let error = format!("{}: no such case; `d1sim contract list` prints all ids", args.id);
            return Err(Failure::usage(error));
        }
    };
    print(&text.map_err(Failure::internal)?);
    Ok(())
}

fn run_suite(catalogue: &Catalogue, args: &Run) -> Result<(), Failure> {
    let matrix = Matrix::new(catalogue.cells(), catalogue.cases());
    let all = catalogue.cases().len();
    let planned = picked(catalogue, args.filter.as_deref())?;
    // A part of the cases covers a part of the cells, which is no gap.
    let whole = planned.len() == all;
    let mut gaps = matrix.gaps();
    let exempt = waivers::exempt(args.exempt.as_deref(), catalogue.cells(), &mut gaps)?;
    // A list that cannot be read ends the run before it begins, and a run takes a while: what cannot be written too.
    let known = waivers::known(args.known_failing.as_deref())?;
    let reports = Reports::open(args)?;
    let world = pretend_world()?;
    let d1 = natural_d1(world.path())?;
    let stage = stage(world.path(), &d1, catalogue)?;
    let (aside, Played { client, ran, ended }) = match &args.exec {
        Some(command) => shim::run(world.path(), &stage, command, &planned)?,
        None => (BTreeMap::new(), run_own(world.path(), &stage, &planned)?),
    };
    if aside.len() == planned.len() {
        let error = "no case could be run: each needs what this client has not".into();
        return Err(Failure { exit: Exit::NothingRan, error });
    }
    let contract = inbound().map_err(Failure::internal)?;
    let ids = catalogue.cases().iter().map(|case| case.id.as_str());
    let known = known.judge(ids, ran.iter().map(|ran| (ran.case.id.as_str(), ran.verdict.passed())))?;
    let report = Report::new(&client, matrix, planned.clone(), ran)
        .with_aside(aside)
        .with_contract(Side::Inbound, contract)
        .with_waived(known, exempt);
    let kills = || sabotage::kills(world.path(), &stage, &planned);
    conclude(report, args, reports, whole, ended, kills, || journal::judge_run(&d1))
}

/// Calls the fourth witness if it is asked for, writes the reports of a run, judges what D1 answered by itself in it
/// (`answers`), and ends as it did. Of a part of the cases
/// neither cells without a case nor broken ones that live are a fault.
fn conclude<F: Flaw>(
    mut report: Report,
    args: &Run,
    reports: Reports,
    whole: bool,
    mut ended: Result<(), Failure>,
    kills: impl FnOnce() -> Result<KillMatrix<F>, Failure>,
    answers: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut witness = Ok(());
    if args.kills && ended.is_ok() {
        match kills() {
            Ok(kills) => {
                witness = if whole { sabotage::judge(&kills) } else { Ok(()) };
                print(&kills.summary());
                report = report.with_kills(&kills);
            }
            Err(failure) => ended = Err(failure),
        }
    }
    if ended.is_err() {
        report = report.interrupted();
    }
    print(&report.text(paint(args.color)));
    let answered = answers();
    reports.write(&report)?;
    ended?;
    let failed = report.unexpected().count();
    if failed > 0 {
        let error = format!("{failed} cases failed").into();
        return Err(Failure { exit: Exit::CaseFailed, error });
    }
    answered?;
    waivers::gate(report.stale().count())?;
    gate(if whole { report.gaps().len() } else { 0 })?;
    witness
}

fn nothing_to_run(filter: &str) -> Failure {
    Failure { exit: Exit::NothingRan, error: format!("--filter {filter}: no case id contains it").into() }
}

/// The cases whose id contains a text; all of them without one.
fn picked(catalogue: &Catalogue, filter: Option<&str>) -> Result<Vec<Case>, Failure> {
    let filter = filter.unwrap_or_default();
    let picked: Vec<Case> =
        catalogue.cases().iter().filter(|case| case.id.contains(filter)).cloned().collect();
    if picked.is_empty() {
        return Err(nothing_to_run(filter));
    }
    Ok(picked)
}

/// The pretend world of a run is made for it and goes with it.
fn pretend_world() -> Result<tempfile::TempDir, Failure> {
    let world = tempfile::tempdir().map_err(Failure::internal)?;
    let plan = d1_fixtures::Plan::new(super::init::now()?);
    d1_fixtures::write_sandbox(world.path(), &plan, false).map_err(super::init::failure)?;
    Ok(world)
}

/// The script server, with the answers of the catalogue at the end of scripts.
fn stage(world: &Path, d1: &NaturalD1, catalogue: &Catalogue) -> Result<Stage, Failure> {
    Ok(stage::with_d1(world, d1).map_err(Failure::internal)?.with_good(catalogue.good().clone()))
}

/// The real D1 of natural cases.
fn natural_d1(world: &Path) -> Result<NaturalD1, Failure> {
    NaturalD1::new(world).map_err(Failure::resource)
}

fn run_own(world: &Path, stage: &Stage, cases: &[Case]) -> Result<Played, Failure> {
    let client = OwnClient::new(world);
    let name = client.name().to_owned();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let subject: Arc<dyn Subject> = Arc::new(client);
    let progress = Progress::of(cases.len());
    let note = |one: &_| progress.note(one);
    let run = async { run_cases(stage, cases, &subject, AT_ONCE, &note).await.map_err(harness) };
    let ended = runtime.block_on(unless_interrupted(run));
    Ok(progress.played(name, ended))
}

fn harness(error: RunError) -> Failure {
    Failure { exit: Exit::Harness, error: error.into() }
}

fn gate(gaps: usize) -> Result<(), Failure> {
    if gaps == 0 {
        return Ok(());
    }
    let error = format!("the contract is not covered: {gaps} gaps, see above").into();
    Err(Failure { exit: Exit::Gap, error })
}

fn catalogue(folder: Option<&Path>) -> Result<Catalogue, Failure> {
    let contract = inbound().map_err(Failure::internal)?;
    let read = match folder {
        Some(folder) => Catalogue::in_folder(&contract, folder),
        None => Catalogue::built_in(&contract),
    };
    let read = read.map_err(|error| match error {
        CaseError::File(FileError::Io { .. }) => Failure::resource(error),
        CaseError::Empty { .. } => Failure { exit: Exit::NothingRan, error: error.into() },
        _ => Failure::usage(error),
    })?;
    natural::check_cards(read.cases())?;
    Ok(read)
}

/// Finds out that the kill matrix cannot be written before minutes are spent on it.
fn writable(path: Option<&Path>) -> Result<(), Failure> {
    targets::check(&[("--json", path)], &[])?;
    let Some(path) = path else { return Ok(()) };
    fs::File::create(path).map(drop).map_err(|fault| Failure::file("write", path, &fault))
}

fn write(path: Option<&Path>, text: impl FnOnce() -> Result<String, Failure>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    fs::write(path, text()?).map_err(|fault| Failure::file("write", path, &fault))?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

/// The time on the system's clock.
fn now() -> Now {
    let clock = Clock::new(ClockMode::Real);
    Arc::new(move || {
        let since = u64::try_from(clock.now_ms()).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_millis(since)
    })
}

/// A key of a sandbox folder.
fn jwe_key(folder: &Path, name: &str) -> Result<JweKey, Box<dyn std::error::Error + Send + Sync>> {
    JweKey::from_jwk(&file(folder, name)?)
        .map_err(|fault| format!("{}: {fault}", folder.join(name).display()).into())
}

/// Where a sandbox folder's file is.
fn file(folder: &Path, name: &str) -> std::io::Result<String> {
    let path: PathBuf = folder.join(name);
    fs::read_to_string(&path)
        .map_err(|fault| std::io::Error::new(fault.kind(), format!("{}: {fault}", path.display())))
}
