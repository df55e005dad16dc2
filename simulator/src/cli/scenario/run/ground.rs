//! The sandbox that a scenario is played on, and who plays the gateways: here one of its own, in process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use d1_client::Clock;
use d1_contracts::{ProbeCommand, ShimCommand};
use jiff::Timestamp;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::super::super::exit::Failure;
use super::super::super::folder::{read_config, read_text};
use super::super::super::serve;
use super::admin::Admin;
use super::attached::Stay;
use super::flaw::Flaw;
use super::gateway::{Address, Gateway, Habits, Papers, time_of};
use super::papers::{Files, Papermill, Signer};
use super::receiver::{FREE, OwnReceiver, listen};
use crate::clock::{AuthClock, ClockMode};
use crate::config::{Config, GatewayConfig, ReceiverConfig};
use crate::notify::{OauthSettings, Schedule};
use crate::scenario::{self, Caller, Place, Receiver, ReceiverAt, Scenario, Stage};
use crate::simulator::{Running, Simulator};

const TEN_YEARS: Duration = Duration::from_hours(24 * 3650);

/// Who takes part, besides what the scenario says.
#[derive(Clone)]
pub(super) struct With {
    /// For receivers whose probe the scenario does not name.
    pub(super) probe: Option<ShimCommand>,
    /// Of our client and our receiver.
    pub(super) flaw: Option<Flaw>,
}

/// A sandbox, and those who play the gateways.
pub(super) struct Ground {
    pub(super) admin: Admin,
    /// Where D1 is called.
    pub(super) api: String,
    /// Of all that D1 draws.
    pub(super) seed: u64,
    /// By the names of the scenario.
    pub(super) gateways: BTreeMap<String, Gateway>,
    /// What the sandbox clock shows.
    pub(super) now: Timestamp,
    /// The last number of the journal from before the scenario.
    pub(super) began: u64,
    /// Who signs the gateways' certificates; only a sandbox of the scenario's own judges them by its clock.
    pub(super) authority: Option<Signer>,
    pub(super) host: Host,
}

/// Whose sandbox it is.
pub(super) enum Host {
    /// The scenario's own.
    Own(Running),
    /// One that runs already.
    Other(Stay),
}

/// A gateway that is to be played, once the sandbox is there.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) papers: Papers,
    pub(super) clock: Clock,
    pub(super) receiver: Option<OwnReceiver>,
    pub(super) probe: Option<ProbeCommand>,
}

impl Part {
    pub(super) fn played(self, to: &Address, habits: Habits) -> Result<(String, Gateway), Failure> {
        let Self { name, id, papers, clock, receiver, probe } = self;
        let mut gateway = Gateway::new(&id, papers, to.clone(), clock, habits, receiver)?;
        gateway.probe = probe;
        Ok((name, gateway))
    }
}

impl Ground {
    /// Starts a sandbox for this scenario alone, on free ports.
    pub(super) async fn start(
        mill: &Papermill,
        scenario: &Scenario,
        seed: u64,
        with: &With,
    ) -> Result<Self, Failure> {
        let stage = &scenario.stage;
        let mut config = configured(mill, scenario, seed)?;
        let signer = Signer::of(&mill.folder, config.environment);
        let (base_path, dated) = (config.base_path.clone(), config.sandbox_dates);
        let mut parts = Vec::new();
        for (gateway, known) in stage.gateways.iter().zip(&mut config.gateways) {
            parts.push(cast(mill, gateway, known, stage.clock, with).await?);
        }
        let running = Simulator::start(config).await.map_err(serve::failure)?;
        let admin = Admin::new("the sandbox", &running.admin_url(), None)?;
        let api = running.api_url();
        let to = Address { api: api.clone(), base_path };
        let habits = Habits::of(scenario, jitter(seed), with.flaw);
        let gateways = parts.into_iter().map(|part| part.played(&to, habits));
        let mut gateways = gateways.collect::<Result<BTreeMap<String, Gateway>, Failure>>()?;
        if dated {
            // What the papers show is dated by the system's clock.
            for gateway in gateways.values_mut() {
                let (certificate, key) = signer.sign(gateway.id.as_str(), stage.clock, TEN_YEARS)?;
                gateway.show(certificate, key)?;
            }
        }
        let (authority, host) = (Some(signer), Host::Own(running));
        Ok(Self { admin, api, seed, gateways, authority, now: stage.clock, began: 0, host })
    }

    pub(super) async fn stop(self) {
        match self.host {
            Host::Own(running) => running.stop().await,
            Host::Other(stay) => stay.leave(&self.admin).await,
        }
    }
}

