//! What is written reads the same, and bytes known from the RFCs mean what they say.

use gateway_media::{
    RtpError,
    rtcp::{self, Chunk, ReportBlock, Rtcp, SenderInfo},
    rtp::{self, Extension, Packet},
};
use proptest::{collection::vec, prelude::*};

#[test]
fn a_packet_with_everything_is_read() {
    let bytes = [
        0xb1, 0x88, 0x12, 0x34, 0, 0, 0, 0xa0, 0xde, 0xad, 0xbe,
        0xef, // padding, extension, one csrc, marker
        0, 0, 0, 9, // csrc
        0xbe, 0xde, 0, 1, 1, 2, 3, 4, // extension
        0xd5, 0x55, 0, 2, // two samples, two bytes of padding
    ];
    let packet = Packet::parse(&bytes).unwrap();
    assert!(packet.marker);
    assert_eq!((packet.payload_type, packet.sequence, packet.timestamp), (8, 0x1234, 160));
    assert_eq!((packet.ssrc, packet.csrc), (0xdead_beef, &[0, 0, 0, 9][..]));
    assert_eq!(packet.extension, Some(Extension { profile: 0xbede, data: &[1, 2, 3, 4] }));
    assert_eq!((packet.payload, packet.padding), (&[0xd5, 0x55][..], 2));
}

#[test]
fn what_is_no_packet_says_why() {
    assert_eq!(Packet::parse(&[0x80; 11]), Err(RtpError::Truncated));
    assert_eq!(Packet::parse(&[0x00; 20]), Err(RtpError::Version(0)));
    assert_eq!(Packet::parse(&[0x8f; 20]), Err(RtpError::Truncated)); // 15 csrc announced
    assert_eq!(Packet::parse(&[0x90; 15]), Err(RtpError::Truncated)); // half an extension header
    assert_eq!(Packet::parse(&[0xa0; 12]), Err(RtpError::Padding)); // padding of nothing
    assert_eq!(Packet::parse(&[0xa0; 13]), Err(RtpError::Padding)); // padding longer than the packet
    assert_eq!(Packet::parse(&[0x80; 3_000]), Err(RtpError::TooLong(3_000)));
    assert_eq!(rtcp::parse(&[0x80, 200, 0, 9, 1]), Err(RtpError::Truncated));
    assert_eq!(rtcp::parse(&[]), Err(RtpError::Truncated));
    assert_eq!(rtcp::parse(&[0x80, 209, 0, 0].repeat(17)), Err(RtpError::TooManyPackets));
}

#[test]
fn reports_are_told_from_sound_by_the_second_byte() {
    for kind in 0..=255u8 {
        assert_eq!(rtp::is_rtcp(&[0x80, kind]), (192..=223).contains(&kind));
    }
    assert!(!rtp::is_rtcp(&[0x80]));
}

#[test]
fn negative_loss_keeps_its_sign() {
    for lost in [-0x80_0000, -1, 0, 1, 0x7f_ffff] {
        let block = ReportBlock { cumulative_lost: lost, ..block(1) };
        let mut bytes = Vec::new();
        Rtcp::ReceiverReport { ssrc: 5, reports: vec![block] }.write(&mut bytes);
        assert_eq!(rtcp::parse(&bytes).unwrap(), [Rtcp::ReceiverReport { ssrc: 5, reports: vec![block] }]);
    }
}

fn block(seed: u32) -> ReportBlock {
    ReportBlock {
        ssrc: seed,
        fraction_lost: seed as u8,
        cumulative_lost: (seed >> 9).cast_signed(),
        highest_sequence: seed.rotate_left(3),
        jitter: seed.rotate_left(7),
        last_sr: seed.rotate_left(11),
        delay_since_last_sr: seed.rotate_left(13),
    }
}

proptest! {
    #[test]
    fn any_rtp_packet(
        marker: bool, payload_type in 0..128u8, sequence: u16, timestamp: u32, ssrc: u32,
        csrc in vec(any::<u32>(), 0..=15), extension in proptest::option::of((any::<u16>(), vec(any::<u32>(), 0..20))),
        payload in vec(any::<u8>(), 0..400), padding: u8,
    ) {
        let csrc: Vec<u8> = csrc.iter().flat_map(|source| source.to_be_bytes()).collect();
        let extension = extension.map(|(profile, words)| {
            (profile, words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>())
        });
        let extension = extension.as_ref().map(|(profile, data)| Extension { profile: *profile, data });
        let packet = Packet {
            marker, payload_type, sequence, timestamp, ssrc, csrc: &csrc, extension, payload: &payload, padding,
        };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        prop_assert_eq!(Packet::parse(&bytes).unwrap(), packet);
    }

    #[test]
    fn any_rtcp_compound(
        ssrc: u32, ntp: u64, counts: (u32, u32, u32), blocks in vec(any::<u32>(), 0..=31),
        names in vec((any::<u32>(), proptest::option::of(vec(any::<u8>(), 0..=255))), 0..4),
        leaving in vec(any::<u32>(), 0..=31),
    ) {
        let reports: Vec<_> = blocks.into_iter().map(block).collect();
        let (rtp_timestamp, packets, octets) = counts;
        let compound = [
            Rtcp::SenderReport {
                ssrc, info: SenderInfo { ntp, rtp_timestamp, packets, octets }, reports: reports.clone(),
            },
            Rtcp::ReceiverReport { ssrc, reports },
            Rtcp::SourceDescription(names.into_iter().map(|(ssrc, cname)| Chunk { ssrc, cname }).collect()),
            Rtcp::Bye(leaving),
        ];
        for part in [&compound[..1], &compound[1..]] {
            let mut bytes = Vec::new();
            part.iter().for_each(|packet| packet.write(&mut bytes));
            prop_assert_eq!(rtcp::parse(&bytes).unwrap(), part);
        }
    }
}
