//! The doors: connections, TLS, and who is at the other end.

mod connections;
mod fate;
mod handshake;
mod hostile;
mod identity;
mod listener;
mod server_config;
mod verifier;

pub(crate) use fate::{Ending, Endings};
pub(crate) use hostile::{BadCertificates, Hostile};
pub(crate) use identity::{CommonName, Identify, Named, Peer};
pub(crate) use listener::{Door, Limits, Listener};
pub use server_config::TlsError;
pub(crate) use server_config::{roots, server_config};
