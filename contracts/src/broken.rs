//! The broken clients: one small client of D1, and switches that each put one fault of real clients into it. With no
//! switch set it passes every case; with any set, some case must turn red, or the cases are worth nothing.

mod answer;
mod attempts;
mod body;
mod breaks;
mod http2;
mod likely;
mod receiver;
mod receiver_breaks;
mod receiver_desk;
mod receiver_store;
mod request;
mod shape;
mod trust;
pub(crate) mod wire;

use std::panic::resume_unwind;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;

use crate::judge::Contract;
use crate::jwe::JweKey;
use crate::stage::Now;
use crate::subject::{BoxFuture, Subject, Task, Told};
use attempts::Attempts;
pub use breaks::Break;
pub use receiver::{BrokenReceiver, ReceiverProps};
pub use receiver_breaks::ReceiverBreak;

/// Makes an assertion for the gateway under test that is good now.
pub type Sign = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// What a client of D1 needs of the pretend world.
#[derive(Clone)]
pub struct Props {
    /// The gateway.
    pub gateway_id: String,
    /// The gateway's certificate, and whom it trusts.
    pub tls: Arc<ClientConfig>,
    /// Judges the certificate of D1, as in `tls`.
    pub trust: Arc<dyn ServerCertVerifier>,
    /// Makes an assertion.
    pub sign: Sign,
    /// The key of D1; its public half is enough.
    pub d1_key: JweKey,
    /// The key of the gateway.
    pub key: JweKey,
    /// Tells the time, for dates in answers.
    pub now: Now,
}

/// The baseline client, whole or broken in one way.
pub struct BrokenClient {
    props: Props,
    broken: Option<Break>,
    tls: Arc<ClientConfig>,
    name: String,
    /// For one that holds answers against it.
    document: Option<Contract>,
}

impl BrokenClient {
    /// A client with this fault; without one the baseline.
    #[must_use]
    pub fn new(props: Props, broken: Option<Break>) -> Self {
        let name = broken.map_or_else(|| "baseline".to_owned(), |fault| fault.to_string());
        let tls = trust::config(&props, broken);
        Self { props, broken, tls, name, document: shape::document(broken) }
    }
}

impl Subject for BrokenClient {
    fn name(&self) -> &str {
        &self.name
    }

    fn call<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Told, String>> {
        if self.broken == Some(Break::PanicAlways) {
            // Not panic!, which would print a trace for each case of something that is meant.
            resume_unwind(Box::new("broken on purpose"));
        }
        Box::pin(async move { Ok(Attempts::new(self, task).make(task.call).await) })
    }
}
