//! The real D1 of natural cases: sandboxes of this process, brought into the state that a case is about through the ports
//! that everybody has.

mod sandbox;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use d1_contracts::{
    Arguments, Case, Given, GivenAccessToken, GivenCard, GivenClock, GivenGateway, GivenMerchant, GivenToken,
    GivenTokenState, Settle, Settled, Way,
};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Mutex;

use super::super::exit::Failure;
use crate::clock::{Clock, ClockMode};
use crate::domain::Moment;
use sandbox::Sandbox;

/// A merchant and a token that no sandbox makes: no number of a merchant begins with a zero there, and tokens are drawn.
const UNKNOWN_MERCHANT: &str = "00000000000";
const UNKNOWN_TOKEN: &str = "00000000-0000-4000-8000-000000000000";

/// Which sandbox a case needs. All but the last serve any number of cases, each with a merchant of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    Ordinary,
    /// One that has not given out the access tokens of the ordinary one.
    Other,
    OfTheOtherEnvironment,
    /// One whose clock is so many milliseconds ahead of the system's.
    Ahead(i64),
    /// One whose clock jumps, for the case of this number alone.
    Stepping(u64),
}

/// The real D1 of natural cases, with the certificates and keys of a sandbox folder. It runs in threads of its own, so that
/// it outlives whoever runs a case, and ends with the last of its clones.
#[derive(Clone)]
pub(super) struct NaturalD1(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    sandboxes: Mutex<Sandboxes>,
    handle: Handle,
    runtime: Option<Runtime>,
}

#[derive(Default)]
struct Sandboxes {
    running: HashMap<Which, Arc<Sandbox>>,
    steps: u64,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Waiting for it is not allowed within another runtime, where the last clone may go.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl NaturalD1 {
    /// Nothing runs until a case asks for it.
    pub(super) fn new(folder: &Path) -> std::io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("natural-d1").enable_all().build()?;
        let (handle, runtime) = (runtime.handle().clone(), Some(runtime));
        let (folder, sandboxes) = (folder.to_owned(), Mutex::default());
        Ok(Self(Arc::new(Shared { folder, sandboxes, handle, runtime })))
    }

    /// Brings a D1 into a state.
    pub(super) fn settle(&self) -> Settle {
        let own = self.clone();
        Arc::new(move |given| {
            let (own, handle) = (own.clone(), own.0.handle.clone());
            Box::pin(async move {
                let settled = handle.spawn(async move { own.0.settle(&given).await });
                settled.await.unwrap_or_else(|_| Err("a task of it did not come to its end".to_owned()))
            })
        })
    }

    /// The journals of all sandboxes that have run, one entry a line.
    pub(super) async fn journal(&self) -> Result<String, String> {
        let own = self.clone();
        let read = self.0.handle.spawn(async move {
            let mut text = String::new();
            for sandbox in own.0.sandboxes.lock().await.running.values() {
                text.push_str(&sandbox.journal().await?);
            }
            Ok(text)
        });
        read.await.unwrap_or_else(|_| Err("a task of it did not come to its end".to_owned()))
    }
}

impl Shared {
    async fn settle(&self, given: &Given) -> Result<Settled, String> {
        let ordinary = self.sandbox(Which::Ordinary).await?;
        let (home, way) = match (given.gateway, given.access_token, given.clock) {
            (GivenGateway::OfTheOtherEnvironment, ..) => {
                let other = self.sandbox(Which::OfTheOtherEnvironment).await?;
                (Arc::clone(&other), always(other.authority()))
            }
            (_, GivenAccessToken::Forgotten, _) => {
                let other = self.sandbox(Which::Other).await?;
                (Arc::clone(&other), forgetful(ordinary.authority(), other.authority()))
            }
            (.., Some(clock)) => {
                let sandbox = self.sandbox(self.of_clock(clock).await).await?;
                (Arc::clone(&sandbox), by_clock(sandbox, clock))
            }
            _ => (Arc::clone(&ordinary), always(ordinary.authority())),
        };
        let arguments = arguments(&home, given).await?;
        Ok(Settled { arguments, way, tls: home.tls(), key: home.key() })
    }

    async fn of_clock(&self, clock: GivenClock) -> Which {
        match clock {
            GivenClock::StepsBackS(_) => {
                let mut sandboxes = self.sandboxes.lock().await;
                sandboxes.steps += 1;
                Which::Stepping(sandboxes.steps)
            }
            other => Which::Ahead(ahead_ms(other, 0)),
        }
    }

