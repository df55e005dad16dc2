//! `d1sim contract`: what the contract holds, and the suite that proves what a client makes of it.

mod own_client;
mod props;
mod sabotage;
mod shim;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use d1_contracts::{
    Case, CaseError, Cell, GoodAnswers, Matrix, Now, Ran, Report, RunError, Side, Subject, TransportFaults,
    built_in_cases, cases_in, derived_cases, documented_cells, inbound, made_cells, outbound, run_cases,
    transport_cases,
};

use super::args::{Contract, ContractCommand, Run, Show};
use super::exit::{Exit, Failure};
use super::{print, say};
use crate::clock::{Clock, ClockMode};

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
    let world = pretend_world()?;
    let (client, ran) = match &args.exec {
        Some(command) => shim::run(world.path(), command, &planned)?,
        None => run_own(world.path(), &planned)?,
    };
    let mut report = Report::new(&client, matrix, all, ran);
    let mut witness = Ok(());
    if args.kills {
        let kills = sabotage::kills(world.path(), &planned)?;
        // A part of the cases lets many a broken client live, which is no fault.
        witness = if whole { sabotage::judge(&kills) } else { Ok(()) };
        print(&kills.text());
        report = report.with_kills(kills);
    }
    print(&report.text());
    write(args.json.as_deref(), || Ok(format!("{:#}\n", report.json())))?;
    write(args.junit.as_deref(), || report.junit().map_err(Failure::internal))?;
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

fn run_own(world: &Path, cases: &[Case]) -> Result<(String, Vec<Ran>), Failure> {
    let stage = contract_stage(world).map_err(Failure::internal)?;
    let client = OwnClient::new(world);
    let name = client.name().to_owned();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let subject: Arc<dyn Subject> = Arc::new(client);
    let ran = runtime.block_on(run_cases(&stage, cases, &subject, 1)).map_err(harness)?;
    Ok((name, ran))
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
        cases.extend(made()?);
    }
    Ok(cases)
}

/// The cases that follow from the good answers, and those of the faults that these can meet. Both are built in.
fn made() -> Result<Vec<Case>, Failure> {
    let good = GoodAnswers::built_in().map_err(Failure::internal)?;
    let mut cases = derived_cases(&inbound().map_err(Failure::internal)?, &good);
    cases.extend(transport_cases(&TransportFaults::built_in().map_err(Failure::internal)?, &good));
    Ok(cases)
}

/// The cells of a side; those of cases that are made where these are run.
fn cells(side: Side, folder: Option<&Path>) -> Result<Vec<Cell>, Failure> {
    let contract = if side == Side::Inbound { inbound() } else { outbound() };
    let mut cells = documented_cells(&contract.map_err(Failure::internal)?, side);
    if side == Side::Inbound && folder.is_none() {
        cells.extend(made_cells(&made()?));
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

/// The time on the system's clock.
fn now() -> Now {
    let clock = Clock::new(ClockMode::Real);
    Arc::new(move || {
        let since = u64::try_from(clock.now_ms()).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_millis(since)
    })
}

/// Where a sandbox folder's file is.
fn file(folder: &Path, name: &str) -> std::io::Result<String> {
    let path: PathBuf = folder.join(name);
    fs::read_to_string(&path)
        .map_err(|fault| std::io::Error::new(fault.kind(), format!("{}: {fault}", path.display())))
}
