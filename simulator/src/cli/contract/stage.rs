//! The suite's script server with the certificates and keys of a sandbox folder.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use d1_contracts::{GoodAnswers, Stage, inbound};

use super::file;
use crate::jose::{OwnKey, PublicKey, Use, open, seal};
use crate::tls::server_config;

/// A stage on which D1 shows the folder's server certificate, asks for one of the Thales CA, opens cards with D1's key and
/// seals toward the first gateway.
///
/// # Errors
/// A file of the folder that is not there or not what its name says.
pub fn contract_stage(folder: &Path) -> Result<Stage, Box<dyn Error + Send + Sync>> {
    let text = |name: &str| file(folder, name);
    let shared = server_config(&text("d1/server.pem")?, &text("d1/server.key")?, &text("ca/thales-ca.pem")?)?;
    let mut tls = (*shared).clone();
    // Scripts are literal HTTP/1.1.
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let gateway = PublicKey::read(&text("gateway/jwe.jwk")?, Use::Encryption)?;
    let own = OwnKey::read(&text("d1/jwe.private.jwk")?)?;
    let sealed =
        move |plaintext: &str| seal(plaintext.as_bytes(), &gateway).map_err(|fault| fault.to_string());
    let opened = move |jwe: &str| open(jwe, &own).ok().map(|plaintext| plaintext.to_vec());
    Ok(Stage::new(inbound()?, GoodAnswers::built_in()?, Arc::new(tls), Arc::new(sealed), Arc::new(opened)))
}
