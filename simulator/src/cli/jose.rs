//! `d1sim jose`: assertions, sealed cards and opened answers, for use with curl.

use std::io::{self, Read as _};
use std::time::Duration;

use aws_lc_rs::signature::EcdsaKeyPair;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::args::{Assert, Jose, JoseCommand, Open, Seal};
use super::exit::Failure;
use super::folder::SandboxFolder;
use super::{admin_port, print};
use crate::chance::secret_bytes;
use crate::clock::{Clock, ClockMode, parse_rfc3339};
use crate::config::parse_duration;
use crate::domain::Moment;
use crate::jose::{
    OwnKey, PublicKey, Use, encode, open as open_jwe, seal as seal_jwe, sign, signer_from_pkcs8,
};
use crate::journal::Why;

/// The longest text that is read from stdin.
const MOST: u64 = 1024 * 1024;

pub(super) fn run(args: Jose) -> Result<(), Failure> {
    match args.command {
        JoseCommand::Assert(args) => assert(&args),
        JoseCommand::Seal(args) => seal(&args),
        JoseCommand::Open(args) => open(&args),
    }
}

fn assert(args: &Assert) -> Result<(), Failure> {
    let folder = SandboxFolder::open(&args.keys.sandbox)?;
    let gateway = folder.gateway(args.keys.gateway.as_deref())?;
    let life = parse_duration(&args.life).ok_or_else(|| {
        Failure::usage(format!("--life {}: expected a duration like 90s or 15m", args.life))
    })?;
    print(&assertion(&folder, &gateway, life, moment(args)?)?);
    Ok(())
}

fn moment(args: &Assert) -> Result<Moment, Failure> {
    match (&args.at, &args.admin) {
        (Some(at), _) => parse_rfc3339(at)
            .ok_or_else(|| Failure::usage(format!("--at {at}: expected a time like 2026-04-22T10:00:00Z"))),
        (None, Some(admin)) => admin_port::assertion_time(admin, args.admin_token_file.as_deref()),
        (None, None) => Ok(Clock::new(ClockMode::Real).now().at),
    }
}

/// An assertion of a gateway, with the keys of the folder. It does not say when it was made: a
/// sandbox whose clock is a little behind would refuse it as made in the future.
pub(super) fn assertion(
    folder: &SandboxFolder,
    gateway: &str,
    life: Duration,
    now: Moment,
) -> Result<String, Failure> {
    let name = folder.gateway_file(gateway, "assertion.jwk");
    let public = PublicKey::read(&folder.text(&name)?, Use::Assertion)
        .map_err(|fault| Failure::usage(format!("{name}: {fault}")))?;
    let name = folder.gateway_file(gateway, "assertion.key");
    let key = signer(&folder.text(&name)?)
        .ok_or_else(|| Failure::usage(format!("{name}: expected a P-256 private key (PKCS#8 PEM)")))?;
    let end = now.after(life).as_seconds();
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": public.kid});
    let jti = encode(&secret_bytes().map_err(Failure::internal)?[..16]);
    let claims = json!({"iss": gateway, "sub": gateway, "exp": end, "jti": jti});
    sign(&header.to_string(), &claims.to_string(), &key).map_err(Failure::internal)
}

fn signer(pem: &str) -> Option<EcdsaKeyPair> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    signer_from_pkcs8(der.secret_pkcs8_der())
}

fn seal(args: &Seal) -> Result<(), Failure> {
    let folder = SandboxFolder::open(&args.sandbox)?;
    let (pan, exp) = match (&args.pan, &args.exp) {
        (Some(pan), Some(exp)) => (pan.clone(), exp.clone()),
        _ => {
            let cards = d1_fixtures::test_cards().map_err(Failure::internal)?;
            let names: Vec<String> = cards.iter().map(|card| card.name.clone()).collect();
            let card = cards.into_iter().find(|card| card.name == args.card);
            let unknown =
                || Failure::usage(format!("--card {}: expected one of {}", args.card, names.join(", ")));
            card.map(|card| (card.pan, card.exp)).ok_or_else(unknown)?
        }
    };
    print(&sealed_card(&folder, &pan, &exp)?);
    Ok(())
}

/// A card sealed toward D1. It is not judged: that is the sandbox's part, and a bad card is worth
/// a try.
pub(super) fn sealed_card(folder: &SandboxFolder, pan: &str, exp: &str) -> Result<String, Failure> {
    let public = PublicKey::read(&folder.text("d1/jwe.jwk")?, Use::Encryption)
        .map_err(|fault| Failure::usage(format!("d1/jwe.jwk: {fault}")))?;
    let plaintext = Zeroizing::new(json!({"pan": pan, "exp": exp}).to_string());
    seal_jwe(plaintext.as_bytes(), &public).map_err(Failure::internal)
}

fn open(args: &Open) -> Result<(), Failure> {
    let folder = SandboxFolder::open(&args.keys.sandbox)?;
    let gateway = folder.gateway(args.keys.gateway.as_deref())?;
    let name = folder.gateway_file(&gateway, "jwe.jwk");
    let own =
        OwnKey::read(&folder.text(&name)?).map_err(|fault| Failure::usage(format!("{name}: {fault}")))?;
    let given = match args.jwe.as_deref() {
        Some(text) if text != "-" => text.to_owned(),
        _ => {
            let mut text = String::new();
            let read = io::stdin().lock().take(MOST).read_to_string(&mut text);
            read.map_err(|fault| Failure::usage(format!("stdin: {fault}")))?;
            text
        }
    };
    let plaintext = open_jwe(jwe_in(&given)?.trim(), &own).map_err(|why| {
        let Why { check, expected, actual } = why;
        Failure::usage(format!(
            "{check}: expected {expected}, found {actual} (opened with {name} of {gateway})"
        ))
    })?;
    print(&String::from_utf8_lossy(&plaintext));
    Ok(())
}

/// The JWE itself, or the `encryptedData` of an answer.
fn jwe_in(text: &str) -> Result<String, Failure> {
    if !text.trim_start().starts_with('{') {
        return Ok(text.to_owned());
    }
    let answer: Value = serde_json::from_str(text)
        .map_err(|fault| Failure::usage(format!("the answer is not JSON: line {}", fault.line())))?;
    let sealed = answer.get("encryptedData").and_then(Value::as_str);
    sealed.map(str::to_owned).ok_or_else(|| Failure::usage("the answer has no `encryptedData` to open"))
}
