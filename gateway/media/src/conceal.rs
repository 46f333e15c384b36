//! Filling a hole in received sound: the last 20 ms are repeated, fading to nothing within 60 ms.
//!
//! Works sample by sample, so that packets of any length may be missing. Coming back, the first 4 ms
//! of real sound are faded in over what was being repeated, which hides the seam.

use crate::frame::FRAME_SAMPLES;

/// Concealment is silent from here on, in samples.
const FADE: i32 = 480;
/// Length of the seam, in samples.
const SEAM: i32 = 32;

/// Remembers the last sound and continues it.
#[derive(Debug, Clone)]
pub struct Concealer {
    /// Ring of the last samples heard; `oldest` is read first.
    history: [i16; FRAME_SAMPLES],
    oldest: usize,
    /// Samples made up since the last real one; `FADE` when exhausted.
    made_up: i32,
    /// Real samples since the hole, while still in the seam.
    seam: i32,
}

impl Default for Concealer {
    fn default() -> Self {
        Self { history: [0; FRAME_SAMPLES], oldest: 0, made_up: FADE, seam: SEAM }
    }
}

impl Concealer {
    /// Passes a received sample on, blended into a preceding concealment.
    pub fn real(&mut self, sample: i16) -> i16 {
        let mut heard = sample;
        if self.made_up > 0 {
            if self.seam < SEAM && self.made_up < FADE {
                let old = i32::from(self.continued());
                let new = i32::from(sample);
                heard = ((old * (SEAM - self.seam) + new * self.seam) / SEAM) as i16;
                self.made_up += 1;
                self.seam += 1;
                // The history stays as it was while it is still being repeated.
                return heard;
            }
            self.made_up = 0;
        }
        if let Some(slot) = self.history.get_mut(self.oldest) {
            *slot = heard;
        }
        self.oldest = (self.oldest + 1) % FRAME_SAMPLES;
        heard
    }

    /// Makes up a sample for one that is missing; `None` when there is nothing left to repeat.
    pub fn missing(&mut self) -> Option<i16> {
        if self.made_up >= FADE {
            return None;
        }
        let sample = self.continued();
        self.made_up += 1;
        self.seam = 0;
        Some(sample)
    }

    /// The sender is known to be silent: nothing is repeated until it sounds again.
    pub fn silence(&mut self) {
        self.made_up = FADE;
        self.seam = SEAM;
    }

    fn continued(&self) -> i16 {
        let at = (self.oldest + self.made_up.unsigned_abs() as usize) % FRAME_SAMPLES;
        let sample = i32::from(self.history.get(at).copied().unwrap_or(0));
        (sample * (FADE - self.made_up).max(0) / FADE) as i16
    }
}
