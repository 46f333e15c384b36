//! Whether new calls must be shed now, judged by how long work waits rather than how much there is.
//!
//! Two queues are watched: arrivals from the network, and new calls handed on whose own task has not begun. While
//! the older of both waits longer than [`CLOSE_AFTER`], the endpoint answers new INVITEs with 503 before it does
//! anything dear; what belongs to calls in progress is served as ever. The gate opens again at [`OPEN_BELOW`], that
//! is, as soon as the queues are worked off: nothing is averaged, so nothing has to be forgotten first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Well below T1 (500 ms), at which callers begin to repeat themselves and make it worse.
pub const CLOSE_AFTER: Duration = Duration::from_millis(200);
/// Lower than the limit, so that the gate does not flutter.
pub const OPEN_BELOW: Duration = Duration::from_millis(50);

/// Travels with a new call; dropped when the call's task begins its work.
#[derive(Debug)]
pub struct Begun(Arc<AtomicU64>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The gate.
#[derive(Debug, Default)]
pub struct Pressure {
    /// When each call that has not begun was handed on. Tasks begin about in order, so counting is enough.
    waiting: VecDeque<Instant>,
    begun: Arc<AtomicU64>,
    counted: u64,
    shedding: bool,
}

impl Pressure {
    /// A call is handed on.
    pub fn hand_on(&mut self, now: Instant) -> Begun {
        self.waiting.push_back(now);
        Begun(self.begun.clone())
    }

    /// Whether to shed, at `now`, when the arrivals in hand came at `came`.
    pub fn shed(&mut self, now: Instant, came: Instant) -> bool {
        let begun = self.begun.load(Ordering::Relaxed);
        while self.counted < begun && self.waiting.pop_front().is_some() {
            self.counted += 1;
        }
        let oldest = self.waiting.front().map_or(came, |handed_on| came.min(*handed_on));
        let waited = now.saturating_duration_since(oldest);
        self.shedding = waited > if self.shedding { OPEN_BELOW } else { CLOSE_AFTER };
        self.shedding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn old_arrivals_close_the_gate_and_fresh_ones_open_it() {
        let (mut pressure, start) = (Pressure::default(), Instant::now());
        assert!(!pressure.shed(start + CLOSE_AFTER, start));
        assert!(pressure.shed(start + CLOSE_AFTER + MS, start));
        assert!(pressure.shed(start + OPEN_BELOW + MS, start), "not opened half-way");
        assert!(!pressure.shed(start + OPEN_BELOW, start));
    }

    #[test]
    fn calls_that_do_not_begin_close_the_gate_and_those_that_do_are_forgotten() {
        let (mut pressure, start) = (Pressure::default(), Instant::now());
        let (first, second) = (pressure.hand_on(start), pressure.hand_on(start + 100 * MS));
        let now = start + 250 * MS;
        assert!(pressure.shed(now, now));
        drop(first);
        assert!(pressure.shed(now, now), "the second still waits 150 ms");
        drop(second);
        assert!(!pressure.shed(now, now));
        assert!(pressure.waiting.is_empty());
    }
}