    /// The sandbox of this kind, started if there is none.
    async fn sandbox(&self, which: Which) -> Result<Arc<Sandbox>, String> {
        let mut sandboxes = self.sandboxes.lock().await;
        if let Some(known) = sandboxes.running.get(&which) {
            return Ok(Arc::clone(known));
        }
        let clock = match which {
            Which::Ordinary | Which::Other | Which::OfTheOtherEnvironment => ClockMode::Real,
            Which::Ahead(by) => ClockMode::Manual { start_ms: system_ms() + by },
            Which::Stepping(_) => ClockMode::Manual { start_ms: system_ms() },
        };
        let elsewhere = which == Which::OfTheOtherEnvironment;
        let sandbox = Arc::new(Sandbox::start(&self.folder, clock, elsewhere).await?);
        sandboxes.running.insert(which, Arc::clone(&sandbox));
        Ok(sandbox)
    }
}

/// Whether the cards that natural cases name are in the table of test cards.
pub(super) fn check_cards(cases: &[Case]) -> Result<(), Failure> {
    let cards = d1_fixtures::test_cards().map_err(Failure::internal)?;
    for case in cases {
        let named = case.given.iter().flat_map(Given::cards);
        if let Some(name) = named.into_iter().find(|name| cards.iter().all(|card| card.name != **name)) {
            let known: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
            let error =
                format!("case {}: no test card {name}; expected one of {}", case.id, known.join(", "));
            return Err(Failure::usage(error));
        }
    }
    Ok(())
}

fn always(authority: String) -> Way {
    Arc::new(move |_| {
        let authority = authority.clone();
        Box::pin(async move { Ok(authority) })
    })
}

/// The first gives out the access token, and the second has never heard of it.
fn forgetful(first: String, second: String) -> Way {
    Arc::new(move |given| {
        let authority = if given == 0 { first.clone() } else { second.clone() };
        Box::pin(async move { Ok(authority) })
    })
}

/// The clock of D1 is moved to where it has to be right before each request.
fn by_clock(sandbox: Arc<Sandbox>, clock: GivenClock) -> Way {
    Arc::new(move |given| {
        let sandbox = Arc::clone(&sandbox);
        Box::pin(async move {
            sandbox.move_clock_to(Moment::from_ms(system_ms() + ahead_ms(clock, given)))?;
            Ok(sandbox.authority())
        })
    })
}

/// How far the clock of D1 is ahead of the client's, in milliseconds, once so many access tokens were given out.
fn ahead_ms(clock: GivenClock, given: usize) -> i64 {
    let ms = |seconds: u32| i64::from(seconds) * 1000;
    match clock {
        GivenClock::AheadS(seconds) => -ms(seconds),
        GivenClock::StepsBackS(_) if given == 0 => 0,
        GivenClock::BehindS(seconds) | GivenClock::StepsBackS(seconds) => ms(seconds),
    }
}

fn system_ms() -> i64 {
    Clock::new(ClockMode::Real).now_ms()
}

/// What the call is made with. What it does not need is not made.
async fn arguments(home: &Sandbox, given: &Given) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    if given.gateway != GivenGateway::Onboarded || given.clock.is_some() {
        return Ok(arguments);
    }
    arguments.merchant_id = match given.merchant {
        GivenMerchant::Onboarded => home.merchant().await?,
        GivenMerchant::Unknown => UNKNOWN_MERCHANT.to_owned(),
    };
    if let Some(card) = &given.card {
        arguments.card = test_card(card)?;
    }
    if let Some(GivenToken { state, card }) = &given.token {
        let card = test_card(&GivenCard { name: card.clone(), exp: None })?;
        arguments.token_id = match state {
            GivenTokenState::Unknown => UNKNOWN_TOKEN.to_owned(),
            _ => home.token(&arguments.merchant_id, &card).await?,
        };
        match state {
            GivenTokenState::Suspended => home.event(&arguments.token_id, "token.suspend").await?,
            GivenTokenState::Deleted => home.event(&arguments.token_id, "token.delete").await?,
            GivenTokenState::Active | GivenTokenState::Unknown => {}
        }
    }
    Ok(arguments)
}

fn test_card(wanted: &GivenCard) -> Result<(String, String), String> {
    let cards = d1_fixtures::test_cards().map_err(|fault| fault.to_string())?;
    let card = cards.into_iter().find(|card| card.name == wanted.name);
    let card = card.ok_or_else(|| format!("no test card {}", wanted.name))?;
    Ok((card.pan, wanted.exp.clone().unwrap_or(card.exp)))
}
