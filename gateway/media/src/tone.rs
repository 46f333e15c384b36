//! Call-progress tones of the Chinese network (GB/T 3380: 450 Hz) and the beep of the answering machine.
//!
//! Each function makes one period, meant to be played repeated (the beep once).

use std::f64::consts::TAU;

use crate::{Prompt, frame::SAMPLE_RATE};

/// Peak of a sine at -10 dBm0, the level of GB/T 3380; A-law clips at +3.14 dBm0.
const PEAK: f64 = 7_217.0;
/// Tones begin and end softly over this many samples (5 ms), or they click.
const RAMP: usize = 40;

/// Ring-back: 450 Hz, 1 s on, 4 s off.
#[must_use]
pub fn ring_back() -> Prompt {
    cadence(450.0, 1_000, 4_000)
}

/// Busy: 450 Hz, 350 ms on, 350 ms off.
#[must_use]
pub fn busy() -> Prompt {
    cadence(450.0, 350, 350)
}

/// "Speak after the tone": 1 kHz for 400 ms.
#[must_use]
pub fn beep() -> Prompt {
    cadence(1_000.0, 400, 0)
}

/// Somebody breaks into the talk, or leaves it again: 425 Hz for 200 ms.
#[must_use]
pub fn barge() -> Prompt {
    cadence(425.0, 200, 0)
}

/// Another call waits (GB/T 3380): 450 Hz, 400 ms on, 4 s off.
#[must_use]
pub fn call_waiting() -> Prompt {
    cadence(450.0, 400, 4_000)
}

/// Hold music of our own, for who has none: two soft notes and a pause that say "still here".
#[must_use]
pub fn hold() -> Prompt {
    let notes = [(392.0, 240), (523.25, 2_760)].map(|(hertz, pause_ms)| cadence(hertz, 240, pause_ms));
    let soft = |sample: &i16| sample / 3;
    Prompt::new(notes.iter().flat_map(|note| note.samples().iter().map(soft)).collect::<Vec<i16>>())
}

/// One period of a tone of `on_ms` followed by silence of `off_ms`.
#[must_use]
pub fn cadence(hertz: f64, on_ms: u32, off_ms: u32) -> Prompt {
    let count = |milliseconds: u32| milliseconds as usize * (SAMPLE_RATE as usize / 1_000);
    let on = count(on_ms);
    let mut samples = sine(hertz, PEAK, on);
    for (index, sample) in samples.iter_mut().enumerate() {
        let edge = index.min(on - 1 - index).min(RAMP);
        *sample = (f64::from(*sample) * edge as f64 / RAMP as f64) as i16;
    }
    samples.resize(on + count(off_ms), 0);
    Prompt::new(samples)
}

/// A plain sine at 8 kHz.
#[must_use]
pub fn sine(hertz: f64, peak: f64, samples: usize) -> Vec<i16> {
    let step = TAU * hertz / f64::from(SAMPLE_RATE);
    (0..samples).map(|index| (peak * (step * index as f64).sin()).round() as i16).collect()
}
