//! Every container the gateway must read, and none that makes it panic.
//! `tests/audio/make.sh` made the files: one second, 440 Hz on the left, 1000 Hz on the right.
#![allow(clippy::unwrap_used)] // clippy sees the test functions, not the helpers beside them

use std::path::PathBuf;

use asr::{AsrError, CancelFlag, Limits, Recording, RetryClass, decode_bytes, decode_mono, decode_path};
use proptest::prelude::*;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/audio").join(name)
}

fn decode(bytes: &[u8]) -> Result<Recording, AsrError> {
    decode_bytes(bytes, &Limits::default(), &CancelFlag::new())
}

/// Level of one frequency, as a share of the channel's whole level; 1.0 for a pure tone.
fn purity(samples: &[i16], rate_hz: u32, tone_hz: f64) -> f64 {
    let step = std::f64::consts::TAU * tone_hz / f64::from(rate_hz);
    let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let (sine, cosine) = (step * n as f64).sin_cos();
        let sample = f64::from(sample);
        real += sample * cosine;
        imaginary += sample * sine;
        energy += sample * sample;
    }
    (real * real + imaginary * imaginary) * 2.0 / (energy * samples.len() as f64)
}

/// The check every format passes: length, sides, pitch.
fn check(name: &str, recording: &Recording) {
    assert_eq!(recording.channels.len(), 2, "{name}");
    assert!(!recording.damaged, "{name}");
    for (channel, tone_hz) in recording.channels.iter().zip([440.0, 1000.0]) {
        let ms = channel.duration_ms();
        assert!((950..=1120).contains(&ms), "{name}: {ms} ms");
        let purity = purity(channel.between(100, 900), 16_000, tone_hz);
        assert!(purity > 0.97, "{name}: {tone_hz} Hz is {purity} of its channel");
    }
}

#[test]
fn each_container_gives_both_sides() {
    for name in [
        "tones.mp3",
        "tones.m4a",
        "tones.aac",
        "tones.flac",
        "tones-vorbis.ogg",
        "tones-opus.ogg",
        "tones.webm",
    ] {
        let recording = decode_path(&fixture(name), &Limits::default(), &CancelFlag::new());
        check(name, &recording.unwrap_or_else(|error| panic!("{name}: {error}")));
    }
}

