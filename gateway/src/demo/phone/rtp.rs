//! What the phone sends: RTP packets of G.711 and of keys
//! ([RFC 3550 §5.1](https://www.rfc-editor.org/rfc/rfc3550#section-5.1),
//! [RFC 4733 §2.3](https://www.rfc-editor.org/rfc/rfc4733#section-2.3)), written by hand like its SIP.

use gateway_media::{Codec, FRAME_SAMPLES, Samples};
use rand::Rng as _;

/// Packets of one key: 100 ms, as a short press.
pub const KEY_FRAMES: u16 = 5;
/// The end of a key is said three times, for packets get lost.
const KEY_ENDS: usize = 3;
/// Level of the key's tone, -dBm0.
const KEY_VOLUME: u8 = 10;
/// Samples in a frame, as the RTP clock counts them.
const FRAME_CLOCK: u16 = FRAME_SAMPLES as u16;

/// The numbering of one outgoing stream.
pub struct Packets {
    codec: Codec,
    payload_type: u8,
    key_payload_type: Option<u8>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    talking: bool,
}

impl Packets {
    /// A stream with random numbers.
    pub fn new(codec: Codec, payload_type: u8, key_payload_type: Option<u8>) -> Self {
        let mut random = rand::rng();
        let (ssrc, sequence, timestamp) = (random.random(), random.random(), random.random());
        Self { codec, payload_type, key_payload_type, ssrc, sequence, timestamp, talking: false }
    }

    /// 20 ms of sound.
    pub fn sound(&mut self, samples: &Samples) -> Vec<u8> {
        let marker = !std::mem::replace(&mut self.talking, true);
        let mut payload = Vec::with_capacity(FRAME_SAMPLES);
        self.codec.encode(samples, &mut payload);
        let packet = self.packet(marker, self.payload_type, self.timestamp, &payload);
        self.pass();
        packet
    }

    /// The packets of frame `frame` (from 0) of a key; nothing when keys were not agreed on.
    pub fn key(&mut self, key: char, frame: u16) -> Vec<Vec<u8>> {
        let (Some(payload_type), Some(event)) = (self.key_payload_type, event_of(key)) else {
            self.pass();
            return Vec::new();
        };
        // Every packet of a key carries the time of its beginning.
        let started = self.timestamp.wrapping_sub(u32::from(frame) * u32::from(FRAME_CLOCK));
        let last = frame + 1 >= KEY_FRAMES;
        let [high, low] = ((frame + 1) * FRAME_CLOCK).to_be_bytes();
        let payload = [event, if last { 0x80 | KEY_VOLUME } else { KEY_VOLUME }, high, low];
        let times = if last { KEY_ENDS } else { 1 };
        let packets = (0..times).map(|_| self.packet(frame == 0, payload_type, started, &payload)).collect();
        self.pass();
        self.talking = false;
        packets
    }

    fn pass(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(u32::from(FRAME_CLOCK));
    }

    fn packet(&mut self, marker: bool, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::with_capacity(12 + payload.len());
        packet.extend([0x80, payload_type & 0x7f | if marker { 0x80 } else { 0 }]);
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }
}

/// The event code of a key (RFC 4733 §3.2).
pub fn event_of(key: char) -> Option<u8> {
    let position = "0123456789*#ABCD".chars().position(|known| known == key)?;
    u8::try_from(position).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_counts_on_and_marks_its_beginning_only() {
        let mut packets = Packets::new(Codec::Pcma, 8, Some(101));
        let (first, second) = (packets.sound(&[0; FRAME_SAMPLES]), packets.sound(&[0; FRAME_SAMPLES]));
        assert_eq!((first.len(), first[0], first[1], second[1]), (172, 0x80, 0x88, 8));
        let number = |packet: &[u8]| u16::from_be_bytes([packet[2], packet[3]]);
        let time = |packet: &[u8]| u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        assert_eq!(number(&second), number(&first).wrapping_add(1));
        assert_eq!(time(&second), time(&first).wrapping_add(160));
        assert_eq!(first[8..12], second[8..12]);
    }

    #[test]
    fn a_key_keeps_its_time_grows_and_ends_three_times() {
        let mut packets = Packets::new(Codec::Pcma, 8, Some(101));
        packets.sound(&[0; FRAME_SAMPLES]);
        let key: Vec<Vec<u8>> = (0..KEY_FRAMES).flat_map(|frame| packets.key('#', frame)).collect();
        assert_eq!(key.len(), 7);
        assert!(key.iter().all(|packet| packet[4..8] == key[0][4..8] && packet[12] == 11));
        let ends: Vec<bool> = key.iter().map(|packet| packet[13] & 0x80 != 0).collect();
        assert_eq!(ends, [false, false, false, false, true, true, true]);
        let lengths: Vec<u16> =
            key.iter().map(|packet| u16::from_be_bytes([packet[14], packet[15]])).collect();
        assert_eq!(lengths, [160, 320, 480, 640, 800, 800, 800]);
        assert_eq!(event_of('D'), Some(15));
        assert_eq!(event_of('x'), None);
    }
}
