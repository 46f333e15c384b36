//! Call progress tones, which engines mistake for speech and answer with invented sentences.
//!
//! A frame is a tone when nearly all its energy lies at one of the frequencies telephone networks use
//! (China: 450 Hz; others within 425 to 480 Hz: ITU-T E.180, <https://www.itu.int/rec/T-REC-E.180>).
//! Goertzel's algorithm with a Hann window, so that a tone is told from a voice's harmonics.

/// 20 ms at 16 kHz.
pub const FRAME_SAMPLES: usize = 320;

const RATE_HZ: f32 = 16_000.0;
const TONES_HZ: [f32; 3] = [425.0, 450.0, 480.0];
/// Share of a frame's energy in the tone; a sung vowel stays well below it.
const TONE_SHARE: f32 = 0.9;
/// Below this mean square (-66 dBFS) a frame is quiet, not a tone.
const QUIET: f32 = 250.0e-9;

/// Whether this frame is a call progress tone and nothing else.
pub fn is_call_tone(frame: &[i16]) -> bool {
    let count = frame.len() as f32;
    let windowed: Vec<(f32, f32)> = frame
        .iter()
        .enumerate()
        .map(|(n, &sample)| {
            let hann = 0.5 - 0.5 * (std::f32::consts::TAU * (n as f32 + 0.5) / count).cos();
            (f32::from(sample) / 32_768.0 * hann, hann)
        })
        .collect();
    let energy: f32 = windowed.iter().map(|(x, _)| x * x).sum();
    let window_energy: f32 = windowed.iter().map(|(_, hann)| hann * hann).sum();
    let window_sum: f32 = windowed.iter().map(|(_, hann)| hann).sum();
    let mean_square = energy / window_energy;
    if mean_square.is_nan() || mean_square < QUIET {
        return false;
    }
    TONES_HZ.iter().any(|&hz| {
        let amplitude = 2.0 * magnitude(&windowed, hz) / window_sum;
        amplitude * amplitude / 2.0 > TONE_SHARE * mean_square
    })
}

fn magnitude(windowed: &[(f32, f32)], hz: f32) -> f32 {
    let coefficient = 2.0 * (std::f32::consts::TAU * hz / RATE_HZ).cos();
    let (mut last, mut before) = (0.0f32, 0.0f32);
    for (x, _) in windowed {
        (last, before) = (x + coefficient * last - before, last);
    }
    (last * last + before * before - coefficient * last * before).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(parts: &[(f32, f32)]) -> Vec<i16> {
        let sample = |n: usize| -> f32 {
            let time = n as f32 / RATE_HZ;
            parts.iter().map(|(hz, level)| level * (std::f32::consts::TAU * hz * time).sin()).sum()
        };
        (0..FRAME_SAMPLES).map(|n| (sample(n) * 32_767.0) as i16).collect()
    }

    #[test]
    fn ring_back_is_a_tone_and_a_vowel_is_not() {
        assert!(is_call_tone(&frame(&[(450.0, 0.2)])));
        assert!(is_call_tone(&frame(&[(440.0, 0.01)])));
        assert!(!is_call_tone(&frame(&[(225.0, 0.1), (450.0, 0.2), (675.0, 0.1)])));
        assert!(!is_call_tone(&frame(&[(1000.0, 0.2)])));
        assert!(!is_call_tone(&frame(&[(697.0, 0.2), (1209.0, 0.2)])));
    }

    #[test]
    fn nothing_is_no_tone() {
        assert!(!is_call_tone(&[]));
        assert!(!is_call_tone(&[0; FRAME_SAMPLES]));
    }
}
