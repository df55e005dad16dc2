//! The clocks that there are, and how they are named in the configuration.

use std::str::FromStr;

use super::{Clock, LATEST, parse_rfc3339, system_ms};
use crate::domain::Moment;

/// The earliest start of a manual clock, 2000-01-01T00:00:00Z: `MMYY` names no earlier month.
const EARLIEST: Moment = Moment::from_ms(946_684_800_000);

/// Where the time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMode {
    /// The system's time.
    Real,
    /// A clock that starts at an instant (milliseconds since 1970, UTC) and moves only when told.
    Manual {
        /// Milliseconds since 1970-01-01T00:00:00Z.
        start_ms: i64,
    },
}

/// By which clock the dates of an assertion are judged. Everything else goes by the sandbox's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthClock {
    /// The sandbox's: for callers whose own clock is moved together with it.
    Sandbox,
    /// The system's: for callers that date their assertions by the time of day, wherever the sandbox's
    /// clock was moved to.
    #[default]
    System,
}

/// A text that names none of the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct UnknownClock(pub(crate) &'static str);

impl AuthClock {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::System => "system",
        }
    }

    /// The clock that it names.
    pub(crate) fn of(self, sandbox: &Clock) -> Clock {
        match self {
            Self::Sandbox => sandbox.clone(),
            Self::System => Clock::new(ClockMode::Real),
        }
    }
}

impl FromStr for AuthClock {
    type Err = UnknownClock;

    fn from_str(text: &str) -> Result<Self, UnknownClock> {
        let all = [Self::Sandbox, Self::System];
        all.into_iter().find(|clock| clock.as_str() == text).ok_or(UnknownClock("sandbox or system"))
    }
}

impl FromStr for ClockMode {
    type Err = UnknownClock;

    /// `real`, `manual`, or the moment at which a manual clock starts.
    fn from_str(text: &str) -> Result<Self, UnknownClock> {
        match text {
            "real" => Ok(Self::Real),
            "manual" => Ok(Self::manual_from_now()),
            _ => {
                let start = parse_rfc3339(text).filter(|start| (EARLIEST..LATEST).contains(start));
                let start = start.map(|start| Self::Manual { start_ms: start.as_ms() });
                start.ok_or(UnknownClock(
                    "real, manual, or the moment at which a manual clock starts, like 2026-04-22T10:00:00Z, in \
                     the years 2000 to 2099",
                ))
            }
        }
    }
}

impl ClockMode {
    /// A manual clock that starts at the system's present time.
    #[must_use]
    pub fn manual_from_now() -> Self {
        Self::Manual { start_ms: system_ms() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_named_or_given_its_start() {
        assert_eq!("real".parse(), Ok(ClockMode::Real));
        assert!(matches!("manual".parse(), Ok(ClockMode::Manual { .. })));
        let start = ClockMode::Manual { start_ms: 1_776_852_000_000 };
        for text in ["2026-04-22T10:00:00Z", "2026-04-22T12:00:00.000+02:00"] {
            assert_eq!(text.parse(), Ok(start), "{text}");
        }
        for text in ["fast", "", "2026-04-22", "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z"] {
            assert!(text.parse::<ClockMode>().is_err(), "{text}");
        }
        assert_eq!("sandbox".parse(), Ok(AuthClock::Sandbox));
        assert!("real".parse::<AuthClock>().is_err());
    }
}
