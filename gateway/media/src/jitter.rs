//! The jitter buffer: packets in any order and rhythm in, one frame every 20 ms out.
//!
//! Sound is laid on a timeline by RTP timestamp, so packets of any length, reordering and silence
//! suppression need no special path: what was not laid down is a hole. A hole between two successive
//! sequence numbers is silence, any other is loss and is concealed. The reader follows its own clock and
//! is stretched by a sample now and then to keep the delay (`delay.rs`), which also absorbs drift.

use std::{collections::VecDeque, time::Instant};

use crate::{
    conceal::Concealer,
    config::JitterConfig,
    delay::{Correction, DelayControl},
    frame::{FRAME_SAMPLES, FrameKind, Samples, samples_between},
};

/// Length of the timeline kept, in samples (512 ms).
pub const CAPACITY: usize = 4_096;
/// Packets remembered at once.
const MAX_HELD: usize = 128;
/// Largest correction of one frame, in samples; matches `delay.rs`.
const MAX_STRETCH: usize = 80;
/// So many successive packets off the timeline, agreeing with each other within `STRAYS_ALIKE` samples
/// and arriving over at least `STRAYS_TIME` samples, mean that the sender's clock jumped. Time matters:
/// after a network stall many late packets come at once.
const STRAYS: u32 = 3;
const STRAYS_ALIKE: i64 = 800;
const STRAYS_TIME: i64 = 400;

/// What became of an inserted packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It will be heard.
    Stored,
    /// Its time has passed.
    Late,
    /// It does not fit the timeline (yet): too far ahead, or too many packets held.
    Refused,
    /// The timeline was laid anew for it and it will be heard.
    Resynchronised,
}

/// A packet on the timeline.
#[derive(Debug, Clone, Copy)]
struct Held {
    start: i64,
    end: i64,
    sequence: i64,
}

/// A run of packets which do not fit the timeline.
#[derive(Debug, Clone, Copy)]
struct Strays {
    count: u32,
    since: i64,
    advance: i64,
}

/// Buffer of one received stream.
pub struct JitterBuffer {
    epoch: Instant,
    control: DelayControl,
    concealer: Concealer,
    samples: Box<[i16; CAPACITY]>,
    filled: Box<[bool; CAPACITY]>,
    held: VecDeque<Held>,
    /// Sequence number of the last packet read to its end.
    passed: Option<i64>,
    /// Unwrapped timestamp of the newest packet, and as it came.
    newest: Option<(i64, u32)>,
    /// Timeline position the next reading begins at.
    position: i64,
    /// When that will be, on our clock.
    next_read: i64,
    /// Whether anything was laid down since the timeline began.
    anchored: bool,
    has_read: bool,
    has_sounded: bool,
    strays: Option<Strays>,
    /// A digit is being pressed in this range: silence, whatever was laid there.
    muted: (i64, i64),
    /// Counters, kept across resynchronisation.
    pub counters: Counters,
}

/// What happened in a buffer since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that did not fit the timeline.
    pub refused: u64,
    /// Samples made up for lost ones.
    pub concealed_samples: u64,
    /// Samples cut out to catch up with the sender.
    pub cut_samples: u64,
    /// Timelines begun anew.
    pub resynchronised: u64,
}

impl JitterBuffer {
    /// An empty buffer. `now` is the beginning of its clock.
    #[must_use]
    pub fn new(config: &JitterConfig, now: Instant) -> Self {
        Self {
            epoch: now,
            control: DelayControl::new(config),
            concealer: Concealer::default(),
            samples: Box::new([0; CAPACITY]),
            filled: Box::new([false; CAPACITY]),
            held: VecDeque::with_capacity(MAX_HELD),
            passed: None,
            newest: None,
            position: 0,
            next_read: 0,
            anchored: false,
            has_read: false,
            has_sounded: false,
            strays: None,
            muted: (0, 0),
            counters: Counters::default(),
        }
    }

    /// Lays a packet's samples on the timeline. `sequence` is unwrapped and never seen before.
    pub fn insert(
        &mut self,
        now: Instant,
        sequence: i64,
        timestamp: u32,
        marker: bool,
        sound: &[i16],
    ) -> Inserted {
        let clock = samples_between(self.epoch, now);
        let start = self.extend(timestamp);
        let end = start + sound.len() as i64;
        let advance = start - clock;
        let mut outcome = Inserted::Stored;
        if !self.anchored {
            self.anchor(clock, advance);
        } else if end <= self.position || end > self.position + CAPACITY as i64 {
            let late = end <= self.position;
            if !self.stray(clock, advance, marker) {
                if late && self.position - end < CAPACITY as i64 {
                    self.control.observe(clock, advance);
                }
                let counter = if late { &mut self.counters.late } else { &mut self.counters.refused };
                *counter += 1;
                return if late { Inserted::Late } else { Inserted::Refused };
            }
            self.resynchronise();
            self.anchor(clock, advance);
            outcome = Inserted::Resynchronised;
        }
        self.strays = None;
        if !self.hold(Held { start, end, sequence }) {
            self.counters.refused += 1;
            return Inserted::Refused;
        }
        self.control.observe(clock, advance);
        if self.newest.is_none_or(|(newest, _)| start > newest) {
            self.newest = Some((start, timestamp));
        }
        for (at, &sample) in (start..).zip(sound) {
            if at >= self.position {
                self.lay(at, sample);
            }
        }
        outcome
    }

