//! Caller and agent through one call: what each hears, and what the other's trouble does to them.

use std::time::Duration;

use gateway_media::{
    BridgeEvent, CallMedia, Codec, FRAME_DURATION, Leg, MediaConfig, Prompt, Role, RtpError, Samples, Stream,
    TransmitKind, dtmf::Digit, rtp::Packet, tone as tones,
};

use crate::rig::{
    Phone, agent, assert_no_tone, assert_tone, at_frame, at_ms, caller, fixed, start, stream_config, tone,
};

/// A call with two phones: the caller speaks A-law at 400 Hz, the agent µ-law at 1 kHz.
struct Call {
    config: MediaConfig,
    media: CallMedia,
    to_caller: Vec<Vec<i16>>,
    to_agent: Vec<Vec<i16>>,
    markers: Vec<(u32, Leg)>,
    events: Vec<(u32, BridgeEvent)>,
    /// Time, and the phones' own clock.
    frame: u32,
    agent_sends: bool,
    caller_sends: bool,
}

impl Call {
    fn new(config: MediaConfig) -> Self {
        let mut media = CallMedia::new(config.clone(), start());
        media
            .set_leg(
                Leg::CALLER,
                Role::Caller,
                Stream::new(stream_config(&config, Codec::Pcma, caller()), start()),
            )
            .unwrap();
        let mut call = Self {
            config,
            media,
            to_caller: Vec::new(),
            to_agent: Vec::new(),
            markers: Vec::new(),
            events: Vec::new(),
            frame: 0,
            agent_sends: true,
            caller_sends: true,
        };
        call.agent_answers();
        call
    }

    fn agent_answers(&mut self) {
        let config = stream_config(&self.config, Codec::Pcmu, agent());
        self.media.set_leg(Leg::AGENT, Role::Agent, Stream::new(config, at_frame(self.frame))).unwrap();
    }

