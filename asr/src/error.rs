//! What can go wrong between a recording and its text, and whether trying again can help.

use std::path::PathBuf;

use crate::model::ModelStatus;

/// Whether the same job may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// The recording is fine; the machine or the model was not. Try again later.
    Retry,
    /// The recording itself cannot be read. Trying again changes nothing.
    Never,
}

/// Why there is no text. No variant carries what was said or who said it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AsrError {
    /// The file could not be read (operator: permissions, disk).
    #[error("cannot read the recording: {0}")]
    Read(#[from] std::io::Error),
    /// Not a container or codec of [`crate::audio`].
    #[error("unsupported recording: {0}")]
    Unsupported(&'static str),
    /// A known container without one decodable packet.
    #[error("garbled recording: {0}")]
    Garbled(&'static str),
    /// Longer than `max_audio`; nothing of it is transcribed.
    #[error("recording longer than {limit_ms} ms")]
    TooLong {
        /// The bound, milliseconds.
        limit_ms: u64,
    },
    /// The caller named another number of speakers than the recording has channels.
    #[error("recording has {channels} channels, {named} speakers were named")]
    Speakers {
        /// Channels found in the recording.
        channels: usize,
        /// Speakers given in the job.
        named: usize,
    },
    /// The queue is full; come back later.
    #[error("speech queue is full ({bound} jobs wait)")]
    Busy {
        /// `queue_jobs` of the configuration.
        bound: usize,
    },
    /// No model is loaded.
    #[error("speech model is not ready: {0}")]
    NotReady(ModelStatus),
    /// The job's future was dropped, or its [`crate::CancelFlag`] set.
    #[error("transcription was cancelled")]
    Cancelled,
    /// One decode ran past `decode_timeout`: an overloaded host or a looping model.
    #[error("decoding a stretch of speech took longer than {limit_ms} ms")]
    Deadline {
        /// The bound, milliseconds.
        limit_ms: u64,
    },
    /// The engine failed; the message is the engine's own.
    #[error("speech engine failed: {0}")]
    Engine(String),
    /// The pool is shutting down.
    #[error("speech pool is stopping")]
    Stopping,
    /// A model file is wrong (operator: fetch it again).
    #[error("speech model {path} is unusable: {reason}")]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration asks for what cannot be (operator).
    #[error("speech configuration: {0}")]
    Config(String),
}

impl AsrError {
    /// Whether the same job may succeed later.
    pub fn class(&self) -> RetryClass {
        match self {
            Self::Unsupported(_) | Self::Garbled(_) | Self::TooLong { .. } | Self::Speakers { .. } => {
                RetryClass::Never
            }
            _ => RetryClass::Retry,
        }
    }

    /// One word for the metric label `reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Unsupported(_) => "unsupported",
            Self::Garbled(_) => "garbled",
            Self::TooLong { .. } => "too_long",
            Self::Speakers { .. } => "speakers",
            Self::Busy { .. } => "busy",
            Self::NotReady(_) => "not_ready",
            Self::Cancelled => "cancelled",
            Self::Deadline { .. } => "deadline",
            Self::Engine(_) => "engine",
            Self::Stopping => "stopping",
            Self::Model { .. } => "model",
            Self::Config(_) => "config",
        }
    }
}
