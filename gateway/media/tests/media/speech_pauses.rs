//! Senders that fall silent: silence suppression, comfort noise, hold, and nothing at all.

use std::time::{Duration, Instant};

use gateway_media::{Direction, FrameKind, MediaConfig, MediaEvent, rtp::Packet};

use crate::rig::{Phone, at_frame, caller, fixed, listen, sound, stream, through_a_law, tone};

/// Talks in frames 0–49 and 150–199 and stays silent between.
fn two_talks(timestamp: impl Fn(u32) -> u32) -> Vec<(Instant, Vec<u8>)> {
    let phone = Phone::new();
    let spoken = (0..50u32).chain(150..200);
    (0u32..)
        .zip(spoken)
        .map(|(sequence, frame)| {
            let marker = frame == 0 || frame == 150;
            let voice = tone(400.0, 8_000.0, frame);
            (at_frame(frame), phone.packet_at(sequence, timestamp(frame), marker, &voice))
        })
        .collect()
}

#[test]
fn a_pause_keeps_its_length_and_is_no_loss() {
    let mut stream = stream(&fixed());
    let frames = listen(&mut stream, two_talks(|frame| frame * 160), 203);
    assert!(frames[53..56].iter().all(|frame| frame.kind == FrameKind::Concealed));
    assert!(
        frames[56..153].iter().all(|frame| frame.kind == FrameKind::Silence && frame.samples == [0; 160])
    );
    let second: Vec<i16> =
        (150..200).flat_map(|number| through_a_law(&tone(400.0, 8_000.0, number))).collect();
    assert_eq!(sound(&frames[153..]), second);
    assert_eq!((stream.stats().packets_lost, stream.stats().resynchronisations), (0, 0));
}

#[test]
fn timestamps_that_stand_still_in_the_pause_are_followed() {
    let mut stream = stream(&fixed());
    let frames =
        listen(&mut stream, two_talks(|frame| if frame < 150 { frame } else { frame - 100 } * 160), 203);
    // The marker tells at once: nothing of the second talk is lost.
    let second: Vec<i16> =
        (150..200).flat_map(|number| through_a_law(&tone(400.0, 8_000.0, number))).collect();
    assert_eq!(sound(&frames[153..]), second);
    assert_eq!(stream.stats().resynchronisations, 1);
}

#[test]
fn a_jump_of_timestamps_without_marker_costs_little() {
    for jump in [40_000_000u32, 10_000, 0u32.wrapping_sub(10_000)] {
        let (mut stream, phone) = (stream(&fixed()), Phone::new());
        let talk = (0..150u32).map(|number| {
            let shift = if number < 50 { 0 } else { jump };
            let voice = tone(400.0, 8_000.0, number);
            (at_frame(number), phone.packet_at(number, (number * 160).wrapping_add(shift), false, &voice))
        });
        let frames = listen(&mut stream, talk.collect(), 150);
        assert!(frames[60..].iter().all(|frame| frame.kind == FrameKind::Voice), "jump of {jump}");
        assert_eq!(stream.stats().resynchronisations, 1);
    }
}

#[test]
fn a_short_gap_whose_end_is_known_is_plain_silence() {
    let (mut stream, phone) = (stream(&fixed()), Phone::new());
    // Two frames are never sent; the next packet is there long before its time.
    let spoken = (0..50u32).chain(52..100);
    let talk = (0u32..).zip(spoken).map(|(sequence, frame)| {
        let voice = tone(400.0, 8_000.0, frame);
        (at_frame(frame), phone.packet_at(sequence, frame * 160, false, &voice))
    });
    let frames = listen(&mut stream, talk.collect(), 100);
    assert!(frames[53..55].iter().all(|frame| frame.kind == FrameKind::Silence));
    assert_eq!(stream.stats().concealed, Duration::ZERO);
}

#[test]
fn comfort_noise_announces_silence() {
    let (mut stream, phone) = (stream(&fixed()), Phone::new());
    let mut talk: Vec<_> =
        (0..50u32).map(|n| (at_frame(n), phone.packet(n, &tone(400.0, 8_000.0, n)))).collect();
    talk.push((at_frame(50), phone.raw(50, 50 * 160, false, 13, &[60])));
    let frames = listen(&mut stream, talk, 80);
    assert!(frames[53..].iter().all(|frame| frame.kind == FrameKind::Silence), "nothing is made up");
}

#[test]
fn a_dead_line_is_told_once_and_its_return_too() {
    let media = MediaConfig { receive_timeout: Duration::from_secs(2), ..fixed() };
    let (mut stream, phone) = (stream(&media), Phone::new());
    let mut events = Vec::new();
    for frame in 0..500u32 {
        if !(50..400).contains(&frame) {
            let packet = phone.packet(frame, &tone(400.0, 8_000.0, frame));
            stream.receive(at_frame(frame), caller(), &packet).unwrap();
        }
        stream.poll_frame(at_frame(frame));
        events.extend(std::iter::from_fn(|| stream.poll_event()).map(|event| (frame, event)));
    }
    assert_eq!(events, [(149, MediaEvent::ReceiveTimeout), (400, MediaEvent::ReceiveResumed)]);
}

#[test]
fn hold_is_silent_in_the_held_direction_and_runs_no_timeout() {
    let media = MediaConfig { receive_timeout: Duration::from_secs(2), ..fixed() };
    let (mut stream, phone) = (stream(&media), Phone::new());
    let mut sent = Vec::new();
    let mut out = Vec::new();
    let mut heard = Vec::new();
    for frame in 0..600u32 {
        let now = at_frame(frame);
        match frame {
            100 => stream.set_direction(now, Direction::Inactive),
            400 => stream.set_direction(now, Direction::SendReceive),
            _ => {}
        }
        if frame != 300 {
            // The far end goes on sending for a while, as music on hold does.
            let packet = phone.packet(frame, &tone(400.0, 8_000.0, frame));
            stream.receive(now, caller(), &packet).unwrap();
        }
        heard.push(stream.poll_frame(now).kind);
        stream.send_frame(now, &[0; 160], &mut out);
        if !out.is_empty() {
            let packet = Packet::parse(&out).unwrap();
            sent.push((frame, packet.marker, packet.sequence, packet.timestamp));
        }
    }
    assert!(heard[100..403].iter().all(|kind| *kind != FrameKind::Voice));
    assert!(heard[405..].iter().all(|kind| *kind == FrameKind::Voice));
    assert_eq!(sent.len(), 300);
    let (last, resumed) = (sent[99], sent[100]);
    assert_eq!((last.0, resumed.0, resumed.1), (99, 400, true));
    assert_eq!(resumed.2, last.2.wrapping_add(1), "no sequence number is skipped");
    assert_eq!(resumed.3, last.3.wrapping_add(301 * 160), "the timeline ran on");
    assert_eq!(sent.iter().filter(|packet| packet.1).count(), 2, "markers at both beginnings only");
    assert_eq!(stream.poll_event(), None);
    assert_eq!(stream.stats().packets_lost, 1, "what was sent to a held line is not lost");
}
