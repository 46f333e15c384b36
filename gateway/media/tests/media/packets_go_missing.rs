//! Loss, reordering, repetition and network stalls, heard through one stream.

use std::time::{Duration, Instant};

use gateway_media::{FrameKind, MediaConfig};

use crate::rig::{Phone, at_frame, at_ms, fixed, listen, peak_at, sound, stream, through_a_law, tone};

/// One packet per frame of a 400 Hz tone, arriving when `arrival` says (milliseconds).
fn talk(count: u32, arrival: impl Fn(u32) -> Option<u64>) -> Vec<(Instant, Vec<u8>)> {
    let phone = Phone::new();
    (0..count)
        .filter_map(|number| {
            Some((at_ms(arrival(number)?), phone.packet(number, &tone(400.0, 8_000.0, number))))
        })
        .collect()
}

fn on_time(number: u32) -> Option<u64> {
    Some(u64::from(number) * 20)
}

/// The talk as it should be heard: encoded once, after 60 ms.
fn expected(count: u32) -> Vec<i16> {
    let silence = std::iter::repeat_n(0, 480);
    silence.chain((0..count).flat_map(|number| through_a_law(&tone(400.0, 8_000.0, number)))).collect()
}

#[test]
fn an_undisturbed_talk_is_heard_to_the_sample() {
    let mut stream = stream(&fixed());
    let frames = listen(&mut stream, talk(100, on_time), 103);
    assert_eq!(sound(&frames), expected(100));
    assert!(frames[..3].iter().all(|frame| frame.kind == FrameKind::NothingYet));
    assert!(frames[3..].iter().all(|frame| frame.kind == FrameKind::Voice));
    let stats = stream.stats();
    assert_eq!((stats.packets_received, stats.packets_lost, stats.packets_late), (100, 0, 0));
    assert_eq!((stats.concealed, stats.playout_delay), (Duration::ZERO, Duration::from_millis(60)));
}

#[test]
fn reordered_packets_are_put_in_order() {
    let mut stream = stream(&fixed());
    // Every third packet is overtaken by the two after it.
    let late = |number: u32| Some(u64::from(number) * 20 + if number % 3 == 1 { 45 } else { 0 });
    assert_eq!(sound(&listen(&mut stream, talk(99, late), 103))[..expected(99).len()], expected(99));
    assert_eq!((stream.stats().packets_lost, stream.stats().packets_late), (0, 0));
}

#[test]
fn repeated_packets_change_nothing() {
    let mut stream = stream(&fixed());
    let mut twice = talk(100, on_time);
    twice.extend(talk(100, |number| Some(u64::from(number) * 20 + 30)));
    assert_eq!(sound(&listen(&mut stream, twice, 103)), expected(100));
    let stats = stream.stats();
    assert_eq!((stats.packets_received, stats.packets_duplicate, stats.packets_lost), (100, 100, 0));
}

#[test]
fn a_lost_packet_is_covered_up() {
    let mut stream = stream(&fixed());
    let frames = listen(&mut stream, talk(100, |n| on_time(n).filter(|_| n != 50)), 103);
    assert_eq!(frames[53].kind, FrameKind::Concealed);
    let level = peak_at(400.0, 8_000.0, &frames[53].samples);
    assert!((4_500.0..8_000.0).contains(&level), "repeated and fading, not silent: {level}");
    // All others are untouched but for the 4 ms seam after the gap.
    let (heard, wanted) = (sound(&frames), expected(100));
    assert_eq!(heard[..53 * 160], wanted[..53 * 160]);
    assert_eq!(heard[54 * 160 + 32..], wanted[54 * 160 + 32..]);
    assert_eq!(stream.stats().packets_lost, 1);
    assert_eq!(stream.stats().concealed, Duration::from_millis(20));
}

#[test]
fn a_long_loss_fades_to_silence_within_60_ms() {
    let mut stream = stream(&fixed());
    let frames = listen(&mut stream, talk(100, |n| on_time(n).filter(|_| !(50..70).contains(&n))), 103);
    let levels: Vec<f64> =
        frames[52..57].iter().map(|frame| peak_at(400.0, 8_000.0, &frame.samples)).collect();
    assert!(levels.windows(2).all(|pair| pair[1] < pair[0] || pair[0] == 0.0), "{levels:?}");
    assert!(frames[53..56].iter().all(|frame| frame.kind == FrameKind::Concealed));
    assert!(frames[56..73].iter().all(|frame| frame.kind == FrameKind::Silence && frame.samples == [0; 160]));
    assert_eq!(stream.stats().packets_lost, 20);
    assert_eq!(sound(&frames)[73 * 160..], expected(100)[73 * 160..]);
}

