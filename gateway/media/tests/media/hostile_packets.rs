//! Bytes from the network may be anything; nothing may panic and a running call goes on.

use gateway_media::{Codec, FrameKind, rtcp, rtp::Packet, wav::Audio};
use proptest::{collection::vec, prelude::*};

use crate::rig::{Phone, at_frame, caller, fixed, stream, tone};

proptest! {
    #[test]
    fn arbitrary_bytes_are_judged(bytes in vec(any::<u8>(), 0..600)) {
        let _ = Packet::parse(&bytes);
        let _ = rtcp::parse(&bytes);
        let _ = Audio::read(&bytes);
        let mut decoded = [0; 300];
        prop_assert_eq!(Codec::Pcmu.decode(&bytes, &mut decoded), bytes.len().min(300));
    }

    /// Good packets with a few bytes changed reach every depth of the code.
    #[test]
    fn damaged_packets_are_survived(
        damage in vec((0..300u32, 0..200usize, any::<u8>(), 0..4u8), 1..300),
    ) {
        let (mut stream, phone) = (stream(&fixed()), Phone::new());
        let mut out = Vec::new();
        for (number, (place, at, byte, kind)) in (0u32..).zip(&damage) {
            let mut datagram = match kind {
                0 => phone.event(number, place * 160, *byte % 20, *byte > 128, 160 * u16::from(*byte)),
                1 => stream.bye(at_frame(number)),
                _ => phone.packet_at(number, place * 160, *byte > 128, &tone(400.0, 9_000.0, number)),
            };
            if let Some(target) = datagram.get_mut(*at) {
                *target = *byte;
            }
            if byte % 7 == 0 {
                datagram.truncate(*at);
            }
            let _ = stream.receive(at_frame(number), caller(), &datagram);
            stream.poll_frame(at_frame(number));
            stream.send_frame(at_frame(number), &tone(1.0, 0.0, 0), &mut out);
            prop_assert_eq!(out.len(), 172);
        }
        // An honest source of its own is heard again within a second.
        let honest = Phone { ssrc: 99, ..phone };
        let begin = damage.len() as u32;
        let heard = (begin..begin + 50).filter(|&number| {
            let packet = honest.packet(number, &tone(400.0, 9_000.0, number));
            let _ = stream.receive(at_frame(number), caller(), &packet);
            stream.poll_frame(at_frame(number)).kind == FrameKind::Voice
        });
        prop_assert!(heard.count() > 30);
    }
}
