//! The jitter buffer: packets in any order and rhythm in, 20 ms every 20 ms out.
//!
//! Payloads are kept as they came and decoded when their time has come: then their order is known, and what
//! nobody listens to is never decoded. Sound lies on a timeline by RTP timestamp, so packets of any length,
//! reordering and silence suppression need no special path: what was not laid down is a hole. A hole between
//! two successive sequence numbers is silence, any other is loss and is concealed. The reader follows its own
//! clock and is stretched by a sample now and then to keep the delay (`delay.rs`), which also absorbs drift;
//! a reader of whole payloads cannot be stretched and leaves one out, or waits, instead.

use std::{collections::VecDeque, time::Instant};

use crate::{
    Codec,
    codec::Decoder,
    conceal::Concealer,
    config::JitterConfig,
    delay::{Correction, DelayControl},
    frame::{FRAME_SAMPLES, FrameKind, SILENCE, Samples, samples_between},
    noise::Noise,
};

/// How far ahead of the reader sound may lie, in samples (512 ms).
pub const CAPACITY: i64 = 4_096;
/// Packets remembered at once.
const MAX_HELD: usize = 128;
/// Largest correction of one frame, in samples; matches `delay.rs`.
const MAX_STRETCH: usize = 80;
/// A whole payload is due when it begins so near to the reader, in samples.
const NEAR: i64 = FRAME_SAMPLES as i64 / 2;
/// A reader of whole payloads leaves one out when it is so much too late, in samples.
const SURPLUS: i64 = FRAME_SAMPLES as i64 + 40;
/// Longest loss recovered from the redundancy of the packet after it, in samples (60 ms).
const MAX_RECOVERED: usize = 480;
/// Loss an own concealment of a codec is asked for, in samples (60 ms); after that silence.
const MAX_OWN_CONCEALMENT: usize = 480;
/// Buffers larger than this are not kept for the next packet, in bytes.
const KEPT_BUFFER: usize = 512;
/// So many successive packets off the timeline, agreeing with each other within `STRAYS_ALIKE` samples
/// and arriving over at least `STRAYS_TIME` samples, mean that the sender's clock jumped. Time matters:
/// after a network stall many late packets come at once.
const STRAYS: u32 = 3;
const STRAYS_ALIKE: i64 = 800;
const STRAYS_TIME: i64 = 400;

/// One packet of sound.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// Unwrapped and never seen before.
    pub sequence: i64,
    /// As in the packet.
    pub timestamp: u32,
    /// As in the packet.
    pub marker: bool,
    /// How the payload is coded.
    pub codec: Codec,
    /// The payload.
    pub payload: &'a [u8],
}

/// What became of an inserted packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It will be heard.
    Stored,
    /// Its time has passed.
    Late,
    /// It does not fit the timeline (yet): too far ahead, or too many packets held; or it is damaged.
    Refused,
    /// The timeline was laid anew for it and it will be heard.
    Resynchronised,
}

/// A packet on the timeline. One without length announces silence; its payload then describes the noise.
#[derive(Debug, Default)]
struct Held {
    start: i64,
    end: i64,
    sequence: i64,
    codec: Option<Codec>,
    payload: Vec<u8>,
}

/// A run of packets which do not fit the timeline.
#[derive(Debug, Clone, Copy)]
struct Strays {
    count: u32,
    since: i64,
    advance: i64,
}

/// What the last reading of a whole payload found, still to be turned into samples if somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    /// `samples` are ready.
    Nothing,
    /// `whole` is to be decoded.
    Payload,
    /// Something was lost.
    Loss,
    /// The sender is silent.
    Silence,
}

