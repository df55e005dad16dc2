//! Somebody's own client as the suite's subject, behind a program that they name.

use std::path::Path;

use d1_contracts::{Case, Limits, Ran, Shim, ShimCommand, ShimFiles, Stage, Subject as _};
use serde_json::Value;

use super::super::exit::{Exit, Failure};
use super::{file, harness};

/// Runs cases with a shim; gives the client's name too.
pub(super) fn run(
    world: &Path,
    stage: &Stage,
    command: &ShimCommand,
    cases: &[Case],
) -> Result<(String, Vec<Ran>), Failure> {
    let files = files(world).map_err(Failure::internal)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    runtime.block_on(async {
        let started = Shim::start(command.clone(), files, Limits::default()).await;
        let shim = started.map_err(|error| Failure { exit: Exit::Harness, error: error.into() })?;
        let name = shim.name().to_owned();
        Ok((name, shim.run(stage, cases).await.map_err(harness)?))
    })
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
