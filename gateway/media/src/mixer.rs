//! Adding voices: sums in 32 bits, and a soft limit where they would not fit.
//!
//! A voice alone is copied bit by bit. Three loud ones together are bent into the range rather than cut,
//! because clipped speech is what people call "distorted".

use crate::frame::Samples;

/// Up to here a sum stays as it is (-2.5 dB of full scale).
const KNEE: i32 = 24_576;
/// What is left above it.
const ROOM: i32 = i16::MAX as i32 - KNEE;

/// A sum of voices.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    sum: [i32; crate::FRAME_SAMPLES],
}

impl Mix {
    /// Begins with one voice.
    #[must_use]
    pub fn of(voice: &Samples) -> Self {
        let mut sum = [0; crate::FRAME_SAMPLES];
        sum.iter_mut().zip(voice).for_each(|(sum, &sample)| *sum = i32::from(sample));
        Self { sum }
    }

    /// Adds another.
    pub fn add(&mut self, voice: &Samples) {
        self.sum.iter_mut().zip(voice).for_each(|(sum, &sample)| *sum += i32::from(sample));
    }

    /// Writes what is heard.
    pub fn write(&self, out: &mut Samples) {
        // Nearly always nothing has to be bent, and that loop is a plain vector one.
        if self.sum.iter().all(|sum| sum.abs() <= KNEE) {
            out.iter_mut().zip(&self.sum).for_each(|(out, &sum)| *out = sum as i16);
        } else {
            out.iter_mut().zip(&self.sum).for_each(|(out, &sum)| *out = bend(sum));
        }
    }
}

/// Adds `voice` to what is in `out`.
pub fn add(out: &mut Samples, voice: &Samples) {
    let mut mix = Mix::of(out);
    mix.add(voice);
    mix.write(out);
}

/// Leaves a sum alone up to the knee; above it approaches full scale without reaching it, with the same
/// slope on both sides of the knee.
#[must_use]
pub fn bend(sum: i32) -> i16 {
    let over = i64::from(sum.unsigned_abs()) - i64::from(KNEE);
    if over <= 0 {
        return sum as i16;
    }
    let bent = i64::from(KNEE) + i64::from(ROOM) * over / (over + i64::from(ROOM));
    (if sum < 0 { -bent } else { bent }) as i16
}
