//! A room of phones, each speaking a note of its own, and what each of them hears.

use std::net::SocketAddr;

use gateway_media::{
    BridgeEvent, CallMedia, Codec, Leg, MediaConfig, Role, Stream, TransmitKind, rtp::Packet,
};

use crate::rig::{Phone, assert_no_tone, assert_tone, at_frame, fixed, start, stream_config, tone};

pub const SPECIALIST: Leg = Leg(2);
pub const SUPERVISOR: Leg = Leg(3);
/// Peak of every phone's note.
pub const LEVEL: f64 = 7_000.0;

pub struct Room {
    pub config: MediaConfig,
    pub media: CallMedia,
    pub phones: Vec<RoomPhone>,
    pub events: Vec<(u32, BridgeEvent)>,
    /// Left and right as they came out, interleaved little-endian; jumps are noted.
    pub recorded: Vec<u8>,
    pub jumps: Vec<(u64, u64)>,
    pub frame: u32,
}

pub struct RoomPhone {
    pub leg: Leg,
    pub hertz: f64,
    pub peak: f64,
    pub sends: bool,
    pub heard: Vec<i16>,
    pub packets: u32,
}

/// Each leg's note.
pub fn note(leg: Leg) -> f64 {
    400.0 + 500.0 * f64::from(leg.0)
}

fn address(leg: Leg) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + leg.0], 4_000))
}

impl Room {
    /// An empty room.
    pub fn new(config: MediaConfig) -> Self {
        let media = CallMedia::new(config.clone(), start());
        Self {
            config,
            media,
            phones: Vec::new(),
            events: Vec::new(),
            recorded: Vec::new(),
            jumps: Vec::new(),
            frame: 0,
        }
    }

    /// Caller and agent, talking.
    pub fn talk() -> Self {
        let mut room = Self::new(fixed());
        room.joins(Leg::CALLER, Role::Caller);
        room.joins(Leg::AGENT, Role::Agent);
        room.media.bridge(true);
        room
    }

    pub fn joins(&mut self, leg: Leg, role: Role) {
        let config = stream_config(&self.config, Codec::Pcma, address(leg));
        self.media.set_leg(leg, role, Stream::new(config, at_frame(self.frame))).unwrap();
        if self.phones.iter().all(|phone| phone.leg != leg) {
            let hertz = note(leg);
            self.phones.push(RoomPhone {
                leg,
                hertz,
                peak: LEVEL,
                sends: true,
                heard: Vec::new(),
                packets: 0,
            });
        }
    }

    pub fn phone(&mut self, leg: Leg) -> &mut RoomPhone {
        self.phones.iter_mut().find(|phone| phone.leg == leg).unwrap()
    }

    pub fn run(&mut self, frames: u32) {
        for _ in 0..frames {
            let now = at_frame(self.frame);
            for phone in self.phones.iter().filter(|phone| phone.sends) {
                let far = Phone { ssrc: u32::from(phone.leg.0) + 1, ..Phone::new() };
                let packet = far.packet(self.frame, &tone(phone.hertz, phone.peak, self.frame));
                // One who has left talks to nobody.
                let _ = self.media.receive(now, phone.leg, address(phone.leg), &packet);
            }
            self.tick();
        }
    }

    pub fn tick(&mut self) {
        self.media.handle_timeout(at_frame(self.frame));
        while let Some(transmit) = self.media.poll_transmit() {
            if transmit.kind == TransmitKind::Rtcp {
                continue;
            }
            let packet = Packet::parse(transmit.bytes).unwrap();
            let mut samples = vec![0; 160];
            assert_eq!(Codec::Pcma.decode(packet.payload, &mut samples), 160);
            let phone = self.phones.iter_mut().find(|phone| phone.leg == transmit.leg).unwrap();
            phone.heard.extend(samples);
            phone.packets += 1;
        }
        self.drain_recording();
        let frame = self.frame;
        self.events.extend(std::iter::from_fn(|| self.media.poll_event()).map(|event| (frame, event)));
        self.frame += 1;
    }

    pub fn drain_recording(&mut self) {
        while let Some(block) = self.media.poll_recording() {
            let expected = (self.recorded.len() / 4) as u64;
            if block.at != expected {
                self.jumps.push((expected, block.at));
                self.recorded.resize(block.at as usize * 4, 0);
            }
            self.recorded.extend_from_slice(block.pcm);
        }
    }

    /// Both channels of what was recorded so far.
    pub fn channels(&self) -> (Vec<i16>, Vec<i16>) {
        self.recorded
            .chunks_exact(4)
            .map(|both| (i16::from_le_bytes([both[0], both[1]]), i16::from_le_bytes([both[2], both[3]])))
            .unzip()
    }

    /// Lets half a second pass and asserts that a leg then hears exactly these legs.
    #[track_caller]
    pub fn assert_hears(&mut self, listener: Leg, speakers: &[Leg]) {
        self.run(25);
        self.assert_heard(listener, speakers);
    }

    /// Asserts that in the last 300 ms a leg heard exactly these legs.
    #[track_caller]
    pub fn assert_heard(&mut self, listener: Leg, speakers: &[Leg]) {
        let heard = &self.phone(listener).heard;
        let last = heard[heard.len() - 2_400..].to_vec();
        assert_notes(&last, speakers);
    }
}

/// Asserts that exactly the notes of these legs sound, at their level.
#[track_caller]
pub fn assert_notes(samples: &[i16], speakers: &[Leg]) {
    for number in 0..6 {
        let leg = Leg(number);
        if speakers.contains(&leg) {
            assert_tone(note(leg), LEVEL, samples);
        } else {
            assert_no_tone(note(leg), LEVEL, samples);
        }
    }
}
