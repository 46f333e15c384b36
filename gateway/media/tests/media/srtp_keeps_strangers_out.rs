//! Encrypted legs: the octets libsrtp makes are ours too, and only whoever has the key is heard.

use std::net::SocketAddr;

use gateway_media::{
    Codec, FrameKind, MediaConfig, RtpError, SrtpKey, SrtpKeys, SrtpSuite, Stream, StreamConfig, srtp::Srtp,
};

use crate::rig::*;

const SUITES: [SrtpSuite; 6] = [
    SrtpSuite::AesCm128HmacSha1_80,
    SrtpSuite::AesCm128HmacSha1_32,
    SrtpSuite::AesCm256HmacSha1_80,
    SrtpSuite::AesCm256HmacSha1_32,
    SrtpSuite::AeadAes128Gcm,
    SrtpSuite::AeadAes256Gcm,
];

fn key(suite: SrtpSuite, first: u8, mki_length: usize) -> SrtpKey {
    let (key, salt) = suite.lengths();
    let octets: Vec<u8> = (0..key + salt).map(|index| index as u8 + first).collect();
    SrtpKey::new(suite, &octets[..key], &octets[key..], mki_length).expect("lengths fit")
}

fn pair(suite: SrtpSuite) -> (Srtp, Srtp) {
    let keys = |send, receive| SrtpKeys { suite, send: key(suite, send, 0), receive: key(suite, receive, 0) };
    (Srtp::new(keys(1, 101)), Srtp::new(keys(101, 1)))
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex")).collect()
}

/// Two RTP packets (the sequence number wraps between them, the second has an extension) and a report, under
/// the key 01 02 03 …, as libsrtp 2 protects them.
const MADE_BY_LIBSRTP: [(SrtpSuite, [&str; 3]); 4] = [
    (
        SrtpSuite::AesCm128HmacSha1_80,
        [
            "8008ffff000000a00a0b0c0d19d8fc8a059ddc75938d4a78ec2a0eef37047cec491cb44fe4b985c1865edacca4c6dae8ffc51e45705bba8cf2a5aff8feb2",
            "90080000000000a00a0b0c0dbede000110ff0000a7fe6f76240a2c017677d235aaab433088ace5894628286fcc0b7f3a64e8c9e8a590975d1b4e13bd2da87c464af6c5bda827",
            "80c900010a0b0c0df38132dee4b655d4ec250e0980000001a5c35fbdf34e16e74165",
        ],
    ),
    (
        SrtpSuite::AesCm128HmacSha1_32,
        [
            "8008ffff000000a00a0b0c0d19d8fc8a059ddc75938d4a78ec2a0eef37047cec491cb44fe4b985c1865edacca4c6dae8ffc51e45705bba8c",
            "90080000000000a00a0b0c0dbede000110ff0000a7fe6f76240a2c017677d235aaab433088ace5894628286fcc0b7f3a64e8c9e8a590975d1b4e13bd2da87c46",
            "80c900010a0b0c0df38132dee4b655d4ec250e0980000001a5c35fbdf34e16e74165",
        ],
    ),
    (
        SrtpSuite::AeadAes128Gcm,
        [
            "8008ffff000000a00a0b0c0d44e57534e9cac92af0d4588aca641ff616e961eb055301b0a950cffbb3f7aecd86cc6d4b35c25c560b09fb852b74d02c0e34a76a2fa7227d",
            "90080000000000a00a0b0c0dbede000110ff00001abd6aa9d9aba69b79b591628faccb37f1949b2eab0040045c18d0bdd421ea10448becf445b84e501fbf4ca1042b6ff328db7e17d1c51b0e",
            "80c900010a0b0c0db8acd67fdb0ed5d21c2dfbe297a3a407bbf7235bda4c6310f4455eb480000001",
        ],
    ),
    (
        SrtpSuite::AeadAes256Gcm,
        [
            "8008ffff000000a00a0b0c0dda0d9975fde36542a9fd095fb5ed8240fc90191ba452491d01a2a95b6bf78ed1a20489d78064512cfcbba0e248faba5d25d90c2b8987ecf1",
            "90080000000000a00a0b0c0dbede000110ff0000937480b7cd9766e10df7e77ff6b7fcc9e22a619b5287a64d17e55d272311f1d4d1806b5dbfd9fc1d5a479f499344a427b9cbab80b5df8b2c",
            "80c900010a0b0c0d9270da67ce9cbee4664198188d6e225c21a20b0a8fd2776f76796f9c80000001",
        ],
    ),
];

#[test]
fn what_libsrtp_makes_we_make_and_open() {
    for (suite, [first, second, report]) in MADE_BY_LIBSRTP {
        let (mut near, mut far) = pair(suite);
        for (made, sequence, extension) in [(first, 65_535u16, ""), (second, 0, "bede000110ff0000")] {
            let flags = if extension.is_empty() { "80" } else { "90" };
            let mut plain = bytes(&format!("{flags}08{sequence:04x}000000a00a0b0c0d{extension}"));
            plain.extend((0..40u16).map(|index| (sequence.wrapping_mul(7).wrapping_add(index)) as u8));
            let mut packet = plain.clone();
            near.protect(&mut packet);
            assert_eq!(packet, bytes(made), "{suite:?}");
            far.unprotect(&mut packet).expect("it is authentic");
            assert_eq!(packet, plain, "{suite:?}");
        }
        let plain = bytes("80c900010a0b0c0d81ca00020a0b0c0d01026162");
        let mut packet = plain.clone();
        near.protect_rtcp(&mut packet);
        assert_eq!(packet, bytes(report), "{suite:?}");
        far.unprotect_rtcp(&mut packet).expect("it is authentic");
        assert_eq!(packet, plain, "{suite:?}");
    }
}

