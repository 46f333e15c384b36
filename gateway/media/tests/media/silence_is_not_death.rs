//! Time-outs: hold, mute, comfort noise and DTX never end a call; a far end that is gone does. livekit #812.

use gateway_media::{
    Codec, Direction, FrameKind, MediaConfig, MediaEvent, Stream, StreamConfig,
    noise::Noise,
    quality::{self, Impairments},
};

use crate::rig::*;

fn timed_out(stream: &mut Stream, frames: std::ops::Range<u32>) -> bool {
    let mut told = false;
    for frame in frames {
        stream.poll_frame(at_frame(frame));
        while let Some(event) = stream.poll_event() {
            told |= event == MediaEvent::ReceiveTimeout;
        }
    }
    told
}

const TEN_MINUTES: u32 = 30_000;

#[test]
fn who_never_sends_is_gone_after_the_initial_timeout() {
    let mut stream = stream(&MediaConfig::default());
    assert!(!timed_out(&mut stream, 0..2_990));
    assert!(timed_out(&mut stream, 2_990..3_010));
}

#[test]
fn who_stops_sending_is_gone_unless_reports_come() {
    for reports in [false, true] {
        let mut ours = stream(&MediaConfig::default());
        let mut theirs = Stream::new(stream_config(&MediaConfig::default(), Codec::Pcma, agent()), start());
        ours.receive(at_frame(0), caller(), &Phone::new().packet(0, &tone(440.0, 5_000.0, 0)))
            .expect("theirs");
        let mut told = false;
        for frame in 0..TEN_MINUTES {
            if reports && let Some(report) = theirs.poll_rtcp(at_frame(frame)) {
                ours.receive(at_frame(frame), caller(), &report).expect("theirs");
            }
            told |= timed_out(&mut ours, frame..frame + 1);
        }
        assert_eq!(told, !reports);
    }
}

#[test]
fn hold_and_announced_silence_last_as_long_as_they_like() {
    let voice = Phone::new().packet(0, &tone(440.0, 5_000.0, 0));
    for direction in [Direction::SendOnly, Direction::Inactive] {
        let mut stream = stream(&MediaConfig::default());
        stream.receive(at_frame(0), caller(), &voice).expect("theirs");
        stream.set_direction(at_frame(1), direction);
        assert!(!timed_out(&mut stream, 1..TEN_MINUTES), "{direction:?}");
    }
    let mut noisy = stream(&MediaConfig::default());
    noisy.receive(at_frame(0), caller(), &voice).expect("theirs");
    noisy.receive(at_frame(1), caller(), &Phone::new().raw(1, 160, false, 13, &[60])).expect("theirs");
    assert!(!timed_out(&mut noisy, 1..TEN_MINUTES));
    let config = stream_config(&MediaConfig::default(), Codec::Opus, caller());
    let mut opus = Stream::new(config, start());
    opus.receive(at_frame(0), caller(), &Phone::new().raw(0, 0, true, 107, &[0x08])).expect("theirs");
    assert!(!timed_out(&mut opus, 1..TEN_MINUTES));
}

#[test]
fn comfort_noise_is_heard_at_its_level_and_shape() {
    let level = |samples: &[i16]| {
        let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        20.0 * ((sum / samples.len() as f64).sqrt() / 32_768.0).log10()
    };
    for payload in [&[40u8][..], &[40, 127 + 60, 127 - 40][..]] {
        let mut samples = [0; 8_000];
        Noise::new(payload, 7).fill(&mut samples);
        assert!((level(&samples) + 40.0).abs() < 2.0, "{:.1}", level(&samples));
    }
    let mut samples = [1; 160];
    Noise::new(&[], 7).fill(&mut samples);
    assert_eq!(samples, [0; 160]);
    // In a stream: voice, then noise until voice again.
    let mut stream = stream(&MediaConfig::default());
    let phone = Phone::new();
    let mut packets: Vec<_> =
        (0..20).map(|n| (at_frame(n), phone.packet(n, &tone(440.0, 8_000.0, n)))).collect();
    packets.push((at_frame(20), phone.raw(20, 20 * 160, false, 13, &[40])));
    packets.extend(
        (60..80).map(|n| (at_frame(n), phone.packet_at(n - 39, n * 160, n == 60, &tone(440.0, 8_000.0, n)))),
    );
    let frames = listen(&mut stream, packets, 80);
    let pause = &frames[30..58];
    assert!(pause.iter().all(|frame| frame.kind == FrameKind::Silence));
    assert!((level(&sound(pause)) + 40.0).abs() < 3.0, "{:.1}", level(&sound(pause)));
    assert_eq!(stream.stats().concealed.as_millis(), 0);
}

