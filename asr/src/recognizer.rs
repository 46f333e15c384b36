//! The one contract of a speech engine: one channel in, timed utterances out.
//!
//! An engine does its own voice activity detection, because good ones come with the engine; it may use
//! [`crate::segment`]. It does not know who speaks, whose call this is, or what happens to the text.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::audio::Audio16k;
use crate::error::AsrError;

/// Turns one channel of speech into text. Implementations are shared by all workers.
pub trait Recognizer: Send + Sync {
    /// What stands in the record as the engine, e.g. `whisper/ggml-base-q8_0`.
    fn name(&self) -> &str;

    /// Everything said on this channel, in order of time, none of it empty.
    ///
    /// Silence, noise and call tones give no utterance. Blocks for as long as it takes and must return soon
    /// (a second or two) after `cancel` is set.
    ///
    /// # Errors
    /// [`AsrError::Cancelled`], [`AsrError::Deadline`] or [`AsrError::Engine`].
    fn transcribe(
        &self,
        audio: &Audio16k,
        options: &Options,
        cancel: &CancelFlag,
    ) -> Result<Vec<Utterance>, AsrError>;
}

/// A stretch of speech and its text. `Debug` hides the text: citizens' words stay out of logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Utterance {
    /// From the start of the channel, milliseconds.
    pub from_ms: u64,
    /// From the start of the channel, milliseconds; later than `from_ms`.
    pub to_ms: u64,
    /// What was said; Chinese in simplified characters.
    pub text: String,
    /// How sure the engine is, basis points (0..=10000).
    pub confidence: u16,
    /// Language tag (BCP 47), e.g. `zh`.
    pub language: String,
}

impl std::fmt::Debug for Utterance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Utterance")
            .field("from_ms", &self.from_ms)
            .field("to_ms", &self.to_ms)
            .field("text", &record::Pii::new(&self.text))
            .field("confidence", &self.confidence)
            .field("language", &self.language)
            .finish()
    }
}

/// What may differ from job to job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The spoken language (`zh`, `en`, `mn` …), or `auto` to let the engine find out. Default `zh`.
    pub language: String,
    /// Whisper: always look at a whole 30 s window (more accurate, dearer for short speech). Default true.
    pub full_window: bool,
    /// The longest one decode of at most 28 s of speech may take. Default 120 s.
    pub decode_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { language: "zh".into(), full_window: true, decode_timeout: Duration::from_secs(120) }
    }
}

/// Shared by the one who may lose interest and the one who works.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// A flag nobody has set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ask the worker to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// [`AsrError::Cancelled`] if somebody set the flag.
    ///
    /// # Errors
    /// Only that one.
    pub fn check(&self) -> Result<(), AsrError> {
        if self.is_cancelled() { Err(AsrError::Cancelled) } else { Ok(()) }
    }
}
