//! Changing the sample rate: a windowed-sinc polyphase filter, good for prompts and for feeding speech
//! recognition (16, 24 and 48 kHz to 8 kHz; 8 kHz to 16 kHz).
//!
//! Passes up to 3.4 kHz flat and is down by more than 60 dB where aliases of the telephone band begin.

use std::f64::consts::PI;

use crate::MediaError;

/// Zero crossings of the sinc kept on each side; sets steepness against cost.
const CROSSINGS: usize = 32;
/// Cut-off as a part of the lower rate: 3.76 of 8 kHz.
const CUT_OFF: f64 = 0.47;
/// Kaiser's window parameter; 7 gives about 70 dB.
const BETA: f64 = 7.0;

/// A converter of one stream, with memory from block to block.
#[derive(Debug, Clone)]
pub struct Resampler {
    up: usize,
    down: usize,
    /// One filter for each of the `up` positions between two input samples.
    phases: Vec<Vec<f32>>,
    /// Input still needed; begins half a filter before the next output.
    history: Vec<f32>,
    phase: usize,
}

impl Resampler {
    /// A converter between two rates in hertz.
    ///
    /// # Errors
    /// [`MediaError::Rate`] for a pair not offered.
    pub fn new(from: u32, to: u32) -> Result<Self, MediaError> {
        let (up, down) = match (from, to) {
            (16_000, 8_000) => (1, 2),
            (24_000, 8_000) => (1, 3),
            (48_000, 8_000) => (1, 6),
            (8_000, 16_000) => (2, 1),
            _ => return Err(MediaError::Rate { from, to }),
        };
        // Half the filter's length, in input samples.
        let half = CROSSINGS * down.max(up) / up;
        let phases = (0..up).map(|phase| filter(phase as f64 / up as f64, half, up, down)).collect();
        // Silence before the beginning, so that the first output stands at the first input sample.
        Ok(Self { up, down, phases, history: vec![0.0; half - 1], phase: 0 })
    }

    /// Converts a block, appending what can be computed already. Output lags by half a filter.
    pub fn process(&mut self, input: &[i16], out: &mut Vec<i16>) {
        self.history.extend(input.iter().map(|&sample| f32::from(sample)));
        let mut start = 0;
        while let Some(filter) = self.phases.get(self.phase)
            && let Some(window) = self.history.get(start..start + filter.len())
        {
            let sum: f32 = window.iter().zip(filter).map(|(sample, weight)| sample * weight).sum();
            // `as` saturates, which is what clipping should do.
            out.push(sum.round() as i16);
            self.phase += self.down;
            start += self.phase / self.up;
            self.phase %= self.up;
        }
        self.history.drain(..start.min(self.history.len()));
    }

    /// The rest of the stream: what lags behind.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        let half = self.phases.first().map_or(0, |filter| filter.len() / 2);
        self.process(&vec![0; half], out);
    }
}

/// Converts a whole sound; the result's length is the input's times the ratio of rates, rounded up.
///
/// # Errors
/// [`MediaError::Rate`] for a pair not offered.
pub fn convert(input: &[i16], from: u32, to: u32) -> Result<Vec<i16>, MediaError> {
    let mut resampler = Resampler::new(from, to)?;
    let wanted = (input.len() * resampler.up).div_ceil(resampler.down);
    let mut out = Vec::with_capacity(wanted + 1);
    resampler.process(input, &mut out);
    resampler.finish(&mut out);
    out.resize(wanted, 0);
    Ok(out)
}

/// The filter for an output standing `offset` (0 to 1) after input sample `half - 1` of its window.
fn filter(offset: f64, half: usize, up: usize, down: usize) -> Vec<f32> {
    // Relative to the input rate.
    let cut_off = CUT_OFF * (up as f64 / down as f64).min(1.0);
    let weights: Vec<f64> = (0..2 * half)
        .map(|tap| {
            let distance = tap as f64 - (half as f64 - 1.0) - offset;
            2.0 * cut_off * sinc(2.0 * cut_off * distance) * kaiser(distance / half as f64)
        })
        .collect();
    // Every phase passes a constant unchanged, or the phases would modulate the sound.
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / sum) as f32).collect()
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-12 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Kaiser's window for `x` between -1 and 1.
fn kaiser(x: f64) -> f64 {
    let inside = 1.0 - x * x;
    if inside <= 0.0 { 0.0 } else { bessel(BETA * inside.sqrt()) / bessel(BETA) }
}

/// Modified Bessel function of the first kind, order zero, by its series.
fn bessel(x: f64) -> f64 {
    let mut sum = 1.0;
    let mut term = 1.0;
    for k in 1..32 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}
