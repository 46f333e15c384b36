//! A streaming resampler: windowed sinc, Kaiser window, one table of filter phases.
//!
//! Method: J. O. Smith, “Digital Audio Resampling”, <https://ccrma.stanford.edu/~jos/resample/>.
//! Stop band about -80 dB, which is below what G.711 leaves; no delay (output sample n sits at input time n·M/L).

/// Zero crossings of the sinc on each side of its middle.
const ZERO_CROSSINGS: f64 = 16.0;
/// Kaiser window shape: about 80 dB of stop band.
const KAISER_BETA: f64 = 8.0;
/// Share of the lower Nyquist rate that passes; the rest is the filter's slope.
const PASS_BAND: f64 = 0.94;
/// More distinct phases than this (odd rates such as 44101 Hz) are rounded to the nearest; error below -60 dB.
const MAX_PHASES: u64 = 1024;

/// Turns one channel of one rate into another.
#[derive(Debug)]
pub struct Resampler {
    /// Output/input rate in lowest terms is `up / down`.
    up: u64,
    down: u64,
    phases: usize,
    /// Input samples on each side of an output sample.
    half: usize,
    /// `phases` rows of `2 * half` coefficients, each row of sum 1.
    table: Vec<f32>,
    /// Input not yet needed no more; its first sample has index `start` counted from `half` zeros before the input.
    pending: Vec<f32>,
    start: u64,
    pushed: u64,
    produced: u64,
}

impl Resampler {
    /// Both rates in samples a second, neither zero; [`crate::audio`] keeps them within 4000..=384000.
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        let (from, to) = (u64::from(from_hz.max(1)), u64::from(to_hz.max(1)));
        let divisor = greatest_common_divisor(from, to);
        let (up, down) = (to / divisor, from / divisor);
        let scale = (to as f64 / from as f64).min(1.0);
        let half = (ZERO_CROSSINGS / scale).ceil() as usize;
        let phases = up.min(MAX_PHASES) as usize;
        let table = if up == down { Vec::new() } else { filter_table(phases, half, scale * PASS_BAND) };
        Self { up, down, phases, half, table, pending: vec![0.0; half], start: 0, pushed: 0, produced: 0 }
    }

    /// Appends to `output` all that `input` makes certain.
    pub fn push(&mut self, input: &[f32], output: &mut Vec<i16>) {
        self.pushed += input.len() as u64;
        if self.up == self.down {
            output.extend(input.iter().map(|&sample| to_i16(sample)));
            return;
        }
        self.pending.extend_from_slice(input);
        self.drain(output);
    }

    /// Appends the tail; afterwards the resampler starts anew.
    pub fn finish(&mut self, output: &mut Vec<i16>) {
        if self.up != self.down {
            self.pending.resize(self.pending.len() + self.half + 1, 0.0);
            self.drain(output);
        }
        self.pending.clear();
        self.pending.resize(self.half, 0.0);
        (self.start, self.pushed, self.produced) = (0, 0, 0);
    }

    fn drain(&mut self, output: &mut Vec<i16>) {
        let width = 2 * self.half;
        let total = (self.pushed * self.up).div_ceil(self.down);
        while self.produced < total {
            let time = self.produced * self.down;
            let (mut index, fraction) = (time / self.up, time % self.up);
            let mut phase = ((fraction * self.phases as u64 + self.up / 2) / self.up) as usize;
            if phase == self.phases {
                (phase, index) = (0, index + 1);
            }
            // Taps reach from `half - 1` samples before the point to `half` after; `half` zeros precede the input.
            let first = (index + 1).saturating_sub(self.start) as usize;
            let Some(window) = self.pending.get(first..first + width) else { break };
            let Some(row) = self.table.get(phase * width..(phase + 1) * width) else { break };
            output.push(to_i16(window.iter().zip(row).map(|(x, h)| x * h).sum()));
            self.produced += 1;
        }
        let next = self.produced * self.down / self.up;
        let done = (next.saturating_sub(self.start) as usize).min(self.pending.len());
        self.pending.drain(..done);
        self.start += done as u64;
    }
}

fn to_i16(sample: f32) -> i16 {
    // `as` saturates and takes NaN to zero, which is what a corrupt float recording deserves.
    (sample * 32_768.0).round() as i16
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// `cutoff` in units of the input's Nyquist rate.
fn filter_table(phases: usize, half: usize, cutoff: f64) -> Vec<f32> {
    let mut table = Vec::with_capacity(phases * 2 * half);
    for phase in 0..phases {
        let fraction = phase as f64 / phases as f64;
        let row: Vec<f64> = (0..2 * half)
            .map(|tap| {
                let distance = tap as f64 - (half as f64 - 1.0) - fraction;
                sinc(cutoff * distance) * kaiser(distance / half as f64)
            })
            .collect();
        let sum: f64 = row.iter().sum();
        table.extend(row.into_iter().map(|h| (h / sum) as f32));
    }
    table
}

fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle }
}

fn kaiser(position: f64) -> f64 {
    bessel_i0(KAISER_BETA * (1.0 - position * position).max(0.0).sqrt()) / bessel_i0(KAISER_BETA)
}

/// Modified Bessel function of order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: u32, hz: f64, count: usize) -> Vec<f32> {
        let step = std::f64::consts::TAU * hz / f64::from(rate);
        (0..count).map(|n| (0.5 * (step * n as f64).sin()) as f32).collect()
    }

    /// Largest difference from the ideal sine, away from the edges, as a share of full scale.
    fn error_of(from: u32, to: u32, hz: f64) -> f64 {
        let input = sine(from, hz, from as usize);
        let (mut resampler, mut output) = (Resampler::new(from, to), Vec::new());
        for chunk in input.chunks(377) {
            resampler.push(chunk, &mut output);
        }
        resampler.finish(&mut output);
        assert_eq!(output.len(), to as usize, "{from} -> {to}");
        let ideal = sine(to, hz, to as usize);
        let edge = to as usize / 20;
        output
            .iter()
            .zip(&ideal)
            .skip(edge)
            .take(to as usize - 2 * edge)
            .fold(0.0, |worst: f64, (got, want)| {
                worst.max((f64::from(*got) / 32_768.0 - f64::from(*want)).abs())
            })
    }

    #[test]
    fn a_tone_keeps_its_pitch_phase_and_level() {
        for (from, to) in [(8000, 16000), (48000, 16000), (44100, 16000), (48000, 8000), (11025, 16000)] {
            let error = error_of(from, to, 1000.0);
            assert!(error < 0.001, "{from} -> {to}: {error}");
        }
        assert!(error_of(44101, 16000, 1000.0) < 0.002);
        assert!(error_of(16000, 16000, 1000.0) < 0.001);
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_removed() {
        let (mut resampler, mut output) = (Resampler::new(48000, 8000), Vec::new());
        resampler.push(&sine(48000, 5000.0, 48000), &mut output);
        resampler.finish(&mut output);
        let middle = output.get(400..7600).unwrap();
        let loudest = middle.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(loudest < 10, "a 5 kHz tone folds back at {loudest}/32768");
    }

    #[test]
    fn a_float_recording_of_nonsense_does_no_harm() {
        let (mut resampler, mut output) = (Resampler::new(16000, 16000), Vec::new());
        resampler.push(&[f32::NAN, f32::INFINITY, -9.0], &mut output);
        assert_eq!(output, [0, i16::MAX, i16::MIN]);
    }
}