/// The configuration of the folder, as this scenario has it.
fn configured(mill: &Papermill, scenario: &Scenario, seed: u64) -> Result<Config, Failure> {
    let stage = &scenario.stage;
    let mut config = read_config(&mill.config)?;
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    (config.admin, config.seed) = (free, Some(seed));
    if stage.caller == Caller::Own {
        // Whoever else calls knows the address of the configuration.
        config.api = free;
    }
    config.auth_clock = match stage.auth_clock {
        scenario::AuthClock::Sandbox => AuthClock::Sandbox,
        scenario::AuthClock::System => AuthClock::System,
    };
    let (known, wanted) = (config.gateways.len(), stage.gateways.len());
    if known < wanted {
        return Err(Failure::usage(too_few(wanted, known)));
    }
    config.clock = ClockMode::Manual { start_ms: stage.clock.as_millisecond() };
    config.schedule = schedule(stage);
    config.hostile = stage.hostile;
    config.gateways.truncate(stage.gateways.len());
    config.sandbox_dates = scenario.ages_certificates();
    Ok(config)
}

/// Who plays a gateway of the configuration, which gets the receiver of the scenario.
async fn cast(
    mill: &Papermill,
    gateway: &scenario::Gateway,
    known: &mut GatewayConfig,
    now: Timestamp,
    with: &With,
) -> Result<Part, Failure> {
    let id = known.id.as_str().to_owned();
    let files = Files::of(&mill.folder, &id);
    let papers = Papers::of(&files)?;
    let clock = Clock::manual(time_of(now));
    let (mut receiver, mut probe) = (None, None);
    match &gateway.receiver {
        Receiver::Own => {
            let outer = listen(FREE).await?;
            let url = url_of(&outer)?;
            let own = OwnReceiver::start(&files, &id, papers.own_key()?, clock.clone(), outer, with.flaw);
            receiver = Some(own.await?);
            let authority = mill.folder.text("ca/receiver-ca.pem")?.to_string();
            known.receiver = Some(ReceiverConfig { url, authority, oauth: None });
        }
        Receiver::At(at) => {
            let known_as = known.receiver.take();
            known.receiver = Some(receiver_at(known_as, at, &gateway.name.place)?);
            probe = probe_of(at, &gateway.name.place, with.probe.as_ref())?;
        }
    }
    Ok(Part { name: gateway.name.name.clone(), id, papers, clock, receiver, probe })
}

pub(super) fn too_few(wanted: usize, known: usize) -> String {
    format!("the scenario has {wanted} gateways, the sandbox {known}: `d1sim init --gateway` takes several")
}

/// The URL of who listens here.
pub(super) fn url_of(listener: &TcpListener) -> Result<reqwest::Url, Failure> {
    url(&format!("https://{}", listener.local_addr().map_err(Failure::resource)?))
}

/// A file that a scenario names, relative to itself.
fn beside(scenario: &str, file: &str) -> PathBuf {
    Path::new(scenario).parent().unwrap_or(Path::new("")).join(file)
}

/// The receiver under test. What the scenario does not say of it is as the configuration has it.
fn receiver_at(
    known: Option<ReceiverConfig>,
    at: &ReceiverAt,
    place: &Place,
) -> Result<ReceiverConfig, Failure> {
    let scenario = &place.file;
    let (known_authority, known_oauth) = known.map(|known| (known.authority, known.oauth)).unzip();
    let authority = match &at.authority {
        Some(file) => Some(read_text("authority", &beside(scenario, file))?.to_string()),
        None => known_authority,
    };
    let authority = authority.ok_or_else(|| {
        Failure::usage(format!("{place}: expected an `authority` for the receiver, or one in sandbox.yaml"))
    })?;
    let oauth = at.oauth.as_ref().map(|oauth| {
        let secret = read_text("clientSecretFile", &beside(scenario, &oauth.client_secret_file))?;
        Ok(OauthSettings {
            token_url: url(&oauth.token_url)?,
            client_id: oauth.client_id.clone(),
            client_secret: Zeroizing::new(secret.trim_end().to_owned()),
            scope: oauth.scope.clone(),
        })
    });
    let oauth = oauth.transpose()?.or(known_oauth.flatten());
    Ok(ReceiverConfig { url: url(&at.url)?, authority, oauth })
}

/// The probe that the scenario names, or else that of the command line.
pub(super) fn probe_of(
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

pub(super) fn url(text: &str) -> Result<reqwest::Url, Failure> {
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
pub(super) fn jitter(seed: u64) -> f64 {
    let eighths = u8::try_from(seed % 8).unwrap_or_default();
    f64::from(eighths) / 8.0
}
