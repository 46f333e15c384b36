//! Two legs of one codec that would lose by coding twice: what one sends the other gets, bit by bit, and whoever
//! records, plays or mixes besides does not spoil it.

use std::net::SocketAddr;

use gateway_media::{
    BridgeEvent, CallMedia, Codec, Leg, MediaConfig, Prompt, Role, Stream, StreamConfig, TransmitKind,
    rtp::Packet, tone as tones,
};

use crate::rig::{TELEPHONE_EVENT, assert_no_tone, assert_tone, at_frame, fixed, start, tone};

const LEGS: [Leg; 2] = [Leg::CALLER, Leg::AGENT];
const NOTES: [f64; 2] = [400.0, 1_000.0];

struct Line {
    phone: Stream,
    address: SocketAddr,
    sent: Vec<Vec<u8>>,
    got: Vec<Vec<u8>>,
    heard: Vec<i16>,
}

struct Call {
    media: CallMedia,
    lines: Vec<Line>,
    frame: u32,
    recorded: Vec<u8>,
    events: Vec<BridgeEvent>,
}

impl Call {
    fn new(config: MediaConfig, codec: Codec) -> Self {
        let mut media = CallMedia::new(config.clone(), start());
        let lines = (0..2u8)
            .map(|number| {
                let address = SocketAddr::from(([192, 0, 2, 1 + number], 4_000));
                let stream = |remote, ssrc| {
                    let keys = Some(TELEPHONE_EVENT);
                    let plain = StreamConfig::new(&config, codec, remote);
                    let config = StreamConfig {
                        ssrc,
                        telephone_event_send: keys,
                        telephone_event_receive: keys,
                        ..plain
                    };
                    Stream::new(config, start())
                };
                let role = if number == 0 { Role::Caller } else { Role::Agent };
                media.set_leg(Leg(number), role, stream(address, 7)).unwrap();
                let ours = SocketAddr::from(([192, 0, 2, 99], 4_000));
                let phone = stream(ours, 100 + u32::from(number));
                Line { phone, address, sent: Vec::new(), got: Vec::new(), heard: Vec::new() }
            })
            .collect();
        media.bridge(true);
        Self { media, lines, frame: 0, recorded: Vec::new(), events: Vec::new() }
    }

    fn run(&mut self, frames: u32) {
        for _ in 0..frames {
            let now = at_frame(self.frame);
            for (leg, line) in LEGS.into_iter().zip(&mut self.lines) {
                let mut packet = Vec::new();
                let note = NOTES[usize::from(leg.0)];
                line.phone.send_frame(now, &tone(note, 8_000.0, self.frame), &mut packet);
                if packet.is_empty() {
                    continue; // a pause between keys
                }
                line.sent.push(Packet::parse(&packet).unwrap().payload.to_vec());
                self.media.receive(now, leg, line.address, &packet).unwrap();
            }
            self.media.handle_timeout(now);
            while let Some(transmit) = self.media.poll_transmit() {
                if transmit.kind == TransmitKind::Rtp
                    && let Some(line) = self.lines.get_mut(usize::from(transmit.leg.0))
                {
                    line.got.push(Packet::parse(transmit.bytes).unwrap().payload.to_vec());
                    let from = SocketAddr::from(([192, 0, 2, 99], 4_000));
                    line.phone.receive(now, from, transmit.bytes).unwrap();
                }
            }
            for line in &mut self.lines {
                line.heard.extend(line.phone.poll_frame(now).samples);
                let told = std::iter::from_fn(|| line.phone.poll_event());
                let digits = told.filter(|event| matches!(event, gateway_media::MediaEvent::Digit(_)));
                self.events.extend(digits.map(|event| BridgeEvent::of(Leg(9), event)));
            }
            while let Some(block) = self.media.poll_recording() {
                assert_eq!(block.at as usize * 4, self.recorded.len());
                self.recorded.extend_from_slice(block.pcm);
            }
            self.frame += 1;
        }
    }

