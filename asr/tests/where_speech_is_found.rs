//! Segmentation at its border: samples in, times out. No model needed.

use asr::Audio16k;
use asr::segment::{Span, by_loudness, plan, snap, without_tones};
use proptest::prelude::*;

const RATE: u64 = 16_000;

fn span(from_ms: u64, to_ms: u64) -> Span {
    Span { from_ms, to_ms }
}

/// Noise from a fixed generator; `level` of 1.0 is full scale.
fn noise(ms: u64, level: f32, seed: u64) -> Vec<i16> {
    let mut state = seed | 1;
    (0..ms * RATE / 1000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let unit = (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
            (unit * level * 32_000.0) as i16
        })
        .collect()
}

fn tone(ms: u64, hz: f32, level: f32) -> Vec<i16> {
    (0..ms * RATE / 1000)
        .map(|n| {
            let angle = std::f32::consts::TAU * hz * n as f32 / RATE as f32;
            (angle.sin() * level * 32_000.0) as i16
        })
        .collect()
}

fn audio(parts: &[Vec<i16>]) -> Audio16k {
    Audio16k::new(parts.concat())
}

#[test]
fn silence_steady_noise_and_ring_back_are_not_speech() {
    assert_eq!(by_loudness(&audio(&[])), []);
    assert_eq!(by_loudness(&audio(&[vec![0; 160_000]])), []);
    assert_eq!(by_loudness(&audio(&[noise(10_000, 0.05, 7)])), []);
    let ring = [tone(1000, 450.0, 0.3), vec![0; 64_000], tone(1000, 450.0, 0.3), vec![0; 64_000]];
    assert_eq!(by_loudness(&audio(&ring)), []);
}

#[test]
fn a_burst_over_a_noisy_line_is_found_where_it_is() {
    let sound = audio(&[noise(3000, 0.005, 1), noise(1500, 0.3, 2), noise(3000, 0.005, 3)]);
    let spans = by_loudness(&sound);
    let [found] = spans.as_slice() else { panic!("one span expected, got {spans:?}") };
    assert!(found.from_ms.abs_diff(3000) <= 100 && found.to_ms.abs_diff(4500) <= 100, "{found:?}");
}

#[test]
fn a_ring_before_the_answer_is_cut_off_the_answer() {
    let sound = audio(&[tone(1000, 450.0, 0.3), noise(800, 0.3, 5)]);
    assert_eq!(without_tones(&sound, &[span(0, 1800)]), [span(1000, 1800)]);
    assert_eq!(without_tones(&sound, &[span(0, 900)]), []);
}

#[test]
fn short_pauses_are_bridged_and_long_ones_are_not() {
    let sound = Audio16k::new(vec![0; 16 * 60_000]);
    let pieces = plan(&sound, &[span(1000, 3000), span(4500, 6000), span(9000, 9500)]);
    assert_eq!(pieces, [span(800, 6200), span(8800, 9700)]);
}

#[test]
fn a_long_speech_is_cut_in_a_quiet_place() {
    let sound = audio(&[noise(22_000, 0.3, 1), vec![0; 4800], noise(20_000, 0.3, 2)]);
    let pieces = plan(&sound, &[span(0, 42_300)]);
    let [left, right] = pieces.as_slice() else { panic!("two pieces expected, got {pieces:?}") };
    assert!((22_000..=22_300).contains(&left.to_ms), "{left:?}");
    assert_eq!(left.to_ms, right.from_ms);
}

#[test]
fn times_in_a_pause_move_to_the_speech() {
    let spans = [span(1000, 2000), span(4000, 5000)];
    assert_eq!(snap(&spans, 0, 2500), (1000, 2000));
    assert_eq!(snap(&spans, 2500, 6000), (4000, 5000));
    assert_eq!(snap(&spans, 1200, 4500), (1200, 4500));
    assert_eq!(snap(&spans, 2200, 3000), (2200, 3000));
    assert_eq!(snap(&[], 10, 20), (10, 20));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the detector says: pieces are in order, do not overlap, are short enough, and hold all speech.
    #[test]
    fn a_plan_holds_all_speech_once(steps in proptest::collection::vec((1u64..9_000, 1u64..40_000), 0..12)) {
        let mut spans = Vec::new();
        let mut at = 0;
        for (pause, speech) in steps {
            spans.push(span(at + pause, at + pause + speech));
            at += pause + speech;
        }
        let sound = Audio16k::new(vec![0; (at * RATE / 1000) as usize]);
        let pieces = plan(&sound, &spans);
        for pair in pieces.windows(2) {
            prop_assert!(pair[0].to_ms <= pair[1].from_ms, "{pieces:?}");
        }
        for piece in &pieces {
            prop_assert!(piece.from_ms < piece.to_ms && piece.len_ms() <= 28_400);
        }
        for speech in &spans {
            let held: u64 = pieces.iter().map(|piece| {
                piece.to_ms.min(speech.to_ms).saturating_sub(piece.from_ms.max(speech.from_ms))
            }).sum();
            prop_assert_eq!(held, speech.len_ms());
        }
    }
}
