//! Forged notifications: what a receiver has to refuse, and what it has to bear.

use bytes::Bytes;
use d1_fixtures::{Authority, EcKey, KeyUse, LeafSpec};
use reqwest::Identity;
use time::OffsetDateTime;

use super::gateway_token::TokenDesk;
use super::receiver::{Receiver, http_client};
use super::wire::{Notification, with_unknown_members};
use crate::clock::system_seconds;
use crate::jose::{self, PublicKey, Use};
use crate::plaintext::Plaintext;
use crate::world::{Forgery, Job};

/// What the stranger's certificate says: what D1's own does.
const STRANGER: &str = "D1 Sandbox outbound";

impl Receiver {
    /// The body of a forged notification; otherwise why it cannot be made. Makes keys.
    pub(super) fn forged_body(&self, job: &Job, forgery: Forgery) -> Result<Bytes, String> {
        let update = &job.update;
        let sealed = match update.dpan {
            Some(dpan) => {
                let plaintext = Plaintext::network_token(dpan, update.token_expiry);
                let key = if forgery == Forgery::WrongKey { &self.other_key()? } else { &self.encryption };
                let jwe = jose::seal(plaintext.as_bytes(), key).map_err(|none| none.to_string())?;
                Some(if forgery == Forgery::Tampered { tampered(&jwe) } else { jwe })
            }
            None => None,
        };
        let notification = Notification::new(update, sealed);
        let body = match forgery {
            Forgery::UnknownType => serde_json::to_vec(&notification.of_unknown_type()),
            Forgery::UnknownMembers => serde_json::to_vec(&with_unknown_members(&notification)),
            Forgery::WrongCertificate | Forgery::WrongKey | Forgery::Tampered | Forgery::OldSequence => {
                serde_json::to_vec(&notification)
            }
        };
        Ok(body.unwrap_or_default().into())
    }

    /// The same receiver as a stranger calls it, whose certificate nobody can trust.
    pub(super) fn for_a_stranger(&self) -> Result<Self, String> {
        let identity = stranger().map_err(|fault| fault.to_string())?;
        let identity = Identity::from_pem(identity.as_bytes()).map_err(|fault| fault.to_string())?;
        Ok(Self {
            gateway: self.gateway.clone(),
            url: self.url.clone(),
            http: http_client(self.authority.clone(), identity).map_err(|fault| fault.to_string())?,
            authority: self.authority.clone(),
            encryption: self.encryption.clone(),
            oauth: self.oauth.clone(),
            desk: TokenDesk::default(),
        })
    }

    /// A key that only its name has in common with the gateway's.
    fn other_key(&self) -> Result<PublicKey, String> {
        let fresh = EcKey::generate().map_err(|fault| fault.to_string())?;
        let read = PublicKey::read(&fresh.public_jwk(KeyUse::Encryption), Use::Encryption);
        let mut key = read.map_err(|fault| fault.to_string())?;
        key.kid.clone_from(&self.encryption.kid);
        Ok(key)
    }
}

/// A certificate and its key, PEM, of an authority that is dropped here.
fn stranger() -> Result<String, d1_fixtures::PkiError> {
    // TLS runs on real time.
    let now =
        OffsetDateTime::from_unix_timestamp(system_seconds()).map_err(|_| d1_fixtures::PkiError::Validity)?;
    let authority = Authority::generate("D1 Sandbox Unknown CA", &[], now)?;
    let minted = authority.issue(&LeafSpec::client(STRANGER, now)?)?;
    Ok(minted.key_pem + &minted.cert_pem)
}

/// The same JWE with another tag.
fn tampered(jwe: &str) -> String {
    let (rest, tag) = jwe.rsplit_once('.').unwrap_or((jwe, ""));
    let first = if tag.starts_with('A') { 'B' } else { 'A' };
    let kept: String = tag.chars().skip(1).collect();
    format!("{rest}.{first}{kept}")
}
