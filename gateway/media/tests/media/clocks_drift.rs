//! No two clocks agree: over an hour the buffer may neither grow nor starve.

use std::time::Duration;

use gateway_media::MediaConfig;

use crate::rig::{Phone, at_frame, caller, fixed, start, stream, tone};

/// An hour of a sender whose clock is off by `parts_per_million`.
fn check(parts_per_million: i64, media: &MediaConfig, delay_ms: std::ops::RangeInclusive<u128>) {
    let mut stream = stream(media);
    let phone = Phone::new();
    let voice = tone(400.0, 8_000.0, 0);
    let sent_at = |number: u32| {
        let nanos = i64::from(number) * 20_000_000;
        start() + Duration::from_nanos((nanos - nanos * parts_per_million / 1_000_000).unsigned_abs())
    };
    let mut number = 0;
    for frame in 0..180_000 {
        let now = at_frame(frame);
        while sent_at(number) <= now {
            stream.receive(sent_at(number), caller(), &phone.packet(number, &voice)).unwrap();
            number += 1;
        }
        stream.poll_frame(now);
        if frame > 500 && frame % 100 == 0 {
            let delay = stream.stats().playout_delay.as_millis();
            assert!(delay_ms.contains(&delay), "{delay} ms after {} s", frame / 50);
        }
    }
    let stats = stream.stats();
    assert_eq!((stats.packets_late, stats.concealed, stats.cut), (0, Duration::ZERO, Duration::ZERO));
    assert_eq!((stats.packets_lost, stats.resynchronisations), (0, 0));
    // The far end's hour really was longer or shorter than ours, by 36 packets.
    assert!((35..=37).contains(&(i64::from(number) - 180_000).abs()), "{number}");
}

#[test]
fn a_fast_sender_fixed_delay() {
    check(200, &fixed(), 54..=66);
}

#[test]
fn a_slow_sender_fixed_delay() {
    check(-200, &fixed(), 54..=66);
}

#[test]
fn a_fast_sender_adaptive_delay() {
    check(200, &MediaConfig::default(), 34..=62);
}

#[test]
fn a_slow_sender_adaptive_delay() {
    check(-200, &MediaConfig::default(), 34..=62);
}
