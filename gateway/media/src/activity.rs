//! Is somebody speaking? By energy over an adapting noise floor: enough to end a voice message or to
//! notice a dead line, not meant for segmenting speech (that is `asr`'s business).

use std::time::{Duration, Instant};

use crate::frame::Samples;

/// Speech stands out of the line's noise by this factor of energy (9 dB).
const ABOVE_NOISE: f32 = 8.0;
/// A click is no speech: so many loud frames in a row are (60 ms).
const ONSET_FRAMES: u32 = 3;
/// The noise floor follows down at once and up by this factor a frame (about 1.7 dB a second).
const FLOOR_RISE: f32 = 1.008;

/// Detector for one leg.
#[derive(Debug, Clone)]
pub struct Activity {
    least_energy: f32,
    hangover: Duration,
    floor: f32,
    loud_frames: u32,
    speaking: bool,
    last_loud: Instant,
    silent_since: Instant,
}

impl Activity {
    /// Nobody speaks at `now`. Sound below `floor_db` (dB of full scale, RMS) never counts.
    #[must_use]
    pub fn new(floor_db: f32, hangover: Duration, now: Instant) -> Self {
        let least_energy = 32_768.0f32.powi(2) * 10.0f32.powf(floor_db / 10.0);
        Self {
            least_energy,
            hangover,
            floor: least_energy,
            loud_frames: 0,
            speaking: false,
            last_loud: now,
            silent_since: now,
        }
    }

    /// Hears a frame; tells when speech begins or ends.
    pub fn hear(&mut self, now: Instant, samples: &Samples) -> Option<bool> {
        let energy = mean_square(samples);
        let loud = energy > self.least_energy.max(self.floor * ABOVE_NOISE);
        // Never above half the loudest plausible noise, or a long talk would become "noise" itself.
        self.floor = if energy < self.floor { energy } else { self.floor * FLOOR_RISE };
        self.floor = self.floor.clamp(self.least_energy / 100.0, self.least_energy * 30.0);
        self.loud_frames = if loud { self.loud_frames.saturating_add(1) } else { 0 };
        if loud && (self.speaking || self.loud_frames >= ONSET_FRAMES) {
            self.last_loud = now;
            self.silent_since = now;
            return (!std::mem::replace(&mut self.speaking, true)).then_some(true);
        }
        if self.speaking && now.saturating_duration_since(self.last_loud) >= self.hangover {
            self.speaking = false;
            return Some(false);
        }
        None
    }

    /// Since when nobody has spoken: the last speech, or the last `restart`.
    #[must_use]
    pub fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.silent_since)
    }

    /// Counts silence from now, for instance when a voice message begins.
    pub fn restart(&mut self, now: Instant) {
        self.silent_since = now;
    }
}

/// Mean energy of a frame.
#[must_use]
pub fn mean_square(samples: &[i16]) -> f32 {
    let sum: i64 = samples.iter().map(|&sample| i64::from(sample).pow(2)).sum();
    sum as f32 / samples.len().max(1) as f32
}