/// A WAV file of two tones; `format` as in RFC 2361 (1 PCM, 6 A-law, 7 µ-law).
fn wav(format: u16, rate_hz: u32, encode: fn(i16) -> Vec<u8>) -> Vec<u8> {
    let mut data = Vec::new();
    for n in 0..rate_hz {
        for tone_hz in [440.0, 1000.0] {
            let angle = std::f64::consts::TAU * tone_hz * f64::from(n) / f64::from(rate_hz);
            data.extend(encode((angle.sin() * 20_000.0) as i16));
        }
    }
    let width = u16::try_from(encode(0).len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    for field in [format, 2] {
        file.extend(field.to_le_bytes());
    }
    file.extend(rate_hz.to_le_bytes());
    file.extend((rate_hz * 2 * u32::from(width)).to_le_bytes());
    for field in [2 * width, 8 * width] {
        file.extend(field.to_le_bytes());
    }
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

fn pcm(sample: i16) -> Vec<u8> {
    sample.to_le_bytes().to_vec()
}

/// ITU-T G.711 A-law.
fn alaw(sample: i16) -> Vec<u8> {
    let magnitude = (i32::from(sample).abs() >> 3).min(4095) as u16;
    let exponent = (15u16.saturating_sub(magnitude.leading_zeros() as u16)).saturating_sub(4).min(7);
    let mantissa = if exponent < 2 { magnitude >> 1 } else { magnitude >> exponent } & 0x0f;
    let sign = if sample >= 0 { 0x80 } else { 0 };
    vec![(sign | ((exponent << 4) | mantissa) as u8) ^ 0x55]
}

/// ITU-T G.711 µ-law.
fn mulaw(sample: i16) -> Vec<u8> {
    let magnitude = ((i32::from(sample).abs() >> 2) + 33).min(8191) as u16;
    let exponent = 15 - magnitude.leading_zeros() as u16 - 5;
    let mantissa = (magnitude >> (exponent + 1)) & 0x0f;
    let sign = if sample >= 0 { 0 } else { 0x80 };
    vec![!(sign | ((exponent << 4) | mantissa) as u8)]
}

#[test]
fn telephone_wav_files_are_read() {
    check("PCM 8 kHz", &decode(&wav(1, 8000, pcm)).unwrap());
    check("PCM 48 kHz", &decode(&wav(1, 48000, pcm)).unwrap());
    check("A-law", &decode(&wav(6, 8000, alaw)).unwrap());
    check("µ-law", &decode(&wav(7, 8000, mulaw)).unwrap());
    let mut whole_header = wav(6, 8000, alaw);
    let riff_size = (whole_header.len() as u32 - 6).to_le_bytes();
    whole_header[4..8].copy_from_slice(&riff_size);
    whole_header[16] = 18;
    whole_header.splice(36..36, [0, 0]);
    check("A-law with an extension size", &decode(&whole_header).unwrap());
}

#[test]
fn a_prompt_is_mixed_down_at_the_rate_asked_for() {
    let bytes = std::fs::read(fixture("tones-opus.ogg")).unwrap();
    let samples = decode_mono(&bytes, 8000).unwrap();
    assert!((7600..=8960).contains(&samples.len()), "{}", samples.len());
    let middle = samples.get(800..7200).unwrap();
    let both = purity(middle, 8000, 440.0) + purity(middle, 8000, 1000.0);
    assert!(both > 0.97, "{both}");
    assert!(matches!(decode_mono(&bytes, 1), Err(AsrError::Unsupported(_))));
}

#[test]
fn a_file_cut_off_in_the_middle_gives_its_beginning() {
    let mut bytes = wav(1, 8000, pcm);
    bytes.truncate(bytes.len() / 2);
    let recording = decode(&bytes).unwrap();
    let ms = recording.channels.first().unwrap().duration_ms();
    assert!((400..=510).contains(&ms), "{ms}");
}

#[test]
fn what_is_no_recording_is_refused_for_good() {
    for bytes in [&b""[..], b"hello", &[0xff; 5000], &[0; 5000]] {
        let error = decode(bytes).unwrap_err();
        assert_eq!(error.class(), RetryClass::Never, "{error}");
    }
    let missing = decode_path(&fixture("nothing.wav"), &Limits::default(), &CancelFlag::new());
    assert!(matches!(missing, Err(AsrError::Read(_))));
}

#[test]
fn limits_hold_before_the_whole_file_is_decoded() {
    let bytes = wav(1, 8000, pcm);
    let short = Limits { max_duration_ms: 500, ..Limits::default() };
    assert!(matches!(
        decode_bytes(&bytes, &short, &CancelFlag::new()),
        Err(AsrError::TooLong { limit_ms: 500 })
    ));
    let narrow = Limits { max_channels: 1, ..Limits::default() };
    assert!(matches!(decode_bytes(&bytes, &narrow, &CancelFlag::new()), Err(AsrError::Unsupported(_))));
    let cancel = CancelFlag::new();
    cancel.cancel();
    assert!(matches!(decode_bytes(&bytes, &Limits::default(), &cancel), Err(AsrError::Cancelled)));
}

/// Replaces, removes or repeats bytes of a sound file, near its headers more often than not.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let names = [
        "tones.mp3",
        "tones.m4a",
        "tones.aac",
        "tones-vorbis.ogg",
        "tones-opus.ogg",
        "tones.webm",
        "wav",
        "tones.flac",
    ];
    let edits = proptest::collection::vec((0usize..3, any::<bool>(), any::<usize>(), any::<u8>()), 1..12);
    (0..names.len(), edits).prop_map(move |(which, edits)| {
        let name = names[which];
        let mut bytes =
            if name == "wav" { wav(6, 8000, alaw) } else { std::fs::read(fixture(name)).unwrap() };
        bytes.truncate(9_000);
        for (kind, in_header, place, value) in edits {
            let reach = if in_header { bytes.len().min(200) } else { bytes.len() };
            if reach == 0 {
                continue;
            }
            let at = place % reach;
            match kind {
                0 => bytes[at] = value,
                1 => bytes.truncate(at.max(40)),
                _ => {
                    let end = (at + usize::from(value)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mangled_file_panics_or_grows_past_its_limit(bytes in mutated()) {
        let limits = Limits { max_duration_ms: 20_000, ..Limits::default() };
        if let Ok(recording) = decode_bytes(&bytes, &limits, &CancelFlag::new()) {
            prop_assert!(recording.channels.len() <= 2);
            for channel in &recording.channels {
                prop_assert!(channel.duration_ms() <= 20_000);
            }
        }
    }
}
