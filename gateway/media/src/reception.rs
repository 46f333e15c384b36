//! Counting what arrives: sequence numbers, loss and jitter of one source
//! ([RFC 3550](https://www.rfc-editor.org/rfc/rfc3550) appendices A.1, A.3 and A.8).
//!
//! Unlike the RFC's sample code a repeated packet is recognised, so duplicates never hide a loss.

use std::time::Instant;

use crate::frame::samples_between;

/// A jump forward up to this is loss, beyond it a restart (RFC 3550 A.1).
const MAX_DROPOUT: u16 = 3_000;
/// A jump back up to this is reordering, beyond it a restart (RFC 3550 A.1).
const MAX_MISORDER: u16 = 100;

/// What a sequence number says about its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Never seen before; with the sequence number unwrapped.
    Fresh(i64),
    /// Seen before: drop it.
    Duplicate,
    /// Far from everything before; believed when its successor follows: drop it for now.
    Doubtful,
    /// The second packet of a new count: the sender restarted. Unwrapped number of the new count.
    Restarted(i64),
}

/// What one report block needs, over the time since the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Share lost in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning; negative never, because duplicates are not counted as received.
    pub cumulative_lost: i32,
    /// Cycles and highest sequence number.
    pub highest_sequence: u32,
}

/// Reception state of one source.
#[derive(Debug, Clone)]
pub struct Reception {
    base: i64,
    highest: i64,
    /// Bit n: `highest - n` has arrived.
    window: u128,
    doubtful_next: Option<u16>,
    received: u64,
    /// Of counts before a restart.
    expected_before: u64,
    reported_expected: u64,
    reported_received: u64,
    transit: Option<i64>,
    last_timestamp: u32,
    /// Jitter in samples times 16, as in A.8.
    jitter_16: u64,
}

impl Reception {
    /// Begins with the first packet of a source, which is thereby counted.
    #[must_use]
    pub fn new(first_sequence: u16) -> Self {
        let first = i64::from(first_sequence);
        Self {
            base: first,
            highest: first,
            window: 1,
            doubtful_next: None,
            received: 1,
            expected_before: 0,
            reported_expected: 0,
            reported_received: 0,
            transit: None,
            last_timestamp: 0,
            jitter_16: 0,
        }
    }

    /// The unwrapped number of the first packet.
    #[must_use]
    pub fn first(&self) -> i64 {
        self.base
    }

    /// Judges and counts the next packet.
    pub fn arrive(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead == 0 {
            return Arrival::Duplicate;
        }
        if ahead < MAX_DROPOUT {
            self.highest += i64::from(ahead);
            self.window = self.window.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            return self.fresh(self.highest);
        }
        let behind = ahead.wrapping_neg();
        if behind <= MAX_MISORDER {
            let bit = 1u128 << behind;
            if self.window & bit != 0 {
                return Arrival::Duplicate;
            }
            self.window |= bit;
            let extended = self.highest - i64::from(behind);
            // One from before the packet that began the count was expected after all.
            self.base = self.base.min(extended);
            return self.fresh(extended);
        }
        if self.doubtful_next == Some(sequence) {
            self.expected_before = self.expected();
            self.base = i64::from(sequence);
            self.highest = self.base;
            self.window = 1;
            self.transit = None;
            self.received += 1;
            self.doubtful_next = None;
            return Arrival::Restarted(self.base);
        }
        self.doubtful_next = Some(sequence.wrapping_add(1));
        Arrival::Doubtful
    }

    /// Takes the timing of a fresh sound packet into the jitter estimate. Packets sharing a timestamp
    /// with the one before carry no timing.
    pub fn time(&mut self, epoch: Instant, now: Instant, timestamp: u32, ticks_per_sample: u32) {
        if self.transit.is_some() && timestamp == self.last_timestamp {
            return;
        }
        let arrival = (samples_between(epoch, now) as u32).wrapping_mul(ticks_per_sample);
        let transit = i64::from(arrival.wrapping_sub(timestamp));
        if let Some(previous) = self.transit {
            // Signed difference modulo 2^32, so that a wrap of either clock is no jump.
            let difference = u64::from(((transit - previous) as i32).unsigned_abs());
            // A sender that jumps (silence without running timestamp) is no network jitter.
            if difference < u64::from(crate::SAMPLE_RATE) {
                self.jitter_16 =
                    self.jitter_16 + difference - ((self.jitter_16 + 8) >> 4).min(self.jitter_16);
            }
        }
        self.transit = Some(transit);
        self.last_timestamp = timestamp;
    }

    /// Packets received, without duplicates.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets lost since the beginning.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Interarrival jitter in ticks of the RTP clock.
    #[must_use]
    pub fn jitter(&self) -> u32 {
        u32::try_from(self.jitter_16 >> 4).unwrap_or(u32::MAX)
    }

    /// Closes the interval since the last call and tells what a report block needs.
    pub fn report(&mut self) -> Interval {
        let expected = self.expected();
        let expected_now = expected.saturating_sub(self.reported_expected);
        let received_now = self.received.saturating_sub(self.reported_received);
        self.reported_expected = expected;
        self.reported_received = self.received;
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now << 8).checked_div(expected_now).unwrap_or(0);
        Interval {
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(self.lost()).unwrap_or(i32::MAX),
            highest_sequence: self.highest as u32,
        }
    }

    fn fresh(&mut self, extended: i64) -> Arrival {
        self.received += 1;
        self.doubtful_next = None;
        Arrival::Fresh(extended)
    }

    fn expected(&self) -> u64 {
        self.expected_before + (self.highest - self.base + 1).unsigned_abs()
    }
}
