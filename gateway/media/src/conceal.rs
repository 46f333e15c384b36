//! Filling a hole in received sound: the last pitch period is repeated, fading to nothing within 60 ms.
//!
//! The idea is that of [ITU-T G.711 appendix I](https://www.itu.int/rec/T-REC-G.711-199909-I!AppI), without
//! its delay of 3.75 ms: a voiced sound goes on in its own pitch, everything else becomes a short murmur.
//! Coming back, real sound is faded in over what was being repeated, which hides the seam. Codecs with a
//! memory of their own (Opus) conceal by themselves; this one keeps their last sound all the same.

/// Longest pitch period looked for, in samples (67 Hz).
const LONGEST: usize = 120;
/// Shortest (200 Hz and its multiples: a multiple of the true period repeats as well).
const SHORTEST: usize = 40;
/// Samples compared to find the period (20 ms).
const COMPARED: usize = 160;
/// Samples remembered.
const HISTORY: usize = COMPARED + LONGEST;
/// Full loudness for the first 10 ms, then a straight fade until here, in samples.
const FULL: usize = 80;
const FADE: usize = 480;
/// Shortest and longest seam, in samples; a longer loss drifts further from the truth.
const SEAM: usize = 32;
const LONGEST_SEAM: usize = 80;

/// Remembers the last sound and continues it.
#[derive(Debug, Clone)]
pub struct Concealer {
    history: [i16; HISTORY],
    /// The period being repeated, while in a hole or a seam.
    cycle: [i16; LONGEST],
    period: usize,
    /// Samples made up since the last real one; `FADE` when there is nothing to repeat.
    made_up: usize,
    /// Samples of the seam still to come.
    seam: usize,
    seam_length: usize,
}

impl Default for Concealer {
    fn default() -> Self {
        Self {
            history: [0; HISTORY],
            cycle: [0; LONGEST],
            period: SHORTEST,
            made_up: FADE,
            seam: 0,
            seam_length: SEAM,
        }
    }
}

impl Concealer {
    /// Passes received samples on, blended into a preceding concealment.
    pub fn real(&mut self, samples: &mut [i16]) {
        if self.seam > 0 {
            for sample in samples.iter_mut() {
                if self.seam == 0 {
                    break;
                }
                let old = i32::from(self.repeated());
                self.made_up += 1;
                let (left, all) = (self.seam as i32, self.seam_length as i32);
                *sample = ((old * left + i32::from(*sample) * (all - left)) / all) as i16;
                self.seam -= 1;
            }
        }
        if self.seam == 0 {
            self.made_up = 0;
        }
        self.remember(samples);
    }

    /// Makes up samples for missing ones; returns how many of them are not silence.
    pub fn missing(&mut self, out: &mut [i16]) -> usize {
        if self.made_up == 0 {
            self.find_period();
        }
        let mut made = 0;
        for slot in out.iter_mut() {
            *slot = if self.made_up < FADE {
                made += 1;
                let sample = self.repeated();
                self.made_up += 1;
                sample
            } else {
                0
            };
        }
        if made > 0 {
            // A seam is useful only where something was being heard.
            self.seam_length = (SEAM + self.made_up.saturating_sub(COMPARED) / 8).min(LONGEST_SEAM);
            self.seam = if self.made_up < FADE { self.seam_length } else { 0 };
        } else {
            self.seam = 0;
        }
        made
    }

    /// The sender is known to be silent: nothing is repeated until it sounds again.
    pub fn silence(&mut self) {
        self.made_up = FADE;
        self.seam = 0;
    }

    fn remember(&mut self, samples: &[i16]) {
        let fresh = samples.get(samples.len().saturating_sub(HISTORY)..).unwrap_or_default();
        self.history.copy_within(fresh.len().., 0);
        if let Some(end) = self.history.get_mut(HISTORY - fresh.len()..) {
            end.copy_from_slice(fresh);
        }
    }

    fn repeated(&self) -> i16 {
        let sample = i32::from(self.cycle.get(self.made_up % self.period).copied().unwrap_or(0));
        let left = FADE.saturating_sub(self.made_up.max(FULL)) as i32;
        (sample * left / (FADE - FULL) as i32) as i16
    }

    /// Finds the lag at which the end of the history looks most like what went before, and prepares the cycle:
    /// its end is blended towards what came before its beginning, so that repetition makes no click.
    fn find_period(&mut self) {
        let likeness = |lag: usize, step: usize| {
            let (mut product, mut energy) = (0i64, 1i64);
            for at in (HISTORY - COMPARED..HISTORY).step_by(step) {
                // In bounds: `at - lag` is at least `HISTORY - COMPARED - LONGEST`, which is 0.
                let (now, then) = (i64::from(self.history[at]), i64::from(self.history[at - lag]));
                product += now * then;
                energy += then * then;
            }
            product.max(0) as f32 / (energy as f32).sqrt()
        };
        let best = |lags: &mut dyn Iterator<Item = usize>, step: usize| {
            lags.map(|lag| (lag, likeness(lag, step)))
                .fold((LONGEST, -1.0f32), |best, next| if next.1 > best.1 { next } else { best })
                .0
        };
        let coarse = best(&mut (SHORTEST..=LONGEST).step_by(2), 2);
        let around = coarse.saturating_sub(1).max(SHORTEST)..=(coarse + 1).min(LONGEST);
        self.period = best(&mut around.into_iter(), 1);
        let begin = HISTORY - self.period;
        let blend = self.period / 4;
        for index in 0..self.period {
            let sample = i32::from(self.history[begin + index]);
            let to_end = self.period - 1 - index;
            self.cycle[index] = if to_end < blend && begin >= self.period {
                let before = i32::from(self.history[begin + index - self.period]);
                let weight = (blend - to_end) as i32;
                ((sample * (blend as i32 + 1 - weight) + before * weight) / (blend as i32 + 1)) as i16
            } else {
                sample as i16
            };
        }
    }
}
