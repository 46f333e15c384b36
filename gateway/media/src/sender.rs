//! Numbering and writing the RTP packets of one sent stream.
//!
//! The timestamp runs with time whether or not something is sent; the first packet after a pause
//! carries the marker ([RFC 3551](https://www.rfc-editor.org/rfc/rfc3551) 4.1).

use std::time::Instant;

use crate::{
    Codec,
    frame::{FRAME_SAMPLES, Samples, samples_between},
    rtp::HEADER_LENGTH,
};

/// Room one written packet needs, in bytes.
pub const PACKET_LENGTH: usize = HEADER_LENGTH + FRAME_SAMPLES;

/// State of one sent stream.
#[derive(Debug, Clone)]
pub struct Sender {
    ssrc: u32,
    payload_type: u8,
    codec: Codec,
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
            sequence,
            timestamp,
            marker: true,
            packets: 0,
            octets: 0,
            due: None,
        }
    }

    /// Replaces `out` by the packet of this frame.
    pub fn send(&mut self, now: Instant, samples: &Samples, out: &mut Vec<u8>) {
        out.clear();
        out.push(0x80);
        out.push(u8::from(self.marker) << 7 | self.payload_type & 0x7f);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        self.codec.encode(samples, out);
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        self.octets += (out.len() - HEADER_LENGTH) as u64;
        self.marker = false;
        self.advance(now, 1);
    }

    /// Time passes without a packet.
    pub fn pause(&mut self, now: Instant, frames: u32) {
        self.marker = true;
        self.advance(now, frames);
    }

    /// Another codec from the next packet on; the timeline goes on.
    pub fn set_codec(&mut self, codec: Codec, payload_type: u8) {
        self.codec = codec;
        self.payload_type = payload_type;
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
        self.timestamp.wrapping_add(since as u32)
    }

    fn advance(&mut self, now: Instant, frames: u32) {
        self.timestamp = self.timestamp.wrapping_add(frames.wrapping_mul(FRAME_SAMPLES as u32));
        self.due = Some(now + crate::FRAME_DURATION * frames);
    }
}
