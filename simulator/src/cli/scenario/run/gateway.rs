//! A gateway of a scenario as our own packages play it: a client with the papers of a sandbox folder, a receiver, and the
//! clock that both go by.

use std::time::{Duration, SystemTime};

use d1_client::{
    AssertionKey, Client, Clock, Config, Credentials, GatewayId, OwnKey, RecipientKey, RetryPolicy,
    TlsIdentity, TlsVersions, TrustedRoots,
};
use d1_contracts::Probe;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::super::exit::Failure;
use super::flaw::Flaw;
use super::papers::Files;
use super::receiver::OwnReceiver;
use crate::scenario::{Action, Scenario, Step};

/// For one attempt, in real time. No answer of the sandbox takes any, but a machine with much to do may: who gives up then
/// makes a call of it that no seed shows again.
const ATTEMPT: Duration = Duration::from_mins(1);
/// For one attempt where an answer may be stalled, which is waited for in vain.
const STALLED: Duration = Duration::from_secs(2);
/// For one call with all its pauses, on the sandbox clock: longer than the client's default, so that it is D1's
/// `Retry-After` that a scenario tries and not this.
const OVERALL: Duration = Duration::from_mins(5);

/// So close to its end no access token is used, and never sooner is it refreshed.
const MARGIN: Duration = Duration::from_secs(10);

/// A gateway that our packages play.
pub(super) struct Gateway {
    pub(super) id: GatewayId,
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) receiver: Option<OwnReceiver>,
    /// Who tells what a receiver knows that is not ours.
    pub(super) probe: Option<Probe>,
    papers: Papers,
    /// The client certificate that it shows now, with its key, if it is not that of the folder.
    shown: Option<(String, String)>,
    to: Address,
    habits: Habits,
}

/// How a client goes about its calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// What the pauses between its attempts are drawn with.
    pub(super) jitter: f64,
    pub(super) flaw: Option<Flaw>,
    /// For one attempt, in real time.
    pub(super) attempt: Duration,
}

impl Habits {
    pub(super) fn of(scenario: &Scenario, jitter: f64, flaw: Option<Flaw>) -> Self {
        let stalls = |step: &Step| match &step.action {
            Action::Fault(fault) => {
                fault.body.contains_key("stall")
                    || fault.body.get("handshake").is_some_and(|how| how == "stall")
            }
            _ => false,
        };
        let attempt = if scenario.steps.iter().any(stalls) { STALLED } else { ATTEMPT };
        Self { jitter, flaw, attempt }
    }
}

/// Where D1 is called.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) api: String,
    pub(super) base_path: String,
}

/// Certificates and keys, as texts.
pub(super) struct Papers {
    certificate: String,
    key: String,
    server_authority: String,
    assertion_key: String,
    kid: String,
    d1_key: String,
    own_key: String,
}

impl Papers {
    pub(super) fn of(files: &Files) -> Result<Self, Failure> {
        let text = |name: &str| files.text(name).map(|text| text.to_string());
        let jwk: Value = serde_json::from_str(&text("assertionJwk")?).map_err(Failure::usage)?;
        Ok(Self {
            certificate: text("certificate")?,
            key: text("key")?,
            server_authority: text("serverCa")?,
            assertion_key: text("assertionKey")?,
            kid: jwk["kid"].as_str().unwrap_or_default().to_owned(),
            d1_key: text("d1Jwk")?,
            own_key: text("jweJwk")?,
        })
    }

    pub(super) fn own_key(&self) -> Result<OwnKey, Failure> {
        OwnKey::from_jwk(self.own_key.as_bytes()).map_err(Failure::usage)
    }

    fn credentials(&self, shown: Option<&(String, String)>) -> Result<Credentials, d1_client::ConfigError> {
        let (certificate, key) =
            shown.map_or((&self.certificate, &self.key), |(certificate, key)| (certificate, key));
        Ok(Credentials {
            identity: TlsIdentity::from_pem(certificate.as_bytes(), key.as_bytes())?,
            trust: TrustedRoots::from_pem(self.server_authority.as_bytes())?,
            assertion: AssertionKey::from_pkcs8_pem(self.assertion_key.as_bytes(), self.kid.clone())?,
            d1_key: RecipientKey::from_jwk(self.d1_key.as_bytes())?,
            own_key: OwnKey::from_jwk(self.own_key.as_bytes())?,
        })
    }
}

