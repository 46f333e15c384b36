//! What can go wrong, and who can mend it.

use thiserror::Error;

/// Why a received datagram was not used. All are the sender's to mend; a stream survives every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RtpError {
    /// The datagram ends before its header says so.
    #[error("datagram is cut short")]
    Truncated,
    /// The datagram or its payload exceeds what 8 kHz telephony can need.
    #[error("datagram is too long: {0} bytes")]
    TooLong(usize),
    /// Version is not 2; often STUN, T.38 or noise on a reused port.
    #[error("version {0} is not RTP")]
    Version(u8),
    /// The padding count is zero or larger than the packet.
    #[error("padding does not fit the packet")]
    Padding,
    /// A payload type nobody negotiated.
    #[error("payload type {0} was not negotiated")]
    PayloadType(u8),
    /// The tag does not fit: not the far end's, or damaged.
    #[error("srtp packet is not authentic")]
    Unauthenticated,
    /// An authentic packet came a second time.
    #[error("srtp packet came before")]
    Replayed,
    /// It came from an address which is not the far end's.
    #[error("datagram came from an unexpected source")]
    UnexpectedSource,
    /// More packets in one RTCP compound than any sender needs.
    #[error("rtcp compound holds too many packets")]
    TooManyPackets,
    /// There is no such leg now.
    #[error("the call has no such leg")]
    NoLeg,
}

/// Why a command could not be followed. These are the caller's to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MediaError {
    /// As many prompts wait as are allowed to.
    #[error("prompt queue is full")]
    PromptQueueFull,
    /// A recording is running, or an ended one has blocks left: poll them first.
    #[error("the previous recording is not drained")]
    RecordingBusy,
    /// As many legs as a room holds are there already.
    #[error("the call has as many legs as it may have")]
    RoomFull,
    /// There is no such leg now.
    #[error("the call has no such leg")]
    NoLeg,
    /// No conversion between these rates is offered.
    #[error("cannot resample from {from} to {to} hertz")]
    Rate {
        /// Samples per second going in.
        from: u32,
        /// Samples per second coming out.
        to: u32,
    },
    /// The file is not PCM WAV of 16 bits, or is cut before its samples.
    #[error("not a readable 16-bit pcm wav file: {0}")]
    Wav(&'static str),
}
