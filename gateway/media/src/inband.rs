//! Keys as tones in the sound itself ([ITU-T Q.23](https://www.itu.int/rec/T-REC-Q.23),
//! [Q.24](https://www.itu.int/rec/T-REC-Q.24)), for lines that send no telephone events.
//!
//! Eight Goertzel filters over windows of 12.75 ms that overlap by half. A key counts when two tones hold most
//! of the sound, stand out in their groups and differ in level no more than Q.24 allows, for 32 ms; speech
//! rarely does so for one window and hardly ever for four. Tones under 23 ms are no key, 40 ms are; pauses
//! of 10 ms do not split a key, 40 ms do.

use crate::{
    dtmf::Digit,
    frame::{FRAME_SAMPLES, SAMPLE_RATE},
};

/// Samples looked at together, and samples between two looks.
const WINDOW: usize = 102;
const HOP: usize = 51;
/// Goertzel's coefficients, 2 cos(2π f / 8000), of the low group by row and the high group by column:
/// 697, 770, 852, 941 and 1209, 1336, 1477, 1633 Hz.
const COEFFICIENTS: [f32; 8] =
    [1.7077378, 1.645281, 1.568687, 1.4782046, 1.164104, 0.9963702, 0.7986184, 0.5685327];
/// sin ω of the same, and cos and sin of the angle by which each turns in a hop.
const SINES: [f32; 8] =
    [0.52048814, 0.56856185, 0.62032676, 0.6735932, 0.81315154, 0.8670707, 0.9168163, 0.95874536];
const TURN_COSINES: [f32; 8] =
    [-0.9373732, 0.84009355, -0.9087997, 0.999975, -0.26463053, -0.9943008, -0.8635276, -0.8455881];
const TURN_SINES: [f32; 8] =
    [0.34832665, -0.54244155, 0.41723272, -0.00706852, -0.96434987, -0.10661115, 0.50430155, 0.5338359];
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// Looks in a row that begin a key, and looks without it that end one.
const BEGIN: u32 = 4;
const END: u32 = 4;
/// Weakest tone, as a peak (about -34 dBm0).
const WEAKEST: f32 = 450.0;
/// The high group may be weaker by 8 dB and stronger by 4 dB (as energies); 2 and 1 dB more for tones that
/// are out of tune and so look weaker than they are.
const TWIST: f32 = 10.0;
const REVERSE_TWIST: f32 = 3.2;
/// A tone is stronger than the others of its group by this (6 dB; the strong group leaks into the weak one).
const STANDS_OUT: f32 = 4.0;
/// Share of all energy in the two tones; what detuned tones (1.5 %) keep in the worst case, and speech rarely.
const SHARE: f32 = 0.70;

/// What the eight filters hold of one hop, as complex numbers that refer to its last sample, and its energy.
#[derive(Debug, Clone, Copy, Default)]
struct Hop {
    real: [f32; 8],
    imaginary: [f32; 8],
    energy: f32,
}

/// Detector of one stream.
#[derive(Debug, Clone, Default)]
pub struct ToneDetector {
    /// The filters' memory of the hop that is under way: newer and older.
    newer: [f32; 8],
    older: [f32; 8],
    energy: f32,
    /// Samples of that hop so far.
    fresh: usize,
    /// The hop before: a window is two of them.
    before: Hop,
    candidate: Option<char>,
    hits: u32,
    /// The key that is down.
    pressed: Option<char>,
    misses: u32,
    /// Samples since it went down.
    held: u32,
}

