//! Sound as a judge hears it: which of our fixtures is in it, and how loud it is.

use std::path::{Path, PathBuf};

/// Samples a second of a telephone.
pub const RATE: usize = 8000;
/// One value of an envelope: 20 ms.
const FRAME: usize = RATE / 50;
/// From this likeness on, two envelopes are those of the same speech. Different speech stays below 0.6.
const SAME: f64 = 0.85;

/// A fixture's speech at 8 kHz.
pub fn fixture(name: &str) -> Vec<i16> {
    let bytes = std::fs::read(fixture_path(name)).expect("the fixture is there");
    asr::audio::decode_mono(&bytes, RATE as u32).expect("the fixture can be decoded")
}

/// A prompt the gateway brings along, at 8 kHz.
pub fn prompt(name: &str) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/prompts").join(name);
    let bytes = std::fs::read(path.with_extension("ogg")).expect("the prompt is there");
    asr::audio::decode_mono(&bytes, RATE as u32).expect("the prompt can be decoded")
}

/// A fixture's file.
pub fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/audio").join(name).with_extension("ogg")
}

/// Silence of so many milliseconds.
pub fn silence(ms: usize) -> Vec<i16> {
    vec![0; ms * RATE / 1000]
}

/// Writes a mono WAV.
pub fn write_wav(path: &Path, samples: &[i16]) {
    let bytes = u32::try_from(samples.len() * 2).expect("a short file");
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&(RATE as u32).to_le_bytes());
    file.extend_from_slice(&(RATE as u32 * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, file).expect("a file of ours can be written");
}

/// The channels of a 16-bit WAV at 8 kHz, header as written.
pub fn read_wav(path: &Path) -> Vec<Vec<i16>> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&bytes[..4], b"RIFF");
    assert_eq!(u32_at(&bytes, 4) as usize + 8, bytes.len(), "the header tells the file's true length");
    let mut at = 12;
    let mut channels = 0;
    loop {
        let (name, length) = (&bytes[at..at + 4], u32_at(&bytes, at + 4) as usize);
        let body = &bytes[at + 8..at + 8 + length];
        match name {
            b"fmt " => {
                assert_eq!(u32_at(body, 4) as usize, RATE);
                assert_eq!(body[14], 16, "16 bits");
                channels = usize::from(body[2]);
            }
            b"data" => {
                let samples: Vec<i16> =
                    body.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
                return (0..channels)
                    .map(|c| samples.iter().skip(c).step_by(channels).copied().collect())
                    .collect();
            }
            _ => {}
        }
        at += 8 + length + length % 2;
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Where `speech` is heard best in `heard`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Correlation of the envelopes, -1 to 1.
    pub likeness: f64,
    /// Where it begins in what was heard.
    pub at_ms: usize,
}

/// Looks for `speech` in `heard` by the course of its loudness (20 ms steps), which survives coding and delay.
pub fn find(speech: &[i16], heard: &[i16]) -> Heard {
    let (wanted, given) = (envelope(speech), envelope(heard));
    let mut best = Heard { likeness: -1.0, at_ms: 0 };
    for start in 0..given.len().saturating_sub(wanted.len()) + 1 {
        let Some(window) = given.get(start..start + wanted.len()) else { break };
        let likeness = correlation(&wanted, window);
        if likeness > best.likeness {
            best = Heard { likeness, at_ms: start * 20 };
        }
    }
    best
}

/// Panics unless `speech` is in `heard`. Tells where.
pub fn assert_heard(what: &str, speech: &[i16], heard: &[i16]) -> Heard {
    let found = find(speech, heard);
    assert!(
        found.likeness >= SAME,
        "{what}: {found:?} in {} ms at level {:.0}",
        heard.len() * 1000 / RATE,
        level(heard)
    );
    found
}

/// Panics when `speech` is in `heard`.
pub fn assert_not_heard(what: &str, speech: &[i16], heard: &[i16]) {
    let found = find(speech, heard);
    assert!(found.likeness < SAME, "{what}: {found:?}");
}

/// Root mean square of the samples.
pub fn level(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (power / samples.len().max(1) as f64).sqrt()
}

fn envelope(samples: &[i16]) -> Vec<f64> {
    // Logarithmic, as the ear: else one loud syllable would decide alone.
    samples.chunks(FRAME).map(|frame| (level(frame) + 30.0).ln()).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    if aa == 0.0 || bb == 0.0 { 0.0 } else { ab / (aa * bb).sqrt() }
}

/// A-law (ITU-T G.711) of 16-bit samples, for peers that play raw files.
pub fn a_law(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|&sample| a_law_of(sample)).collect()
}

fn a_law_of(sample: i16) -> u8 {
    let (magnitude, mask) = if sample >= 0 { (sample as u16, 0xd5) } else { (!(sample as u16), 0x55) };
    // 12 bits of magnitude: the segment is the place of the first one, the mantissa the four bits after it.
    let value = magnitude >> 3;
    let segment = (16 - value.leading_zeros()).saturating_sub(5);
    let mantissa = (value >> segment.max(1)) & 0x0f;
    ((segment << 4) as u8 | mantissa as u8) ^ mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_speech_is_found_where_it_is_and_other_speech_is_not() {
        let caller = fixture("caller-heating");
        let agent = fixture("agent-heating");
        let mut heard = silence(1500);
        heard.extend(caller.iter().map(|sample| sample / 2));
        heard.extend(silence(3000));
        let found = assert_heard("itself, quieter and later", &caller, &heard);
        assert!(found.at_ms.abs_diff(1500) <= 40, "{found:?}");
        assert_not_heard("the agent", &agent, &heard);
        assert_not_heard("anything in silence", &caller, &silence(9000));
    }

    #[test]
    fn a_law_has_the_code_points_of_the_standard() {
        // Zero, the ends, and the first step of each sign (G.711 table 1a, even bits inverted).
        assert_eq!(
            [0, 32767, -32768, -1, 16, 256, 512].map(a_law_of),
            [0xd5, 0xaa, 0x2a, 0x55, 0xd4, 0xc5, 0xf5]
        );
    }
}
