//! What can be wrong with a session description, and which answer the caller of ours should get.

use super::{MAX_ATTRIBUTES, MAX_DESCRIPTION_BYTES, MAX_FORMATS, MAX_MEDIA_LINES};

/// Why a description could not be read or agreed upon. [`SdpError::status`] is the SIP answer.
///
/// Messages name lines and limits, never addresses or names from the description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Longer than [`MAX_DESCRIPTION_BYTES`]; the sender must send less.
    #[error("session description is longer than {MAX_DESCRIPTION_BYTES} bytes")]
    TooLong,
    /// More lines of one kind than we keep; the sender must send fewer.
    #[error(
        "too many {what} in the session description \
         (limits: {MAX_MEDIA_LINES} media, {MAX_FORMATS} formats, {MAX_ATTRIBUTES} attributes)"
    )]
    TooMany {
        /// `media lines`, `formats` or `attributes`.
        what: &'static str,
    },
    /// A line that breaks the grammar in a way we cannot read around.
    #[error("line {line} of the session description is malformed: {what}")]
    Malformed {
        /// Line number, counted from 1.
        line: usize,
        /// What was expected there.
        what: &'static str,
    },
    /// A line without which nothing can be agreed is missing.
    #[error("session description has no {what}")]
    Missing {
        /// The missing line.
        what: &'static str,
    },
    /// An answer whose media lines do not follow those of our offer (RFC 3264 §6).
    #[error("the answer does not follow the media lines of the offer")]
    AnswerMismatch,
    /// No audio line over RTP with a port; the other end must offer one.
    #[error("no usable audio line over RTP")]
    NoAudio,
    /// Audio lines exist, but in the clear where our policy wants keys, or without a key we can use.
    #[error("no usable srtp keys where srtp is required")]
    NoKeys,
    /// Audio lines exist, but none names a codec of ours.
    #[error("no codec in common")]
    NoCommonCodec,
    /// The other end answered our audio line with port 0.
    #[error("the audio stream was refused by the other end")]
    Refused,
    /// The media address is a name, a group, or of the other IP family.
    #[error("the media address cannot be used: {what}")]
    UnusableAddress {
        /// Why not.
        what: &'static str,
    },
}

impl SdpError {
    /// The SIP status for a request that carried this description: 400 when it cannot be read,
    /// 488 (Not Acceptable Here) when it can be read but not agreed to. RFC 3261 §21.4.26.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLong
            | Self::TooMany { .. }
            | Self::Malformed { .. }
            | Self::Missing { .. }
            | Self::AnswerMismatch => 400,
            Self::NoAudio
            | Self::NoKeys
            | Self::NoCommonCodec
            | Self::Refused
            | Self::UnusableAddress { .. } => 488,
        }
    }
}