    /// Comfort noise or another packet without sound of its own: from `timestamp` on the sender is
    /// silent, and its sequence number is accounted for.
    pub fn insert_silence(&mut self, sequence: i64, timestamp: u32) {
        if self.anchored {
            let start = self.extend(timestamp);
            self.hold(Held { start, end: start, sequence });
        }
    }

    /// A digit sounds from `timestamp` for `duration` samples: silence there, even if sound was sent.
    pub fn mute(&mut self, timestamp: u32, duration: u32) {
        if self.newest.is_some() {
            let start = self.extend(timestamp);
            self.muted = (start, start + i64::from(duration));
        }
    }

    /// Reads the next frame. `now` is the frame's nominal time, 20 ms after the one before, however late
    /// the reader really is.
    pub fn read(&mut self, now: Instant, out: &mut Samples) -> FrameKind {
        let clock = samples_between(self.epoch, now);
        if !self.has_read {
            self.position += clock - self.next_read;
            self.has_read = true;
        }
        self.next_read = clock;
        let wanted = self.length_of_next_read();
        let mut scratch = [0; FRAME_SAMPLES + MAX_STRETCH];
        let kind = match scratch.get_mut(..wanted) {
            Some(scratch) => self.take(scratch),
            None => FrameKind::Silence,
        };
        self.next_read = clock + FRAME_SAMPLES as i64;
        stretch(scratch.get(..wanted).unwrap_or(&scratch), out);
        kind
    }

    /// The reader stood still for `frames`: what they would have held is dropped.
    pub fn skip(&mut self, frames: u32) {
        let samples = i64::from(frames) * FRAME_SAMPLES as i64;
        self.drop_until(self.position + samples);
        self.next_read += samples;
    }

    /// Another source, or the same one begun anew: the next packet lays a new timeline.
    pub fn resynchronise(&mut self) {
        self.filled.fill(false);
        self.held.clear();
        self.passed = None;
        self.anchored = false;
        self.strays = None;
        self.muted = (0, 0);
        self.control.reset();
        self.counters.resynchronised += 1;
    }

    /// How long the fastest packets wait now, in samples.
    #[must_use]
    pub fn delay(&self) -> Option<i64> {
        self.control.depth(self.position - self.next_read)
    }

    /// The delay aimed at, in samples.
    #[must_use]
    pub fn target(&self) -> i64 {
        self.control.target()
    }

    /// Timestamps on a line without wrap, relative to the newest seen.
    fn extend(&self, timestamp: u32) -> i64 {
        match self.newest {
            Some((extended, newest)) => extended + i64::from(timestamp.wrapping_sub(newest).cast_signed()),
            None => i64::from(timestamp),
        }
    }

    /// Places the reader so that a packet of this advance waits for the target delay.
    fn anchor(&mut self, clock: i64, advance: i64) {
        if !self.has_read {
            self.next_read = clock;
        }
        self.position = self.next_read + advance - self.control.target();
        self.anchored = true;
        // The reference moves along, so that later timestamps unwrap near this one.
        let start = advance + clock;
        self.newest = Some((start, start as u32));
    }

    /// Whether a packet off the timeline is reason enough to begin a new one.
    fn stray(&mut self, clock: i64, advance: i64, marker: bool) -> bool {
        let offset = advance - (self.position - self.next_read);
        let far = offset < -(CAPACITY as i64) || offset > CAPACITY as i64;
        // Start of a talk spurt whose timestamps do not continue the old ones: nothing to wait for.
        if marker && far {
            return true;
        }
        let strays = match self.strays {
            Some(strays) if (strays.advance - advance).abs() < STRAYS_ALIKE => {
                Strays { count: strays.count + 1, ..strays }
            }
            _ => Strays { count: 1, since: clock, advance },
        };
        self.strays = Some(strays);
        strays.count >= STRAYS && clock - strays.since >= STRAYS_TIME
    }

