//! "Was it recorded?" answered from what went into the file, never assumed (rustpbx #171: files of size 0).

use std::time::Duration;

use crate::{
    frame::{FRAME_SAMPLES, duration_of},
    recorder::BYTES_PER_INSTANT,
};

/// Gaps told one by one; beyond, the last is drawn out over all that follow.
const MAX_GAPS: usize = 64;
/// A frame above this mean energy has somebody or something in it (-50 dB of full scale): a line without a
/// talker stays below, the quietest talker does not.
const ACTIVE: i64 = 10_737;
/// So much of that and a channel is alive (100 ms; a click is not).
const ALIVE: Duration = Duration::from_millis(100);

/// What went into a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordingCheck {
    /// How long it plays.
    pub duration: Duration,
    /// Bytes the file should have.
    pub bytes: u64,
    /// Left.
    pub caller: ChannelCheck,
    /// Right.
    pub agent: ChannelCheck,
    /// What was lost on the way, and is silence in the file.
    pub gaps: Vec<Gap>,
    /// Sum of all gaps, those not told one by one included.
    pub lost: Duration,
    /// How long it was paused on purpose.
    pub paused: Duration,
}

/// What went into one channel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ChannelCheck {
    /// The loudest sample.
    pub peak: u16,
    /// Mean level, in dB of full scale; minus infinity for digital silence.
    pub level_db: f32,
    /// How long somebody or something was to be heard.
    pub active: Duration,
}

/// A stretch of a recording that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// From the beginning.
    pub from: Duration,
    /// Where sound goes on.
    pub until: Duration,
}

impl RecordingCheck {
    /// Whether the caller is on it.
    #[must_use]
    pub fn caller_alive(&self) -> bool {
        self.caller.is_alive()
    }

    /// Whether anybody the caller heard is on it. A call nobody answered has none and is in order.
    #[must_use]
    pub fn agent_alive(&self) -> bool {
        self.agent.is_alive()
    }
}

impl ChannelCheck {
    /// Whether it has more than a click.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.active >= ALIVE
    }
}

/// Measures while the file is written.
#[derive(Debug, Default)]
pub struct Meter {
    sides: [Side; 2],
    gaps: Vec<Gap>,
    lost: u64,
}

#[derive(Debug, Default)]
struct Side {
    peak: u16,
    energy: i128,
    active_frames: u64,
}

impl Meter {
    /// Hears interleaved little-endian samples.
    pub fn hear(&mut self, pcm: &[u8]) {
        for frame in pcm.chunks(FRAME_SAMPLES * BYTES_PER_INSTANT) {
            let instants = frame.as_chunks::<BYTES_PER_INSTANT>().0;
            let mut energy = [0i64; 2];
            let mut peak = [0i32; 2];
            for &[l0, l1, r0, r1] in instants {
                let both = [i32::from(i16::from_le_bytes([l0, l1])), i32::from(i16::from_le_bytes([r0, r1]))];
                for ((energy, peak), sample) in energy.iter_mut().zip(&mut peak).zip(both) {
                    *energy += i64::from(sample * sample);
                    *peak = (*peak).max(sample.abs());
                }
            }
            for ((side, energy), peak) in self.sides.iter_mut().zip(energy).zip(peak) {
                side.energy += i128::from(energy);
                side.peak = side.peak.max(u16::try_from(peak).unwrap_or(u16::MAX));
                side.active_frames += u64::from(energy > ACTIVE * instants.len() as i64);
            }
        }
    }

    /// Instants that never came.
    pub fn lose(&mut self, from: u64, until: u64) {
        self.lost += until.saturating_sub(from);
        let gap = Gap { from: duration_of(from), until: duration_of(until) };
        if self.gaps.len() < MAX_GAPS {
            self.gaps.push(gap);
        } else if let Some(last) = self.gaps.last_mut() {
            last.until = gap.until;
        }
    }

    /// The verdict over a recording of so many instants.
    pub fn verdict(&self, instants: u64, bytes: u64, paused: u64) -> RecordingCheck {
        let [caller, agent] = &self.sides;
        RecordingCheck {
            duration: duration_of(instants),
            bytes,
            caller: caller.verdict(instants),
            agent: agent.verdict(instants),
            gaps: self.gaps.clone(),
            lost: duration_of(self.lost),
            paused: duration_of(paused),
        }
    }
}

impl Side {
    fn verdict(&self, instants: u64) -> ChannelCheck {
        let mean = self.energy as f64 / instants.max(1) as f64;
        ChannelCheck {
            peak: self.peak,
            level_db: (10.0 * (mean / f64::from(1 << 30)).log10()) as f32,
            active: duration_of(self.active_frames * FRAME_SAMPLES as u64),
        }
    }
}