/// Buffer of one received stream.
pub struct JitterBuffer {
    epoch: Instant,
    control: DelayControl,
    concealer: Concealer,
    decoder: Option<Decoder>,
    held: VecDeque<Held>,
    spare: Vec<Vec<u8>>,
    /// Sequence number of the last packet read (begun to be read).
    passed: Option<i64>,
    /// Unwrapped timestamp of the newest packet in ticks, and as it came.
    newest: Option<(i64, u32)>,
    ticks_per_sample: i64,
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
    /// Decoded sound not read yet, where it begins, and whether it was made up by the codec.
    sound: Vec<i16>,
    sound_start: i64,
    sound_made_up: bool,
    /// Made up by the codec since the last real sound, in samples.
    own_concealment: usize,
    /// What the sender said its silence sounds like.
    noise: Option<Box<Noise>>,
    /// The last whole payload read, and whether its samples were asked for.
    whole: Held,
    /// `whole` is what the last reading found, decoded or not.
    is_whole: bool,
    pending: Pending,
    /// Payloads passed by undecoded, so that the decoder's memory is stale.
    stale: bool,
    samples: Samples,
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
    /// Samples recovered from redundancy in the packet after.
    pub recovered_samples: u64,
    /// Samples cut out to catch up with the sender.
    pub cut_samples: u64,
    /// Timelines begun anew.
    pub resynchronised: u64,
    /// Samples read while the sender was expected to sound: the time over which `late` and
    /// `concealed_samples` say something.
    pub sounded_samples: u64,
}

impl JitterBuffer {
    /// An empty buffer. `now` is the beginning of its clock.
    #[must_use]
    pub fn new(config: &JitterConfig, now: Instant) -> Self {
        Self {
            epoch: now,
            control: DelayControl::new(config),
            concealer: Concealer::default(),
            decoder: None,
            held: VecDeque::new(),
            spare: Vec::new(),
            passed: None,
            newest: None,
            ticks_per_sample: 1,
            position: 0,
            next_read: 0,
            anchored: false,
            has_read: false,
            has_sounded: false,
            strays: None,
            muted: (0, 0),
            sound: Vec::new(),
            sound_start: 0,
            sound_made_up: false,
            own_concealment: 0,
            noise: None,
            whole: Held::default(),
            is_whole: false,
            pending: Pending::Nothing,
            stale: false,
            samples: SILENCE,
            counters: Counters::default(),
        }
    }

    /// Keeps a packet until its time has come.
    pub fn insert(&mut self, now: Instant, packet: Arrived<'_>) -> Inserted {
        let Some(length) = packet.codec.samples_in(packet.payload) else {
            self.counters.refused += 1;
            return Inserted::Refused;
        };
        self.count_by(packet.codec);
        let clock = samples_between(self.epoch, now);
        let mut ticks = self.extend(packet.timestamp);
        let mut start = ticks.div_euclid(self.ticks_per_sample);
        let advance = start - clock;
        let mut outcome = Inserted::Stored;
        if !self.anchored {
            (ticks, start) = self.anchor(clock, advance, packet.timestamp);
        } else {
            let end = start + length as i64;
            if end <= self.position || end > self.position + CAPACITY {
                let late = end <= self.position;
                if !self.stray(clock, advance, packet.marker) {
                    if late && self.position - end < CAPACITY {
                        self.control.observe(clock, advance);
                    }
                    let counter = if late { &mut self.counters.late } else { &mut self.counters.refused };
                    *counter += 1;
                    return if late { Inserted::Late } else { Inserted::Refused };
                }
                self.resynchronise();
                (ticks, start) = self.anchor(clock, advance, packet.timestamp);
                outcome = Inserted::Resynchronised;
            }
        }
        self.strays = None;
        let end = start + length as i64;
        let packet_codec = Some(packet.codec);
        if !self.hold(start, end, packet.sequence, packet_codec, packet.payload) {
            self.counters.refused += 1;
            return Inserted::Refused;
        }
        self.control.observe(clock, start - clock);
        if self.newest.is_none_or(|(newest, _)| ticks > newest) {
            self.newest = Some((ticks, packet.timestamp));
        }
        outcome
    }

    /// Comfort noise (its payload), or another packet without sound of its own (none): from `timestamp` on
    /// the sender is silent, and its sequence number is accounted for.
    pub fn insert_silence(&mut self, sequence: i64, timestamp: u32, noise: &[u8]) {
        if self.anchored {
            let start = self.extend(timestamp).div_euclid(self.ticks_per_sample);
            self.hold(start, start, sequence, None, noise.get(..32).unwrap_or(noise));
        }
    }

