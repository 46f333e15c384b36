//! Who may send to us: NAT, strangers, other sources, restarts, re-INVITE.

use std::net::SocketAddr;

use gateway_media::{Codec, FrameKind, LatchPolicy, MediaConfig, MediaEvent, RtpError, Stream, StreamConfig};

use crate::rig::{Phone, at_frame, caller, fixed, stream, tone};

fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], port))
}

fn packet(number: u32) -> Vec<u8> {
    Phone::new().packet(number, &tone(400.0, 8_000.0, number))
}

#[test]
fn the_port_behind_nat_is_learned_once() {
    let mut stream = stream(&fixed());
    assert_eq!((stream.remote(), stream.remote_rtcp()), (caller(), address(1, 4_001)));
    stream.receive(at_frame(0), address(1, 61_234), &packet(0)).unwrap();
    assert_eq!((stream.remote(), stream.remote_rtcp()), (address(1, 61_234), address(1, 61_235)));
    // Then it stays, even against the address first signalled.
    assert_eq!(stream.receive(at_frame(1), caller(), &packet(1)), Err(RtpError::UnexpectedSource));
    assert_eq!(stream.remote(), address(1, 61_234));
    assert_eq!((stream.stats().packets_received, stream.stats().packets_refused), (1, 1));
}

#[test]
fn the_port_of_reports_behind_nat_is_learned_too() {
    let mut stream = stream(&fixed());
    let report = stream.bye(at_frame(0));
    assert!(stream.receive(at_frame(0), address(66, 50_000), &report).is_err());
    stream.receive(at_frame(0), address(1, 50_000), &report).unwrap();
    stream.receive(at_frame(0), address(1, 50_002), &report).unwrap();
    assert_eq!((stream.remote(), stream.remote_rtcp()), (caller(), address(1, 50_000)));
    stream.set_remote(address(7, 9_000), Some(address(7, 9_001)));
    assert_eq!(stream.remote_rtcp(), address(7, 9_001));
}

#[test]
fn a_stranger_is_not_followed() {
    let mut stream = stream(&fixed());
    assert_eq!(stream.receive(at_frame(0), address(66, 4_000), &packet(0)), Err(RtpError::UnexpectedSource));
    let report = stream.bye(at_frame(0));
    assert_eq!(stream.receive(at_frame(0), address(66, 4_001), &report), Err(RtpError::UnexpectedSource));
    assert_eq!(stream.remote(), caller());
}

#[test]
fn the_host_that_signals_may_send_from_an_address_its_sdp_does_not_name() {
    let config = StreamConfig {
        signalling: Some(address(9, 0).ip()),
        ..StreamConfig::new(&fixed(), Codec::Pcma, caller())
    };
    let mut stream = Stream::new(config, at_frame(0));
    assert!(stream.receive(at_frame(0), address(66, 4_000), &packet(0)).is_err());
    stream.receive(at_frame(0), address(9, 7_000), &packet(0)).unwrap();
    assert_eq!(stream.remote(), address(9, 7_000));
}

#[test]
fn the_first_packet_decides_where_that_is_configured() {
    let mut stream = stream(&MediaConfig { latch: LatchPolicy::FirstPacket, ..fixed() });
    // Noise does not latch, a valid packet does.
    assert!(stream.receive(at_frame(0), address(66, 1), b"\x00\x01\x00\x00stun").is_err());
    assert_eq!(stream.remote(), caller());
    stream.receive(at_frame(0), address(9, 7_000), &packet(0)).unwrap();
    assert_eq!(stream.remote(), address(9, 7_000));
    assert_eq!(stream.receive(at_frame(1), caller(), &packet(1)), Err(RtpError::UnexpectedSource));
}

#[test]
fn a_dual_stack_socket_shows_the_same_host() {
    let mut stream = stream(&fixed());
    let mapped: SocketAddr = "[::ffff:192.0.2.1]:4000".parse().unwrap();
    stream.receive(at_frame(0), mapped, &packet(0)).unwrap();
    stream.receive(at_frame(1), caller(), &packet(1)).unwrap();
}

#[test]
fn signalling_may_move_it() {
    let mut stream = stream(&fixed());
    stream.receive(at_frame(0), address(1, 61_234), &packet(0)).unwrap();
    stream.set_remote(address(7, 9_000), None);
    assert_eq!(stream.receive(at_frame(1), address(1, 61_234), &packet(1)), Err(RtpError::UnexpectedSource));
    stream.receive(at_frame(1), address(7, 9_002), &packet(1)).unwrap();
    assert_eq!(stream.remote(), address(7, 9_002));
}

#[test]
fn payload_types_nobody_offered_are_refused() {
    let mut stream = stream(&fixed());
    let opus = Phone::new().raw(0, 0, false, 111, &[1; 60]);
    assert_eq!(stream.receive(at_frame(0), caller(), &opus), Err(RtpError::PayloadType(111)));
    let huge = Phone::new().raw(0, 0, false, 8, &[1; 1_400]);
    assert_eq!(stream.receive(at_frame(0), caller(), &huge), Err(RtpError::TooLong(1_400)));
}

/// Feeds 100 frames of one phone, then whatever `then` makes of each later frame, and collects.
fn follow(then: impl Fn(u32) -> Vec<Vec<u8>>) -> (Vec<FrameKind>, Vec<(u32, MediaEvent)>) {
    let mut stream = stream(&fixed());
    let (mut kinds, mut events) = (Vec::new(), Vec::new());
    for frame in 0..300u32 {
        let datagrams = if frame < 100 { vec![packet(frame)] } else { then(frame) };
        for datagram in datagrams {
            stream.receive(at_frame(frame), caller(), &datagram).unwrap();
        }
        kinds.push(stream.poll_frame(at_frame(frame)).kind);
        events.extend(std::iter::from_fn(|| stream.poll_event()).map(|event| (frame, event)));
    }
    (kinds, events)
}

#[test]
fn another_source_takes_over_at_its_second_packet() {
    let other = Phone { ssrc: 1_234, sequence: 9, timestamp: 5 };
    let (kinds, events) = follow(|frame| vec![other.packet(frame, &tone(400.0, 8_000.0, frame))]);
    assert_eq!(events, [(101, MediaEvent::SourceChanged)]);
    assert!(kinds[104..].iter().all(|kind| *kind == FrameKind::Voice), "{:?}", &kinds[98..110]);
}

#[test]
fn a_stray_packet_of_another_source_disturbs_nothing() {
    let stray = Phone { ssrc: 1_234, ..Phone::new() };
    let (kinds, events) = follow(|frame| vec![stray.packet(frame * 2, &[0; 160]), packet(frame)]);
    assert_eq!(events, []);
    assert!(kinds[3..].iter().all(|kind| *kind == FrameKind::Voice));
}

#[test]
fn a_sender_that_restarts_its_numbers_is_heard_again() {
    let restarted = Phone { sequence: 20_000, timestamp: 2_000_000_000, ..Phone::new() };
    let (kinds, events) = follow(|frame| vec![restarted.packet(frame - 100, &tone(400.0, 8_000.0, frame))]);
    assert_eq!(events, []);
    assert!(kinds[105..].iter().all(|kind| *kind == FrameKind::Voice));
}