impl Gateway {
    pub(super) fn new(
        id: &str,
        papers: Papers,
        to: Address,
        clock: Clock,
        habits: Habits,
        receiver: Option<OwnReceiver>,
    ) -> Result<Self, Failure> {
        let id = GatewayId::new(id).map_err(Failure::usage)?;
        let client = Client::new(config(&id, &papers, None, &to, &clock, habits)?).map_err(Failure::usage)?;
        Ok(Self { id, client, clock, receiver, papers, probe: None, shown: None, to, habits })
    }

    /// Its clock is off by this from here on, against the sandbox clock.
    pub(super) fn skew(&self, skew: SignedDuration, now: Timestamp) {
        if let Ok(wrong) = now.checked_add(skew) {
            self.clock.set(time_of(wrong));
        }
    }

    /// Calls over new connections from here on, as after hours in which nothing was called. It still has its access token,
    /// and has to know by itself when that has ended.
    pub(super) fn reconnect(&mut self) -> Result<(), Failure> {
        self.client = self.client.reconfigured(self.config()?).map_err(Failure::usage)?;
        Ok(())
    }

    /// The same, and its access token is gone too.
    pub(super) fn begin_anew(&mut self) -> Result<(), Failure> {
        self.client = Client::new(self.config()?).map_err(Failure::usage)?;
        Ok(())
    }

    /// The sandbox clock has moved on by this, and its own with it.
    pub(super) fn pass(&self, by: Duration) {
        let pauses = self.clock.until_next_pause_ends().is_some();
        if self.habits.flaw == Some(Flaw::UsesEndedBearer) && !pauses {
            // As a count of time that stands still while the machine sleeps.
            self.clock.set(self.clock.now() + by);
        } else {
            self.clock.advance(by);
        }
    }

    fn config(&self) -> Result<Config, Failure> {
        config(&self.id, &self.papers, self.shown.as_ref(), &self.to, &self.clock, self.habits)
    }

    /// Shows another certificate from here on.
    pub(super) fn show(&mut self, certificate: String, key: String) -> Result<(), Failure> {
        self.shown = Some((certificate, key));
        self.reconnect()
    }
}

/// The same moment, as clients know it.
pub(super) fn time_of(at: Timestamp) -> SystemTime {
    let since = u64::try_from(at.as_millisecond()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(since)
}

fn config(
    id: &GatewayId,
    papers: &Papers,
    shown: Option<&(String, String)>,
    to: &Address,
    clock: &Clock,
    habits: Habits,
) -> Result<Config, Failure> {
    let credentials = papers.credentials(shown).map_err(Failure::usage)?;
    // With TLS 1.3 D1's refusal of a certificate comes beside the request, and which of them is first is chance.
    let versions = shown.map_or(TlsVersions::default(), |_| TlsVersions::Tls12Only);
    Ok(Config::new(&to.api, id.clone(), credentials)
        .tls_versions(versions)
        .ecom_prefix(&to.base_path)
        .attempt_timeout(habits.attempt)
        .connect_timeout(habits.attempt / 2)
        .overall_timeout(OVERALL)
        // Never in the background: which step it belongs to would be chance.
        .refresh_ahead(MARGIN)
        .token_margin(MARGIN)
        .fixed_jitter(habits.jitter)
        .retry(match habits.flaw {
            Some(Flaw::NeverRepeats | Flaw::IgnoresRetryAfter) => RetryPolicy::never(),
            _ => RetryPolicy::default(),
        })
        .clock(clock.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_short_where_a_step_stalls_exchanges_and_nowhere_else() {
        for (effect, attempt) in [("stall: before", STALLED), ("latency: 1s", ATTEMPT)] {
            let text = format!(
                "scenario: 1\nname: day\ntitle: A.\nwhy: B.\nsteps:\n  - fault: {{name: f, {effect}}}\n  - expect: {{calls: {{count: 0}}}}\n"
            );
            let scenario = crate::scenario::load("day.yaml", &[], &|_| Ok(text.clone())).scenario;
            let habits = Habits::of(&scenario.expect("a scenario"), 0.0, None);
            assert_eq!(habits.attempt, attempt, "{effect}");
        }
    }
}