    /// A digit sounds from `timestamp` for `duration` samples: silence there, even if sound was sent.
    pub fn mute(&mut self, timestamp: u32, duration: u32) {
        if self.newest.is_some() {
            let start = self.extend(timestamp).div_euclid(self.ticks_per_sample);
            self.muted = (start, start + i64::from(duration));
        }
    }

    /// Reads the next 20 ms of sound. `now` is their nominal time, 20 ms after the one before, however late
    /// the reader really is.
    pub fn read(&mut self, now: Instant) -> FrameKind {
        self.settle();
        self.is_whole = false;
        let clock = self.begin_reading(now);
        let wanted = self.length_of_next_read();
        let mut scratch = [0; FRAME_SAMPLES + MAX_STRETCH];
        let kind = match scratch.get_mut(..wanted) {
            Some(scratch) => self.take(scratch),
            None => FrameKind::Silence,
        };
        self.next_read = clock + FRAME_SAMPLES as i64;
        stretch(scratch.get(..wanted).unwrap_or(&scratch), &mut self.samples);
        kind
    }

    /// Reads the next 20 ms as the payload they came in, when one payload is just that; [`Self::payload`] has
    /// it then, and [`Self::samples`] decodes it if somebody wants to hear it.
    pub fn read_whole(&mut self, now: Instant) -> FrameKind {
        if self.pending == Pending::Payload {
            // Nobody asked for its samples.
            self.stale = true;
        }
        self.pending = Pending::Nothing;
        self.is_whole = false;
        if !self.anchored {
            return self.read(now);
        }
        let clock = self.begin_reading(now);
        self.realign();
        let frame = FRAME_SAMPLES as i64;
        let surplus = self.control.surplus(self.position - self.next_read);
        if surplus > SURPLUS {
            let cut = surplus / frame * frame;
            self.counters.cut_samples += cut.unsigned_abs();
            self.drop_until(self.position + cut);
        }
        let silent = self.pass(self.position - NEAR);
        let muted = self.muted.0 < self.position + frame && self.position < self.muted.1;
        let front = self.held.front().map(|held| (held.start, held.end, held.sequence));
        let kind = match front {
            Some((start, end, _)) if start <= self.position + NEAR && end > start => {
                if end - start != frame || muted {
                    return self.read(now);
                }
                let held = self.held.pop_front().unwrap_or_default();
                self.passed = Some(held.sequence);
                self.position = held.end;
                let used = std::mem::replace(&mut self.whole, held);
                self.keep(used.payload);
                self.pending = Pending::Payload;
                self.is_whole = true;
                self.has_sounded = true;
                self.counters.sounded_samples += frame as u64;
                FrameKind::Voice
            }
            // Early: the sender's clock is slower, so wait for it.
            None if surplus < -SURPLUS => {
                self.pending = Pending::Silence;
                FrameKind::Silence
            }
            _ => {
                let follows = front.is_some_and(|(_, _, sequence)| Some(sequence - 1) == self.passed);
                let lost = !(silent || follows || self.own_concealment >= MAX_OWN_CONCEALMENT);
                self.position += frame;
                self.pending = if lost { Pending::Loss } else { Pending::Silence };
                if lost {
                    self.own_concealment += FRAME_SAMPLES;
                    FrameKind::Concealed
                } else if self.has_sounded {
                    FrameKind::Silence
                } else {
                    FrameKind::NothingYet
                }
            }
        };
        if self.pending == Pending::Payload {
            self.own_concealment = 0;
        }
        self.next_read = clock + frame;
        kind
    }

    /// The payload of the last [`Self::read_whole`], if it was one payload of 20 ms; whether its samples were
    /// asked for before makes no difference.
    #[must_use]
    pub fn payload(&self) -> Option<(Codec, &[u8])> {
        self.whole.codec.filter(|_| self.is_whole).map(|codec| (codec, self.whole.payload.as_slice()))
    }

