//! Opus ([RFC 6716](https://www.rfc-editor.org/rfc/rfc6716)) by libopus, for one mono voice at 8 kHz.
//!
//! libopus resamples by itself: a packet coded at any bandwidth is heard at 8 kHz, and what we say is coded
//! narrow-band, whatever clock RTP counts by (48 kHz always). What libopus refuses counts as lost; nothing
//! here fails. A far end that sends nothing while silent (DTX) is the jitter buffer's business.

use opusic_c::{Application, Bitrate, Channels, InbandFec, SampleRate, Signal};

/// Longest sound a packet may hold: 120 ms (RFC 6716 3.2.5).
pub const MAX_SAMPLES: usize = 960;
/// Room for one packet of 60 ms at our bit rate, with much to spare, in bytes.
const MAX_PACKET: usize = 480;
/// Bits per second; narrow-band speech gains little beyond 16 kbit/s, and error correction wants some.
const BITRATE: u32 = 20_000;
/// Below this the far end's limit is taken for a mistake.
const LEAST_BITRATE: u32 = 6_000;
/// Of 10: each step costs processor time; 5 is where speech stops to improve audibly.
const COMPLEXITY: u8 = 5;
/// Loss to be prepared for where error correction is wanted, in percent.
const EXPECTED_LOSS: u8 = 10;

/// What the far end asks for in its SDP ([RFC 7587](https://www.rfc-editor.org/rfc/rfc7587) 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// It makes use of forward error correction.
    pub forward_error_correction: bool,
    /// Bits per second at most.
    pub max_average_bitrate: Option<u32>,
}

/// Samples to packets. Without libopus' memory (an allocation that failed) it is silent.
pub struct Encoder {
    inner: Option<opusic_c::Encoder>,
}

/// Packets to samples.
pub struct Decoder {
    inner: Option<opusic_c::Decoder>,
}

impl Encoder {
    /// An encoder for voice.
    #[must_use]
    pub fn new(wishes: Wishes) -> Self {
        Self { inner: prepared(wishes).ok() }
    }

    /// Appends one packet of these samples (10, 20, 40 or 60 ms) to `out`.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let mut bits = [0; MAX_SAMPLES];
        let Some(encoder) = &mut self.inner else { return };
        let Some(bits) = bits.get_mut(..samples.len()) else { return };
        for (bit, sample) in bits.iter_mut().zip(samples) {
            *bit = sample.cast_unsigned();
        }
        let start = out.len();
        out.resize(start + MAX_PACKET, 0);
        let room = out.get_mut(start..).unwrap_or_default();
        let written = encoder.encode_to_slice(bits, room).unwrap_or(0);
        out.truncate(start + written);
    }

    /// Forgets the stream so far.
    pub fn reset(&mut self) {
        // It fails for a null pointer only.
        let _ = self.inner.as_mut().map(opusic_c::Encoder::reset);
    }
}

fn prepared(wishes: Wishes) -> Result<opusic_c::Encoder, opusic_c::ErrorCode> {
    let mut encoder = opusic_c::Encoder::new(Channels::Mono, SampleRate::Hz8000, Application::Voip)?;
    let most = wishes.max_average_bitrate.unwrap_or(BITRATE).max(LEAST_BITRATE);
    encoder.set_bitrate(Bitrate::Value(BITRATE.min(most)))?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_signal(Signal::Voice)?;
    if wishes.forward_error_correction {
        encoder.set_inband_fec(InbandFec::Mode1)?;
        encoder.set_packet_loss(EXPECTED_LOSS)?;
    }
    Ok(encoder)
}

impl Default for Decoder {
    fn default() -> Self {
        Self { inner: opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz8000).ok() }
    }
}

impl Decoder {
    /// Decodes a packet of any length and bandwidth; stereo is mixed down. Returns the samples written.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let Some(wanted) = samples_in(payload).filter(|wanted| *wanted <= out.len()) else { return 0 };
        self.run(payload, out, wanted, false)
    }

    /// Recovers the sound before `next`: as much as `out` has room for, in whole frames of `next`'s length.
    pub fn recover(&mut self, next: &[u8], out: &mut [i16]) -> usize {
        let Some(length) = samples_in(next).filter(|length| *length <= out.len() && has_redundancy(next))
        else {
            return 0;
        };
        self.run(next, out, length, true)
    }

    /// Makes up sound after a loss; `out` should be whole multiples of 2.5 ms.
    pub fn conceal(&mut self, out: &mut [i16]) -> usize {
        let wanted = out.len().min(MAX_SAMPLES) / 20 * 20;
        self.run(&[], out, wanted, false)
    }

    /// Forgets the stream so far.
    pub fn reset(&mut self) {
        // It fails for a null pointer only.
        let _ = self.inner.as_mut().map(opusic_c::Decoder::reset);
    }

    fn run(&mut self, payload: &[u8], out: &mut [i16], wanted: usize, recover: bool) -> usize {
        let mut bits = [0; MAX_SAMPLES];
        let (Some(decoder), Some(bits)) = (&mut self.inner, bits.get_mut(..wanted)) else { return 0 };
        let written = decoder.decode_to_slice(payload, bits, recover).unwrap_or(0);
        for (sample, bit) in out.iter_mut().zip(bits.iter().take(written)) {
            *sample = bit.cast_signed();
        }
        written.min(out.len())
    }
}

/// How much sound a packet holds, in samples at 8 kHz, by its first bytes (RFC 6716 3.1 and 3.2); none when
/// they make no packet.
#[must_use]
pub fn samples_in(payload: &[u8]) -> Option<usize> {
    let &toc = payload.first()?;
    // In units of 2.5 ms, which is 20 samples.
    let frame = match toc >> 3 {
        mode @ 0..=11 => [4, 8, 16, 24].get(usize::from(mode & 3)).copied()?,
        mode @ 12..=15 => [4, 8].get(usize::from(mode & 1)).copied()?,
        mode => [1, 2, 4, 8].get(usize::from(mode & 3)).copied()?,
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => usize::from(payload.get(1)? & 0x3f),
    };
    let samples = frame * frames * 20;
    (1..=MAX_SAMPLES).contains(&samples).then_some(samples)
}

/// Whether a packet carries a copy of what was before it. Only the speech modes can; the bit stands after one
/// bit of voice activity per 20 ms (RFC 6716 4.2.3). Of packets of several frames none is expected.
fn has_redundancy(payload: &[u8]) -> bool {
    let &[toc, head, ..] = payload else { return false };
    let frames = samples_in(payload).map_or(1, |samples| samples.div_ceil(160).min(3));
    toc >> 3 < 16 && toc & 3 == 0 && head >> (7 - frames) & 1 == 1
}
