//! A running sandbox on free ports, with a clock that moves only when told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use d1_client::{Client, Clock};
use d1_simulator::{AuthClock, ClockMode, Config, Running, Simulator};

use crate::admin::Admin;
use crate::caller::{Caller, Papers};
use crate::folder::Folder;
use crate::gateway::client_config;

/// Where the clocks start: 2026-04-22T10:00:00.000Z, milliseconds since 1970.
pub const START_MS: i64 = 1_776_852_000_000;
/// The card that is always approved.
pub(crate) const APPROVED: &str = "9999990000000014";

/// How a sandbox is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The seed. Default 7.
    pub seed: u64,
    /// Where the first gateway's notifications go. Default: where nobody listens.
    pub receiver: Option<String>,
    /// The configuration, a file of the folder. Default `sandbox.yaml`.
    pub file: String,
    /// By which clock assertions are judged. Default: the sandbox's.
    pub auth_clock: AuthClock,
    /// Whether it is hostile. Default: it is not.
    pub hostile: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 7,
            receiver: None,
            file: "sandbox.yaml".to_owned(),
            auth_clock: AuthClock::Sandbox,
            hostile: false,
        }
    }
}

/// A running sandbox, its folder, its admin port, and a clock for clients that goes with the sandbox's own.
#[derive(Debug)]
pub struct Sandbox {
    /// The folder.
    pub folder: Arc<Folder>,
    /// The admin port.
    pub admin: Admin,
    /// A clock for clients and receivers.
    pub clock: Clock,
    running: Running,
}

impl Sandbox {
    /// A sandbox that notifies nobody who listens.
    pub async fn start() -> Self {
        Self::with(Folder::shared(), Setup::default()).await
    }

    /// A sandbox that notifies the receiver at `url`.
    pub async fn notifying(url: String) -> Self {
        Self::with(Folder::shared(), Setup { receiver: Some(url), ..Setup::default() }).await
    }

    /// A sandbox of this folder.
    pub async fn with(folder: Arc<Folder>, setup: Setup) -> Self {
        let mut config = Config::read(&folder.path(&setup.file)).expect("a good configuration");
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        (config.api, config.admin) = (free, free);
        config.clock = ClockMode::Manual { start_ms: START_MS };
        config.auth_clock = setup.auth_clock;
        config.seed = Some(setup.seed);
        config.hostile = setup.hostile;
        if let Some(url) = &setup.receiver {
            config.set_receiver(url, None).expect("a good receiver");
        }
        let running = Simulator::start(config).await.expect("a running sandbox");
        let start = Duration::from_millis(START_MS.unsigned_abs());
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + start);
        Self { folder, admin: Admin::new(running.admin_url()), clock, running }
    }

    /// Where gateways call.
    #[must_use]
    pub fn api_url(&self) -> String {
        self.running.api_url()
    }

    /// Where gateways call, as an address.
    #[must_use]
    pub fn api_address(&self) -> SocketAddr {
        self.running.api_address()
    }

    /// The sandbox's time, milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.running.clock().now_ms()
    }

    /// Moves both clocks.
    pub async fn advance(&self, by: Duration) {
        self.admin.advance(by).await;
        self.clock.advance(by);
    }

    /// A caller with plain requests, at the sandbox's present time.
    #[must_use]
    pub fn caller(&self, papers: Papers) -> Caller {
        Caller::new(&self.folder, &self.api_url(), papers, self.now_ms())
    }

    /// A client of the first gateway that calls D1 at `url`: the sandbox itself, or a proxy before it.
    #[must_use]
    pub fn client(&self, url: &str) -> Client {
        let config = client_config(&self.folder, url).clock(self.clock.clone());
        Client::new(config).expect("a client")
    }

    /// Stops it and waits until it has.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}
