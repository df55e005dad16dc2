//! A client for the Thales D1 eCom Enablement API, and a receiver for the notifications that D1 sends.
//!
//! Built from public documentation only; not affiliated with Thales. Facts of the wire carry the tags of the
//! contract: `[D8]` is documented, `[S15]` is documented for a sibling product, `C17` is a choice of ours where the
//! documentation is silent, to be checked against the vendor's own specification.
//!
//! - [`Client`]: mutual TLS, access tokens, sealed card data, repetition only where it is safe.
//! - [`Error`]: how far a call got, and whose move it is ([`Error::retry`], [`Error::is_ambiguous`]).
//! - `receiver` (feature `receiver`, on by default): an axum router for notifications, and a listener for it.
//!
//! ```no_run
//! use d1_client::{Card, Client, Config, Credentials, GatewayId, MerchantId, NewToken, TransactionType};
//!
//! # async fn pay(credentials: Credentials, pan: String) -> Result<(), Box<dyn std::error::Error>> {
//! let gateway = GatewayId::new("MGW_000001")?;
//! let client = Client::new(Config::new("https://127.0.0.1:8443", gateway, credentials))?;
//! let merchant = MerchantId::new("10610027312")?;
//! let card = NewToken::new(Card::new(pan, "1239")?);
//! let token = client.create_token(&merchant, &card, None).await?;
//! let payment = client
//!     .create_transaction(&merchant, &token.token_id, TransactionType::Single, None)
//!     .await?;
//! println!("paid with the DPAN that ends in {}", payment.network_token.dpan.last_four());
//! # Ok(())
//! # }
//! ```
//!
//! Secrets (card numbers, DPANs, cryptograms, keys, bearers) print masked, are wiped on drop, and are read through a
//! method named `expose`.

mod auth;
mod chance;
mod client;
mod clock;
mod config;
mod error;
mod json;
mod jwe;
mod jwk;
mod model;
mod operation;
#[cfg(feature = "receiver")]
pub mod receiver;
mod retry;
mod secret;
mod transport;

pub use client::Client;
pub use clock::Clock;
pub use config::{AssertionKey, Config, ConfigError, Credentials, TlsIdentity, TlsVersions, TrustedRoots};
pub use error::{Context, Error, ErrorCode, Loss};
pub use jwk::{OwnKey, RecipientKey};
pub use model::{
    Card, CardExpiry, CardSource, CorrelationId, Cryptogram, Dpan, GatewayId, InvalidValue, Merchant,
    MerchantId, NetworkToken, NewMerchant, NewToken, Pan, Payment, Token, TokenDetails, TokenId, TokenState,
    TransactionType,
};
pub use operation::Operation;
pub use retry::{Retry, RetryPolicy};
