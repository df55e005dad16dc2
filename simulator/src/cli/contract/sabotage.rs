//! `d1sim contract sabotage`: whether the cases can fail a client at all.

use std::path::Path;

use d1_contracts::{Case, KillMatrix};
use tokio::runtime::Builder;

use super::super::args::Sabotage;
use super::super::exit::{Exit, Failure};
use super::super::print;
use super::progress::unless_interrupted;
use super::props::contract_props;
use super::stage::contract_stage;
use super::{harness, pretend_world, write};

pub(super) fn run(cases: &[Case], args: &Sabotage) -> Result<(), Failure> {
    if cases.is_empty() {
        return Err(Failure { exit: Exit::NothingRan, error: "there is no case to run".into() });
    }
    let matrix = kills(pretend_world()?.path(), cases)?;
    print(&matrix.text());
    write(args.json.as_deref(), || Ok(format!("{:#}\n", matrix.json())))?;
    judge(&matrix)
}

/// Every broken client against these cases, in a folder's pretend world.
pub(super) fn kills(world: &Path, cases: &[Case]) -> Result<KillMatrix, Failure> {
    let stage = contract_stage(world).map_err(Failure::internal)?;
    let props = contract_props(world).map_err(Failure::internal)?;
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)?;
    let run = async { d1_contracts::sabotage(&stage, &props, cases).await.map_err(harness) };
    runtime.block_on(unless_interrupted(run))
}

/// Whether the cases are good for anything.
pub(super) fn judge(matrix: &KillMatrix) -> Result<(), Failure> {
    let (unsound, survivors) = (matrix.unsound.len(), matrix.survivors().count());
    if unsound > 0 {
        let error = format!("{unsound} cases fail a client without a fault, see above").into();
        return Err(Failure { exit: Exit::CaseFailed, error });
    }
    if survivors > 0 {
        let error = format!("{survivors} broken clients survived, see above").into();
        return Err(Failure { exit: Exit::Survivor, error });
    }
    let idle = matrix.idle().count();
    if idle > 0 {
        let error = format!("{idle} cases kill no broken client but blunt ones, see above").into();
        return Err(Failure { exit: Exit::Survivor, error });
    }
    Ok(())
}