#[test]
fn every_tenth_packet_lost_is_counted_and_bearable() {
    let mut stream = stream(&MediaConfig::default());
    listen(&mut stream, talk(1_000, |n| on_time(n).filter(|_| n % 10 != 9)), 1_003);
    // The last one lost has no successor to betray it.
    assert_eq!((stream.stats().packets_received, stream.stats().packets_lost), (900, 99));
    let concealed = stream.stats().concealed.as_millis();
    assert!((1_900..2_100).contains(&concealed), "{concealed} ms");
}

#[test]
fn after_a_stall_the_burst_does_not_lengthen_the_delay() {
    let mut stream = stream(&fixed());
    // Between 1000 and 1200 ms nothing arrives; then everything at once.
    let stalled = |number: u32| {
        Some(match u64::from(number) * 20 {
            due @ 1_000..1_200 => due.max(1_200),
            due => due,
        })
    };
    let frames = listen(&mut stream, talk(200, stalled), 203);
    assert_eq!(sound(&frames)[64 * 160..], expected(200)[64 * 160..]);
    let stats = stream.stats();
    assert_eq!((stats.packets_lost, stats.resynchronisations), (0, 0));
    assert!((6..=8).contains(&stats.packets_late), "{}", stats.packets_late);
}

#[test]
fn a_longer_way_through_the_network_is_followed() {
    let mut stream = stream(&fixed());
    // A route change after 2 s adds 150 ms, more than the buffer holds.
    let rerouted = |number: u32| Some(u64::from(number) * 20 + if number < 100 { 0 } else { 150 });
    let frames = listen(&mut stream, talk(300, rerouted), 300);
    assert_eq!(stream.stats().resynchronisations, 1);
    assert!(frames[125..].iter().all(|frame| frame.kind == FrameKind::Voice));
    assert_eq!(stream.stats().playout_delay, Duration::from_millis(60));
}

#[test]
fn a_jittery_network_raises_the_delay_and_a_calm_one_lowers_it() {
    let mut stream = stream(&MediaConfig::default());
    // For 20 s packets are up to 75 ms late (without overtaking), then none is.
    let arrival = |number: u32| {
        let queue = if number < 1_000 { u64::from(number * 7919 % 76) } else { 0 };
        Some(u64::from(number) * 20 + queue)
    };
    let datagrams = talk(6_000, arrival);
    let (early, late): (Vec<_>, Vec<_>) = datagrams.into_iter().partition(|(when, _)| *when < at_ms(20_000));
    let mut stormy = Vec::new();
    stormy.extend(early);
    listen(&mut stream, stormy, 1_000);
    let raised = stream.stats();
    assert!((95..=110).contains(&raised.playout_delay.as_millis()), "{:?}", raised.playout_delay);
    assert!(raised.packets_late < 20, "{} late", raised.packets_late);
    let mut coming = late.into_iter().peekable();
    for frame in 1_000..6_000 {
        while let Some((when, packet)) = coming.next_if(|(when, _)| *when <= at_frame(frame)) {
            stream.receive(when, crate::rig::caller(), &packet).unwrap();
        }
        stream.poll_frame(at_frame(frame));
    }
    let calm = stream.stats();
    assert!(calm.playout_delay.as_millis() <= 45, "{:?}", calm.playout_delay);
    assert_eq!(calm.packets_late, raised.packets_late);
}

#[test]
fn packets_of_other_lengths_are_taken_as_they_are() {
    for length in [80usize, 240, 480] {
        let mut stream = stream(&fixed());
        let whole: Vec<i16> = (0..120).flat_map(|number| tone(400.0, 8_000.0, number)).collect();
        let datagrams = whole
            .chunks_exact(length)
            .zip(0u32..)
            .map(|(part, number)| {
                let mut payload = Vec::new();
                gateway_media::Codec::Pcma.encode(part, &mut payload);
                let timestamp = number * length as u32;
                // A packet can be sent when its last sample has been spoken.
                let when = at_ms(u64::from(timestamp) / 8);
                (when, Phone::new().raw(number, timestamp, false, 8, &payload))
            })
            .collect();
        let heard = sound(&listen(&mut stream, datagrams, 110));
        assert_eq!(heard, expected(120)[..heard.len()], "{length} samples a packet");
    }
}
