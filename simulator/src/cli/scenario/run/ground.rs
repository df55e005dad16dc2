//! The sandbox that a scenario is played on: one of its own, in process.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use d1_contracts::{ProbeCommand, ShimCommand};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::super::super::exit::{Exit, Failure};
use super::super::super::folder::{SandboxFolder, read_config, read_text};
use super::super::super::{chain, serve};
use super::admin::Admin;
use super::flaw::Flaw;
use super::gateway::{Address, Gateway, Habits, Papers, time_of};
use super::miss::Broken;
use super::papers::{Papermill, Signer};
use super::receiver::OwnReceiver;
use crate::clock::{AuthClock, ClockMode};
use crate::config::ReceiverConfig;
use crate::notify::{OauthSettings, Schedule};
use crate::scenario::{self, Action, Caller, Place, Receiver, ReceiverAt, Scenario, Stage};
use crate::simulator::{Running, Simulator};

const TEN_YEARS: Duration = Duration::from_hours(24 * 3650);

/// A sandbox that runs already.
pub(crate) struct Attached {
    pub(super) url: String,
    pub(super) token_file: Option<PathBuf>,
    /// Its folder, if not the one that it names.
    pub(super) sandbox: Option<PathBuf>,
    pub(super) with: With,
}

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
    running: Option<Running>,
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
        config.sandbox_dates =
            scenario.steps.iter().any(|step| matches!(step.action, Action::Certificate(_)));
        let signer = Signer::of(&mill.folder, config.environment);
        let (base_path, dated) = (config.base_path.clone(), config.sandbox_dates);
        let mut players = Vec::new();
        for (gateway, known) in stage.gateways.iter().zip(&mut config.gateways) {
            let id = known.id.as_str().to_owned();
            let papers = Papers::of(&mill.folder, &id)?;
            let clock = d1_client::Clock::manual(time_of(stage.clock));
            let receiver = match &gateway.receiver {
                Receiver::Own => {
                    let own = OwnReceiver::start(
                        &mill.folder,
                        &id,
                        papers.own_key()?,
                        clock.clone(),
                        free_port(),
                        with.flaw,
                    )
                    .await?;
                    let authority = mill.folder.text("ca/receiver-ca.pem")?.to_string();
                    known.receiver = Some(ReceiverConfig { url: url(&own.url)?, authority, oauth: None });
                    Some(own)
                }
                Receiver::At(at) => {
                    let known_as = known.receiver.take();
                    known.receiver = Some(receiver_at(known_as, at, &gateway.name.place)?);
                    None
                }
            };
            players.push((gateway.name.name.clone(), id, papers, clock, receiver));
        }
        let running = Simulator::start(config).await.map_err(serve::failure)?;
        let admin = Admin::new("the sandbox", &running.admin_url(), None)?;
        let api = running.api_url();
        let to = Address { api: api.clone(), base_path };
        let habits = Habits { jitter: jitter(seed), flaw: with.flaw };
        let gateways = players.into_iter().map(|(name, id, papers, clock, receiver)| {
            Ok((name, Gateway::new(&id, papers, to.clone(), clock, habits, receiver)?))
        });
        let mut gateways = gateways.collect::<Result<BTreeMap<String, Gateway>, Failure>>()?;
        if dated {
            // What the papers show is dated by the system's clock.
            for gateway in gateways.values_mut() {
                let (certificate, key) = signer.sign(gateway.id.as_str(), stage.clock, TEN_YEARS)?;
                gateway.show(certificate, key)?;
            }
        }
        for given in &stage.gateways {
            if let (Receiver::At(at), Some(gateway)) = (&given.receiver, gateways.get_mut(&given.name.name)) {
                gateway.probe = probe_of(at, &given.name.place, with.probe.as_ref())?;
            }
        }
        let (authority, running) = (Some(signer), Some(running));
        Ok(Self { admin, api, seed, gateways, authority, now: stage.clock, began: 0, running })
    }

    /// Takes the sandbox behind an admin port as it is, with gateways that it has already.
    pub(super) async fn attach(to: &Attached, scenario: &Scenario) -> Result<Self, Failure> {
        let admin = Admin::new("--attach", &to.url, to.token_file.as_deref())?;
        let broken = |Broken(why)| Failure { exit: Exit::Harness, error: why.into() };
        let info = admin.get("info").await.map_err(|Broken(why)| Failure::resource(why))?;
        let text = |member: &str| info[member].as_str().unwrap_or_default().to_owned();
        if text("clock") != "manual" {
            let hint = "its clock is real, and a scenario moves the clock: start it with --clock manual";
            return Err(Failure::usage(format!("--attach {}: {hint}", to.url)));
        }
        if scenario.stage.caller == Caller::Own && text("authClock") == "system" {
            let hint = "it judges assertions by the system's clock, and our client dates them by the sandbox's: start it \
                        with --auth-clock sandbox";
            return Err(Failure::usage(format!("--attach {}: {hint}", to.url)));
        }
        let named = PathBuf::from(text("config"));
        let folder = to.sandbox.clone().or_else(|| named.parent().map(Path::to_owned)).unwrap_or_default();
        let folder = SandboxFolder::open(&folder)?;
        admin.have_clock(&format!("scenario {}", scenario.name)).await.map_err(broken)?;
        let state = admin.get("state").await.map_err(broken)?;
        let (known, wanted) = (folder.config.gateways.len(), scenario.stage.gateways.len());
        if known < wanted {
            return Err(Failure::usage(too_few(wanted, known)));
        }
        let now = state["now"].as_str().and_then(|now| now.parse().ok()).unwrap_or(scenario.stage.clock);
        let at = Address { api: text("api"), base_path: text("basePath") };
        let habits = Habits { jitter: 0.5, flaw: to.with.flaw };
        let mut gateways = BTreeMap::new();
        for (gateway, known) in scenario.stage.gateways.iter().zip(&folder.config.gateways) {
            let id = known.id.as_str();
            let papers = Papers::of(&folder, id)?;
            let clock = d1_client::Clock::manual(time_of(now));
            let (mut probe, mut receiver) = (None, None);
            match &gateway.receiver {
                Receiver::Own => {
                    let port = info["receivers"][id].as_str().and_then(|told| {
                        let told = url(told).ok()?;
                        Some((told.host_str()?.to_owned(), told.port_or_known_default()?))
                    });
                    let port =
                        port.ok_or_else(|| Failure::usage(format!("the sandbox notifies nobody for {id}")))?;
                    let own =
                        OwnReceiver::start(&folder, id, papers.own_key()?, clock.clone(), port, to.with.flaw)
                            .await?;
                    receiver = Some(own);
                }
                Receiver::At(given) => {
                    probe = probe_of(given, &gateway.name.place, to.with.probe.as_ref())?;
                }
            }
            let mut player = Gateway::new(id, papers, at.clone(), clock, habits, receiver)?;
            player.probe = probe;
            gateways.insert(gateway.name.name.clone(), player);
        }
        let began = state["journal"].as_u64().unwrap_or_default();
        let seed = info["seed"].as_u64().unwrap_or_default();
        Ok(Self { admin, api: at.api, seed, gateways, authority: None, now, began, running: None })
    }

    /// Whether it is somebody else's sandbox.
    pub(super) const fn is_attached(&self) -> bool {
        self.running.is_none()
    }

    pub(super) async fn stop(self) {
        if let Some(running) = self.running {
            running.stop().await;
        }
    }
}

fn too_few(wanted: usize, known: usize) -> String {
    format!("the scenario has {wanted} gateways, the sandbox {known}: `d1sim init --gateway` takes several")
}

fn free_port() -> (String, u16) {
    (Ipv4Addr::LOCALHOST.to_string(), 0)
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
    let beside_it = |what: &str, file: &str| {
        let placed = |failure: Failure| {
            let error = format!("{place}: {}", chain(failure.error.as_ref())).into();
            Failure { error, ..failure }
        };
        read_text(what, &beside(scenario, file)).map_err(placed)
    };
    let (known_authority, known_oauth) = known.map(|known| (known.authority, known.oauth)).unzip();
    let authority = match &at.authority {
        Some(file) => Some(beside_it("authority", file)?.to_string()),
        None => known_authority,
    };
    let authority = authority.ok_or_else(|| {
        Failure::usage(format!("{place}: expected an `authority` for the receiver, or one in sandbox.yaml"))
    })?;
    let oauth = at.oauth.as_ref().map(|oauth| {
        let secret = beside_it("clientSecretFile", &oauth.client_secret_file)?;
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
