//! What 20 ms of sound cost to encode, to decode and to listen to for keys, by codec. Run with
//! `cargo bench -p gateway-media --bench codecs`. G.711 is the measure: the last column is how much more another takes.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{hint::black_box, io::Write, time::Instant};

use gateway_media::{
    Codec, FRAME_SAMPLES,
    codec::{Decoder, Encoder},
    inband::ToneDetector,
    tone,
};

const FRAMES: usize = 20_000;
/// Frames of sound that differ, so that nothing is predicted away.
const VARIETY: usize = 50;

fn main() {
    // A voice is neither silence nor one tone: three that do not fit each other, swelling and falling.
    let sound: Vec<i16> = [(233.0, 7_000.0), (1_170.0, 4_000.0), (2_730.0, 1_500.0)]
        .into_iter()
        .map(|(hertz, level)| tone::sine(hertz, level, FRAME_SAMPLES * VARIETY))
        .reduce(|sum, part| sum.into_iter().zip(part).map(|(one, other)| one + other).collect())
        .unwrap_or_default();
    let frames: Vec<[i16; FRAME_SAMPLES]> = sound
        .chunks_exact(FRAME_SAMPLES)
        .enumerate()
        .map(|(at, frame)| std::array::from_fn(|n| (i32::from(frame[n]) * (at as i32 % 25) / 24) as i16))
        .collect();
    let mut report = String::new();
    let mut measure = 0.0;
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus] {
        let (mut encoder, mut payloads) = (Encoder::new(codec), vec![Vec::new(); VARIETY]);
        let encoding = each(|at| {
            let payload = &mut payloads[at % VARIETY];
            payload.clear();
            encoder.encode(&frames[at % VARIETY], payload);
        });
        let (mut decoder, mut out) = (Decoder::new(codec), [0; FRAME_SAMPLES]);
        let decoding = each(|at| {
            black_box(decoder.decode(&payloads[at % VARIETY], &mut out));
        });
        if codec == Codec::Pcma {
            measure = encoding + decoding;
        }
        report += &format!(
            "{codec:?}: encode {encoding:.2} us, decode {decoding:.2} us a frame, {:.0} times A-law\n",
            (encoding + decoding) / measure
        );
    }
    let mut detector = ToneDetector::default();
    let listening = each(|at| {
        black_box(detector.hear(&frames[at % VARIETY]));
    });
    report += &format!("keys in the sound: {listening:.2} us a frame\n");
    std::io::stdout().write_all(report.as_bytes()).expect("stdout is open");
}

/// Microseconds a frame.
fn each(mut work: impl FnMut(usize)) -> f64 {
    let began = Instant::now();
    (0..FRAMES).for_each(&mut work);
    began.elapsed().as_secs_f64() * 1e6 / FRAMES as f64
}
