//! A mock of Thales D1 eCom Enablement: real mutual TLS, OAuth 2.0 and JWE, a real token state
//! machine, and life-cycle notifications delivered over mutual TLS.
//!
//! For tests only. Made from public documentation and not affiliated with Thales. Where that
//! documentation is silent the sandbox chooses; `contracts/openapi` marks each fact with its
//! standing.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = d1_simulator::Config::read("d1-sandbox/sandbox.yaml".as_ref())?;
//! let running = d1_simulator::Simulator::start(config).await?;
//! println!("D1 answers at {}", running.api_url());
//! running.stop().await;
//! # Ok(())
//! # }
//! ```

mod auth;
mod chance;
pub mod cli;
mod clock;
mod config;
mod domain;
mod faults;
mod http;
mod jose;
mod journal;
mod notify;
mod onboarding;
mod plaintext;
mod scenario;
mod simulator;
mod stop;
mod tls;
mod world;

pub use chance::NoRandomness;
pub use clock::{AuthClock, Clock, ClockIsReal, ClockMode, UnknownClock};
pub use config::{Config, ConfigError};
pub use notify::ReceiverError;
pub use simulator::{Running, Simulator, StartError};
pub use tls::TlsError;
