//! Digits as telephone events ([RFC 4733](https://www.rfc-editor.org/rfc/rfc4733)), receiving side; digits in
//! SIP INFO; and one filter over all three ways (the third is `inband.rs`), so that a key counts once.
//!
//! An event is known by its timestamp alone: the marker bit is unreliable in the field, and the packet
//! with the end bit may be lost. Such a digit ends when another begins or updates stay away.

use std::time::{Duration, Instant};

use crate::RtpError;

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
#[derive(Debug, Clone)]
pub struct DigitReceiver {
    /// Ticks per millisecond in which events tell their length.
    ticks_per_ms: u32,
    /// In the order the keys were pressed.
    running: Vec<Running>,
    finished: [Option<u32>; REMEMBERED],
    oldest: usize,
}

impl Default for DigitReceiver {
    /// Events of an 8 kHz clock.
    fn default() -> Self {
        Self { ticks_per_ms: 8, running: Vec::new(), finished: [None; REMEMBERED], oldest: 0 }
    }
}

impl DigitReceiver {
    /// The clock of the events, in ticks per second.
    pub fn set_clock(&mut self, hertz: u32) {
        self.ticks_per_ms = (hertz / 1_000).max(1);
    }

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
        Some(Digit { digit: first.digit, duration_ms: samples / self.ticks_per_ms })
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

/// Where a digit was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitSource {
    /// RFC 4733.
    Event,
    /// Tones in the sound.
    Tone,
    /// SIP INFO.
    Info,
}

/// A key seen in one way is not told again when another way shows it within this time: INFO comes through
/// proxies, tones are judged at their end.
const SAME_KEY: Duration = Duration::from_millis(1_000);

/// Tells each key once, however many ways it came.
#[derive(Debug, Clone, Default)]
pub struct DigitFilter {
    told: [Option<Told>; REMEMBERED],
    next: usize,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    digit: char,
    at: Instant,
    /// Seen as event, tone, INFO.
    ways: [bool; 3],
}

impl DigitFilter {
    /// Whether this digit is to be told. The same key pressed twice comes twice in each way, so each way is
    /// matched with the oldest press it has not shown yet.
    pub fn is_new(&mut self, now: Instant, digit: char, source: DigitSource) -> bool {
        let way = source as usize;
        let same = self
            .told
            .iter_mut()
            .flatten()
            .filter(|told| {
                let recent = now.saturating_duration_since(told.at) < SAME_KEY;
                recent && told.digit == digit && !told.ways.get(way).copied().unwrap_or(true)
            })
            .min_by_key(|told| told.at);
        if let Some(told) = same {
            told.ways[way] = true;
            return false;
        }
        let mut ways = [false; 3];
        ways[way] = true;
        if let Some(slot) = self.told.get_mut(self.next) {
            *slot = Some(Told { digit, at: now, ways });
        }
        self.next = (self.next + 1) % REMEMBERED;
        true
    }
}

/// Duration of a key whose INFO tells none, in milliseconds.
const INFO_DURATION_MS: u32 = 250;

/// The digit of a SIP INFO body: `application/dtmf-relay` (`Signal=5`, `Duration=160`) or
/// `application/dtmf` (`5`).
#[must_use]
pub fn digit_of_info(content_type: &str, body: &str) -> Option<Digit> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let key = |text: &str| {
        let text = text.trim();
        // "10" and "11" are star and hash to those who think in event codes.
        let code = text.parse::<u8>().ok().filter(|_| text.len() == 2).and_then(digit_of);
        let mut letters = text.chars();
        let letter = letters.next()?.to_ascii_uppercase();
        code.or((letters.next().is_none() && event_of(letter).is_some()).then_some(letter))
    };
    if kind.eq_ignore_ascii_case("application/dtmf") {
        return Some(Digit { digit: key(body)?, duration_ms: INFO_DURATION_MS });
    }
    if !kind.eq_ignore_ascii_case("application/dtmf-relay") {
        return None;
    }
    let (mut digit, mut duration_ms) = (None, INFO_DURATION_MS);
    for line in body.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        match name.trim() {
            name if name.eq_ignore_ascii_case("signal") => digit = key(value),
            name if name.eq_ignore_ascii_case("duration") => {
                duration_ms = value.trim().parse().unwrap_or(INFO_DURATION_MS);
            }
            _ => {}
        }
    }
    Some(Digit { digit: digit?, duration_ms })
}

/// The event code of a key (RFC 4733 table 7).
#[must_use]
pub fn event_of(digit: char) -> Option<u8> {
    let place = "0123456789*#ABCD".chars().position(|known| known == digit.to_ascii_uppercase())?;
    u8::try_from(place).ok()
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
