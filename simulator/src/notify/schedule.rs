//! When to try again: a pure decision (C23, C24).

use std::time::Duration;

use crate::domain::Moment;

/// A receiver that asks for more patience than this gets this much.
const LONGEST_PATIENCE: Duration = Duration::from_secs(60 * 60);
/// The part of a delay that chance may take away.
const JITTER: f64 = 0.2;

/// The retry schedule of notifications (C24).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) first_delay: Duration,
    pub(crate) factor: u32,
    pub(crate) max_delay: Duration,
    pub(crate) attempts: u32,
    /// For one attempt with all its calls, in real time.
    pub(crate) timeout: Duration,
}

/// What the receiver made of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered {
        status: u16,
        retry_after: Option<Duration>,
    },
    /// A time-out, a failure of the connection, or no access token.
    NoAnswer,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Delivered,
    /// Refused for good: the same again would be refused again.
    Refused,
    /// It might have helped to try again, but it was tried often enough.
    GivenUp,
    Retry(Moment),
}

impl Schedule {
    /// What follows the `attempt`-th attempt (from 1). `fraction`, in 0..1, is the jitter's dice.
    /// Our delay counts from when the attempt began, what the receiver asks for from its answer.
    pub(crate) fn next(
        &self,
        attempt: u32,
        (began, ended): (Moment, Moment),
        outcome: Outcome,
        fraction: f64,
    ) -> Next {
        let asked = match outcome {
            Outcome::Answered { status: 200..=299, .. } => return Next::Delivered,
            Outcome::Answered { status: 429 | 500..=599, retry_after } => retry_after,
            Outcome::Answered { .. } => return Next::Refused,
            Outcome::NoAnswer => None,
        };
        if attempt >= self.attempts {
            return Next::GivenUp;
        }
        let due = began.after(self.delay(attempt, fraction));
        let asked = asked.map(|asked| ended.after(asked.min(LONGEST_PATIENCE)));
        Next::Retry(asked.map_or(due, |asked| asked.max(due)))
    }

    fn delay(&self, attempt: u32, fraction: f64) -> Duration {
        let times = self.factor.saturating_pow(attempt.saturating_sub(1));
        let full = self.first_delay.saturating_mul(times).min(self.max_delay);
        full.mul_f64(1.0 - JITTER * fraction.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCHEDULE: Schedule = Schedule {
        first_delay: Duration::from_secs(1),
        factor: 2,
        max_delay: Duration::from_secs(300),
        attempts: 8,
        timeout: Duration::from_secs(10),
    };

    fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None }
    }

    fn after(seconds: u64) -> Next {
        Next::Retry(Moment::from_ms(0).after(Duration::from_secs(seconds)))
    }

    /// What follows an attempt that began and ended at the moment 0.
    fn next(schedule: &Schedule, attempt: u32, outcome: Outcome) -> Next {
        let at = Moment::from_ms(0);
        schedule.next(attempt, (at, at), outcome, 0.0)
    }

    #[test]
    fn each_class_of_answer_leads_where_it_should() {
        for (status, wanted) in [
            (200, Next::Delivered),
            (204, Next::Delivered),
            (301, Next::Refused),
            (400, Next::Refused),
            (401, Next::Refused),
            (404, Next::Refused),
            (408, Next::Refused),
            (429, after(1)),
            (500, after(1)),
            (503, after(1)),
        ] {
            assert_eq!(next(&SCHEDULE, 1, answered(status)), wanted, "{status}");
        }
        assert_eq!(next(&SCHEDULE, 1, Outcome::NoAnswer), after(1));
    }

    #[test]
    fn delays_double_up_to_the_cap_and_end_after_the_last_attempt() {
        let delays: Vec<Next> = (1..=9).map(|attempt| next(&SCHEDULE, attempt, answered(503))).collect();
        assert_eq!(delays[..7], [1, 2, 4, 8, 16, 32, 64].map(after));
        assert_eq!(delays[7..], [Next::GivenUp, Next::GivenUp]);
        let long = Schedule { attempts: 100, ..SCHEDULE };
        assert_eq!(next(&long, 50, answered(503)), after(300));
    }

    #[test]
    fn a_longer_wish_of_the_receiver_is_honoured_within_reason() {
        let asked =
            |seconds| Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(next(&SCHEDULE, 1, asked(30)), after(30));
        assert_eq!(next(&SCHEDULE, 3, asked(1)), after(4));
        assert_eq!(next(&SCHEDULE, 1, asked(u64::MAX)), after(LONGEST_PATIENCE.as_secs()));
    }

    #[test]
    fn our_delay_counts_from_the_begin_and_the_receivers_wish_from_its_answer() {
        let times = (Moment::from_ms(0), Moment::from_ms(9_000));
        assert_eq!(SCHEDULE.next(5, times, Outcome::NoAnswer, 0.0), after(16));
        let asked = Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(30)) };
        assert_eq!(SCHEDULE.next(5, times, asked, 0.0), after(39));
    }

    proptest! {
        #[test]
        fn jitter_only_shortens_and_by_a_fifth_at_most(attempt in 1_u32..8, fraction in 0.0_f64..1.0) {
            let full = SCHEDULE.delay(attempt, 0.0);
            let delay = SCHEDULE.delay(attempt, fraction);
            prop_assert!(delay <= full && delay >= full.mul_f64(0.79));
        }
    }
}
