//! How long to hold packets back, and how far the buffer is from that.
//!
//! Every packet has an *advance*: its timestamp minus its arrival, both in samples. The largest advance
//! of the last one to two seconds belongs to packets that met no queue; the smallest to the slowest.
//! Their distance is what the buffer must bridge. Clock drift shows as a slow slope of the largest
//! advance, so the same figure that sets the delay also corrects the drift.

use crate::{config::JitterConfig, frame::samples_in};

/// Extremes are kept for the running and the previous span of this many samples.
const SPAN: i64 = 8_000;
/// Besides the spread: one frame, because reading is in frames, and a margin for correction to work in.
const HEADROOM: i64 = 200;
/// Distance from the target that is left alone, in samples.
const TOLERANCE: i64 = 32;
/// Distance from which correction doubles.
const FAR: i64 = 160;
/// Beyond this the surplus is cut out at once: hearing late is worse than one seam.
const TOO_FAR: i64 = 800;
/// The target falls by one sample per this many frames once the network is calm.
const FALL_FRAMES: u32 = 3;

#[derive(Debug, Clone, Copy)]
struct Extremes {
    lowest: i64,
    highest: i64,
}

/// What the next reading should do to the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// Read so many samples more (or fewer, if negative) than the frame has.
    Stretch(i64),
    /// Leave so many samples out.
    Cut(i64),
}

/// The estimator of one stream.
#[derive(Debug, Clone)]
pub struct DelayControl {
    adaptive: bool,
    least: i64,
    most: i64,
    target: i64,
    running: Option<Extremes>,
    previous: Option<Extremes>,
    span_end: i64,
    frames: u32,
}

impl DelayControl {
    /// Starts at the configured delay.
    #[must_use]
    pub fn new(config: &JitterConfig) -> Self {
        let least = samples_in(config.delay_min_ms);
        let most = samples_in(config.delay_max_ms).max(least);
        Self {
            adaptive: config.adaptive,
            least,
            most,
            target: samples_in(config.delay_ms).clamp(least, most),
            running: None,
            previous: None,
            span_end: 0,
            frames: 0,
        }
    }

    /// The delay aimed at, in samples.
    #[must_use]
    pub fn target(&self) -> i64 {
        self.target
    }

    /// Forgets the network, keeps the target: the source or its clock changed.
    pub fn reset(&mut self) {
        self.running = None;
        self.previous = None;
    }

    /// Takes in one packet's advance at `clock` (samples since any beginning).
    pub fn observe(&mut self, clock: i64, advance: i64) {
        if clock >= self.span_end {
            // After a long pause the old span says nothing any more.
            self.previous = if clock - self.span_end < SPAN { self.running } else { None };
            self.running = None;
            self.span_end = clock + SPAN;
        }
        let extremes = self.running.get_or_insert(Extremes { lowest: advance, highest: advance });
        extremes.lowest = extremes.lowest.min(advance);
        extremes.highest = extremes.highest.max(advance);
    }

    /// How long the fastest packets wait now, in samples, for a reader which is `offset` ahead of the
    /// clock. `None` while nothing was observed lately.
    #[must_use]
    pub fn depth(&self, offset: i64) -> Option<i64> {
        self.extremes().map(|extremes| extremes.highest - offset)
    }

    /// How much later than aimed at the reader is, in samples; 0 while nothing was observed lately. Follows
    /// the network as [`Self::correct`] does; one of the two is asked for each frame.
    pub fn surplus(&mut self, offset: i64) -> i64 {
        let Some(extremes) = self.extremes() else { return 0 };
        if self.adaptive {
            self.retarget(extremes.highest - extremes.lowest);
        }
        extremes.highest - offset - self.target
    }

    /// Decides for the next frame. `in_hole`: nothing sounds in it, so a larger step is not heard.
    pub fn correct(&mut self, offset: i64, in_hole: bool) -> Correction {
        let surplus = self.surplus(offset);
        if surplus > TOO_FAR {
            return Correction::Cut(surplus);
        }
        let step = match surplus.abs() {
            distance if distance <= TOLERANCE => 0,
            distance if in_hole => distance.min(FAR / 2),
            distance if distance <= FAR => 1,
            _ => 2,
        };
        Correction::Stretch(step * surplus.signum())
    }

    fn retarget(&mut self, spread: i64) {
        let wanted = (spread + HEADROOM).clamp(self.least, self.most);
        self.frames = self.frames.wrapping_add(1);
        if wanted > self.target {
            self.target = wanted;
        } else if wanted < self.target && self.frames.is_multiple_of(FALL_FRAMES) {
            self.target -= 1;
        }
    }

    fn extremes(&self) -> Option<Extremes> {
        match (self.running, self.previous) {
            (Some(one), Some(other)) => Some(Extremes {
                lowest: one.lowest.min(other.lowest),
                highest: one.highest.max(other.highest),
            }),
            (one, other) => one.or(other),
        }
    }
}
