//! When a datagram arrived: the kernel stamps it with the wall clock, media counts on the monotonic one.
//!
//! Sockets are read every 20 ms, so the moment of reading says nothing about the network: jitter statistics
//! and the jitter buffer would see a grid. The stamp's age is carried over to the monotonic clock, and kept
//! inside what is possible should the wall clock be set meanwhile.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Monotonic.
    pub now: Instant,
    /// Since 1970.
    pub wall: Duration,
}

impl Moment {
    /// The present.
    pub fn present() -> Self {
        Self { now: Instant::now(), wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    /// When a datagram read at this moment arrived, given its stamp (none: just now). Not before
    /// `earliest`, the moment its socket was found empty.
    pub fn arrival(self, stamp: Option<Duration>, earliest: Instant) -> Instant {
        let age = stamp.and_then(|stamp| self.wall.checked_sub(stamp)).unwrap_or_default();
        self.now.checked_sub(age).map_or(self.now, |arrived| arrived.max(earliest.min(self.now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_stamp_becomes_the_same_moment_on_the_other_clock() {
        let moment = Moment { now: Instant::now() + 1_000 * MS, wall: 5_000 * MS };
        let earliest = moment.now - 20 * MS;
        assert_eq!(moment.arrival(Some(4_993 * MS), earliest), moment.now - 7 * MS);
        assert_eq!(moment.arrival(None, earliest), moment.now);
    }

    #[test]
    fn a_wall_clock_that_was_set_moves_nothing_beyond_the_last_look() {
        let moment = Moment { now: Instant::now() + 1_000 * MS, wall: 5_000 * MS };
        let earliest = moment.now - 20 * MS;
        assert_eq!(moment.arrival(Some(1_000 * MS), earliest), earliest);
        assert_eq!(moment.arrival(Some(9_000 * MS), earliest), moment.now);
        assert_eq!(moment.arrival(Some(Duration::ZERO), moment.now + MS), moment.now);
    }
}
