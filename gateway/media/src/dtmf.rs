//! Digits as telephone events ([RFC 4733](https://www.rfc-editor.org/rfc/rfc4733)), receiving side.
//!
//! An event is known by its timestamp alone: the marker bit is unreliable in the field, and the packet
//! with the end bit may be lost. Such a digit ends when another begins or updates stay away.

use std::time::{Duration, Instant};

use crate::{RtpError, frame::SAMPLE_RATE};

/// Three updates missing at the slowest usual rate of one per 50 ms.
pub const END_WITHOUT_UPDATE: Duration = Duration::from_millis(150);
/// A sender reaching this duration continues with a new segment (RFC 4733 2.5.1.3).
const SEGMENT: u16 = u16::MAX;
/// Finished events remembered against packets which come after the end.
const REMEMBERED: usize = 8;
/// Events under way at once: one, but for reordering at the seam between two keys.
const MAX_RUNNING: usize = 4;
/// An event this much older than the newest (1 s) was overtaken; beyond, the sender's clock jumped.
const OVERTAKEN: i32 = -8_000;

/// A digit that was pressed and released.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    pub digit: char,
    /// How long it was held, in milliseconds, as far as it was told.
    pub duration_ms: u32,
}

impl std::fmt::Debug for Digit {
    /// Digits are often an identity number: only the duration.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Digit").field("duration_ms", &self.duration_ms).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy)]
struct Running {
    digit: char,
    /// Timestamp of the running segment.
    timestamp: u32,
    duration: u16,
    /// Of segments before this one, in samples.
    earlier: u32,
    updated: Instant,
    complete: bool,
}

/// The range of the timeline an event covers so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// RTP timestamp of its (segment's) beginning.
    pub timestamp: u32,
    /// Samples since then.
    pub duration: u32,
    /// Whether it has ended there.
    pub ended: bool,
}

/// Receiver of one stream.
#[derive(Debug, Clone, Default)]
pub struct DigitReceiver {
    /// In the order the keys were pressed.
    running: Vec<Running>,
    finished: [Option<u32>; REMEMBERED],
    oldest: usize,
}

impl DigitReceiver {
    /// Takes a telephone-event payload; [`Self::poll`] tells what it completed. The span, if any, is the
    /// part of the timeline that must not sound.
    ///
    /// # Errors
    /// [`RtpError::Truncated`] when the payload is shorter than four bytes.
    pub fn receive(
        &mut self,
        now: Instant,
        timestamp: u32,
        payload: &[u8],
    ) -> Result<Option<Span>, RtpError> {
        let (&[event, flags, d0, d1], _) = payload.split_first_chunk::<4>().ok_or(RtpError::Truncated)?;
        let Some(digit) = digit_of(event) else { return Ok(None) };
        if self.finished.contains(&Some(timestamp)) {
            return Ok(None);
        }
        let duration = u16::from_be_bytes([d0, d1]);
        let ended = flags & 0x80 != 0;
        let Some(running) = self.find_or_begin(now, timestamp, digit) else { return Ok(None) };
        // Reordered updates tell shorter durations: the longest holds.
        running.duration = running.duration.max(duration);
        running.updated = now;
        running.complete |= ended;
        Ok(Some(Span { timestamp, duration: u32::from(running.duration), ended: running.complete }))
    }

    /// The next completed digit, in the order the keys were pressed: one that overtook waits.
    pub fn poll(&mut self) -> Option<Digit> {
        let first = *self.running.first().filter(|running| running.complete)?;
        self.running.remove(0);
        self.remember(first.timestamp);
        let samples = first.earlier.saturating_add(u32::from(first.duration));
        Some(Digit { digit: first.digit, duration_ms: samples / (SAMPLE_RATE / 1_000) })
    }

    /// Completes digits whose updates stay away.
    pub fn expire(&mut self, now: Instant) {
        for running in &mut self.running {
            running.complete |= now.saturating_duration_since(running.updated) >= END_WITHOUT_UPDATE;
        }
    }

    /// Another source: what was running ends, and old timestamps mean nothing any more.
    pub fn reset(&mut self) {
        self.running.iter_mut().for_each(|running| running.complete = true);
        self.finished = [None; REMEMBERED];
    }

    fn find_or_begin(&mut self, now: Instant, timestamp: u32, digit: char) -> Option<&mut Running> {
        if let Some(at) = self.running.iter().position(|running| running.timestamp == timestamp) {
            return self.running.get_mut(at);
        }
        if let Some(at) = self.running.iter().position(|running| continues(running, timestamp, digit)) {
            let ended_segment = self.running.get(at)?.timestamp;
            self.remember(ended_segment);
            let running = self.running.get_mut(at)?;
            running.earlier = running.earlier.saturating_add(u32::from(SEGMENT));
            running.timestamp = timestamp;
            running.duration = 0;
            return Some(running);
        }
        if self.running.len() == MAX_RUNNING {
            return None;
        }
        let overtaken_by = |running: &Running| {
            (OVERTAKEN..0).contains(&timestamp.wrapping_sub(running.timestamp).cast_signed())
        };
        let at = self.running.iter().position(overtaken_by).unwrap_or(self.running.len());
        // Only one key is down at a time: what was pressed before this one has ended.
        self.running.iter_mut().take(at).for_each(|running| running.complete = true);
        let begun = Running { digit, timestamp, duration: 0, earlier: 0, updated: now, complete: false };
        self.running.insert(at, begun);
        self.running.get_mut(at)
    }

    fn remember(&mut self, timestamp: u32) {
        if let Some(slot) = self.finished.get_mut(self.oldest) {
            *slot = Some(timestamp);
        }
        self.oldest = (self.oldest + 1) % REMEMBERED;
    }
}

/// Whether a new timestamp is the next segment of a key held longer than 8 s.
fn continues(running: &Running, timestamp: u32, digit: char) -> bool {
    running.duration == SEGMENT
        && running.digit == digit
        && timestamp == running.timestamp.wrapping_add(u32::from(SEGMENT))
}

/// RFC 4733 table 7; flash and everything above is no digit.
fn digit_of(event: u8) -> Option<char> {
    match event {
        0..=9 => Some(char::from(b'0' + event)),
        10 => Some('*'),
        11 => Some('#'),
        12..=15 => Some(char::from(b'A' + event - 12)),
        _ => None,
    }
}