    /// How many of the last payloads a leg got are the other's own.
    fn untouched(&self, leg: usize, last: usize) -> usize {
        let Line { got, .. } = &self.lines[leg];
        let sent = &self.lines[1 - leg].sent;
        got[got.len() - last..].iter().filter(|payload| sent.contains(payload)).count()
    }

    fn last(&self, leg: usize) -> Vec<i16> {
        let heard = &self.lines[leg].heard;
        heard[heard.len() - 4_000..].to_vec()
    }
}

#[test]
fn opus_and_g722_are_not_coded_twice() {
    for codec in [Codec::Opus, Codec::G722] {
        let mut call = Call::new(fixed(), codec);
        call.run(100);
        for leg in 0..2 {
            assert!(call.lines[leg].got.len() >= 97, "all but the buffer's first 60 ms");
            assert_eq!(call.untouched(leg, 90), 90, "{codec:?}");
            assert_tone(NOTES[1 - leg], 8_000.0, &call.last(leg));
        }
    }
}

#[test]
fn what_passes_untouched_is_recorded_all_the_same() {
    let mut call = Call::new(fixed(), Codec::G722);
    call.run(50);
    call.media.start_recording().unwrap();
    call.run(100);
    assert_eq!(call.untouched(0, 90), 90);
    let side = |which: usize| -> Vec<i16> {
        call.recorded
            .chunks_exact(4)
            .map(|both| i16::from_le_bytes([both[which * 2], both[which * 2 + 1]]))
            .collect()
    };
    assert_eq!(call.recorded.len(), 64_000);
    for (which, note) in NOTES.into_iter().enumerate() {
        assert_tone(note, 8_000.0, &side(which));
        assert_no_tone(NOTES[1 - which], 8_000.0, &side(which));
    }
}

#[test]
fn a_prompt_a_hold_or_a_third_voice_takes_over_without_a_seam() {
    let mut call = Call::new(fixed(), Codec::G722);
    call.run(50);
    call.media.play(Leg::CALLER, Prompt::new(tones::sine(2_000.0, 6_000.0, 8_000)), 1, false).unwrap();
    call.run(49);
    assert_tone(2_000.0, 6_000.0, &call.last(0));
    assert_eq!((call.untouched(1, 49), call.untouched(0, 49)), (49, 0), "the agent's side passes on");
    call.media.hold(Leg::CALLER, true);
    call.run(50);
    assert_no_tone(NOTES[0], 8_000.0, &call.last(1));
    assert_no_tone(NOTES[1], 8_000.0, &call.last(0));
    call.media.hold(Leg::CALLER, false);
    call.run(50);
    let before = call.lines[0].got.len();
    assert_tone(NOTES[1], 8_000.0, &call.last(0));
    let remote = SocketAddr::from(([192, 0, 2, 50], 4_000));
    let third = Stream::new(StreamConfig::new(&fixed(), Codec::Pcma, remote), at_frame(call.frame));
    call.media.set_leg(Leg(2), Role::Specialist, third).unwrap();
    call.run(50);
    assert_eq!((call.untouched(0, 50), call.untouched(1, 50)), (0, 0));
    call.media.drop_leg(Leg(2));
    call.run(50);
    assert_eq!(call.untouched(0, 45), 45);
    assert_eq!(call.lines[0].got.len(), before + 100, "not a packet is missing");
    assert_tone(NOTES[1], 8_000.0, &call.last(0));
}

#[test]
fn keys_are_pressed_on_only_where_that_is_configured() {
    for forward_digits in [false, true] {
        let mut call = Call::new(MediaConfig { forward_digits, ..fixed() }, Codec::Pcma);
        call.run(25);
        let press = |call: &mut Call| assert!(call.lines[0].phone.press('7', 100));
        press(&mut call);
        call.run(75);
        let told: Vec<_> = call
            .events
            .iter()
            .filter(|event| matches!(event, BridgeEvent::Digit { digit, .. } if digit.digit == '7'))
            .collect();
        assert_eq!(told.len(), usize::from(forward_digits), "{forward_digits}: {told:?}");
        assert_tone(NOTES[0], 8_000.0, &call.last(1));
    }
}
