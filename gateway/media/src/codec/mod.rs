//! Codecs: payload bytes to linear samples and back, always at 8 kHz.
//!
//! [`Codec`] says which, [`Encoder`] and [`Decoder`] hold what a codec remembers from frame to frame. G.722
//! and Opus carry more than the telephone band; what is recorded or mixed here is the telephone band, and
//! whoever passes payloads through untouched (`session.rs`) keeps all of it.

mod coder;
pub mod g711;
pub mod g722;
pub mod opus;

pub use coder::{Decoder, Encoder};

use serde::Deserialize;

/// How sound is carried in RTP payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 A-law: China, Europe, every international trunk. Static payload type 8.
    Pcma,
    /// G.711 µ-law: North America, Japan. Static payload type 0.
    Pcmu,
    /// G.722 at 64 kbit/s: desk phones. Static payload type 9.
    G722,
    /// Opus ([RFC 7587](https://www.rfc-editor.org/rfc/rfc7587)): soft phones. Payload type by agreement.
    Opus,
}

impl Codec {
    /// The name SDP uses (`a=rtpmap:8 PCMA/8000`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// Ticks of the RTP timestamp per sample of ours: 1, or 6 where the clock is 48 kHz. G.722 counts at
    /// 8 kHz although it samples at 16 ([RFC 3551](https://www.rfc-editor.org/rfc/rfc3551) 4.5.2).
    #[must_use]
    pub const fn ticks_per_sample(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => 1,
            Self::Opus => 6,
        }
    }

    /// The payload type [RFC 3551](https://www.rfc-editor.org/rfc/rfc3551) table 4 assigns for good; for Opus
    /// the customary one, which means nothing unless agreed.
    #[must_use]
    pub const fn usual_payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
            Self::G722 => 9,
            Self::Opus => 107,
        }
    }

    /// The codec a static payload type means, if it is one of ours.
    #[must_use]
    pub const fn from_static_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            8 => Some(Self::Pcma),
            0 => Some(Self::Pcmu),
            9 => Some(Self::G722),
            _ => None,
        }
    }

    /// How much sound a payload carries, in samples at 8 kHz; none when it is no payload of this codec.
    #[must_use]
    pub fn samples_in(self, payload: &[u8]) -> Option<usize> {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => Some(payload.len()),
            Self::Opus => opus::samples_in(payload),
        }
    }

    /// Appends one encoded frame that stands alone to `out`; a stream of frames needs an [`Encoder`].
    pub fn encode(self, samples: &[i16], out: &mut Vec<u8>) {
        Encoder::new(self).encode(samples, out);
    }

    /// Decodes one payload that stands alone; a stream of payloads needs a [`Decoder`]. Returns how many
    /// samples were written.
    pub fn decode(self, payload: &[u8], out: &mut [i16]) -> usize {
        Decoder::new(self).decode(payload, out)
    }
}
