//! The system tests: simulator, client and contract together, over real mutual TLS, each sandbox on ports of its own.
//!
//! Nothing here sleeps: tests wait for numbered entries of the journal, and both clocks move only when told.

mod arrows;
mod cards;
mod clock;
mod delivery;
mod determinism;
mod error_rules;
mod errors;
mod fault_events;
mod faults;
mod flow;
mod gateways;
mod hostile;
mod lifecycle;
mod limits;
mod model;
mod natural;
mod other_gateway;
mod passage;
mod payment;
mod receiver_suite;
mod renames;
mod reports;
mod rogue;
mod secrets;
mod steps;
mod suite;
mod tls;
