//! The first payment: onboard a merchant, tokenize a card, pay once, pay in a series, delete the token.
//!
//! `cargo run --example first_payment -p d1-client -- [--sandbox DIR] [--api URL] [--pan DIGITS] [--exp MMYY]`
//!
//! Use test cards alone: `d1sim cards` lists them.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use d1_client::receiver::{MemoryStore, TokenKey, TokenRecord, TokenStore};
use d1_client::{
    AssertionKey, Card, CardSource, Client, Config, Credentials, GatewayId, NewMerchant, NewToken, OwnKey,
    RecipientKey, TlsIdentity, TransactionType, TrustedRoots,
};

type Failure = Box<dyn Error + Send + Sync>;

struct Options {
    sandbox: PathBuf,
    api: String,
    gateway: String,
    pan: String,
    exp: String,
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

async fn run() -> Result<(), Failure> {
    let options = options()?;
    let client = client(&options)?;
    let card = Card::new(options.pan, &options.exp)?;

    // 1. A merchant, once.
    let merchant =
        client.create_merchant(&NewMerchant::new("First Payment Shop")?, None).await.map_err(explained)?;
    say(&format!("merchant   {}", merchant.merchant_id));
    let merchant = merchant.merchant_id;

    // 2. A card becomes a token. Its number leaves this process sealed to D1's key alone.
    let new = NewToken::new(card).with_source(CardSource::Manual);
    let token = client.create_token(&merchant, &new, None).await.map_err(explained)?;
    say(&format!(
        "token      {} state {} card ***{}",
        token.token_id,
        token.state.as_ref().map_or("?", |state| state.as_str()),
        token.card_last_digits.as_deref().unwrap_or("?"),
    ));
    let key = TokenKey {
        gateway_id: client.gateway().clone(),
        merchant_id: merchant.clone(),
        token_id: token.token_id.clone(),
    };
    // What is known of the token goes where a receiver of notifications keeps it current: see the other example.
    let store = MemoryStore::new();
    store.apply(&key, &TokenRecord::from(&token)).await?;
    let token = token.token_id;

    // 3. One payment: DPAN, expiry date and cryptogram go into the authorization request, which is the acquirer's.
    let payment = client
        .create_transaction(&merchant, &token, TransactionType::Single, None)
        .await
        .map_err(explained)?;
    say(&format!(
        "single     {} dpan ***{} exp {} cryptogram of {} characters, eci {}",
        payment.transaction_id,
        payment.network_token.dpan.last_four(),
        payment.network_token.exp,
        payment.cryptogram.expose().len(),
        payment.eci.as_deref().unwrap_or("-"),
    ));

    // 4. The two ways of contract section 8 to pay again.
    store_and_update(&client, &store, &key).await?;
    fetch_each_time(&client, &store, &key).await?;

    client.delete_token(&merchant, &token, None).await.map_err(explained)?;
    say(&format!("deleted    {token}"));
    Ok(())
}

/// The first way: the store holds the DPAN, each payment reads it.
async fn store_and_update(client: &Client, store: &dyn TokenStore, key: &TokenKey) -> Result<(), Failure> {
    // A series begins with a cryptogram, which is used and thrown away; the DPAN is kept.
    let first = client
        .create_transaction(&key.merchant_id, &key.token_id, TransactionType::Recurring, None)
        .await
        .map_err(explained)?;
    store.apply(key, &TokenRecord::from(&first)).await?;
    say(&format!(
        "recurring  {} dpan ***{} exp {} with a cryptogram",
        first.transaction_id,
        first.network_token.dpan.last_four(),
        first.network_token.exp,
    ));
    let stored = store.get(key).await?.and_then(|record| record.network_token);
    let stored = stored.ok_or("the store holds no DPAN")?;
    say(&format!(
        "later      dpan ***{} exp {} from storage: no call, no cryptogram",
        stored.dpan.last_four(),
        stored.exp,
    ));
    Ok(())
}

/// The second way: each payment asks for the current values. Where there is a store after all, this also repairs it
/// after notifications that were lost.
async fn fetch_each_time(client: &Client, store: &dyn TokenStore, key: &TokenKey) -> Result<(), Failure> {
    let known = store.get(key).await?;
    let current = client.get_token(&key.merchant_id, &key.token_id, None).await.map_err(explained)?;
    store.apply(key, &TokenRecord::from(&current).as_of(known.as_ref())).await?;
    say(&format!(
        "fetched    dpan ***{} exp {}",
        current.network_token.dpan.last_four(),
        current.network_token.exp,
    ));
    Ok(())
}

/// The whole chain of an error, and what may be done about it.
fn explained(error: d1_client::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    format!("{text} (again: {:?}, in doubt: {})", error.retry(), error.is_ambiguous())
}

fn client(options: &Options) -> Result<Client, Failure> {
    let read = |name| read(&options.sandbox, name);
    let jwk: serde_json::Value = serde_json::from_slice(&read("gateway/assertion.jwk")?)?;
    let kid = jwk["kid"].as_str().ok_or("gateway/assertion.jwk has no kid")?;
    let credentials = Credentials {
        identity: TlsIdentity::from_pem(&read("gateway/client.pem")?, &read("gateway/client.key")?)?,
        trust: TrustedRoots::from_pem(&read("ca/server-ca.pem")?)?,
        assertion: AssertionKey::from_pkcs8_pem(&read("gateway/assertion.key")?, kid)?,
        d1_key: RecipientKey::from_jwk(&read("d1/jwe.jwk")?)?,
        own_key: OwnKey::from_jwk(&read("gateway/jwe.jwk")?)?,
    };
    let gateway = GatewayId::new(options.gateway.as_str())?;
    Ok(Client::new(Config::new(options.api.as_str(), gateway, credentials))?)
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        sandbox: "./d1-sandbox".into(),
        api: "https://127.0.0.1:8443".to_owned(),
        gateway: "MGW_000001".to_owned(),
        pan: "9999990000000014".to_owned(),
        exp: "1239".to_owned(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--sandbox" => options.sandbox = value()?.into(),
            "--api" => options.api = value()?,
            "--gateway" => options.gateway = value()?,
            "--pan" => options.pan = value()?,
            "--exp" => options.exp = value()?,
            _ => {
                return Err(format!(
                    "unknown option {name}: expected --sandbox DIR, --api URL, --gateway ID, --pan DIGITS, --exp MMYY"
                ));
            }
        }
    }
    Ok(options)
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