impl ToneDetector {
    /// Hears a frame; tells a key that was released in it.
    pub fn hear(&mut self, samples: &[i16; FRAME_SAMPLES]) -> Option<Digit> {
        let mut told = None;
        let mut rest = samples.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at((HOP - self.fresh).min(rest.len()));
            self.filter(now);
            self.fresh += now.len();
            rest = later;
            if self.fresh == HOP {
                told = self.judge().or(told);
            }
        }
        told
    }

    /// Goertzel's recursion, all eight side by side.
    fn filter(&mut self, samples: &[i16]) {
        let coefficients = COEFFICIENTS;
        let (mut newer, mut older, mut energy) = (self.newer, self.older, self.energy);
        for &sample in samples {
            let sample = f32::from(sample);
            let mut next = [0.0; 8];
            for bin in 0..8 {
                // In this order only one product and one sum wait for the sample before.
                next[bin] = (sample - older[bin]) + coefficients[bin] * newer[bin];
            }
            energy += sample * sample;
            older = newer;
            newer = next;
        }
        (self.newer, self.older, self.energy) = (newer, older, energy);
    }

    /// The hop that just became whole; the filters begin anew.
    fn end_hop(&mut self) -> Hop {
        self.fresh = 0;
        let newer = std::mem::take(&mut self.newer);
        let older = std::mem::take(&mut self.older);
        Hop {
            real: std::array::from_fn(|bin| newer[bin] - older[bin] * COEFFICIENTS[bin] / 2.0),
            imaginary: std::array::from_fn(|bin| older[bin] * SINES[bin]),
            energy: std::mem::take(&mut self.energy),
        }
    }

    fn judge(&mut self) -> Option<Digit> {
        let hop = self.end_hop();
        let seen = look(&self.before, &hop);
        self.before = hop;
        self.hits =
            if seen.is_some() && seen == self.candidate { self.hits + 1 } else { u32::from(seen.is_some()) };
        self.candidate = seen;
        if let Some(key) = self.pressed {
            self.held += HOP as u32;
            self.misses = if seen == Some(key) { 0 } else { self.misses + 1 };
            let another = self.hits >= BEGIN && seen != Some(key);
            if self.misses < END && !another {
                return None;
            }
            let sounded = self.held.saturating_sub(self.misses * HOP as u32);
            self.pressed = None;
            self.begin();
            return Some(Digit { digit: key, duration_ms: sounded / (SAMPLE_RATE / 1_000) });
        }
        self.begin();
        None
    }

    fn begin(&mut self) {
        if self.hits >= BEGIN {
            self.pressed = self.candidate;
            self.misses = 0;
            self.held = (WINDOW + (BEGIN as usize - 1) * HOP) as u32;
        }
    }
}

/// The key whose tones fill the window of two hops.
fn look(before: &Hop, hop: &Hop) -> Option<char> {
    let total = before.energy + hop.energy;
    let scale = WINDOW as f32 / 2.0;
    // Two tones of the weakest level.
    if total < 2.0 * WEAKEST * WEAKEST * scale * SHARE {
        return None;
    }
    let energies = energies(before, hop);
    let (low, high) = energies.split_at(4);
    let (row, low_energy) = strongest(low)?;
    let (column, high_energy) = strongest(high)?;
    let least = (WEAKEST * scale).powi(2);
    let fits = low_energy >= least
        && high_energy >= least
        && low_energy <= high_energy * TWIST
        && high_energy <= low_energy * REVERSE_TWIST
        && low_energy + high_energy >= total * scale * SHARE;
    fits.then(|| KEYS.get(row)?.get(column).copied()).flatten()
}

/// Energy at each of the eight frequencies: the hop before is turned to where this one ends, then both are
/// added, which is the same as filtering the window anew.
fn energies(before: &Hop, hop: &Hop) -> [f32; 8] {
    std::array::from_fn(|bin| {
        let (cosine, sine) = (TURN_COSINES[bin], TURN_SINES[bin]);
        let real = before.real[bin] * cosine - before.imaginary[bin] * sine + hop.real[bin];
        let imaginary = before.real[bin] * sine + before.imaginary[bin] * cosine + hop.imaginary[bin];
        real * real + imaginary * imaginary
    })
}

/// The strongest of a group, if it stands out.
fn strongest(group: &[f32]) -> Option<(usize, f32)> {
    let (place, &energy) = group.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1))?;
    let alone = group.iter().enumerate().all(|(at, &other)| at == place || other * STANDS_OUT <= energy);
    alone.then_some((place, energy))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Low group by row, high group by column (Q.23).
    const FREQUENCIES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0];

    #[test]
    fn the_constants_are_those_of_the_eight_frequencies() {
        for (bin, hertz) in FREQUENCIES.into_iter().enumerate() {
            let angle = std::f64::consts::TAU * f64::from(hertz) / f64::from(SAMPLE_RATE);
            let turn = angle * HOP as f64;
            let exact = [2.0 * angle.cos(), angle.sin(), turn.cos(), turn.sin()];
            let constants = [COEFFICIENTS[bin], SINES[bin], TURN_COSINES[bin], TURN_SINES[bin]];
            for (constant, exact) in constants.into_iter().zip(exact) {
                assert!((f64::from(constant) - exact).abs() < 1e-5, "{hertz} Hz: {constant}, not {exact}");
            }
        }
    }
}
