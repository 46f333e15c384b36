//! Any order, loss and repetition: what came in time is heard once and in its place, what came late never.

use gateway_media::{Codec, FrameKind};
use proptest::{collection::vec, prelude::*};

use crate::rig::{Phone, at_ms, fixed, listen, stream};

/// What the network does to one packet: how many milliseconds late its copies arrive.
fn fate() -> impl Strategy<Value = Vec<u64>> {
    prop_oneof![
        8 => (0..=55_u64).prop_map(|late| vec![late]),
        2 => vec(0..=300_u64, 2..4),
        1 => Just(Vec::new()),
        1 => (65..400_u64).prop_map(|late| vec![late]),
    ]
}

/// A constant sound that tells packets apart: an A-law code point each, none near silence.
fn code(number: u32) -> u8 {
    0x80 | (number % 64) as u8
}

fn level(number: u32) -> i16 {
    let mut out = [0];
    Codec::Pcma.decode(&[code(number)], &mut out);
    out[0]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_packet_is_heard_in_its_place_or_not_at_all(fates in vec(fate(), 1..150)) {
        let phone = Phone::new();
        let mut datagrams = vec![(at_ms(0), phone.raw(0, 0, true, 8, &[code(0); 160]))];
        let mut in_time = vec![true];
        for (number, copies) in (1_u32..).zip(&fates) {
            // The delay is counted from the fastest packets of the last second. One in ten is never late, or the
            // reader would rightly move: how it follows a changing network is the business of other tests.
            let fast = vec![0];
            let copies = if number % 10 == 0 { &fast } else { copies };
            let due = u64::from(number) * 20;
            let packet = phone.raw(number, number * 160, false, 8, &[code(number); 160]);
            in_time.push(copies.iter().any(|late| *late <= 55));
            datagrams.extend(copies.iter().map(|late| (at_ms(due + late), packet.clone())));
        }
        let arrived = datagrams.len() as u64;
        let count = in_time.len() as u32;
        let mut stream = stream(&fixed());
        let frames = listen(&mut stream, datagrams, count + 40);
        let stats = stream.stats();
        prop_assert_eq!(stats.packets_received + stats.packets_duplicate, arrived, "every packet is judged");
        prop_assert!(frames.iter().filter(|frame| frame.kind == FrameKind::Voice).count() <= in_time.len());
        if stats.resynchronisations > 0 {
            return Ok(());
        }
        for (place, frame) in frames.iter().enumerate() {
            // The delay is 60 ms: three frames. A seam after a gap is at the beginning of a frame, not at its end.
            let number = place as i64 - 3;
            let expected = usize::try_from(number).ok().and_then(|number| in_time.get(number));
            if frame.kind == FrameKind::Voice {
                prop_assert!(expected.is_some(), "frame {} is sound of nobody", place);
                prop_assert_eq!(frame.samples[159], level(number as u32), "frame {}", place);
            }
            if expected == Some(&true) {
                prop_assert_eq!(frame.kind, FrameKind::Voice, "frame {}", place);
            }
        }
    }

    /// The same with numbers that jump about: no panic, and never more sound than packets came.
    #[test]
    fn numbers_that_make_no_sense_are_survived(
        packets in vec((any::<u16>(), any::<u32>(), any::<bool>(), 0..400_usize, 0..2_000_u64), 0..200),
    ) {
        let phone = Phone::new();
        let datagrams = packets
            .iter()
            .map(|(sequence, timestamp, marker, length, when)| {
                (at_ms(*when), phone.raw(u32::from(*sequence), *timestamp, *marker, 8, &vec![0x80; *length]))
            })
            .collect();
        let mut stream = stream(&fixed());
        let frames = listen(&mut stream, datagrams, 150);
        let voice = frames.iter().filter(|frame| frame.kind == FrameKind::Voice).count();
        // A packet of up to 399 samples touches four frames at most.
        prop_assert!(voice <= packets.len() * 4);
        prop_assert_eq!(frames.len(), 150);
    }
}