    fn hold(&mut self, packet: Held) -> bool {
        if self.held.len() == MAX_HELD {
            return false;
        }
        let after = self.held.iter().rposition(|held| held.sequence < packet.sequence);
        self.held.insert(after.map_or(0, |at| at + 1), packet);
        true
    }

    fn length_of_next_read(&mut self) -> usize {
        if !self.anchored {
            return FRAME_SAMPLES;
        }
        let hole = !(0..FRAME_SAMPLES as i64).any(|at| self.is_filled(self.position + at));
        match self.control.correct(self.position - self.next_read, hole) {
            Correction::Cut(samples) => {
                self.counters.cut_samples += samples.unsigned_abs();
                self.drop_until(self.position + samples);
                FRAME_SAMPLES
            }
            Correction::Stretch(step) => {
                (FRAME_SAMPLES as i64 + step.clamp(-(MAX_STRETCH as i64), MAX_STRETCH as i64)) as usize
            }
        }
    }

    /// Reads from the timeline and moves on.
    fn take(&mut self, out: &mut [i16]) -> FrameKind {
        let (mut real, mut made_up) = (0usize, 0u64);
        let mut hole_is_silence = None;
        for slot in out.iter_mut() {
            let at = self.position;
            if self.muted.0 <= at && at < self.muted.1 {
                self.remove(at);
                self.concealer.silence();
                *slot = 0;
            } else if let Some(sample) = self.remove(at) {
                hole_is_silence = None;
                real += 1;
                *slot = self.concealer.real(sample);
            } else {
                if *hole_is_silence.get_or_insert_with(|| self.silent_at(at)) {
                    self.concealer.silence();
                }
                let sample = self.concealer.missing();
                made_up += u64::from(sample.is_some());
                *slot = sample.unwrap_or(0);
            }
            self.position += 1;
        }
        self.pass(self.position);
        self.counters.concealed_samples += made_up;
        if real > 0 {
            self.has_sounded = true;
            FrameKind::Voice
        } else if made_up > 0 {
            FrameKind::Concealed
        } else if self.has_sounded {
            FrameKind::Silence
        } else {
            FrameKind::NothingYet
        }
    }

    /// Whether the hole at a position is the sender's silence rather than a lost packet.
    fn silent_at(&mut self, at: i64) -> bool {
        let silence_began = self.pass(at);
        let next_follows = match (self.held.front(), self.passed) {
            (Some(next), Some(passed)) => next.start > at && next.sequence == passed + 1,
            _ => false,
        };
        silence_began || next_follows
    }

    /// Forgets packets which end before a position; true when the last of them announced silence.
    fn pass(&mut self, at: i64) -> bool {
        let mut silence = false;
        while let Some(held) = self.held.front()
            && held.end <= at
        {
            silence = held.start == held.end;
            self.passed = Some(held.sequence);
            self.held.pop_front();
        }
        if silence {
            self.concealer.silence();
        }
        silence
    }

    fn drop_until(&mut self, position: i64) {
        let end = position.min(self.position + CAPACITY as i64);
        for at in self.position..end {
            self.remove(at);
        }
        self.position = position;
        self.pass(position);
    }

    fn slot(at: i64) -> usize {
        at.rem_euclid(CAPACITY as i64) as usize
    }

    fn is_filled(&self, at: i64) -> bool {
        self.filled.get(Self::slot(at)).copied().unwrap_or(false)
    }

    fn lay(&mut self, at: i64, sample: i16) {
        let slot = Self::slot(at);
        if let (Some(filled), Some(kept)) = (self.filled.get_mut(slot), self.samples.get_mut(slot)) {
            *filled = true;
            *kept = sample;
        }
    }

    fn remove(&mut self, at: i64) -> Option<i16> {
        let slot = Self::slot(at);
        let filled = std::mem::take(self.filled.get_mut(slot)?);
        filled.then(|| self.samples.get(slot).copied()).flatten()
    }
}

/// Fits what was read into one frame by linear interpolation; a plain copy when lengths agree.
fn stretch(from: &[i16], out: &mut Samples) {
    if from.len() == out.len() {
        out.copy_from_slice(from);
        return;
    }
    // First sample on first, last on last, in 1/65536 of a sample.
    let step = ((from.len().saturating_sub(1)) << 16) / (FRAME_SAMPLES - 1);
    for (index, slot) in out.iter_mut().enumerate() {
        let at = index * step;
        let low = i64::from(from.get(at >> 16).copied().unwrap_or(0));
        let high = i64::from(from.get((at >> 16) + 1).copied().unwrap_or(low as i16));
        let part = (at & 0xffff) as i64;
        *slot = ((low * (0x1_0000 - part) + high * part) >> 16) as i16;
    }
}
