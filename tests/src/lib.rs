//! Support of the system tests: a sandbox on free ports, a proxy that holds everything that passes against the contract,
//! receivers, and a caller that knows neither the client nor the simulator.
//!
//! What goes wrong here is a fault of the test's surroundings, so that it panics with the reason instead of returning it.

mod admin;
mod caller;
mod folder;
mod gateway;
mod jose;
mod judge;
mod rename;
mod sandbox;
mod scripted;
mod serve;
mod tap;

pub use admin::Admin;
pub use caller::{Answer, Caller, Papers};
pub use folder::Folder;
pub use gateway::{GatewayReceiver, Seen, client_config};
pub use jose::{JweKey, assertion, decode, encode, encode_standard, open, seal};
pub use judge::{Exchange, Side, plaintext_schema};
pub use rename::Rename;
pub use sandbox::{START_MS, Sandbox, Setup};
pub use scripted::{Got, Reply, ScriptedReceiver};
pub use serve::{Port, listen};
pub use tap::Tap;

/// The gateway of the sandbox folder.
pub const GATEWAY: &str = "MGW_000001";
/// The other gateway that the sandbox knows; its papers are in `rogue/`.
pub const OTHER_GATEWAY: &str = "MGW_000002";
