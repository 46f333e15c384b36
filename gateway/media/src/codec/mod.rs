//! Codecs: payload bytes to linear samples and back.
//!
//! Only G.711 so far. Another codec is a variant here and a file beside `g711.rs`; whoever adds one
//! with state turns the two functions into a coder value held by `session.rs` and `sender.rs`.

pub mod g711;

use serde::Deserialize;

/// How sound is carried in RTP payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 A-law: China, Europe, every international trunk. Static payload type 8.
    Pcma,
    /// G.711 µ-law: North America, Japan. Static payload type 0.
    Pcmu,
}

impl Codec {
    /// The name SDP uses (`a=rtpmap:8 PCMA/8000`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }

    /// The payload type [RFC 3551](https://www.rfc-editor.org/rfc/rfc3551) table 4 assigns for good.
    #[must_use]
    pub const fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
        }
    }

    /// The codec a static payload type means, if it is one of ours.
    #[must_use]
    pub const fn from_static_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            8 => Some(Self::Pcma),
            0 => Some(Self::Pcmu),
            _ => None,
        }
    }

    /// Appends the encoded samples to `out`.
    pub fn encode(self, samples: &[i16], out: &mut Vec<u8>) {
        match self {
            Self::Pcma => out.extend(samples.iter().map(|&sample| g711::encode_a_law(sample))),
            Self::Pcmu => out.extend(samples.iter().map(|&sample| g711::encode_mu_law(sample))),
        }
    }

    /// Decodes into `out` and returns how many samples were written: the shorter of the two lengths.
    pub fn decode(self, payload: &[u8], out: &mut [i16]) -> usize {
        let decode = match self {
            Self::Pcma => g711::decode_a_law,
            Self::Pcmu => g711::decode_mu_law,
        };
        for (sample, &code) in out.iter_mut().zip(payload) {
            *sample = decode(code);
        }
        out.len().min(payload.len())
    }
}
