//! Keys pressed on a phone, as real senders and real networks deliver them.

use gateway_media::{FrameKind, MediaEvent, Stream, dtmf::Digit};

use crate::rig::{Phone, at_frame, caller, fixed, listen, stream, tone};

fn digits(stream: &mut Stream) -> Vec<(char, u32)> {
    std::iter::from_fn(|| stream.poll_event())
        .filter_map(|event| match event {
            MediaEvent::Digit(Digit { digit, duration_ms }) => Some((digit, duration_ms)),
            _ => None,
        })
        .collect()
}

/// Delivers events one per 20 ms and waits half a second for stragglers.
#[track_caller]
fn check(events: &[Vec<u8>], expected: &[(char, u32)]) {
    let mut stream = stream(&fixed());
    let mut coming = events.iter();
    for frame in 0..events.len() as u32 + 25 {
        if let Some(event) = coming.next() {
            stream.receive(at_frame(frame), caller(), event).unwrap();
        }
        stream.poll_frame(at_frame(frame));
    }
    assert_eq!(digits(&mut stream), expected);
}

/// A well-behaved press beginning at sequence and timestamp: four updates, three ends.
fn press(sequence: u32, timestamp: u32, event: u8) -> Vec<Vec<u8>> {
    let durations = [160, 320, 480, 640, 800, 800, 800];
    let numbered = (sequence..).zip(durations).enumerate();
    numbered.map(|(n, (sequence, d))| Phone::new().event(sequence, timestamp, event, n >= 4, d)).collect()
}

#[test]
fn all_sixteen_keys() {
    for (event, key) in (0u8..).zip("0123456789*#ABCD".chars()) {
        check(&press(0, 0, event), &[(key, 100)]);
    }
    // Flash hook and fax tones are no keys.
    check(&press(0, 0, 16), &[]);
    check(&press(0, 0, 36), &[]);
}

#[test]
fn one_press_repeated_by_the_network_is_one_digit() {
    let mut events = press(0, 0, 5);
    events.extend(press(0, 0, 5));
    // New sequence numbers too: a sender that goes on repeating the end.
    events.extend((7..12).map(|sequence| Phone::new().event(sequence, 0, 5, true, 800)));
    check(&events, &[('5', 100)]);
}

#[test]
fn the_same_key_twice_is_two_digits() {
    check(&[press(0, 0, 5), press(7, 2_000, 5)].concat(), &[('5', 100), ('5', 100)]);
}

#[test]
fn lost_ends_do_not_lose_the_digit() {
    check(&press(0, 0, 7)[..4], &[('7', 80)]);
    // Nor when the next key comes before the wait is over.
    check(&[press(0, 0, 7)[..4].to_vec(), press(7, 1_200, 8)].concat(), &[('7', 80), ('8', 100)]);
}

#[test]
fn only_one_packet_of_a_press_arrives() {
    for survivor in 0..7 {
        let event = &press(0, 0, 3)[survivor..=survivor];
        check(event, &[('3', [20, 40, 60, 80, 100, 100, 100][survivor])]);
    }
    // Only the last end of each of three keys.
    let ends = [&press(0, 0, 1)[6], &press(7, 1_600, 2)[6], &press(14, 3_200, 3)[6]].map(Clone::clone);
    check(&ends, &[('1', 100), ('2', 100), ('3', 100)]);
}

#[test]
fn an_end_right_after_an_unfinished_key_keeps_both_in_order() {
    let events = [press(0, 0, 1)[2].clone(), press(7, 1_600, 2)[5].clone()];
    check(&events, &[('1', 60), ('2', 100)]);
}

#[test]
fn reordered_updates_are_one_digit_of_full_length() {
    let mut events = press(0, 0, 9);
    events.swap(0, 3);
    events.swap(4, 2);
    check(&events, &[('9', 100)]);
    // The first update comes after the next key has begun.
    let mut events = [press(0, 0, 4), press(7, 1_600, 6)].concat();
    events.swap(0, 8);
    check(&events, &[('4', 100), ('6', 100)]);
}

#[test]
fn a_key_held_for_nine_seconds_is_one_digit() {
    let phone = Phone::new();
    let mut events: Vec<_> = (1..410u32)
        .map(|n| phone.event(n, 0, 2, false, u16::try_from(n * 160).unwrap_or(u16::MAX)))
        .collect();
    events.push(phone.event(410, 0, 2, false, u16::MAX));
    events.extend((1..41u32).map(|n| phone.event(410 + n, 65_535, 2, n == 40, (n * 160) as u16)));
    check(&events, &[('2', 8_991)]);
}

#[test]
fn the_line_is_silent_while_a_key_is_down() {
    let phone = Phone::new();
    let mut stream = stream(&fixed());
    let voice = |number| tone(697.0, 8_000.0, number);
    let mut datagrams: Vec<_> = (0..150u32)
        // The tone itself leaks beside the event, as some senders let it.
        .map(|number| (at_frame(number), phone.packet_at(number * 2, number * 160, false, &voice(number))))
        .collect();
    datagrams.extend((50..62u32).map(|number| {
        let duration = (number - 49).min(10) * 160;
        (at_frame(number), phone.event(number * 2 + 1, 50 * 160, 1, number >= 59, duration as u16))
    }));
    let frames = listen(&mut stream, datagrams, 153);
    assert!(frames[53..63].iter().all(|frame| frame.samples == [0; 160] && frame.kind == FrameKind::Silence));
    // Not a sample before the key went down or after it came up is taken away.
    assert!(frames[3..53].iter().chain(&frames[63..]).all(|frame| frame.kind == FrameKind::Voice));
    assert_eq!(frames[52].samples, crate::rig::through_a_law(&voice(49)));
    assert_eq!(frames[64].samples, crate::rig::through_a_law(&voice(61)));
    assert_eq!(digits(&mut stream), [('1', 200)]);
}
