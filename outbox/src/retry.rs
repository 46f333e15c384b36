//! When to try a sink again. Pure: the randomness comes in as a number.
//!
//! Exponential back-off with equal jitter: half of the step is fixed, half is random, so that many gateways
//! do not return to a recovering sink in the same instant, and none returns at once.

use std::time::Duration;

/// What kind of failure it was, decided where it is known: in the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Will pass: the sink is away, busy or slow.
    Retry,
    /// Will never pass for this record; it is parked.
    Never,
    /// Not known. Tried again, but slower: a human may have to act.
    Unknown,
}

impl ErrorClass {
    /// The word in logs, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Never => "never",
            Self::Unknown => "unknown",
        }
    }
}

/// First and longest step of a class, milliseconds.
const fn steps(class: ErrorClass) -> Option<(u64, u64)> {
    match class {
        ErrorClass::Retry => Some((200, 60_000)),
        ErrorClass::Unknown => Some((1_000, 300_000)),
        ErrorClass::Never => None,
    }
}

/// Longest wait that a sink may ask for: a day.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How long to wait before the next attempt, or `None` when there is none. `attempt` counts failures so far
/// in a row, from 1. `retry_after` is what the sink asked for: never less than that (up to a day).
pub fn next_delay(
    attempt: u32,
    class: ErrorClass,
    retry_after: Option<Duration>,
    rng: u64,
) -> Option<Duration> {
    let (first_ms, longest_ms) = steps(class)?;
    let doubled = 1u64.checked_shl(attempt.saturating_sub(1).min(32)).unwrap_or(u64::MAX);
    let step_ms = first_ms.saturating_mul(doubled).min(longest_ms);
    let delay = Duration::from_millis(step_ms / 2 + rng % (step_ms / 2 + 1));
    Some(delay.max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_double_between_half_and_whole_and_stop_at_the_longest() {
        for (attempt, step_ms) in [(0, 200), (1, 200), (2, 400), (5, 3_200), (10, 60_000), (u32::MAX, 60_000)]
        {
            let low = next_delay(attempt, ErrorClass::Retry, None, 0).unwrap();
            let high = next_delay(attempt, ErrorClass::Retry, None, step_ms / 2).unwrap();
            assert_eq!((low.as_millis(), high.as_millis()), (u128::from(step_ms) / 2, u128::from(step_ms)));
        }
        let any = next_delay(9, ErrorClass::Unknown, None, u64::MAX).unwrap();
        assert!((128_000..=256_000).contains(&any.as_millis()));
    }

    #[test]
    fn the_sink_may_ask_for_more_but_not_for_less_nor_for_ever() {
        let ask = |seconds| next_delay(8, ErrorClass::Retry, Some(Duration::from_secs(seconds)), 0).unwrap();
        assert_eq!(ask(40), Duration::from_secs(40));
        assert_eq!(ask(1), Duration::from_millis(12_800));
        assert_eq!(ask(u64::MAX), LONGEST_RETRY_AFTER);
    }

    #[test]
    fn never_has_no_next_time() {
        assert_eq!(next_delay(1, ErrorClass::Never, Some(Duration::from_secs(1)), 1), None);
    }
}
