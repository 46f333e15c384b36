//! When the next packet of a stream is due. A phone sends one every 20 ms and a room looks every 20 ms: when
//! both keep their pace, the packet that was read was the only one, and the system call that would find the
//! socket empty can be saved.
//!
//! Pure: moments of arrival come in. A wrong guess costs nothing but a packet read one turn later, which the
//! moment of its arrival tells.

use std::time::{Duration, Instant};

/// Spacing of packets that counts as the room's own pace.
const STEADY: std::ops::RangeInclusive<Duration> = Duration::from_millis(12)..=Duration::from_millis(28);
/// A packet due within this time may have come already.
const SLACK: Duration = Duration::from_millis(3);
/// The room's own pace.
const TURN: Duration = Duration::from_millis(20);

/// The rhythm of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    last: Instant,
    spacing: Duration,
}

impl Rhythm {
    /// Nothing is known yet.
    pub fn new(now: Instant) -> Self {
        Self { last: now, spacing: Duration::ZERO }
    }

    /// A packet arrived.
    pub fn note(&mut self, arrived: Instant) {
        self.spacing = arrived.saturating_duration_since(self.last);
        self.last = arrived;
    }

    /// Whether the last packets kept the room's pace.
    pub fn is_steady(&self) -> bool {
        STEADY.contains(&self.spacing)
    }

    /// Whether another packet may be waiting at `now` beside the last one noted.
    pub fn expects_more(&self, now: Instant) -> bool {
        !self.is_steady() || now.saturating_duration_since(self.last) + SLACK >= TURN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arrivals of packets and turns of a room, in milliseconds: how long packets wait to be read, and how
    /// often the room looks into the socket in vain or for more.
    fn run(arrivals: &[u64], turns: impl Iterator<Item = u64>) -> (u64, usize) {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let (mut rhythm, mut next, mut longest, mut looks) = (Rhythm::new(start), 0, 0, 0);
        for turn in turns {
            let mut want = if rhythm.is_steady() { 1 } else { 8 };
            loop {
                looks += 1;
                let mut count = 0;
                while count < want && arrivals.get(next).is_some_and(|&arrival| arrival <= turn) {
                    rhythm.note(at(arrivals[next]));
                    longest = longest.max(turn - arrivals[next]);
                    (count, next) = (count + 1, next + 1);
                }
                if count < want || want == 1 && !rhythm.expects_more(at(turn)) {
                    break;
                }
                want = 8;
            }
        }
        assert_eq!(next, arrivals.len(), "all are read in the end");
        (longest, looks)
    }

    fn every(step: u64, from: u64, to: u64) -> Vec<u64> {
        (from..to).step_by(step as usize).collect()
    }

    #[test]
    fn a_steady_stream_costs_one_look_a_packet() {
        for phase in 0..20 {
            let (longest, looks) = run(&every(20, phase, 2_000), every(20, 5, 2_040).into_iter());
            assert!(longest < 20 && looks <= 2 * 102, "{phase}: {longest} ms, {looks}");
        }
        let (_, looks) = run(&every(20, 15, 2_000), every(20, 5, 2_040).into_iter());
        assert!(looks <= 103, "{looks}");
    }

    #[test]
    fn short_packets_never_wait_for_the_next_turn() {
        for step in [5, 10] {
            assert!(run(&every(step, 3, 2_000), every(20, 5, 2_040).into_iter()).0 < 20);
        }
    }

    #[test]
    fn a_backlog_is_read_at_the_next_turn() {
        // The network holds back ten packets and lets them go at once, in the midst of a steady stream.
        let mut arrivals = every(20, 7, 1_000);
        arrivals.extend([1_187; 10]);
        arrivals.extend(every(20, 1_207, 2_000));
        assert!(run(&arrivals, every(20, 5, 2_040).into_iter()).0 <= 20);
    }

    #[test]
    fn after_a_stall_of_ours_everything_is_read_at_once() {
        let turns = every(20, 5, 1_000).into_iter().chain(every(20, 1_205, 2_040));
        assert!(run(&every(20, 7, 2_000), turns).0 <= 220);
        let after = every(20, 5, 1_000).into_iter().chain([1_205, 1_225]);
        run(&every(20, 7, 1_220), after);
    }

    #[test]
    fn a_little_jitter_makes_no_packet_wait_two_turns() {
        let jitter = [0u64, 2, 5, 1, 4, 3, 6, 0, 5, 2];
        let arrivals: Vec<_> =
            every(20, 4, 4_000).into_iter().zip(jitter.into_iter().cycle()).map(|(at, by)| at + by).collect();
        assert!(run(&arrivals, every(20, 5, 4_040).into_iter()).0 < 30);
    }
}
