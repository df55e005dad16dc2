//! Client and receiver over real mutual TLS, on ports that the system chooses.
#![cfg(feature = "receiver")]

mod client;
mod receiver;
mod sandbox;
