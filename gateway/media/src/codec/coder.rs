//! The two directions of a codec with their memory. G.711 has none, so its variants cost nothing; the
//! others live in boxes and exist only where somebody encodes or decodes.

use super::{Codec, g711, g722, opus};

/// Samples to payloads, for one sent stream.
pub enum Encoder {
    /// G.711 A-law.
    ALaw,
    /// G.711 µ-law.
    MuLaw,
    /// G.722.
    G722(Box<g722::Encoder>),
    /// Opus.
    Opus(Box<opus::Encoder>),
}

/// Payloads to samples, for one received stream.
pub enum Decoder {
    /// G.711 A-law.
    ALaw,
    /// G.711 µ-law.
    MuLaw,
    /// G.722.
    G722(Box<g722::Decoder>),
    /// Opus.
    Opus(Box<opus::Decoder>),
}

impl Encoder {
    /// The beginning of a stream.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcma => Self::ALaw,
            Codec::Pcmu => Self::MuLaw,
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(Box::new(opus::Encoder::new(opus::Wishes::default()))),
        }
    }

    /// Appends the encoded samples to `out`: for Opus exactly one packet of 10, 20, 40 or 60 ms, and nothing
    /// for any other length.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        match self {
            Self::ALaw => out.extend(samples.iter().map(|&sample| g711::encode_a_law(sample))),
            Self::MuLaw => out.extend(samples.iter().map(|&sample| g711::encode_mu_law(sample))),
            Self::G722(encoder) => encoder.encode(samples, out),
            Self::Opus(encoder) => encoder.encode(samples, out),
        }
    }

    /// Forgets the stream so far: the far end heard something else meanwhile.
    pub fn reset(&mut self) {
        match self {
            Self::ALaw | Self::MuLaw => {}
            Self::G722(encoder) => **encoder = g722::Encoder::default(),
            Self::Opus(encoder) => encoder.reset(),
        }
    }
}

impl Decoder {
    /// The beginning of a stream.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcma => Self::ALaw,
            Codec::Pcmu => Self::MuLaw,
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(Box::default()),
        }
    }

    /// Which codec it decodes.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self {
            Self::ALaw => Codec::Pcma,
            Self::MuLaw => Codec::Pcmu,
            Self::G722(_) => Codec::G722,
            Self::Opus(_) => Codec::Opus,
        }
    }

    /// Decodes into `out` and returns how many samples were written: as many as the payload holds and `out`
    /// has room for, none when the payload is damaged.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let law = match self {
            Self::ALaw => g711::decode_a_law,
            Self::MuLaw => g711::decode_mu_law,
            Self::G722(decoder) => return decoder.decode(payload, out),
            Self::Opus(decoder) => return decoder.decode(payload, out),
        };
        for (sample, &code) in out.iter_mut().zip(payload) {
            *sample = law(code);
        }
        out.len().min(payload.len())
    }

    /// Recovers what was lost just before `next` from the redundancy in it, if the codec has such; returns
    /// how many samples were written, the last of which is the last one before `next`.
    pub fn recover(&mut self, next: &[u8], out: &mut [i16]) -> usize {
        match self {
            Self::Opus(decoder) => decoder.recover(next, out),
            _ => 0,
        }
    }

    /// Makes up sound for a loss from the codec's own memory, if it can do so better than repeating samples
    /// (Opus); returns how many samples were written.
    pub fn conceal(&mut self, out: &mut [i16]) -> usize {
        match self {
            Self::Opus(decoder) => decoder.conceal(out),
            _ => 0,
        }
    }

    /// Forgets the stream so far.
    pub fn reset(&mut self) {
        match self {
            Self::ALaw | Self::MuLaw => {}
            Self::G722(decoder) => **decoder = g722::Decoder::default(),
            Self::Opus(decoder) => decoder.reset(),
        }
    }
}
