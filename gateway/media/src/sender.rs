//! Numbering and writing the RTP packets of one sent stream.
//!
//! The timestamp runs with time whether or not something is sent; the first packet after a pause
//! carries the marker ([RFC 3551](https://www.rfc-editor.org/rfc/rfc3551) 4.1).

use std::time::Instant;

use crate::{
    Codec,
    codec::{
        Encoder,
        opus::{self, Wishes},
    },
    frame::{FRAME_SAMPLES, Samples, samples_between},
    rtp::HEADER_LENGTH,
};

/// Room one written packet needs, in bytes.
pub const PACKET_LENGTH: usize = HEADER_LENGTH + FRAME_SAMPLES;

/// Longest packet made, in frames (60 ms).
const MAX_FRAMES: u32 = 3;

/// State of one sent stream.
pub struct Sender {
    ssrc: u32,
    payload_type: u8,
    codec: Codec,
    /// Made when something is encoded; passed-on payloads need none.
    encoder: Option<Encoder>,
    /// What the far end wants of Opus.
    opus: Wishes,
    /// The far end heard payloads which did not come from the encoder.
    stale: bool,
    /// Samples in a packet, and those waiting for theirs.
    packet_samples: usize,
    waiting: Vec<i16>,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    packets: u64,
    octets: u64,
    /// When the frame at `timestamp` (the next one) is due.
    due: Option<Instant>,
}

impl Sender {
    /// A stream beginning at these numbers, which should be random (RFC 3550 5.1).
    #[must_use]
    pub fn new(codec: Codec, payload_type: u8, ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            payload_type,
            codec,
            encoder: None,
            opus: Wishes::default(),
            stale: false,
            packet_samples: FRAME_SAMPLES,
            waiting: Vec::new(),
            sequence,
            timestamp,
            marker: true,
            packets: 0,
            octets: 0,
            due: None,
        }
    }

    /// Replaces `out` by the packet this frame completes, or empties it while packets are longer than frames.
    pub fn send(&mut self, now: Instant, samples: &Samples, out: &mut Vec<u8>) {
        out.clear();
        if self.packet_samples == FRAME_SAMPLES && self.waiting.is_empty() {
            self.begin(out, self.payload_type, self.marker, self.timestamp);
            self.encode(samples, out);
            self.complete(out);
        } else {
            self.waiting.extend_from_slice(samples);
            if self.waiting.len() >= self.packet_samples {
                // The frame of now is the end of what waits.
                let behind = (self.waiting.len() - FRAME_SAMPLES) as u32 * self.codec.ticks_per_sample();
                self.begin(out, self.payload_type, self.marker, self.timestamp.wrapping_sub(behind));
                let mut waiting = std::mem::take(&mut self.waiting);
                self.encode(waiting.get(..self.packet_samples).unwrap_or(&waiting), out);
                waiting.drain(..self.packet_samples.min(waiting.len()));
                self.waiting = waiting;
                self.complete(out);
            }
        }
        self.advance(now, 1);
    }

    /// Replaces `out` by a packet of a payload that was encoded elsewhere.
    pub fn forward(&mut self, now: Instant, payload: &[u8], out: &mut Vec<u8>) {
        self.begin(out, self.payload_type, self.marker, self.timestamp);
        out.extend_from_slice(payload);
        self.complete(out);
        self.stale = true;
        self.advance(now, 1);
    }

    /// A packet was lost before it came to us: the far end shall see that, and conceal it by its own means.
    pub fn forward_loss(&mut self, now: Instant) {
        self.sequence = self.sequence.wrapping_add(1);
        self.advance(now, 1);
    }

    /// Replaces `out` by a packet without sound of its own: a key that went down `age` frames ago, or comfort
    /// noise.
    pub fn send_other(
        &mut self,
        now: Instant,
        payload_type: u8,
        payload: &[u8],
        first: bool,
        age: u32,
        out: &mut Vec<u8>,
    ) {
        let began = self.timestamp.wrapping_sub(self.ticks(age));
        self.begin(out, payload_type, first, began);
        out.extend_from_slice(payload);
        self.complete(out);
        self.pause(now, 1);
    }

    /// Time passes without a packet.
    pub fn pause(&mut self, now: Instant, frames: u32) {
        self.marker = true;
        self.waiting.clear();
        self.advance(now, frames);
    }

    /// Another codec from the next packet on; the numbering goes on.
    pub fn set_codec(&mut self, codec: Codec, payload_type: u8) {
        if codec != self.codec {
            self.encoder = None;
            self.waiting.clear();
            self.marker = true;
        }
        self.codec = codec;
        self.payload_type = payload_type;
    }

    /// What the far end wants of Opus.
    pub fn set_opus(&mut self, wishes: Wishes) {
        if wishes != self.opus {
            self.opus = wishes;
            self.encoder = None;
        }
    }

    /// Length of packets in milliseconds, 20 to 60; Opus is always cut to 20.
    pub fn set_packet_length(&mut self, milliseconds: u32) {
        let longest = if self.codec == Codec::Opus { 1 } else { MAX_FRAMES };
        self.packet_samples =
            (milliseconds as usize * 8).clamp(FRAME_SAMPLES, FRAME_SAMPLES * longest as usize);
        self.waiting.clear();
    }

    /// Whether each frame is one packet, so that payloads of 20 ms can be passed on.
    #[must_use]
    pub fn sends_frames(&self) -> bool {
        self.packet_samples == FRAME_SAMPLES
    }

    /// Who we are.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets sent.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Payload bytes sent.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The RTP timestamp which corresponds to `now`, for sender reports.
    #[must_use]
    pub fn timestamp_at(&self, now: Instant) -> u32 {
        let since = self.due.map_or(0, |due| samples_between(due, now));
        self.timestamp.wrapping_add((since as u32).wrapping_mul(self.codec.ticks_per_sample()))
    }

    fn begin(&self, out: &mut Vec<u8>, payload_type: u8, marker: bool, timestamp: u32) {
        out.clear();
        out.push(0x80);
        out.push(u8::from(marker) << 7 | payload_type & 0x7f);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
    }

    fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let (codec, wishes) = (self.codec, self.opus);
        let encoder = self.encoder.get_or_insert_with(|| match codec {
            Codec::Opus => Encoder::Opus(Box::new(opus::Encoder::new(wishes))),
            other => Encoder::new(other),
        });
        if std::mem::take(&mut self.stale) {
            encoder.reset();
        }
        encoder.encode(samples, out);
    }

    fn complete(&mut self, out: &[u8]) {
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        self.octets += (out.len() - HEADER_LENGTH) as u64;
        self.marker = false;
    }

    fn ticks(&self, frames: u32) -> u32 {
        frames.wrapping_mul(FRAME_SAMPLES as u32).wrapping_mul(self.codec.ticks_per_sample())
    }

    fn advance(&mut self, now: Instant, frames: u32) {
        self.timestamp = self.timestamp.wrapping_add(self.ticks(frames));
        self.due = Some(now + crate::FRAME_DURATION * frames);
    }
}
