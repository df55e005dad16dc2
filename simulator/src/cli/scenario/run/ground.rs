//! The sandbox that a scenario is played on: one of its own, in process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use d1_contracts::{ProbeCommand, ShimCommand};
use d1_fixtures::{Plan, write_sandbox};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::super::super::exit::Failure;
use super::super::super::folder::{CONFIG, SandboxFolder, read_config, read_text};
use super::super::super::{init, serve};
use super::admin::Admin;
use super::gateway::{Address, Gateway, Papers, time_of};
use super::receiver::OwnReceiver;
use crate::clock::ClockMode;
use crate::config::ReceiverConfig;
use crate::notify::{OauthSettings, Schedule};
use crate::scenario::{Place, Receiver, ReceiverAt, Scenario, Stage};
use crate::simulator::{Running, Simulator};

/// Certificates and keys for all scenarios of a run, which only read them.
pub(crate) struct Papermill {
    folder: SandboxFolder,
    config: PathBuf,
    _temporary: TempDir,
}

/// A sandbox, and those who play the gateways.
pub(super) struct Ground {
    pub(super) admin: Admin,
    /// By the names of the scenario.
    pub(super) gateways: BTreeMap<String, Gateway>,
    /// Certificate and key of the authority that signs the gateways' certificates.
    pub(super) authority: Option<(PathBuf, PathBuf)>,
    running: Option<Running>,
}

impl Papermill {
    /// Papers for scenarios with so many gateways.
    pub(crate) fn new(gateways: usize) -> Result<Self, Failure> {
        let temporary = tempfile::Builder::new().prefix("d1-scenarios-").tempdir();
        let temporary =
            temporary.map_err(|fault| Failure::resource(format!("cannot make a sandbox folder: {fault}")))?;
        let folder = temporary.path().join("sandbox");
        let mut plan = Plan::new(init::now()?);
        plan.gateways = (1..=gateways.max(1)).map(|number| format!("MGW_{number:06}")).collect();
        write_sandbox(&folder, &plan, false).map_err(init::failure)?;
        let config = folder.join(CONFIG);
        Ok(Self { folder: SandboxFolder::open(&folder)?, config, _temporary: temporary })
    }
}

impl Ground {
    /// Starts a sandbox for this scenario alone, on free ports.
    pub(super) async fn start(
        mill: &Papermill,
        scenario: &Scenario,
        seed: u64,
        probe: Option<&ShimCommand>,
    ) -> Result<Self, Failure> {
        let stage = &scenario.stage;
        let mut config = read_config(&mill.config)?;
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        (config.api, config.admin, config.seed) = (free, free, Some(seed));
        config.clock = ClockMode::Manual { start_ms: stage.clock.as_millisecond() };
        config.schedule = schedule(stage);
        config.gateways.truncate(stage.gateways.len());
        let base_path = config.base_path.clone();
        let mut players = Vec::new();
        for (gateway, known) in stage.gateways.iter().zip(&mut config.gateways) {
            let id = known.id.as_str().to_owned();
            let papers = Papers::of(&mill.folder, &id)?;
            let clock = d1_client::Clock::manual(time_of(stage.clock));
            let receiver = match &gateway.receiver {
                Receiver::Own => {
                    let own = OwnReceiver::start(&mill.folder, &id, papers.own_key()?, clock.clone()).await?;
                    let authority = mill.folder.text("ca/receiver-ca.pem")?.to_string();
                    known.receiver = Some(ReceiverConfig { url: url(&own.url)?, authority, oauth: None });
                    Some(own)
                }
                Receiver::At(at) => {
                    known.receiver = Some(receiver_at(&mill.folder, at, &gateway.name.place.file)?);
                    None
                }
            };
            players.push((gateway.name.name.clone(), id, papers, clock, receiver));
        }
        let running = Simulator::start(config).await.map_err(serve::failure)?;
        let admin = Admin::new(&running.admin_url(), None)?;
        let to = Address { api: running.api_url(), base_path };
        let gateways = players.into_iter().map(|(name, id, papers, clock, receiver)| {
            Ok((name, Gateway::new(&id, papers, to.clone(), clock, jitter(seed), receiver)?))
        });
        let mut gateways = gateways.collect::<Result<BTreeMap<String, Gateway>, Failure>>()?;
        for given in &stage.gateways {
            if let (Receiver::At(at), Some(gateway)) = (&given.receiver, gateways.get_mut(&given.name.name)) {
                gateway.probe = probe_of(at, &given.name.place, probe)?;
            }
        }
        let authority = Some((mill.folder.file("ca/thales-ca.pem"), mill.folder.file("ca/thales-ca.key")));
        Ok(Self { admin, gateways, authority, running: Some(running) })
    }

    pub(super) async fn stop(self) {
        if let Some(running) = self.running {
            running.stop().await;
        }
    }
}

/// The receiver under test. What the scenario names no authority for is signed for by that of the papers.
fn receiver_at(folder: &SandboxFolder, at: &ReceiverAt, scenario: &str) -> Result<ReceiverConfig, Failure> {
    let authority = match &at.authority {
        Some(file) => read_text("authority", &beside(scenario, file))?,
        None => folder.text("ca/receiver-ca.pem")?,
    };
    let oauth = at.oauth.as_ref().map(|oauth| {
        let secret = read_text("clientSecretFile", &beside(scenario, &oauth.client_secret_file))?;
        Ok(OauthSettings {
            token_url: url(&oauth.token_url)?,
            client_id: oauth.client_id.clone(),
            client_secret: Zeroizing::new(secret.trim_end().to_owned()),
            scope: oauth.scope.clone(),
        })
    });
    Ok(ReceiverConfig { url: url(&at.url)?, authority: authority.to_string(), oauth: oauth.transpose()? })
}

/// A file that a scenario names, relative to itself.
fn beside(scenario: &str, file: &str) -> PathBuf {
    Path::new(scenario).parent().unwrap_or(Path::new("")).join(file)
}

/// The probe that the scenario names, or else that of the command line.
fn probe_of(
    at: &ReceiverAt,
    place: &Place,
    otherwise: Option<&ShimCommand>,
) -> Result<Option<ProbeCommand>, Failure> {
    let named = at
        .probe
        .as_ref()
        .map(|command| command.parse().map_err(|fault| Failure::usage(format!("{place}: `probe`: {fault}"))));
    Ok(named.transpose()?.or_else(|| otherwise.cloned()).map(ProbeCommand::new))
}

fn url(text: &str) -> Result<reqwest::Url, Failure> {
    reqwest::Url::parse(text).map_err(|_| Failure::usage(format!("{text}: expected a URL")))
}

fn schedule(stage: &Stage) -> Schedule {
    let retry = &stage.retry;
    Schedule {
        first_delay: retry.first_delay,
        factor: retry.factor,
        max_delay: retry.max_delay,
        attempts: retry.attempts,
        timeout: retry.timeout,
    }
}

/// What a client's pauses are drawn with: of the seed, so that other seeds try other pauses.
fn jitter(seed: u64) -> f64 {
    let eighths = u8::try_from(seed % 8).unwrap_or_default();
    f64::from(eighths) / 8.0
}
