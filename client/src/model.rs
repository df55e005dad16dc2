//! What goes over the wire, as types: identifiers, cards, merchants, tokens, payments.
//!
//! What we send is checked when it is made. What D1 sends is read tolerantly (contract section 9, \[D10\]): unknown
//! members are ignored, enumerations are open, and only what a call is useless without is demanded.

mod card;
mod id;
mod merchant;
mod token;
mod transaction;

pub use card::{Card, CardExpiry, Cryptogram, Dpan, Pan};
pub use id::{CorrelationId, GatewayId, InvalidValue, MerchantId, TokenId};
pub(crate) use merchant::MerchantWire;
pub use merchant::{Merchant, NewMerchant};
pub use token::{CardSource, NetworkToken, NewToken, Token, TokenDetails, TokenState};
pub(crate) use token::{DetailsWire, TokenWire};
pub use transaction::{Payment, TransactionType};
pub(crate) use transaction::{PaymentPlaintext, PaymentWire};
