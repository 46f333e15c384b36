//! Ogg Opus ([RFC 7845](https://www.rfc-editor.org/rfc/rfc7845)): two channels at 8 kHz, 20 ms packets, a
//! page each second, so that a crash costs one second.
//!
//! One stereo stream (mapping family 0), because that is what every player and our own transcriber read.
//! Speech mode, which keeps a voice out of the other's channel; low-delay mode does not.

use opusic_c::{Application, Bitrate, Channels, SampleRate, Signal};

use super::ogg::Pages;
use crate::{
    frame::{FRAME_SAMPLES, SAMPLE_RATE},
    recorder::BYTES_PER_INSTANT,
};

/// Ogg Opus counts at 48 kHz.
const GRANULES: u64 = 48_000 / SAMPLE_RATE as u64;
/// Instants in one packet.
const PACKET: usize = FRAME_SAMPLES;
/// Packets on one page (1 s).
const PACKETS_PER_PAGE: u32 = 50;
/// Room for a packet; ours have about 80 bytes.
const MAX_PACKET_BYTES: usize = 1_275;
/// Bits per second for both channels together. From 24 to 48 kbit/s a voice stays 65 dB below itself in the other's
/// channel; in low-delay mode at 24 kbit/s only 15 dB, in speech mode at 64 kbit/s 47 (measured with libopus 1.6).
const BITRATE: u32 = 32_000;
/// Of 10. Two costs twice as much and sounds no better at this bit rate.
const COMPLEXITY: u8 = 0;

/// A file being written.
pub struct OggOpus {
    /// None without libopus' memory: then every packet is an empty one, and the check says so by its bytes.
    encoder: Option<opusic_c::Encoder>,
    pages: Pages,
    pre_skip: u16,
    /// The packet being filled: interleaved samples, as libopus' wrapper wants their bits.
    pending: [u16; PACKET * 2],
    filled: usize,
    /// Instants taken, packets made, packets on the open page.
    instants: u64,
    packets: u64,
    on_page: u32,
}

impl OggOpus {
    pub fn new(serial: u32) -> Self {
        let mut encoder = prepared().ok();
        let ahead = encoder.as_mut().and_then(|encoder| encoder.get_look_ahead().ok()).unwrap_or(0);
        Self {
            encoder,
            pages: Pages::new(serial),
            pre_skip: u16::try_from(u64::from(ahead) * GRANULES).unwrap_or(0),
            pending: [0; PACKET * 2],
            filled: 0,
            instants: 0,
            packets: 0,
            on_page: 0,
        }
    }

    /// The two header pages.
    pub fn begin(&mut self, write: &mut dyn FnMut(&[u8])) {
        let mut head = Vec::with_capacity(19);
        head.extend_from_slice(b"OpusHead");
        head.extend_from_slice(&[1, 2]); // version, channels
        head.extend_from_slice(&self.pre_skip.to_le_bytes());
        head.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
        head.extend_from_slice(&[0, 0, 0]); // no gain, mapping family 0
        self.pages.put(&head, 0);
        write(self.pages.close(false));
        let vendor = b"jiesu";
        let mut tags = Vec::with_capacity(32);
        tags.extend_from_slice(b"OpusTags");
        tags.extend_from_slice(&(vendor.len() as u32).to_le_bytes());
        tags.extend_from_slice(vendor);
        tags.extend_from_slice(&0u32.to_le_bytes()); // no comments: nobody's data
        self.pages.put(&tags, 0);
        write(self.pages.close(false));
    }

    /// Takes interleaved little-endian samples.
    pub fn append(&mut self, pcm: &[u8], write: &mut dyn FnMut(&[u8])) {
        for &[l0, l1, r0, r1] in pcm.as_chunks::<BYTES_PER_INSTANT>().0 {
            let both = [u16::from_le_bytes([l0, l1]), u16::from_le_bytes([r0, r1])];
            self.take(both);
            self.instants += 1;
            if self.filled == PACKET {
                self.encode(write);
            }
        }
    }

    /// The last page, cut to the sample. The encoder holds back `pre_skip`; silence pushes it out.
    pub fn finish(&mut self, write: &mut dyn FnMut(&[u8])) {
        let end = u64::from(self.pre_skip) + self.instants * GRANULES;
        while self.packets * PACKET as u64 * GRANULES < end {
            while self.filled < PACKET {
                self.take([0; 2]);
            }
            self.encode_onto_page(write);
        }
        self.pages.set_granule(end);
        write(self.pages.close(true));
    }

    fn take(&mut self, both: [u16; 2]) {
        if let Some(slot) = self.pending.as_chunks_mut().0.get_mut(self.filled) {
            *slot = both;
        }
        self.filled += 1;
    }

    fn encode(&mut self, write: &mut dyn FnMut(&[u8])) {
        self.encode_onto_page(write);
        if self.on_page >= PACKETS_PER_PAGE {
            self.close_page(write);
        }
    }

    fn encode_onto_page(&mut self, write: &mut dyn FnMut(&[u8])) {
        self.filled = 0;
        let mut packet = [0; MAX_PACKET_BYTES];
        let encoder = self.encoder.as_mut();
        let length = encoder.and_then(|encoder| encoder.encode_to_slice(&self.pending, &mut packet).ok());
        // A packet that could not be made is one lost frame: a table of contents without any.
        let packet = packet.get(..length.unwrap_or(0)).filter(|packet| !packet.is_empty()).unwrap_or(&LOST);
        if !self.pages.fits(packet.len()) {
            self.close_page(write);
        }
        self.packets += 1;
        self.on_page += 1;
        self.pages.put(packet, self.packets * PACKET as u64 * GRANULES);
    }

    fn close_page(&mut self, write: &mut dyn FnMut(&[u8])) {
        self.on_page = 0;
        if !self.pages.is_empty() {
            write(self.pages.close(false));
        }
    }
}

/// SILK, narrow-band, 20 ms, stereo, one frame of no bytes (RFC 6716 3.1).
const LOST: [u8; 1] = [1 << 3 | 1 << 2];

fn prepared() -> Result<opusic_c::Encoder, opusic_c::ErrorCode> {
    let mut encoder = opusic_c::Encoder::new(Channels::Stereo, SampleRate::Hz8000, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Value(BITRATE))?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_signal(Signal::Voice)?;
    // Both voices, always: never one channel for the two of them.
    encoder.set_force_channels(Some(Channels::Stereo))?;
    Ok(encoder)
}
