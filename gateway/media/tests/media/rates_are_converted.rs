//! Resampling: what passes, what must not, and that blocks do not matter.

use std::f64::consts::TAU;

use gateway_media::{
    MediaError,
    resample::{Resampler, convert},
};

use crate::rig::peak_at;

fn sine(hertz: f64, rate: u32, peak: f64) -> Vec<i16> {
    (0..rate)
        .map(|index| (peak * (TAU * hertz * f64::from(index) / f64::from(rate)).sin()).round() as i16)
        .collect()
}

/// Level change of a second of sine, in dB, where it appears at `out` hertz.
fn change(hertz: f64, from: u32, to: u32, out: f64) -> f64 {
    let converted = convert(&sine(hertz, from, 10_000.0), from, to).unwrap();
    assert_eq!(converted.len(), to as usize);
    let middle = &converted[to as usize / 10..to as usize * 9 / 10];
    20.0 * (peak_at(out, f64::from(to), middle) / 10_000.0).log10()
}

#[test]
fn the_telephone_band_passes_and_its_aliases_do_not() {
    for from in [16_000, 24_000, 48_000] {
        for hertz in [200.0, 1_000.0, 2_500.0, 3_400.0] {
            let decibels = change(hertz, from, 8_000, hertz);
            assert!(decibels.abs() < 0.5, "{hertz} Hz of {from}: {decibels:.2} dB");
        }
        for hertz in [4_300.0, 5_000.0, 6_500.0, 7_700.0] {
            // It would fold down to the difference from 8 kHz.
            let decibels = change(hertz, from, 8_000, 8_000.0 - hertz);
            assert!(decibels < -50.0, "{hertz} Hz of {from}: {decibels:.2} dB");
        }
    }
    for hertz in [200.0, 1_000.0, 3_400.0] {
        assert!(change(hertz, 8_000, 16_000, hertz).abs() < 0.5);
        assert!(change(hertz, 8_000, 16_000, 8_000.0 - hertz) < -50.0, "image of {hertz} Hz");
    }
}

#[test]
fn sound_keeps_its_place_in_time() {
    for (from, to) in [(48_000u32, 8_000u32), (16_000, 8_000), (8_000, 16_000)] {
        let mut click = vec![0i16; from as usize];
        click[from as usize / 2] = 30_000;
        let converted = convert(&click, from, to).unwrap();
        let loudest = (0..converted.len()).max_by_key(|&at| converted[at].unsigned_abs()).unwrap();
        assert_eq!(loudest, to as usize / 2, "{from} to {to}");
    }
}

#[test]
fn blocks_of_any_size_give_the_same() {
    let input = sine(700.0, 24_000, 9_000.0);
    let whole = convert(&input, 24_000, 8_000).unwrap();
    for size in [1, 7, 480, 5_000] {
        let (mut resampler, mut out) = (Resampler::new(24_000, 8_000).unwrap(), Vec::new());
        input.chunks(size).for_each(|block| resampler.process(block, &mut out));
        resampler.finish(&mut out);
        assert_eq!(out[..8_000], whole[..], "blocks of {size}");
    }
}

#[test]
fn full_scale_clips_and_unknown_rates_are_refused() {
    let square: Vec<i16> =
        (0..4_800).map(|index| if index / 240 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let converted = convert(&square, 48_000, 8_000).unwrap();
    assert!(converted.contains(&i16::MAX) && converted.contains(&i16::MIN));
    assert_eq!(convert(&[], 48_000, 8_000), Ok(vec![]));
    assert_eq!(convert(&[1], 44_100, 8_000), Err(MediaError::Rate { from: 44_100, to: 8_000 }));
}
