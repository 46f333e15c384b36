//! RTCP between two of our own streams, and the numbers of RFC 3550 appendix A.

use std::time::Duration;

use gateway_media::{
    Codec, MediaEvent, Stream, StreamConfig,
    reception::{Arrival, Reception},
    rtcp::{self, Rtcp},
};

use crate::rig::{agent, at_frame, at_ms, caller, fixed, start, stream_config, tone};

#[test]
fn two_streams_learn_loss_and_round_trip() {
    let media = fixed();
    let config = |ssrc, remote| StreamConfig { ssrc, ..stream_config(&media, Codec::Pcma, remote) };
    let (mut here, mut there) =
        (Stream::new(config(1, agent()), start()), Stream::new(config(2, caller()), start()));
    let mut out = Vec::new();
    // Sound takes no time, reports 35 ms each way.
    let mut reports: Vec<(u64, bool, Vec<u8>)> = Vec::new();
    let mut sent = 0;
    for frame in 0..1_500u32 {
        let (now, millisecond) = (at_frame(frame), u64::from(frame) * 20);
        here.send_frame(now, &tone(400.0, 8_000.0, frame), &mut out);
        // A quarter is lost on the way there.
        if frame % 4 != 3 {
            there.receive(now, caller(), &out).unwrap();
        }
        there.send_frame(now, &tone(400.0, 8_000.0, frame), &mut out);
        here.receive(now, agent(), &out).unwrap();
        for (from_here, stream) in [(true, &mut here), (false, &mut there)] {
            stream.poll_frame(now);
            if let Some(report) = stream.poll_rtcp(now) {
                sent += 1;
                assert!(matches!(rtcp::parse(&report).unwrap()[0], Rtcp::SenderReport { .. }));
                reports.push((millisecond + 35, from_here, report));
            }
        }
        reports.retain(|(due, from_here, report)| {
            if *due > millisecond {
                return true;
            }
            let (stream, from) = if *from_here { (&mut there, caller()) } else { (&mut here, agent()) };
            stream.receive(at_ms(*due), from, report).unwrap();
            false
        });
    }
    assert!((8..=24).contains(&sent), "{sent} reports of two streams in 30 s at 5 s");
    let (one, other) = (here.stats(), there.stats());
    assert_eq!((one.packets_lost, other.packets_lost), (0, 374));
    let lost = one.remote_fraction_lost.unwrap();
    assert!((0.23..0.27).contains(&lost), "{lost}");
    assert_eq!(other.remote_fraction_lost, Some(0.0));
    for trip in [one.round_trip.unwrap(), other.round_trip.unwrap()] {
        assert!(trip.abs_diff(Duration::from_millis(70)) < Duration::from_millis(2), "{trip:?}");
    }
    let bye = here.bye(at_frame(1_500));
    there.receive(at_frame(1_500), caller(), &bye).unwrap();
    assert_eq!(std::iter::from_fn(|| there.poll_event()).last(), Some(MediaEvent::Bye));
}

#[test]
fn one_who_only_listens_sends_receiver_reports() {
    let mut stream = Stream::new(stream_config(&fixed(), Codec::Pcma, caller()), start());
    assert_eq!(stream.poll_rtcp(start()), None);
    let report = stream.poll_rtcp(at_ms(10_000)).unwrap();
    let packets = rtcp::parse(&report).unwrap();
    assert!(
        matches!(&packets[..], [Rtcp::ReceiverReport { reports, .. }, Rtcp::SourceDescription(_)] if reports.is_empty())
    );
    assert_eq!(stream.poll_rtcp(at_ms(10_001)), None);
}

#[test]
fn sequence_numbers_are_judged_across_the_wrap() {
    let mut reception = Reception::new(65_534);
    let judged: Vec<Arrival> =
        [65_535, 1, 0, 1, 65_533, 65_533].map(|number| reception.arrive(number)).into();
    let fresh = Arrival::Fresh;
    let expected =
        [fresh(65_535), fresh(65_537), fresh(65_536), Arrival::Duplicate, fresh(65_533), Arrival::Duplicate];
    assert_eq!(judged, expected);
    assert_eq!((reception.received(), reception.lost()), (5, 0));
    assert_eq!(reception.arrive(30_000), Arrival::Doubtful);
    assert_eq!(reception.arrive(30_001), Arrival::Restarted(30_001));
    assert_eq!(reception.lost(), 0);
}

#[test]
fn fraction_lost_is_that_of_the_interval() {
    let mut reception = Reception::new(0);
    for number in (1..100).filter(|number| number % 2 == 0) {
        reception.arrive(number);
    }
    let first = reception.report();
    assert_eq!((first.fraction_lost, first.cumulative_lost, first.highest_sequence), (126, 49, 98));
    for number in 99..200 {
        reception.arrive(number);
    }
    let second = reception.report();
    assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 49));
}

#[test]
fn jitter_converges_to_the_mean_deviation() {
    let mut reception = Reception::new(0);
    for number in 0..2_000u32 {
        // Every other packet is 10 ms late: each step differs by 80 samples.
        let late = u64::from(number % 2) * 10;
        reception.time(
            start(),
            at_ms(u64::from(number) * 20 + late),
            4_294_960_000u32.wrapping_add(number * 160),
            1,
        );
    }
    assert!((79..=81).contains(&reception.jitter()), "{}", reception.jitter());
}
