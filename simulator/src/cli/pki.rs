//! `d1sim pki`: what the vendor does by hand in days.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;

use d1_fixtures::{Authority, Csr};

use super::args::{Pki, PkiCommand, Sign};
use super::exit::Failure;
use super::folder::SandboxFolder;
use super::{init, say};

/// The longest request that is read.
const MOST: u64 = 64 * 1024;

pub(super) fn run(args: Pki) -> Result<(), Failure> {
    match args.command {
        PkiCommand::Sign(args) => sign(&args),
    }
}

fn sign(args: &Sign) -> Result<(), Failure> {
    let folder = SandboxFolder::open(&args.sandbox)?;
    let unreadable = |fault| Failure::file("read", &args.csr, &fault);
    if fs::metadata(&args.csr).map_err(unreadable)?.len() > MOST {
        return Err(Failure::usage(format!("{}: longer than 64 KiB, so no request", args.csr.display())));
    }
    let text = fs::read(&args.csr).map_err(unreadable)?;
    let at_fault = |fault: &dyn std::fmt::Display| Failure::usage(format!("{}: {fault}", args.csr.display()));
    let csr = Csr::parse(&String::from_utf8_lossy(&text)).map_err(|fault| at_fault(&fault))?;
    let named =
        folder.config.identify(Arc::new(folder.config.known())).named(&csr.common_name).map(|(_, key)| key);
    let named = named.map_err(|why| {
        at_fault(&format!("{}: expected {}, found {}", why.check, why.expected, why.actual))
    })?;
    if named != csr.key.cn_prefix() {
        let expected = csr.key.cn_prefix();
        return Err(at_fault(&format!("certificate CN: expected {expected}, as the key is, found {named}")));
    }
    let authority = Authority::read(&folder.file("ca/thales-ca.pem"), &folder.file("ca/thales-ca.key"));
    let signed =
        csr.sign(&authority.map_err(Failure::usage)?, init::now()?).map_err(|fault| at_fault(&fault))?;
    let unwritable = |fault| Failure::file("write", &args.out, &fault);
    let mut out = OpenOptions::new().write(true).create_new(true).open(&args.out).map_err(unwritable)?;
    out.write_all(signed.as_bytes()).map_err(unwritable)?;
    say(&format!("signed {} into {}", csr.common_name, args.out.display()));
    Ok(())
}
