//! The client under test, as the suite knows it: it is told to make a call, and tells what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;

use crate::cases::{Outcome, Retryable};

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The merchant of all calls whose answers are scripted.
pub const MERCHANT_ID: &str = "10610027312";
/// The token of those calls.
pub const TOKEN_ID: &str = "01fb32ff-5ed0-497f-8835-6af0916f29c0";
/// The name of the merchant that createMerchant registers.
pub const MERCHANT_NAME: &str = "Corner Bookshop";
/// The card that they tokenize: number and end (`MMYY`). A test card, nobody's.
pub const CARD: (&str, &str) = ("9999990000000014", "1239");

/// A call that a client is to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// createMerchant of a name.
    CreateMerchant,
    /// createToken of a card for a merchant.
    CreateToken,
    /// getToken.
    GetToken,
    /// createTransaction of kind `SINGLE`.
    CreateTransaction,
    /// deleteToken.
    DeleteToken,
}

impl Call {
    /// The call that a case about an operation makes: for the token endpoint any call that needs a token.
    #[must_use]
    pub fn about(operation: &str) -> Option<Self> {
        match operation {
            "getAccessToken" | "createMerchant" => Some(Self::CreateMerchant),
            "createToken" => Some(Self::CreateToken),
            "getToken" => Some(Self::GetToken),
            "createTransaction" => Some(Self::CreateTransaction),
            "deleteToken" => Some(Self::DeleteToken),
            _ => None,
        }
    }

    /// The `operationId` of what the client calls.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::CreateMerchant => "createMerchant",
            Self::CreateToken => "createToken",
            Self::GetToken => "getToken",
            Self::CreateTransaction => "createTransaction",
            Self::DeleteToken => "deleteToken",
        }
    }
}

/// What calls are made with. Those with scripted answers are made with the above; where D1 answers by itself, with what it
/// knows, and with what it does not know.
#[derive(Clone, PartialEq, Eq)]
pub struct Arguments {
    /// The merchant that createMerchant registers.
    pub merchant_name: String,
    /// The merchant that the others name.
    pub merchant_id: String,
    /// The token.
    pub token_id: String,
    /// The card that createToken tokenizes: number and end (`MMYY`). A test card, nobody's.
    pub card: (String, String),
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            merchant_name: MERCHANT_NAME.to_owned(),
            merchant_id: MERCHANT_ID.to_owned(),
            token_id: TOKEN_ID.to_owned(),
            card: (CARD.0.to_owned(), CARD.1.to_owned()),
        }
    }
}

/// Without the card.
impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { merchant_id, token_id, .. } = self;
        f.debug_struct("Arguments")
            .field("merchant_id", merchant_id)
            .field("token_id", token_id)
            .finish_non_exhaustive()
    }
}

/// What a client is asked for in one case.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The id of the case. It tells what is expected, so that it is for logs alone.
    pub case: &'a str,
    /// Where D1 listens.
    pub base_url: &'a str,
    /// The call to make.
    pub call: Call,
    /// What to make it with.
    pub arguments: &'a Arguments,
    /// The longest that the client may wait for one attempt.
    pub attempt_timeout: Duration,
}

/// What a client says of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the caller may make it again; [`Retryable::Never`] for a success.
    pub retryable: Retryable,
    /// Whether the request may have been carried out.
    pub ambiguous: bool,
    /// What it understood of a good answer, by the names of the contract; plaintexts are merged in.
    pub result: BTreeMap<String, Value>,
    /// How long it waited between its attempts, on its own clock, in milliseconds.
    pub waited_ms: u64,
}

/// A client under test. A fresh one is made for each case, so that no access token is left over.
pub trait Subject: Send + Sync {
    /// What the reports call it.
    fn name(&self) -> &str;

    /// Makes the call and tells what came of it. A client that cannot tell, because it crashed for one, has failed the
    /// case; the text says how, without any value of the exchange.
    fn call<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Told, String>>;
}
