//! Somebody's own client as the suite's subject, behind a program that they name.

use std::collections::BTreeMap;
use std::path::Path;

use d1_contracts::{Case, Limits, Shim, ShimCommand, ShimFiles, Stage, Subject as _};
use serde_json::Value;

use super::super::exit::{Exit, Failure};
use super::progress::{Played, Progress, unless_interrupted};
use super::{file, harness};

/// What a client is called that has not told its name.
const NAMELESS: &str = "(a shim that did not start)";

/// Runs cases with a shim, but those that it cannot be shown: they are put aside, each with why.
pub(super) fn run(
    world: &Path,
    stage: &Stage,
    command: &ShimCommand,
    cases: &[Case],
) -> Result<(BTreeMap<String, String>, Played), Failure> {
    let files = files(world).map_err(Failure::internal)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let progress = Progress::of(cases.len());
    let note = |one: &_| progress.note(one);
    let (mut name, mut aside) = (NAMELESS.to_owned(), BTreeMap::new());
    let ended = runtime.block_on(unless_interrupted(async {
        let started = Shim::start(command.clone(), files, Limits::default()).await;
        let shim = started.map_err(|error| Failure { exit: Exit::Harness, error: error.into() })?;
        shim.name().clone_into(&mut name);
        let lacks = |case: &&Case| shim.lacks(case);
        let why = |feature| format!("not run: needs the feature {feature}, which the client does not name");
        aside.extend(cases.iter().filter_map(|case| Some((case.id.clone(), why(lacks(&case)?)))));
        let shown: Vec<Case> = cases.iter().filter(|case| lacks(case).is_none()).cloned().collect();
        shim.run(stage, &shown, &note).await.map_err(harness)
    }));
    // With it goes every process that a shim has started.
    drop(runtime);
    Ok((aside, progress.played(name, ended)))
}

/// The papers of the first gateway of a sandbox folder, by absolute paths: a shim may work in another folder.
fn files(world: &Path) -> std::io::Result<ShimFiles> {
    let world = world.canonicalize()?;
    let assertion: Value = serde_json::from_str(&file(&world, "gateway/assertion.jwk")?)?;
    Ok(ShimFiles {
        ca: world.join("ca/server-ca.pem"),
        client_certificate: world.join("gateway/client.pem"),
        client_key: world.join("gateway/client.key"),
        assertion_key: world.join("gateway/assertion.key"),
        assertion_kid: assertion["kid"].as_str().unwrap_or_default().to_owned(),
        d1_jwk: world.join("d1/jwe.jwk"),
        own_jwk: world.join("gateway/jwe.jwk"),
    })
}
