//! Chance: the only file of this package that reads the system's randomness.

use aws_lc_rs::rand::SystemRandom;
use uuid::Uuid;

/// The source for keys and signatures.
pub(crate) fn system() -> SystemRandom {
    SystemRandom::new()
}

/// A fresh identifier of 36 characters out of `[0-9a-f-]`: correlation ids and the `jti` of assertions.
pub(crate) fn identifier() -> String {
    Uuid::new_v4().to_string()
}

/// 32 random bytes, for a bearer or a key.
#[cfg(feature = "receiver")]
pub(crate) fn secret_bytes() -> Result<zeroize::Zeroizing<[u8; 32]>, aws_lc_rs::error::Unspecified> {
    let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(&mut *bytes)?;
    Ok(bytes)
}

/// Where jitter comes from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Jitter {
    #[default]
    Random,
    /// Always this, for runs that are to be alike.
    Fixed(f64),
}

impl Jitter {
    /// A number in `0.0..=1.0`.
    pub(crate) fn fraction(self) -> f64 {
        match self {
            Self::Fixed(fraction) => fraction.clamp(0.0, 1.0),
            Self::Random => {
                // 32 bits are exact in an f64, and more than enough for jitter. The first 32 bits of a v4 UUID are all
                // random.
                let (high, _, _, _) = Uuid::new_v4().as_fields();
                f64::from(high) / (f64::from(u32::MAX) + 1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_below_one() {
        for _ in 0..1_000 {
            let f = Jitter::Random.fraction();
            assert!((0.0..1.0).contains(&f), "{f}");
        }
        assert_eq!([-1.0, 0.25, 7.0].map(|f| Jitter::Fixed(f).fraction()), [0.0, 0.25, 1.0]);
    }
}