    fn run(&mut self, frames: u32) {
        for _ in 0..frames {
            let now = at_frame(self.frame);
            if self.caller_sends {
                let packet = Phone::new().packet(self.frame, &tone(400.0, 8_000.0, self.frame));
                self.media.receive(now, Leg::CALLER, caller(), &packet).unwrap();
            }
            if self.agent_sends {
                let mut payload = Vec::new();
                Codec::Pcmu.encode(&tone(1_000.0, 8_000.0, self.frame), &mut payload);
                let packet =
                    Phone { ssrc: 2, ..Phone::new() }.raw(self.frame, self.frame * 160, false, 0, &payload);
                // Without a leg nobody listens.
                let _ = self.media.receive(now, Leg::AGENT, agent(), &packet);
            }
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.media.handle_timeout(at_frame(self.frame));
        while let Some(transmit) = self.media.poll_transmit() {
            let (remote, port) = match transmit.leg {
                Leg::CALLER => (caller(), caller().port() + 1),
                _ => (agent(), agent().port() + 1),
            };
            assert_eq!(transmit.remote.ip(), remote.ip());
            if transmit.kind == TransmitKind::Rtcp {
                assert_eq!(transmit.remote.port(), port);
                continue;
            }
            assert_eq!(transmit.remote, remote);
            let packet = Packet::parse(transmit.bytes).unwrap();
            let (codec, heard) = match transmit.leg {
                Leg::CALLER => (Codec::Pcma, &mut self.to_caller),
                _ => (Codec::Pcmu, &mut self.to_agent),
            };
            assert_eq!(packet.payload_type, codec.usual_payload_type());
            let mut samples = vec![0; 160];
            assert_eq!(codec.decode(packet.payload, &mut samples), 160);
            heard.push(samples);
            if packet.marker {
                self.markers.push((self.frame, transmit.leg));
            }
        }
        let frame = self.frame;
        self.events.extend(std::iter::from_fn(|| self.media.poll_event()).map(|event| (frame, event)));
        self.frame += 1;
    }

    fn caller_hears(&self, frames: std::ops::Range<usize>) -> Vec<i16> {
        self.to_caller[frames].concat()
    }

    fn agent_hears(&self, frames: std::ops::Range<usize>) -> Vec<i16> {
        self.to_agent[frames].concat()
    }
}

#[test]
fn each_hears_the_other_at_the_right_level_only_while_bridged() {
    let mut call = Call::new(fixed());
    call.run(50);
    call.media.bridge(true);
    call.run(50);
    call.media.bridge(false); // hold
    call.run(50);
    call.media.bridge(true);
    call.run(50);
    assert_eq!((call.to_caller.len(), call.to_agent.len()), (200, 200), "one packet per leg and tick");
    for talking in [50..100, 150..200] {
        assert_tone(1_000.0, 8_000.0, &call.caller_hears(talking.clone()));
        assert_no_tone(400.0, 8_000.0, &call.caller_hears(talking.clone()));
        assert_tone(400.0, 8_000.0, &call.agent_hears(talking.clone()));
        assert_no_tone(1_000.0, 8_000.0, &call.agent_hears(talking));
    }
    for apart in [0..50, 100..150] {
        assert!(call.caller_hears(apart.clone()).iter().all(|sample| sample.abs() <= 8));
        assert!(call.agent_hears(apart).iter().all(|sample| sample.abs() <= 8));
    }
    assert_eq!(call.markers, [(0, Leg::CALLER), (0, Leg::AGENT)]);
}

#[test]
fn a_prompt_is_heard_by_the_caller_alone() {
    let mut call = Call::new(fixed());
    call.media.bridge(true);
    call.run(50);
    call.media.play(Leg::CALLER, Prompt::new(tones::sine(1_500.0, 6_000.0, 8_000)), 42, false).unwrap();
    call.run(100);
    assert_tone(1_500.0, 6_000.0, &call.caller_hears(50..100));
    assert_no_tone(1_000.0, 8_000.0, &call.caller_hears(50..100));
    assert_no_tone(1_500.0, 6_000.0, &call.agent_hears(50..100));
    assert_tone(400.0, 8_000.0, &call.agent_hears(50..100));
    assert_tone(1_000.0, 8_000.0, &call.caller_hears(100..150));
    let finished: Vec<_> = call
        .events
        .iter()
        .filter(|(_, event)| *event == BridgeEvent::PromptFinished { leg: Leg::CALLER, id: 42 })
        .collect();
    assert_eq!(finished, [&(99, BridgeEvent::PromptFinished { leg: Leg::CALLER, id: 42 })]);
}

#[test]
fn an_agent_who_vanishes_does_not_disturb_the_caller() {
    let mut call = Call::new(MediaConfig { receive_timeout: Duration::from_secs(1), ..fixed() });
    call.media.bridge(true);
    call.run(100);
    call.agent_sends = false;
    call.run(100);
    call.media.drop_leg(Leg::AGENT);
    call.run(50);
    call.agent_sends = true;
    call.agent_answers();
    call.run(50);
    assert_eq!(call.to_caller.len(), 300, "the caller got every packet");
    assert_eq!(call.markers.iter().filter(|(_, leg)| *leg == Leg::CALLER).count(), 1);
    assert!(call.caller_hears(110..250).iter().all(|sample| sample.abs() <= 8));
    assert_tone(1_000.0, 8_000.0, &call.caller_hears(255..300));
    assert!(call.events.iter().any(|(_, event)| *event == BridgeEvent::ReceiveTimeout { leg: Leg::AGENT }));
    assert!(!call.events.iter().any(|(_, event)| *event == BridgeEvent::ReceiveTimeout { leg: Leg::CALLER }));
    assert_eq!(call.media.stats(Leg::CALLER).unwrap().concealed, Duration::ZERO);
}

#[test]
fn a_leg_that_is_not_there_is_said_so() {
    let mut media = CallMedia::new(fixed(), start());
    assert_eq!(media.receive(start(), Leg::AGENT, agent(), &[0x80; 12]), Err(RtpError::NoLeg));
    assert_eq!((media.stats(Leg::CALLER), media.silent_for(Leg::CALLER, start())), (None, None));
    media.handle_timeout(at_ms(100));
    assert!(media.poll_transmit().is_none());
}

#[test]
fn digits_come_with_their_leg() {
    let mut call = Call::new(fixed());
    call.run(10);
    for (leg, from, ssrc) in [(Leg::CALLER, caller(), 77), (Leg::AGENT, agent(), 2)] {
        let event = Phone { ssrc, ..Phone::new() }.event(10, 1_600, 11, true, 800);
        call.media.receive(at_frame(10), leg, from, &event).unwrap();
    }
    call.tick();
    let digit = Digit { digit: '#', duration_ms: 100 };
    let told = [Leg::CALLER, Leg::AGENT].map(|leg| (10, BridgeEvent::Digit { leg, digit }));
    assert!(told.iter().all(|event| call.events.contains(event)), "{:?}", call.events);
}

#[test]
fn a_stalled_process_skips_what_nobody_wants_any_more() {
    let mut call = Call::new(fixed());
    call.media.bridge(true);
    call.run(50);
    let before = call.to_caller.len();
    call.frame = 99; // for a second nobody called
    call.tick();
    assert_eq!((call.media.skipped_ticks(), call.to_caller.len() - before), (45, 5));
    assert_eq!(call.media.poll_timeout(), at_frame(100));
    assert!(call.markers.contains(&(99, Leg::CALLER)), "the first packet after the gap is marked");
    call.run(50);
    assert_tone(1_000.0, 8_000.0, &call.to_caller[before + 15..].concat());
    assert_eq!(call.media.skipped_ticks(), 45);
}

#[test]
fn unsent_packets_are_dropped_from_the_oldest_on() {
    let mut call = Call::new(fixed());
    for frame in 0..500 {
        call.media.handle_timeout(at_frame(frame));
    }
    let mut last = None;
    let mut waiting = 0;
    while let Some(transmit) = call.media.poll_transmit() {
        waiting += 1;
        if transmit.leg == Leg::CALLER && transmit.kind == TransmitKind::Rtp {
            last = Some(Packet::parse(transmit.bytes).unwrap().sequence);
        }
    }
    assert_eq!((waiting, last), (128, Some(65_530u16.wrapping_add(499))));
    assert!(call.media.dropped_transmits() >= 872);
}

#[test]
fn silence_of_the_caller_is_measured_from_speech_or_from_the_beep() {
    let mut call = Call::new(fixed());
    call.run(100);
    assert!(call.media.silent_for(Leg::CALLER, at_frame(100)).unwrap() <= FRAME_DURATION);
    call.caller_sends = false;
    call.run(200);
    let silent = call.media.silent_for(Leg::CALLER, at_frame(300)).unwrap();
    assert!((3_800..=4_000).contains(&silent.as_millis()), "{silent:?}");
    call.media.listen(Leg::CALLER, at_frame(290));
    assert_eq!(call.media.silent_for(Leg::CALLER, at_frame(300)).unwrap(), Duration::from_millis(200));
    let speech: Vec<_> = call
        .events
        .iter()
        .filter_map(|(frame, event)| match event {
            BridgeEvent::VoiceActivity { leg: Leg::CALLER, speaking } => Some((*frame, *speaking)),
            _ => None,
        })
        .collect();
    assert!(matches!(speech[..], [(3..=8, true), (118..=128, false)]), "{speech:?}");
}

#[test]
fn line_noise_is_not_speech_and_quiet_speech_is() {
    let mut activity = gateway_media::activity::Activity::new(-48.0, Duration::from_millis(400), start());
    let mut seed = 1u32;
    let mut noise = |peak: i32| -> Samples {
        std::array::from_fn(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((seed >> 16) as i32 % peak - peak / 2) as i16
        })
    };
    for frame in 0..500 {
        assert_eq!(activity.hear(at_frame(frame), &noise(120)), None, "hiss at frame {frame}");
    }
    let begun =
        (500..600).find(|&frame| activity.hear(at_frame(frame), &tone(300.0, 700.0, frame)) == Some(true));
    assert_eq!(begun, Some(502));
}

#[test]
fn hanging_up_says_goodbye_on_both_legs() {
    let mut call = Call::new(fixed());
    call.run(10);
    call.media.hang_up(at_frame(10));
    let mut goodbyes = Vec::new();
    while let Some(transmit) = call.media.poll_transmit() {
        let packets = gateway_media::rtcp::parse(transmit.bytes).unwrap();
        assert!(matches!(packets.last(), Some(gateway_media::rtcp::Rtcp::Bye(_))));
        goodbyes.push((transmit.leg, transmit.kind));
    }
    assert_eq!(goodbyes, [(Leg::CALLER, TransmitKind::Rtcp), (Leg::AGENT, TransmitKind::Rtcp)]);
    call.media.handle_timeout(at_frame(20));
    assert!(call.media.poll_transmit().is_none());
}
