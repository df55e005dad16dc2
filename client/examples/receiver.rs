//! A receiver of notifications: one line per event, until Ctrl-C.
//!
//! `cargo run --example receiver -p d1-client -- [--sandbox DIR] [--listen ADDR:PORT] [--store FILE [--hold-answers]]`
//!
//! It listens where the sandbox delivers by default, and keeps the first of the two ways of contract section 8: store
//! and update. A gateway that fetches each time needs no store and no receiver; see `first_payment`.
//!
//! Without `--store` tokens are kept in memory. With it they are in FILE, sealed under a key that is made beside it on
//! the first start; a real gateway keeps that key elsewhere. `--hold-answers` commits and prints each event and never
//! answers it: end the process then, even with `kill -9`, start it without the option, and nothing is lost.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use d1_client::receiver::{
    BoxFuture, DurableStore, Freshness, HandlerError, ListenerLimits, MemoryStore, Notification,
    NotificationHandler, Receiver, StoreKey, TokenKey, TokenStore, serve,
};
use d1_client::{GatewayId, OwnKey, TlsIdentity, TrustedRoots};
use tokio::net::TcpListener;

/// Prints what has happened, card numbers as their last four digits.
struct Printer {
    store: Arc<dyn TokenStore>,
    hold_answers: bool,
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
            if self.hold_answers {
                // The receiver gives up in its own time, and D1 delivers again.
                std::future::pending::<()>().await;
            }
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

struct Options {
    sandbox: PathBuf,
    address: String,
    gateway: String,
    store: Option<PathBuf>,
    hold_answers: bool,
}

const USAGE: &str =
    "--sandbox DIR, --listen ADDR:PORT, --gateway ID, --store FILE, --hold-answers (with --store)";

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        sandbox: PathBuf::from("./d1-sandbox"),
        address: "127.0.0.1:8445".to_owned(),
        gateway: "MGW_000001".to_owned(),
        store: None,
        hold_answers: false,
    };
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--sandbox" => options.sandbox = value()?.into(),
            "--listen" => options.address = value()?,
            "--gateway" => options.gateway = value()?,
            "--store" => options.store = Some(value()?.into()),
            "--hold-answers" => options.hold_answers = true,
            _ => return Err(format!("unknown option {name}: expected {USAGE}")),
        }
    }
    if options.hold_answers && options.store.is_none() {
        return Err("--hold-answers needs --store FILE: what is in memory alone is lost".to_owned());
    }
    Ok(options)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let Options { sandbox, address, gateway, store, hold_answers } = options(std::env::args().skip(1))?;
    let store: Arc<dyn TokenStore> = match store {
        Some(file) => Arc::new(durable(&file)?),
        None => Arc::new(MemoryStore::new()),
    };
    let printer = Printer { store: Arc::clone(&store), hold_answers };
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

/// The store in `file`, under the key beside it.
fn durable(file: &Path) -> Result<DurableStore, Box<dyn Error>> {
    let store = DurableStore::open(file, &store_key(&file.with_extension("key"))?)?;
    let kept = store.count()?;
    say(&format!("{kept} token{} in {}", if kept == 1 { "" } else { "s" }, file.display()));
    Ok(store)
}

/// Reads the key in `path`, or makes one for its owner alone.
fn store_key(path: &Path) -> Result<StoreKey, Box<dyn Error>> {
    let told = |error| format!("cannot use the key {}: {error}", path.display());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => {
            let key = StoreKey::generate()?;
            file.write_all(key.expose()).and_then(|()| file.sync_all()).map_err(told)?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let bytes: [u8; 32] = std::fs::read(path).map_err(told)?.try_into().map_err(|_| {
                format!(
                    "the key {} is not 32 bytes long: restore it, or move it and the store away",
                    path.display()
                )
            })?;
            Ok(StoreKey::new(bytes))
        }
        Err(error) => Err(told(error).into()),
    }
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
