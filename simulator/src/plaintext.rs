//! What is sealed toward a gateway, in answers and in notifications. The names stand here alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::domain::Month;
use crate::world::Payment;

/// The JSON inside a JWE of ours (C18, C19, C22).
pub(crate) struct Plaintext(Zeroizing<String>);

impl Plaintext {
    /// A token as it is authorized with.
    pub(crate) fn network_token(dpan: u64, expiry: Month) -> Self {
        Self(Zeroizing::new(format!(r#"{{"dpan":"{dpan:016}","exp":"{}"}}"#, expiry.mmyy())))
    }

    /// The same with the cryptogram of one transaction.
    pub(crate) fn payment(payment: &Payment) -> Self {
        let cryptogram = Zeroizing::new(STANDARD.encode(payment.cryptogram));
        let (dpan, exp) = (payment.dpan, payment.token_expiry.mmyy());
        Self(Zeroizing::new(format!(
            r#"{{"dpan":"{dpan:016}","exp":"{exp}","cryptogram":"{}"}}"#,
            *cryptogram
        )))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