    /// The samples of the last reading.
    pub fn samples(&mut self) -> &Samples {
        self.settle();
        &self.samples
    }

    /// The reader stood still for `frames`: what they would have held is dropped.
    pub fn skip(&mut self, frames: u32) {
        let samples = i64::from(frames) * FRAME_SAMPLES as i64;
        self.drop_until(self.position + samples);
        self.next_read += samples;
    }

    /// Another source, or the same one begun anew: the next packet lays a new timeline.
    pub fn resynchronise(&mut self) {
        while let Some(held) = self.held.pop_front() {
            self.keep(held.payload);
        }
        self.sound.clear();
        self.noise = None;
        self.passed = None;
        self.anchored = false;
        self.strays = None;
        self.muted = (0, 0);
        self.stale = true;
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

    /// Another codec may count time in other units: then the timeline begins anew.
    fn count_by(&mut self, codec: Codec) {
        let ticks = i64::from(codec.ticks_per_sample());
        if ticks != self.ticks_per_sample {
            if self.anchored {
                self.resynchronise();
            }
            self.newest = None;
            self.ticks_per_sample = ticks;
        }
    }

    /// Timestamps on a line without wrap, in ticks, relative to the newest seen.
    fn extend(&self, timestamp: u32) -> i64 {
        match self.newest {
            Some((extended, newest)) => extended + i64::from(timestamp.wrapping_sub(newest).cast_signed()),
            None => i64::from(timestamp),
        }
    }

    /// Places the reader so that a packet of this advance waits for the target delay. Returns where the
    /// packet lies, in ticks and samples.
    fn anchor(&mut self, clock: i64, advance: i64, timestamp: u32) -> (i64, i64) {
        if !self.has_read {
            self.next_read = clock;
        }
        self.position = self.next_read + advance - self.control.target();
        self.anchored = true;
        // The reference moves along, so that later timestamps unwrap near this one.
        let start = advance + clock;
        let ticks = start * self.ticks_per_sample;
        self.newest = Some((ticks, timestamp));
        (ticks, start)
    }

    /// Whether a packet off the timeline is reason enough to begin a new one.
    fn stray(&mut self, clock: i64, advance: i64, marker: bool) -> bool {
        let offset = advance - (self.position - self.next_read);
        let far = !(-CAPACITY..=CAPACITY).contains(&offset);
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

    fn hold(&mut self, start: i64, end: i64, sequence: i64, codec: Option<Codec>, payload: &[u8]) -> bool {
        if self.held.len() == MAX_HELD {
            return false;
        }
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.extend_from_slice(payload);
        let after = self.held.iter().rposition(|held| held.sequence < sequence);
        let held = Held { start, end, sequence, codec, payload: kept };
        self.held.insert(after.map_or(0, |at| at + 1), held);
        true
    }

    /// Takes a buffer back.
    fn keep(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > 0 && buffer.capacity() <= KEPT_BUFFER && self.spare.len() < MAX_HELD {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn begin_reading(&mut self, now: Instant) -> i64 {
        let clock = samples_between(self.epoch, now);
        if !self.has_read {
            self.position += clock - self.next_read;
            self.has_read = true;
        }
        self.next_read = clock;
        clock
    }

    fn length_of_next_read(&mut self) -> usize {
        if !self.anchored {
            return FRAME_SAMPLES;
        }
        let hole = !self.sounds_within(self.position, self.position + FRAME_SAMPLES as i64);
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

    fn sounds_within(&self, from: i64, to: i64) -> bool {
        self.sound_end() > from
            || self.held.iter().any(|held| held.start < to && held.end > from && held.end > held.start)
    }

    /// Where decoded sound ends; without any, before everything.
    fn sound_end(&self) -> i64 {
        if self.sound.is_empty() { i64::MIN } else { self.sound_start + self.sound.len() as i64 }
    }

    /// Reads from the timeline and moves on.
    fn take(&mut self, out: &mut [i16]) -> FrameKind {
        let (mut real, mut made_up) = (0, 0);
        let end = self.position + out.len() as i64;
        let mut rest = out;
        while !rest.is_empty() {
            let at = self.position;
            let (muted_from, muted_to) = self.muted;
            let muted = muted_from <= at && at < muted_to;
            let limit = if muted {
                muted_to.min(end)
            } else if muted_from > at {
                muted_from.min(end)
            } else {
                end
            };
            let (count, kind) = if muted {
                let count = (limit - at) as usize;
                self.discard(limit);
                self.concealer.silence();
                rest.iter_mut().take(count).for_each(|slot| *slot = 0);
                (count, FrameKind::Silence)
            } else {
                self.take_segment(limit, rest)
            };
            match kind {
                FrameKind::Voice => real += count,
                FrameKind::Concealed => made_up += count,
                FrameKind::Silence | FrameKind::NothingYet => {}
            }
            self.position += count.max(1) as i64;
            rest = rest.get_mut(count.max(1)..).unwrap_or_default();
        }
        self.pass(self.position);
        if self.anchored {
            self.counters.sounded_samples += (real + made_up) as u64;
        }
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

    /// Reads sound or hole, whichever lies at the position, up to `limit` at most.
    fn take_segment(&mut self, limit: i64, out: &mut [i16]) -> (usize, FrameKind) {
        let at = self.position;
        if self.sound_end() <= at {
            self.decode_at(at);
        }
        if self.sound_start <= at && at < self.sound_end() {
            let from = (at - self.sound_start) as usize;
            let count = ((limit.min(self.sound_end()) - at) as usize).min(out.len());
            if let (Some(out), Some(sound)) = (out.get_mut(..count), self.sound.get(from..from + count)) {
                out.copy_from_slice(sound);
                if !self.sound_made_up {
                    self.concealer.real(out);
                    return (count, FrameKind::Voice);
                }
                self.counters.concealed_samples += count as u64;
            }
            return (count, FrameKind::Concealed);
        }
        let next = self.held.iter().map(|held| held.start).filter(|start| *start > at).min();
        let count = ((next.map_or(limit, |next| next.min(limit)) - at) as usize).min(out.len());
        let Some(out) = out.get_mut(..count) else { return (count, FrameKind::Silence) };
        if self.silent_at(at) {
            self.concealer.silence();
            self.make_noise(out);
            return (count, FrameKind::Silence);
        }
        let made = self.concealer.missing(out);
        self.counters.concealed_samples += made as u64;
        (count, if made > 0 { FrameKind::Concealed } else { FrameKind::Silence })
    }

    /// Decodes the packet that lies at a position, or asks the codec to fill the hole there.
    fn decode_at(&mut self, at: i64) {
        self.pass(at);
        let Some(front) = self.held.front() else { return self.conceal_by_codec(at) };
        if front.start > at {
            return self.conceal_by_codec(at);
        }
        let Some(held) = self.held.pop_front() else { return };
        self.passed = Some(held.sequence);
        self.sound_start = held.start;
        self.sound_made_up = false;
        self.own_concealment = 0;
        self.noise = None;
        self.decode(held.codec, &held.payload, (held.end - held.start) as usize);
        self.keep(held.payload);
    }

    fn decode(&mut self, codec: Option<Codec>, payload: &[u8], length: usize) {
        let Some(codec) = codec else { return self.sound.clear() };
        let decoder = match &mut self.decoder {
            Some(decoder) if decoder.codec() == codec => decoder,
            other => other.insert(Decoder::new(codec)),
        };
        if std::mem::take(&mut self.stale) {
            decoder.reset();
        }
        self.sound.resize(length, 0);
        let written = decoder.decode(payload, &mut self.sound);
        // A damaged payload decodes to less, or nothing: a hole then.
        self.sound.truncate(written);
    }

    /// Opus hears from the next packet what was lost, or goes on from its own memory.
    fn conceal_by_codec(&mut self, at: i64) {
        let Some(decoder @ Decoder::Opus(_)) = &mut self.decoder else { return };
        if self.stale || self.own_concealment >= MAX_OWN_CONCEALMENT || !self.has_sounded {
            return;
        }
        let next = self.held.front().map(|next| (next.start, next.sequence));
        if let (Some((start, sequence)), Some(passed)) = (next, self.passed) {
            if sequence == passed + 1 {
                return;
            }
            let hole = start - at;
            let payload = self.held.front().map(|next| next.payload.as_slice()).unwrap_or_default();
            if sequence == passed + 2 && (1..=MAX_RECOVERED as i64).contains(&hole) {
                self.sound.resize(hole as usize, 0);
                let recovered = decoder.recover(payload, &mut self.sound);
                if recovered == hole as usize {
                    self.counters.recovered_samples += recovered as u64;
                    self.sound_start = at;
                    self.sound_made_up = false;
                    return;
                }
            }
        }
        self.sound.resize(FRAME_SAMPLES, 0);
        let made = decoder.conceal(&mut self.sound);
        self.sound.truncate(made);
        self.sound_start = at;
        self.sound_made_up = true;
        self.own_concealment += made;
    }

    /// Whether the hole at a position is the sender's silence rather than a lost packet.
    fn silent_at(&mut self, at: i64) -> bool {
        let silence_began = self.pass(at);
        let next_follows = match (self.held.front(), self.passed) {
            (Some(next), Some(passed)) => next.start > at && next.sequence == passed + 1,
            _ => false,
        };
        silence_began || next_follows || self.noise.is_some()
    }

    fn make_noise(&mut self, out: &mut [i16]) {
        match &mut self.noise {
            Some(noise) => noise.fill(out),
            None => out.fill(0),
        }
    }

    /// Forgets packets which end before a position; true when the last of them announced silence.
    fn pass(&mut self, at: i64) -> bool {
        let mut silence = false;
        while self.held.front().is_some_and(|held| held.end <= at) {
            let Some(held) = self.held.pop_front() else { break };
            silence = held.start == held.end;
            self.passed = Some(held.sequence);
            if silence {
                let noise = Noise::new(&held.payload, held.sequence as u32);
                match &mut self.noise {
                    Some(running) => **running = noise,
                    none => *none = Some(Box::new(noise)),
                }
            }
            self.keep(held.payload);
        }
        if silence {
            self.concealer.silence();
        }
        silence || self.noise.is_some()
    }

    /// Whole payloads are read from one's beginning: what is left of a decoded one is dropped.
    fn realign(&mut self) {
        if self.sound_end() > self.position {
            self.position = self.sound_end();
        }
        self.sound.clear();
    }

    /// Turns what the last whole reading found into samples.
    fn settle(&mut self) {
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => {}
            Pending::Payload => {
                let whole = std::mem::take(&mut self.whole);
                self.noise = None;
                self.decode(whole.codec, &whole.payload, FRAME_SAMPLES);
                self.samples = SILENCE;
                if let Some(start) = self.samples.get_mut(..self.sound.len()) {
                    start.copy_from_slice(&self.sound);
                    self.concealer.real(start);
                }
                self.sound.clear();
                self.whole = whole;
            }
            Pending::Loss => {
                let made = match &mut self.decoder {
                    Some(decoder) if !self.stale => decoder.conceal(&mut self.samples),
                    _ => 0,
                };
                if made == 0 {
                    self.concealer.missing(&mut self.samples);
                }
                self.counters.concealed_samples += FRAME_SAMPLES as u64;
            }
            Pending::Silence => {
                self.concealer.silence();
                let mut samples = SILENCE;
                self.make_noise(&mut samples);
                self.samples = samples;
            }
        }
    }

    /// Packets that end before `position` are not heard.
    fn discard(&mut self, position: i64) {
        self.pass(position);
        if self.sound_end() <= position {
            self.sound.clear();
        }
    }

    fn drop_until(&mut self, position: i64) {
        self.position = position;
        self.discard(position);
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
