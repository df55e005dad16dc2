//! A receiver of notifications: one line per event, until Ctrl-C.
//!
//! `cargo run --example receiver -p d1-client -- [--sandbox DIR] [--listen ADDR:PORT]`
//!
//! It listens where the sandbox delivers by default, and keeps the first of the two ways of contract section 8: store
//! and update. A gateway that fetches each time needs no store and no receiver; see `first_payment`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use d1_client::receiver::{
    BoxFuture, Freshness, HandlerError, ListenerLimits, MemoryStore, Notification, NotificationHandler,
    Receiver, TokenKey, TokenStore, serve,
};
use d1_client::{GatewayId, OwnKey, TlsIdentity, TrustedRoots};
use tokio::net::TcpListener;

/// Prints what has happened, card numbers as their last four digits.
struct Printer {
    store: Arc<MemoryStore>,
}

impl NotificationHandler for Printer {
    fn handle<'a>(
        &'a self,
        notification: &'a Notification,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            let key = TokenKey {
                gateway_id: notification.gateway_id.clone(),
                merchant_id: notification.merchant_id.clone(),
                token_id: notification.token_id.clone(),
            };
            let record = self.store.get(&key).await?.unwrap_or_default();
            let last_four = record.network_token.as_ref().map(|token| token.dpan.last_four());
            say(&format!(
                "{event} token={token} state={state} card=***{card} card-exp={card_exp} dpan=***{dpan} token-exp={token_exp} sequence={sequence}{stale}",
                event = notification.event_type.as_ref().map_or("?", |event| event.as_str()),
                token = notification.token_id,
                state = notification.state.as_ref().map_or("?", |state| state.as_str()),
                card = or_unknown(record.card_last_digits.as_deref()),
                card_exp = or_unknown(record.card_expiry_date.as_deref()),
                dpan = or_unknown(last_four.or(record.token_last_digits.as_deref())),
                token_exp = or_unknown(record.token_expiry_date.as_deref()),
                sequence = notification.sequence.map_or_else(|| "?".to_owned(), |n| n.to_string()),
                stale = match freshness {
                    Freshness::Stale => " (late: a newer one came before it)",
                    _ => "",
                },
            ));
            Ok(())
        })
    }
}

fn or_unknown(text: Option<&str>) -> &str {
    text.unwrap_or("?")
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut sandbox = PathBuf::from("./d1-sandbox");
    let mut address = "127.0.0.1:8445".to_owned();
    let mut gateway = "MGW_000001".to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--sandbox" => sandbox = value()?.into(),
            "--listen" => address = value()?,
            "--gateway" => gateway = value()?,
            _ => {
                return Err(format!(
                    "unknown option {name}: expected --sandbox DIR, --listen ADDR:PORT, --gateway ID"
                )
                .into());
            }
        }
    }
    let store = Arc::new(MemoryStore::new());
    let printer = Printer { store: Arc::clone(&store) };
    let own_key = OwnKey::from_jwk(&read(&sandbox, "gateway/jwe.jwk")?)?;
    let router = Receiver::new(GatewayId::new(gateway)?, own_key, Arc::new(printer)).store(store).router();
    let identity = TlsIdentity::from_pem(
        &read(&sandbox, "receiver/server.pem")?,
        &read(&sandbox, "receiver/server.key")?,
    )?;
    let clients = TrustedRoots::from_pem(&read(&sandbox, "ca/thales-client-ca.pem")?)?;
    let listener =
        TcpListener::bind(&address).await.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    say(&format!("listening on https://{}", listener.local_addr()?));
    let ctrl_c = async {
        // Without a signal handler there is nothing to wait for; the listener then ends at once.
        let _signal = tokio::signal::ctrl_c().await;
    };
    serve(listener, identity, clients, router, ListenerLimits::default(), ctrl_c).await?;
    say("stopped");
    Ok(())
}

fn read(sandbox: &Path, name: &str) -> Result<Vec<u8>, String> {
    let path = sandbox.join(name);
    std::fs::read(&path).map_err(|error| {
        format!("cannot read {}: {error}; `d1sim init` makes a sandbox folder", path.display())
    })
}

#[allow(clippy::print_stdout)] // Printing is what this program is for.
fn say(text: &str) {
    println!("{text}");
}

#[allow(clippy::print_stderr)] // So is complaining.
fn complain(text: &str) {
    eprintln!("{text}");
}
