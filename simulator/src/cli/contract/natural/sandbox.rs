//! One sandbox of this process, and how it comes into a state.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use d1_client::{Card, Client, Clock, MerchantId, NewMerchant, NewToken};
use d1_contracts::{JweKey, MERCHANT_NAME};
use reqwest::redirect;
use rustls::ClientConfig;
use serde_json::json;

use super::super::super::folder::CONFIG;
use super::super::super::journal;
use super::super::own_client::OwnClient;
use super::super::{jwe_key, props};
use crate::clock::{AuthClock, ClockMode};
use crate::config::Config;
use crate::domain::Moment;
use crate::simulator::{Running, Simulator};

/// Any free port on loopback.
const ANY: ([u8; 4], u16) = ([127, 0, 0, 1], 0);
/// How long an answer may take that brings a state about.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the sandboxes make up is the same in each run, in the order in which it is asked for.
const SEED: u64 = 1;
/// The environments of D1 (contract C2).
const ENVIRONMENTS: [&str; 2] = ["PPR", "PRD"];

/// A running sandbox with a client of the first gateway.
pub(super) struct Sandbox {
    running: Running,
    client: Client,
    admin: reqwest::Client,
    gateway: String,
    tls: Arc<ClientConfig>,
    key: JweKey,
}

impl Sandbox {
    /// One with the folder's configuration, on free ports and without receivers; `elsewhere`: of the other environment.
    pub(super) async fn start(folder: &Path, clock: ClockMode, elsewhere: bool) -> Result<Self, String> {
        let mut config = Config::read(&folder.join(CONFIG)).map_err(|fault| fault.to_string())?;
        (config.api, config.admin, config.clock) = (ANY.into(), ANY.into(), clock);
        (config.seed, config.admin_token) = (Some(SEED), None);
        // The clock of a case is this one, wherever it stands.
        config.auth_clock = AuthClock::Sandbox;
        if elsewhere {
            let other = ENVIRONMENTS.into_iter().find(|one| *one != config.environment);
            config.environment = other.unwrap_or_default();
        }
        let gateway = config.gateway_ids().next().unwrap_or_default().to_owned();
        // Nobody waits for notifications.
        config.gateways.iter_mut().for_each(|gateway| gateway.receiver = None);
        let key = jwe_key(folder, "gateway/jwe.jwk").map_err(|fault| fault.to_string())?;
        let (tls, _) = props::tls(folder).map_err(|fault| fault.to_string())?;
        let running = Simulator::start(config).await.map_err(|fault| fault.to_string())?;
        let client = OwnClient::new(folder).client(&running.api_url(), PATIENCE, Clock::system());
        let admin =
            reqwest::Client::builder().tls_certs_only([]).no_proxy().redirect(redirect::Policy::none());
        Ok(Self {
            client: client.map_err(|fault| fault.to_string())?,
            admin: admin.timeout(PATIENCE).build().map_err(|fault| fault.to_string())?,
            running,
            gateway,
            tls,
            key,
        })
    }

    pub(super) fn authority(&self) -> String {
        self.running.api_address().to_string()
    }

    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }

    pub(super) fn key(&self) -> JweKey {
        self.key.clone()
    }

    pub(super) fn move_clock_to(&self, moment: Moment) -> Result<(), String> {
        self.running.clock().advance_to(moment).map_err(|fault| fault.to_string())
    }

    /// Registers a merchant.
    pub(super) async fn merchant(&self) -> Result<String, String> {
        let new = NewMerchant::new(MERCHANT_NAME).map_err(|fault| fault.to_string())?;
        let made = self.client.create_merchant(&new, None).await.map_err(|fault| fault.to_string())?;
        Ok(made.merchant_id.as_str().to_owned())
    }

    /// Tokenizes a card for a merchant.
    pub(super) async fn token(&self, merchant: &str, card: &(String, String)) -> Result<String, String> {
        let merchant = MerchantId::new(merchant).map_err(|fault| fault.to_string())?;
        let card = Card::new(&card.0, &card.1).map_err(|fault| fault.to_string())?;
        let made = self.client.create_token(&merchant, &NewToken::new(card), None).await;
        Ok(made.map_err(|fault| fault.to_string())?.token_id.as_str().to_owned())
    }

    /// Lets the issuer do something to a token.
    pub(super) async fn event(&self, token: &str, event: &str) -> Result<(), String> {
        let body = json!({"gateway": self.gateway, "tokenId": token, "event": event});
        let request = self.admin.post(format!("{}/events", self.running.admin_url()));
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.map_err(|fault| fault.without_url().to_string())?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(format!("the admin port answers {} to {event}", answer.status()))
    }

    /// All that its journal still has.
    pub(super) async fn journal(&self) -> Result<String, String> {
        journal::read(&self.admin, &self.running.admin_url()).await
    }
}
