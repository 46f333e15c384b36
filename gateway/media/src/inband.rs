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

/// Detector of one stream.
#[derive(Debug, Clone)]
pub struct ToneDetector {
    window: [f32; WINDOW],
    /// Samples since the last look.
    fresh: usize,
    candidate: Option<char>,
    hits: u32,
    /// The key that is down.
    pressed: Option<char>,
    misses: u32,
    /// Samples since it went down.
    held: u32,
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self { window: [0.0; WINDOW], fresh: 0, candidate: None, hits: 0, pressed: None, misses: 0, held: 0 }
    }
}

impl ToneDetector {
    /// Hears a frame; tells a key that was released in it.
    pub fn hear(&mut self, samples: &[i16; FRAME_SAMPLES]) -> Option<Digit> {
        let mut told = None;
        let mut rest = samples.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at((HOP - self.fresh).min(rest.len()));
            self.window.rotate_left(now.len());
            for (slot, &sample) in self.window.iter_mut().skip(WINDOW - now.len()).zip(now) {
                *slot = f32::from(sample);
            }
            self.fresh += now.len();
            rest = later;
            if self.fresh == HOP {
                self.fresh = 0;
                told = self.judge().or(told);
            }
        }
        told
    }

    fn judge(&mut self) -> Option<Digit> {
        let seen = look(&self.window);
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

/// The key whose tones fill a window.
fn look(window: &[f32; WINDOW]) -> Option<char> {
    let total: f32 = window.iter().map(|sample| sample * sample).sum();
    let scale = WINDOW as f32 / 2.0;
    // Two tones of the weakest level; silence costs nothing more than this sum.
    if total < 2.0 * WEAKEST * WEAKEST * scale * SHARE {
        return None;
    }
    let energies = energies(window);
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

/// Energy at each of the eight frequencies: Goertzel's recursion, all side by side.
fn energies(window: &[f32; WINDOW]) -> [f32; 8] {
    let coefficients = COEFFICIENTS;
    let (mut newer, mut older) = ([0.0f32; 8], [0.0f32; 8]);
    for sample in window {
        let mut next = [0.0; 8];
        for bin in 0..8 {
            next[bin] = sample + coefficients[bin] * newer[bin] - older[bin];
        }
        older = newer;
        newer = next;
    }
    std::array::from_fn(|bin| {
        newer[bin] * newer[bin] + older[bin] * older[bin] - coefficients[bin] * newer[bin] * older[bin]
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
    use std::f32::consts::TAU;

    use super::*;

    /// Low group by row, high group by column (Q.23).
    const FREQUENCIES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0];

    #[test]
    fn the_coefficients_are_those_of_the_eight_frequencies() {
        for (coefficient, hertz) in COEFFICIENTS.into_iter().zip(FREQUENCIES) {
            let exact = 2.0 * (TAU * hertz / SAMPLE_RATE as f32).cos();
            assert!((coefficient - exact).abs() < 1e-5, "{hertz} Hz: {coefficient}, not {exact}");
        }
    }
}
