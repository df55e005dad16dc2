//! `d1sim contract`: what the contract holds, and the suite that proves what a client makes of it.

mod own_client;
mod progress;
mod props;
mod reports;
mod sabotage;
mod shim;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use d1_contracts::{
    Case, CaseError, Cell, GoodAnswers, Matrix, REPORT_SCHEMA, Report, RunError, Side, Subject,
    built_in_cases, cases_in, derived_cases, derived_cells, documented_cells, inbound, outbound, run_cases,
};

use super::args::{Contract, ContractCommand, Run, SchemaOf, Show};
use super::exit::{Exit, Failure};
use super::{print, say};
use progress::{Played, Progress, unless_interrupted};
use reports::{Reports, paint};

pub use own_client::OwnClient;
pub use props::contract_props;
pub use stage::contract_stage;

pub(super) fn run(args: Contract) -> Result<(), Failure> {
    let cases = args.cases.as_deref();
    match args.command {
        ContractCommand::Coverage => coverage(cases),
        ContractCommand::List => list(cases),
        ContractCommand::Show(args) => show(cases, &args),
        ContractCommand::Run(args) => run_suite(cases, &args),
        ContractCommand::Sabotage(args) => sabotage::run(&self::cases(cases)?, &args),
        ContractCommand::Schema(args) => {
            print(match args.of {
                SchemaOf::Report => REPORT_SCHEMA.trim_end(),
            });
            Ok(())
        }
    }
}

fn coverage(folder: Option<&Path>) -> Result<(), Failure> {
    let mut all = cells(Side::Inbound, folder)?;
    all.extend(cells(Side::Outbound, folder)?);
    let matrix = Matrix::new(&all, &cases(folder)?);
    print(matrix.text().trim_end());
    gate(matrix.gaps().len())
}

fn list(folder: Option<&Path>) -> Result<(), Failure> {
    for case in cases(folder)? {
        print(&format!("{}  {}", case.id, case.why));
    }
    Ok(())
}

fn show(folder: Option<&Path>, args: &Show) -> Result<(), Failure> {
    let found = cases(folder)?.into_iter().find(|case| case.id == args.id);
    let case = found.ok_or_else(|| {
        Failure::usage(format!("{}: no such case; `d1sim contract list` prints all ids", args.id))
    })?;
    print(&serde_json::to_string_pretty(&case).map_err(Failure::internal)?);
    Ok(())
}

fn run_suite(folder: Option<&Path>, args: &Run) -> Result<(), Failure> {
    let mut planned = cases(folder)?;
    let matrix = Matrix::new(&cells(Side::Inbound, folder)?, &planned);
    let all = planned.len();
    if let Some(filter) = &args.filter {
        planned.retain(|case| case.id.contains(filter.as_str()));
    }
    if planned.is_empty() {
        let why = match &args.filter {
            Some(filter) => format!("--filter {filter}: no case id contains it"),
            None => "there is no case to run".to_owned(),
        };
        return Err(Failure { exit: Exit::NothingRan, error: why.into() });
    }
    // A part of the cases covers a part of the cells, which is no gap.
    let whole = planned.len() == all;
    let gaps = if whole { matrix.gaps().len() } else { 0 };
    // A run takes a while: what cannot be written is found before it.
    let reports = Reports::open(&args.reports)?;
    let world = pretend_world()?;
    let Played { client, ran, mut ended } = match &args.exec {
        Some(command) => shim::run(world.path(), command, &planned)?,
        None => run_own(world.path(), &planned)?,
    };
    let contract = inbound().map_err(Failure::internal)?;
    let mut report =
        Report::new(&client, matrix, planned.clone(), ran).with_contract(Side::Inbound, contract);
    let mut witness = Ok(());
    if args.kills && ended.is_ok() {
        match sabotage::kills(world.path(), &planned) {
            Ok(kills) => {
                // A part of the cases lets many a broken client live, which is no fault.
                witness = if whole { sabotage::judge(&kills) } else { Ok(()) };
                print(&kills.text());
                report = report.with_kills(kills);
            }
            Err(failure) => ended = Err(failure),
        }
    }
    if ended.is_err() {
        report = report.interrupted();
    }
    print(&report.text(paint(args.color)));
    reports.write(&report)?;
    ended?;
    let failed = report.failed().count();
    if failed > 0 {
        let error = format!("{failed} cases failed").into();
        return Err(Failure { exit: Exit::CaseFailed, error });
    }
    gate(gaps)?;
    witness
}

/// The pretend world of a run is made for it and goes with it.
fn pretend_world() -> Result<tempfile::TempDir, Failure> {
    let world = tempfile::tempdir().map_err(Failure::internal)?;
    let plan = d1_fixtures::Plan::new(super::init::now()?);
    d1_fixtures::write_sandbox(world.path(), &plan, false).map_err(super::init::failure)?;
    Ok(world)
}

fn run_own(world: &Path, cases: &[Case]) -> Result<Played, Failure> {
    let stage = contract_stage(world).map_err(Failure::internal)?;
    let client = OwnClient::new(world);
    let name = client.name().to_owned();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let subject: Arc<dyn Subject> = Arc::new(client);
    let progress = Progress::of(cases.len());
    let note = |one: &_| progress.note(one);
    let run = async { run_cases(&stage, cases, &subject, 1, &note).await.map_err(harness) };
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

fn cases(folder: Option<&Path>) -> Result<Vec<Case>, Failure> {
    let read = folder.map_or_else(built_in_cases, cases_in);
    let mut cases = read.map_err(|error| match error {
        CaseError::Io { .. } => Failure::resource(error),
        _ => Failure::usage(error),
    })?;
    if folder.is_none() {
        cases.extend(derived()?);
    }
    Ok(cases)
}

/// The cases that follow from the good answers. Like those, they are built in.
fn derived() -> Result<Vec<Case>, Failure> {
    let good = GoodAnswers::built_in().map_err(Failure::internal)?;
    Ok(derived_cases(&inbound().map_err(Failure::internal)?, &good))
}

/// The cells of a side; those of derived cases where these are run.
fn cells(side: Side, folder: Option<&Path>) -> Result<Vec<Cell>, Failure> {
    let contract = if side == Side::Inbound { inbound() } else { outbound() };
    let mut cells = documented_cells(&contract.map_err(Failure::internal)?, side);
    if side == Side::Inbound && folder.is_none() {
        cells.extend(derived_cells(&derived()?));
        cells.sort();
    }
    Ok(cells)
}

fn write(path: Option<&Path>, text: impl FnOnce() -> Result<String, Failure>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    fs::write(path, text()?).map_err(|fault| Failure::file("write", path, &fault))?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

/// Where a sandbox folder's file is.
fn file(folder: &Path, name: &str) -> std::io::Result<String> {
    let path: PathBuf = folder.join(name);
    fs::read_to_string(&path)
        .map_err(|fault| std::io::Error::new(fault.kind(), format!("{}: {fault}", path.display())))
}
