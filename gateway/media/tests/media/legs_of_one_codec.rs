//! Two legs of one codec: payloads pass through as they came, and who wants to hear them still can.

use gateway_media::{Codec, FrameKind, MediaConfig, Stream, StreamConfig, codec::Encoder, rtp::Packet};

use crate::rig::*;

fn opus_stream(remote: std::net::SocketAddr) -> Stream {
    Stream::new(stream_config(&MediaConfig::default(), Codec::Opus, remote), start())
}

/// Opus packets of a tone, as a soft phone sends them.
struct SoftPhone {
    encoder: Encoder,
    number: u32,
}

impl SoftPhone {
    fn new() -> Self {
        Self { encoder: Encoder::new(Codec::Opus), number: 0 }
    }

    fn next(&mut self, hertz: f64) -> Vec<u8> {
        let mut payload = Vec::new();
        self.encoder.encode(&tone(hertz, 8_000.0, self.number), &mut payload);
        let mut out = Vec::new();
        let phone = Phone::new();
        let packet = Packet {
            marker: self.number == 0,
            payload_type: 107,
            sequence: phone.sequence.wrapping_add(self.number as u16),
            timestamp: phone.timestamp.wrapping_add(self.number * 960),
            ssrc: phone.ssrc,
            csrc: &[],
            extension: None,
            payload: &payload,
            padding: 0,
        };
        packet.write(&mut out);
        self.number += 1;
        out
    }
}

#[test]
fn opus_passes_untouched_and_a_loss_stays_visible() {
    let (mut from, mut to) = (opus_stream(caller()), opus_stream(agent()));
    assert!(to.can_forward(&from));
    let mut phone = SoftPhone::new();
    let (mut sent, mut passed, mut gaps) = (Vec::new(), Vec::new(), 0);
    let mut last: Option<(u16, u32)> = None;
    let mut out = Vec::new();
    for frame in 0..200 {
        let now = at_frame(frame);
        let packet = phone.next(440.0);
        if frame != 100 {
            from.receive(now, caller(), &packet).expect("it is theirs");
            sent.push(Packet::parse(&packet).expect("whole").payload.to_vec());
        }
        let kind = from.poll_payload(now);
        to.forward(now, kind, from.payload(), &mut out);
        if let Ok(packet) = Packet::parse(&out) {
            if let Some((sequence, timestamp)) = last {
                let step = packet.sequence.wrapping_sub(sequence);
                gaps += u32::from(step - 1);
                assert_eq!(packet.timestamp.wrapping_sub(timestamp), 960 * u32::from(step));
            }
            last = Some((packet.sequence, packet.timestamp));
            passed.push(packet.payload.to_vec());
        }
    }
    assert!(passed.len() > 190, "{} of 199", passed.len());
    assert!(sent.windows(passed.len()).any(|window| window == passed), "same payloads in the same order");
    assert_eq!(gaps, 1, "the far end sees the one that was lost");
}

#[test]
fn who_records_hears_what_is_passed_on() {
    let mut from = opus_stream(caller());
    let mut phone = SoftPhone::new();
    let mut heard = Vec::new();
    for frame in 0..150 {
        from.receive(at_frame(frame), caller(), &phone.next(440.0)).expect("it is theirs");
        let kind = from.poll_payload(at_frame(frame));
        assert!(frame < 10 || kind == FrameKind::Voice, "frame {frame}: {kind:?}");
        let before = from.payload().map(|payload| payload.bytes.to_vec());
        heard.extend_from_slice(from.samples());
        let after = from.payload().map(|payload| payload.bytes.to_vec());
        assert_eq!(before, after, "listening takes nothing away from who is passed on to");
    }
    assert_tone(440.0, 8_000.0, &heard[8_000..24_000]);
}

#[test]
fn going_over_to_mixing_and_back_makes_no_gap() {
    let mut from = opus_stream(caller());
    let mut phone = SoftPhone::new();
    for frame in 0..300 {
        let now = at_frame(frame);
        from.receive(now, caller(), &phone.next(440.0)).expect("it is theirs");
        let kind = if frame / 50 % 2 == 0 { from.poll_payload(now) } else { from.poll_frame(now).kind };
        assert!(frame < 10 || kind == FrameKind::Voice, "frame {frame}: {kind:?}");
    }
    assert_eq!(from.stats().packets_late, 0);
}

#[test]
fn a_slow_sender_is_waited_for_and_a_fast_one_cut() {
    // 0.5 % off, which is more than any clock; the delay must stay bounded either way.
    for (step_us, name) in [(20_100, "slow"), (19_900, "fast")] {
        let mut from = opus_stream(caller());
        let mut phone = SoftPhone::new();
        let mut arrived = 0u64;
        let mut lost = 0;
        for frame in 0..2_000 {
            let now = at_frame(frame);
            while start() + std::time::Duration::from_micros(arrived * step_us) <= now {
                let at = start() + std::time::Duration::from_micros(arrived * step_us);
                from.receive(at, caller(), &phone.next(440.0)).expect("it is theirs");
                arrived += 1;
            }
            lost += u32::from(from.poll_payload(now) == FrameKind::Concealed);
        }
        let stats = from.stats();
        assert!(stats.playout_delay.as_millis() < 160, "{name}: {:?}", stats.playout_delay);
        assert_eq!(stats.packets_lost, 0);
        assert!(lost < 30, "{name}: {lost} frames were missing");
    }
}

#[test]
fn lost_opus_is_heard_from_the_next_packet_or_made_up() {
    let config = StreamConfig { ..stream_config(&MediaConfig::default(), Codec::Opus, caller()) };
    let mut stream = Stream::new(config, start());
    let mut phone = SoftPhone::new();
    let mut heard = Vec::new();
    for frame in 0..300 {
        let packet = phone.next(300.0);
        if frame % 20 != 7 {
            stream.receive(at_frame(frame), caller(), &packet).expect("it is theirs");
        }
        heard.extend(stream.poll_frame(at_frame(frame)).samples);
    }
    // No frame after the beginning is silent: each loss was filled.
    let silent = heard[8_000..].chunks(160).filter(|frame| frame.iter().all(|sample| sample.abs() < 100));
    assert_eq!(silent.count(), 0);
    let stats = stream.stats();
    assert!(stats.packets_lost >= 14);
    let opinion = stats.opinion.expect("there was more than a second");
    assert!((3.0..4.2).contains(&opinion), "{opinion}");
}
