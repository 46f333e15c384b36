//! G.722 and Opus: what goes in comes out, at the right pitch and level, whatever becomes of single packets.

use gateway_media::{
    Codec,
    codec::{Decoder, Encoder, opus},
};

use crate::rig::*;

/// Signal to noise in decibels of `heard` against `sent`, the delay between them taken out.
fn signal_to_noise(sent: &[i16], heard: &[i16], most_delay: usize) -> f64 {
    (0..=most_delay)
        .map(|delay| {
            let (mut signal, mut noise) = (0.0, 1.0);
            for (one, other) in sent.iter().zip(heard.iter().skip(delay)).skip(800) {
                signal += f64::from(*one).powi(2);
                noise += (f64::from(*one) - f64::from(*other)).powi(2);
            }
            10.0 * f64::log10(signal / noise)
        })
        .fold(f64::MIN, f64::max)
}

fn through(codec: Codec, frames: &[[i16; 160]]) -> Vec<i16> {
    let (mut encoder, mut decoder) = (Encoder::new(codec), Decoder::new(codec));
    let (mut payload, mut out, mut heard) = (Vec::new(), [0; 160], Vec::new());
    for frame in frames {
        payload.clear();
        encoder.encode(frame, &mut payload);
        assert_eq!(codec.samples_in(&payload), Some(160));
        let count = decoder.decode(&payload, &mut out);
        heard.extend_from_slice(&out[..count]);
    }
    heard
}

#[test]
fn a_chord_survives_each_codec() {
    let chord: Vec<[i16; 160]> = (0..100)
        .map(|frame| {
            let (low, high) = (tone(440.0, 5_000.0, frame), tone(1_100.0, 3_000.0, frame));
            std::array::from_fn(|index| low[index] + high[index])
        })
        .collect();
    let sent = chord.concat();
    for (codec, least) in [(Codec::Pcma, 33.0), (Codec::Pcmu, 33.0), (Codec::G722, 33.0), (Codec::Opus, 8.0)]
    {
        let heard = through(codec, &chord);
        let quality = signal_to_noise(&sent, &heard, 80);
        assert!(quality > least, "{codec:?}: {quality:.1} dB");
        assert_tone(440.0, 5_000.0, &heard[4_000..12_000]);
        assert_tone(1_100.0, 3_000.0, &heard[4_000..12_000]);
    }
}

/// The chord of the fixture at a time in samples of 8 kHz.
fn chord_at(time: f64) -> f64 {
    let turn = |frequency: f64| (std::f64::consts::TAU * frequency * time / 8_000.0).sin();
    5_000.0 * turn(440.0) + 3_000.0 * turn(1_100.0)
}

/// Signal to noise of what was heard of that chord, the best of delays in eighths of a sample: splitting filters
/// delay by fractions.
fn chord_to_noise(heard: &[i16]) -> f64 {
    (0..400)
        .map(|eighths| {
            let (mut signal, mut noise) = (0.0, 1.0);
            for (index, sample) in heard.iter().enumerate().skip(400) {
                let sent = chord_at(index as f64 - f64::from(eighths) / 8.0);
                signal += sent.powi(2);
                noise += (sent - f64::from(*sample)).powi(2);
            }
            10.0 * f64::log10(signal / noise)
        })
        .fold(f64::MIN, f64::max)
}

#[test]
fn g722_of_another_encoder_is_heard_at_its_pitch_and_level() {
    // Made by ffmpeg from a signal of ours, both bands coded (fixtures/g722/README.md).
    let octets = include_bytes!("../fixtures/g722/chord.g722");
    assert!(octets.iter().any(|octet| octet >> 6 != 3), "its upper band is coded as well");
    let mut heard = [0; 1_600];
    let count = Decoder::new(Codec::G722).decode(octets, &mut heard);
    assert_eq!(count, 1_600);
    let quality = chord_to_noise(&heard);
    assert!(quality > 30.0, "{quality:.1} dB");
}

#[test]
fn g722_is_quiet_in_silence_and_does_not_wrap_when_loud() {
    let mut octets = Vec::new();
    Encoder::new(Codec::G722).encode(&[0; 8], &mut octets);
    assert!(octets.iter().all(|octet| octet >> 6 == 3), "the upper band is silent");
    let mut out = [1; 8];
    Decoder::new(Codec::G722).decode(&octets, &mut out);
    assert!(out.iter().all(|sample| sample.abs() <= 16), "{out:?}");
    // Full scale neither wraps nor sticks.
    let loud: Vec<[i16; 160]> =
        (0..20).map(|_| std::array::from_fn(|n| if n % 16 < 8 { i16::MAX } else { i16::MIN })).collect();
    let heard = through(Codec::G722, &loud);
    assert!(heard[1_600..].chunks(16).all(|wave| wave[2] > 20_000 && wave[10] < -20_000));
}

#[test]
fn the_length_of_an_opus_packet_is_read_from_its_first_octets() {
    for (toc, second, samples) in [
        (0b0000_0000, 0, Some(80)),  // SILK 10 ms
        (0b0000_1000, 0, Some(160)), // SILK 20 ms
        (0b0001_1000, 0, Some(480)), // SILK 60 ms
        (0b0110_0001, 0, Some(160)), // hybrid, two of 10 ms
        (0b1110_0000, 0, Some(20)),  // CELT 2.5 ms
        (0b1111_1011, 3, Some(480)), // CELT, three of 20 ms
        (0b0001_1011, 2, Some(960)), // two of 60 ms
        (0b0001_1011, 3, None),      // 180 ms: no packet
        (0b0001_1011, 0, None),      // none at all
    ] {
        assert_eq!(opus::samples_in(&[toc, second]), samples, "{toc:#010b}");
    }
    assert_eq!(opus::samples_in(&[]), None);
    assert_eq!(opus::samples_in(&[3]), None);
}

#[test]
fn damaged_payloads_decode_to_something_or_nothing_but_never_panic() {
    let mut state = 7u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut out = [0; 1_280];
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut decoder = Decoder::new(codec);
        for _ in 0..2_000 {
            let payload: Vec<u8> = (0..random() % 90).map(|_| random() as u8).collect();
            let written = decoder.decode(&payload, &mut out);
            assert!(written <= codec.samples_in(&payload).unwrap_or(0));
            decoder.recover(&payload, &mut out);
            decoder.conceal(&mut out);
        }
    }
}
