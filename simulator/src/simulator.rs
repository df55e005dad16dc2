//! Putting the parts together.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::auth::{AccessTokens, Gateways, Seen};
use crate::chance::{Chance, NoRandomness, fresh_seed};
use crate::clock::{Clock, ClockMode};
use crate::config::{Config, ConfigError, GatewayConfig};
use crate::domain::{Behaviour, IssuerEvent, Pan};
use crate::faults::{Faults, Known};
use crate::http::admin::{self, Admin, Facts};
use crate::http::{App, router};
use crate::journal::Journal;
use crate::notify::{Notifier, Receiver, ReceiverError};
use crate::onboarding::{Onboarding, Surroundings};
use crate::stop::Stop;
use crate::tls::{BadCertificates, Door, Hostile, Limits, Listener, TlsError, server_config};
use crate::world::{self, Setting, World};

/// Handshakes at once on the API port.
pub(crate) const HANDSHAKES: usize = 1024;
/// Connections at once on the admin port.
const ADMIN_CONNECTIONS: usize = 256;
/// After this the stop does not wait any longer.
const STOP: Duration = Duration::from_secs(10);

/// The sandbox, not yet started.
#[derive(Debug)]
pub struct Simulator;

/// A running sandbox. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Running {
    api: SocketAddr,
    admin: SocketAddr,
    seed: u64,
    clock: Clock,
    onboarding: Arc<Onboarding>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A port cannot be taken.
    #[error("cannot listen on {address} ({what})")]
    Listen {
        /// `listen.api` or `listen.admin`.
        what: &'static str,
        /// The wanted address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The configuration cannot be used.
    #[error("the configuration cannot be used")]
    Config(#[from] ConfigError),
    /// Certificates or keys cannot be used.
    #[error("the server's TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// A receiver cannot be set up.
    #[error("a receiver cannot be set up")]
    Receiver(#[from] ReceiverError),
    /// The test cards cannot be read.
    #[error("the table of test cards cannot be read")]
    Cards(#[from] d1_fixtures::CardsError),
    /// A test card has a number that no card can have.
    #[error("the test card {name} must have 12 to 19 digits with a good check digit")]
    Card {
        /// The card's name in the table.
        name: String,
    },
    /// The faults of the hostile profile cannot be set.
    #[error("the hostile profile cannot be set: {reason}")]
    Hostile {
        /// What is wrong with it.
        reason: String,
    },
    /// No randomness for keys.
    #[error("no keys can be made")]
    Randomness(#[from] NoRandomness),
}

impl Simulator {
    /// Starts a sandbox; it listens when this returns.
    ///
    /// # Errors
    /// [`StartError`] says which part cannot be had and why.
    pub async fn start(mut config: Config) -> Result<Running, StartError> {
        check_admin(&config)?;
        let chance = Chance::new(match config.seed {
            Some(seed) => seed,
            None => fresh_seed()?,
        });
        let clock = Clock::new(config.clock);
        let journal = Arc::new(Journal::new());
        let faults = faults(&config, chance, &journal)?;
        if config.hostile {
            let set = faults.set_hostile(clock.now().at);
            set.map_err(|fault| StartError::Hostile { reason: fault.to_string() })?;
        }
        let world = Arc::new(World::new(setting(&config, chance, &faults)?, Arc::clone(&journal))?);
        let facts = Facts::of(&config, chance.seed());
        let gateways = Arc::new(config.known());
        let (stop, stopped) = Stop::pair();
        let around = Surroundings {
            gateways: Arc::clone(&gateways),
            world: Arc::clone(&world),
            journal: Arc::clone(&journal),
            clock: clock.clone(),
            chance,
            stop: stopped.clone(),
        };
        let notifiers = notifiers(&config, &around)?;
        let onboarding = Onboarding::new(&config, around);
        let door = door(&config, &gateways, &journal, &clock, Arc::clone(&faults))?;
        let base = config.base_path.clone();
        let (api, admin_address, connections) = (config.api, config.admin, config.max_connections);
        let admin_token = config.admin_token.take();
        let app = Arc::new(app(config, gateways, Arc::clone(&world), &clock, journal, faults)?);

        let limits = Limits { connections, handshakes: HANDSHAKES };
        let routes = router(Arc::clone(&app), &base, stopped.clone());
        let api = bind("listen.api", api, door, routes, limits).await?;
        let api_address = address("listen.api", &api)?;
        let admin =
            Admin::new(app, facts.at(api_address), admin_token, Arc::clone(&onboarding), stopped.clone());
        let limits = Limits { connections: ADMIN_CONNECTIONS, handshakes: ADMIN_CONNECTIONS };
        let admin = bind("listen.admin", admin_address, Door::Plain, admin::router(admin), limits).await?;
        let admin_address = address("listen.admin", &admin)?;

        let mut tasks = JoinSet::new();
        tasks.spawn(api.run(stopped.clone()));
        tasks.spawn(admin.run(stopped.clone()));
        tasks.spawn(world.keep_schedule(clock.clone(), stopped.clone()));
        for notifier in notifiers {
            tasks.spawn(notifier.run(stopped.clone()));
        }
        let seed = chance.seed();
        Ok(Running { api: api_address, admin: admin_address, seed, clock, onboarding, stop, tasks })
    }
}

impl Running {
    /// Where gateways call: `https://ADDRESS:PORT`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("https://{}", self.api)
    }

    /// The admin port: `http://ADDRESS:PORT`.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// The address behind [`Self::api_url`].
    #[must_use]
    pub fn api_address(&self) -> SocketAddr {
        self.api
    }

    /// The seed of this run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The sandbox's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Stops taking connections and lets what is being answered end, for some seconds.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // Beyond that the rest is dropped with `self`.
        let _ = timeout(STOP, all).await;
        self.onboarding.close();
    }
}

/// A port that others can reach must not be open to all of them.
fn check_admin(config: &Config) -> Result<(), ConfigError> {
    if config.admin.ip().is_loopback() || config.admin_token.is_some() {
        return Ok(());
    }
    let found = format!("{} without a token", config.admin);
    Err(ConfigError::new("listen.admin", "a loopback address, or --admin-token-file FILE", found))
}

pub(crate) fn faults(
    config: &Config,
    chance: Chance,
    journal: &Arc<Journal>,
) -> Result<Arc<Faults>, StartError> {
    let mut cards = HashMap::new();
    for card in d1_fixtures::test_cards()? {
        let pan = Pan::parse(&card.pan).ok_or_else(|| StartError::Card { name: card.name.clone() })?;
        cards.insert(card.name, pan);
    }
    let known = Known { cards, authority: config.server_authority.is_some() };
    Ok(Faults::new(chance, known, Arc::clone(journal)))
}

pub(crate) fn setting(config: &Config, chance: Chance, faults: &Arc<Faults>) -> Result<Setting, StartError> {
    let mut cards = HashMap::new();
    for card in d1_fixtures::test_cards()? {
        let pan = Pan::parse(&card.pan).ok_or(StartError::Card { name: card.name })?;
        cards.insert(pan, behaviour(card.behaviour));
    }
    let with_receiver = config.gateways.iter().filter(|gateway| gateway.receiver.is_some());
    Ok(Setting {
        chance,
        cards,
        receivers: with_receiver.map(|gateway| gateway.id.clone()).collect(),
        limits: world::Limits::default(),
        in_turn: matches!(config.clock, ClockMode::Manual { .. }),
        faults: Arc::clone(faults),
    })
}

fn behaviour(card: d1_fixtures::Behaviour) -> Behaviour {
    use d1_fixtures::Behaviour as Card;
    match card {
        Card::Approve => Behaviour::Approve,
        Card::Decline => Behaviour::Decline,
        Card::Unavailable { times } => Behaviour::Unavailable { times },
        Card::Slow { seconds } => Behaviour::Slow { seconds },
        Card::AfterFirstUse { event: first } => Behaviour::AfterFirstUse { event: event(first) },
        Card::Soon { seconds, event: then } => Behaviour::Soon { seconds, event: event(then) },
    }
}

/// One by one, so that an event of the table that is not known here does not compile.
fn event(event: d1_fixtures::IssuerEvent) -> IssuerEvent {
    use d1_fixtures::IssuerEvent as Card;
    match event {
        Card::TokenSuspend => IssuerEvent::TokenSuspend,
        Card::TokenResume => IssuerEvent::TokenResume,
        Card::TokenDelete => IssuerEvent::TokenDelete,
        Card::TokenExtend => IssuerEvent::TokenExtend,
        Card::CardRenew => IssuerEvent::CardRenew,
        Card::CardReplace => IssuerEvent::CardReplace,
        Card::CardDelete => IssuerEvent::CardDelete,
    }
}

fn notifiers(config: &Config, around: &Surroundings) -> Result<Vec<Notifier>, ReceiverError> {
    let one = |gateway: &GatewayConfig| {
        let to = gateway.receiver.as_ref()?;
        let (whose, key) = ((gateway.id.clone(), to.url.clone()), gateway.encryption_key.clone());
        let receiver = Receiver::new(whose, &config.outbound, &to.authority, key, to.oauth.clone());
        Some(receiver.map(|receiver| around.notifier(receiver, config.schedule)))
    };
    config.gateways.iter().filter_map(one).collect()
}

pub(crate) fn door(
    config: &Config,
    gateways: &Arc<Gateways>,
    journal: &Arc<Journal>,
    clock: &Clock,
    faults: Arc<Faults>,
) -> Result<Door, TlsError> {
    let files = &config.server;
    Ok(Door::MutualTls {
        config: server_config(
            &files.certificate,
            &files.key,
            &files.client_authority,
            config.sandbox_dates.then_some(clock),
        )?,
        identify: Arc::new(config.identify(Arc::clone(gateways))),
        journal: Arc::clone(journal),
        clock: clock.clone(),
        hostile: Arc::new(Hostile {
            faults,
            clock: clock.clone(),
            certificates: Arc::new(BadCertificates {
                authority: config.server_authority.clone(),
                own: files.certificate.clone(),
                client_authority: files.client_authority.clone(),
                made: tokio::sync::Mutex::default(),
            }),
        }),
    })
}

pub(crate) fn app(
    config: Config,
    gateways: Arc<Gateways>,
    world: Arc<World>,
    clock: &Clock,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
) -> Result<App, NoRandomness> {
    Ok(App {
        world,
        clock: clock.clone(),
        journal,
        faults,
        tokens: AccessTokens::new()?,
        seen: Seen::default(),
        policy: config.policy,
        auth_clock: config.auth_clock.of(clock),
        own_key: config.own_key,
        gateways,
    })
}

async fn bind(
    what: &'static str,
    address: SocketAddr,
    door: Door,
    router: axum::Router,
    limits: Limits,
) -> Result<Listener, StartError> {
    Listener::bind(address, door, router, limits).await.map_err(|source| StartError::Listen {
        what,
        address,
        source,
    })
}

fn address(what: &'static str, listener: &Listener) -> Result<SocketAddr, StartError> {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    let bound = listener.address();
    bound.map(callable).map_err(|source| StartError::Listen { what, address: unknown, source })
}

/// Where a listener of this machine can be called: a listener on every address has none of its own
/// that a certificate could name.
fn callable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_called_on_loopback() {
        for (bound, called) in
            [("0.0.0.0:8443", "127.0.0.1:8443"), ("[::]:8443", "[::1]:8443"), ("10.0.0.7:1", "10.0.0.7:1")]
        {
            assert_eq!(callable(bound.parse().expect("an address")).to_string(), called);
        }
    }
}