#[test]
fn our_own_silence_is_told_where_that_was_agreed_on() {
    for agreed in [true, false] {
        let config = StreamConfig {
            comfort_noise: agreed,
            ..stream_config(&MediaConfig::default(), Codec::Pcma, caller())
        };
        let mut stream = Stream::new(config, start());
        let mut packet = Vec::new();
        let kinds: Vec<Option<u8>> = (0..100)
            .map(|frame| {
                stream.send_frame(at_frame(frame), &[0; 160], &mut packet);
                packet.get(1).map(|kind| kind & 0x7f)
            })
            .collect();
        if agreed {
            assert_eq!(kinds.iter().flatten().filter(|kind| **kind == 13).count(), 5);
            assert_eq!(kinds.iter().flatten().filter(|kind| **kind == 8).count(), 9);
            stream.send_frame(at_frame(100), &tone(440.0, 5_000.0, 0), &mut packet);
            assert_eq!(packet[1], 0x88, "voice again, and marked");
        } else {
            assert!(kinds.iter().all(|kind| *kind == Some(8)));
        }
    }
}

#[test]
fn the_score_falls_with_loss_and_delay_as_g107_says() {
    let score = |codec, loss, delay_ms| {
        let delay = std::time::Duration::from_millis(delay_ms);
        quality::opinion(quality::rating(Impairments { codec, loss, delay }))
    };
    // Table B.1 of G.107: R 93.2 is 4.41; and the end of the scale.
    assert!((score(Codec::Pcma, 0.0, 50) - 4.41).abs() < 0.01);
    assert!((score(Codec::Pcma, 1.0, 2_000) - 1.0).abs() < 0.01);
    assert!((3.9..4.2).contains(&score(Codec::Pcma, 0.03, 50)));
    let falling = [score(Codec::Opus, 0.0, 50), score(Codec::Opus, 0.05, 50), score(Codec::Opus, 0.05, 400)];
    assert!(falling.windows(2).all(|pair| pair[0] > pair[1]), "{falling:?}");
}

#[test]
fn longer_packets_are_sent_where_the_far_end_asks_for_them() {
    for (length_ms, octets) in [(20, 160), (30, 240), (40, 320), (60, 480)] {
        let config = StreamConfig {
            packet_length_ms: length_ms,
            ..stream_config(&MediaConfig::default(), Codec::Pcmu, caller())
        };
        let mut ours = Stream::new(config, start());
        let mut theirs = Stream::new(stream_config(&fixed(), Codec::Pcmu, agent()), start());
        let (mut packet, mut heard) = (Vec::new(), Vec::new());
        for frame in 0..200 {
            ours.send_frame(at_frame(frame), &tone(440.0, 8_000.0, frame), &mut packet);
            if !packet.is_empty() {
                assert_eq!(packet.len(), 12 + octets);
                theirs.receive(at_frame(frame), agent(), &packet).expect("ours");
            }
            heard.extend(theirs.poll_frame(at_frame(frame)).samples);
        }
        assert_tone(440.0, 8_000.0, &heard[8_000..24_000]);
        assert_eq!(theirs.stats().packets_lost, 0);
    }
}
