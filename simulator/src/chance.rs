//! The only file that draws by chance.
//!
//! Two kinds, never mixed. *Seeded* draws (identifiers, DPANs, cryptograms, jitter) are a pure
//! function of the seed, the name of a stream and a number in it, so that one seed replays a run
//! whatever happens in other streams. *Secret* draws (keys, bearers) come from the system and no
//! seed touches them.

use aws_lc_rs::{digest, rand};

/// The seeded source. Copy it freely: it holds no state but the seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance {
    seed: u64,
}

/// A stream of seeded draws; the name keeps streams apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Merchant,
    Token,
    Dpan,
    Pan,
    Par,
    Transaction,
    Cryptogram,
    Event,
    Correlation,
    Jitter,
    Fault,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub(crate) fn seed(self) -> u64 {
        self.seed
    }

    /// The `n`-th 32 bytes of a stream.
    pub(crate) fn bytes(self, stream: Stream, n: u64) -> [u8; 32] {
        let mut input = [0_u8; 17];
        input[..8].copy_from_slice(&self.seed.to_be_bytes());
        input[8] = stream as u8;
        input[9..].copy_from_slice(&n.to_be_bytes());
        let mut out = [0_u8; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, &input).as_ref());
        out
    }

    /// The `n`-th number below 10^`digits` of a stream; no number comes twice before all have come.
    pub(crate) fn distinct(self, stream: Stream, n: u64, digits: u32) -> u64 {
        let modulus = 10_u128.pow(digits);
        let start = u128::from(first_u64(&self.bytes(stream, u64::MAX)));
        // Coprime with 10, so that multiplying is a permutation of the residues.
        let stride = 618_033_988_749_894_849_u128;
        let number = (start + u128::from(n) * stride) % modulus;
        u64::try_from(number).unwrap_or_default()
    }

    /// The `n`-th version 4 UUID of a stream.
    pub(crate) fn uuid(self, stream: Stream, n: u64) -> u128 {
        let bytes = self.bytes(stream, n);
        let mut head = [0_u8; 16];
        head.copy_from_slice(&bytes[..16]);
        let version = 0x4_u128 << 76;
        let variant = 0x2_u128 << 62;
        (u128::from_be_bytes(head) & !(0xf_u128 << 76) & !(0x3_u128 << 62)) | version | variant
    }

    /// The `n`-th fraction in `0.0..1.0` of a stream.
    pub(crate) fn fraction(self, stream: Stream, n: u64) -> f64 {
        fraction_from(&self.bytes(stream, n))
    }

    /// The `n`-th fraction in `0.0..1.0` of the faults' stream with this name.
    pub(crate) fn fraction_of(self, name: &str, n: u64) -> f64 {
        let mut input = self.bytes(Stream::Fault, n).to_vec();
        input.extend_from_slice(name.as_bytes());
        let mut out = [0_u8; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, &input).as_ref());
        fraction_from(&out)
    }
}

fn fraction_from(bytes: &[u8; 32]) -> f64 {
    let bits = u32::try_from(first_u64(bytes) >> 32).unwrap_or_default();
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

fn first_u64(bytes: &[u8; 32]) -> u64 {
    let mut head = [0_u8; 8];
    head.copy_from_slice(&bytes[..8]);
    u64::from_be_bytes(head)
}

/// The system's source of randomness failed; nothing secret can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no randomness")]
pub struct NoRandomness;

/// 32 bytes that nobody can guess, from the system.
pub(crate) fn secret_bytes() -> Result<[u8; 32], NoRandomness> {
    let mut out = [0_u8; 32];
    rand::fill(&mut out).map_err(|_| NoRandomness)?;
    Ok(out)
}

/// A seed for a run whose user gave none.
pub(crate) fn fresh_seed() -> Result<u64, NoRandomness> {
    // Short enough to read out and type again.
    Ok(first_u64(&secret_bytes()?) % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_another_seed_another() {
        let draw = |seed| Chance::new(seed).bytes(Stream::Token, 7);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn streams_do_not_touch_each_other() {
        let chance = Chance::new(1);
        assert_ne!(chance.bytes(Stream::Token, 0), chance.bytes(Stream::Event, 0));
    }

    #[test]
    fn distinct_numbers_do_not_repeat() {
        let chance = Chance::new(9);
        let all: HashSet<u64> = (0..10_000).map(|n| chance.distinct(Stream::Dpan, n, 4)).collect();
        assert_eq!(all.len(), 10_000);
    }

    #[test]
    fn a_fraction_is_below_one() {
        let chance = Chance::new(3);
        assert!((0..1000).all(|n| (0.0..1.0).contains(&chance.fraction(Stream::Jitter, n))));
    }

    #[test]
    fn a_uuid_says_that_it_is_random() {
        let text = format!("{:032x}", Chance::new(1).uuid(Stream::Token, 1));
        assert_eq!(&text[12..13], "4");
        assert!("89ab".contains(&text[16..17]));
    }
}
