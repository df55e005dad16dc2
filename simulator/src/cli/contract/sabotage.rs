//! `d1sim contract sabotage`: whether the cases can fail a client at all.

use std::path::Path;

use d1_contracts::{Break, Case, Catalogue, Flaw, KillMatrix, Stage};
use tokio::runtime::{Builder, Runtime};

use super::super::args::Sabotage;
use super::super::exit::{Exit, Failure};
use super::super::{print, say};
use super::progress::unless_interrupted;
use super::props::contract_props;
use super::{harness, natural_d1, pretend_world, stage, writable, write};

pub(super) fn run(catalogue: &Catalogue, args: &Sabotage) -> Result<(), Failure> {
    // It takes minutes: a file that cannot be written is found before.
    writable(args.json.as_deref())?;
    let world = pretend_world()?;
    let stage = stage(world.path(), &natural_d1(world.path())?, catalogue)?;
    let props = contract_props(world.path()).map_err(Failure::internal)?;
    let (clients, cases) = (Break::ALL.len(), catalogue.cases().len());
    say(&format!("running {cases} cases against {clients} broken clients; this takes some minutes"));
    let run = async { d1_contracts::sabotage(&stage, &props, catalogue.cases()).await.map_err(harness) };
    let matrix = runtime()?.block_on(unless_interrupted(run))?;
    print(&matrix.text());
    write(args.json.as_deref(), || Ok(format!("{:#}\n", matrix.json())))?;
    judge(&matrix)
}

/// Whether each case kills a broken client and each broken client is killed, in a folder's pretend world.
pub(super) fn kills(world: &Path, stage: &Stage, cases: &[Case]) -> Result<KillMatrix, Failure> {
    let props = contract_props(world).map_err(Failure::internal)?;
    let run = async { d1_contracts::first_kills(stage, &props, cases).await.map_err(harness) };
    runtime()?.block_on(unless_interrupted(run))
}

fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)
}

/// Whether the cases are good for anything.
pub(super) fn judge<F: Flaw>(matrix: &KillMatrix<F>) -> Result<(), Failure> {
    let of = F::OF;
    let (unsound, survivors) = (matrix.unsound.len(), matrix.survivors().count());
    if unsound > 0 {
        let error = format!("{unsound} cases fail a {of} without a fault, see above").into();
        return Err(Failure { exit: Exit::CaseFailed, error });
    }
    if survivors > 0 {
        let error = format!("{survivors} broken {of}s survived, see above").into();
        return Err(Failure { exit: Exit::Survivor, error });
    }
    let idle = matrix.idle().count();
    if idle > 0 {
        let error = format!("{idle} cases kill no broken {of} but blunt ones, see above").into();
        return Err(Failure { exit: Exit::Survivor, error });
    }
    Ok(())
}
