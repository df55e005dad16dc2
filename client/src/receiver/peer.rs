//! Who is at the other end of the connection.

use bytes::Bytes;

/// The client certificate that the TLS layer has verified. The TLS layer puts it into the extensions of each request;
/// [`serve`](super::serve) does.
///
/// That the chain is of the Thales Client CA is the TLS layer's to check. The certificate itself is not pinned: it may
/// rotate \[S23\].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate(Bytes);

impl PeerCertificate {
    /// A certificate that was verified, in DER.
    #[must_use]
    pub fn new(der: impl Into<Bytes>) -> Self {
        Self(der.into())
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}