#[test]
fn a_packet_counts_once_in_any_order_over_any_wrap() {
    for suite in SUITES {
        let (mut near, mut far) = pair(suite);
        let phone = Phone { ssrc: 5, sequence: 65_400, timestamp: 0 };
        let packets: Vec<Vec<u8>> = (0..400)
            .map(|number| {
                let mut packet = phone.packet(number, &tone(440.0, 5_000.0, number));
                near.protect(&mut packet);
                packet
            })
            .collect();
        // Pairs swapped, each packet twice, one in ten never.
        for number in (0..400usize).map(|number| number ^ 1).filter(|number| number % 10 != 3) {
            let mut packet = packets[number].clone();
            far.unprotect(&mut packet).unwrap_or_else(|error| panic!("{suite:?} {number}: {error}"));
            assert_eq!(far.unprotect(&mut packets[number].clone()), Err(RtpError::Replayed));
        }
        // Older than the window, though never seen.
        assert_eq!(far.unprotect(&mut packets[3].clone()), Err(RtpError::Replayed));
    }
}

#[test]
fn one_changed_bit_or_octet_less_is_not_authentic() {
    for suite in SUITES {
        let (mut near, mut far) = pair(suite);
        let mut packet = Phone::new().packet(0, &tone(440.0, 5_000.0, 0));
        near.protect(&mut packet);
        for at in 0..packet.len() * 8 {
            let mut damaged = packet.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(far.unprotect(&mut damaged).is_err(), "{suite:?} bit {at}");
        }
        for length in 0..packet.len() {
            assert!(far.unprotect(&mut packet[..length].to_vec()).is_err(), "{suite:?} length {length}");
            assert!(far.unprotect_rtcp(&mut packet[..length].to_vec()).is_err());
        }
        far.unprotect(&mut packet).expect("the packet itself is still welcome");
    }
}

#[test]
fn the_far_ends_key_identifier_is_skipped() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let (mut near, _) = pair(suite);
    let keys = SrtpKeys { suite, send: key(suite, 101, 0), receive: key(suite, 1, 4) };
    let mut far = Srtp::new(keys);
    let plain = Phone::new().packet(0, &tone(440.0, 5_000.0, 0));
    let mut packet = plain.clone();
    near.protect(&mut packet);
    let tag = packet.split_off(packet.len() - 10);
    packet.extend([0, 0, 0, 1]);
    packet.extend(tag);
    far.unprotect(&mut packet).expect("the identifier is not signed");
    assert_eq!(packet, plain);
}

fn encrypted(suite: SrtpSuite, send: u8, receive: u8, remote: SocketAddr) -> Stream {
    let keys = SrtpKeys { suite, send: key(suite, send, 0), receive: key(suite, receive, 0) };
    let config =
        StreamConfig { srtp: Some(keys), ..stream_config(&MediaConfig::default(), Codec::Pcma, remote) };
    Stream::new(config, start())
}

#[test]
fn only_the_key_decides_who_is_heard() {
    let suite = SrtpSuite::AeadAes128Gcm;
    let mut ours = encrypted(suite, 1, 101, caller());
    let mut theirs = encrypted(suite, 101, 1, agent());
    let moved = SocketAddr::from(([203, 0, 113, 9], 700));
    let mut packet = Vec::new();
    let mut heard = Vec::new();
    for frame in 0..100 {
        let now = at_frame(frame);
        theirs.send_frame(now, &tone(440.0, 8_000.0, frame), &mut packet);
        // A stranger in the clear, from the very address the SDP named.
        let stranger = Phone::new().packet(frame, &tone(1_000.0, 8_000.0, frame));
        assert_eq!(ours.receive(now, caller(), &stranger), Err(RtpError::Unauthenticated));
        // The far end, from an address nobody named.
        ours.receive(now, moved, &packet).expect("it has the key");
        let frame = ours.poll_frame(now);
        if frame.kind == FrameKind::Voice {
            heard.extend(frame.samples);
        }
    }
    assert_eq!(ours.remote(), moved);
    assert_tone(440.0, 8_000.0, &heard[800..]);
    assert_no_tone(1_000.0, 8_000.0, &heard[800..]);
    assert_eq!(ours.stats().packets_strange, 100);
    // Reports are encrypted too.
    let report = theirs.bye(at_frame(100));
    assert!(gateway_media::rtcp::parse(&report).map_or(true, |packets| packets.len() != 3));
    ours.receive(at_frame(100), moved, &report).expect("an authentic report");
    assert_eq!(ours.poll_event(), Some(gateway_media::MediaEvent::Bye));
}
