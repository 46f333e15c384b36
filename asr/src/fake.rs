//! A recogniser for tests of others: it returns what it was told, and hears nothing.
//!
//! Not an engine: no configuration can select it.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::audio::Audio16k;
use crate::error::AsrError;
use crate::recognizer::{CancelFlag, Options, Recognizer, Utterance};

/// Says the same for every channel, whatever is on it.
#[derive(Debug)]
pub struct FakeRecognizer {
    utterances: Vec<Utterance>,
    heard: AtomicUsize,
}

impl FakeRecognizer {
    /// Returns these for every channel.
    pub fn new(utterances: Vec<Utterance>) -> Self {
        Self { utterances, heard: AtomicUsize::new(0) }
    }

    /// One utterance over the first second.
    pub fn saying(text: &str) -> Self {
        Self::new(vec![Utterance {
            from_ms: 0,
            to_ms: 1000,
            text: text.to_owned(),
            confidence: 9000,
            language: "zh".into(),
        }])
    }

    /// How many channels were handed in so far.
    pub fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

impl Recognizer for FakeRecognizer {
    fn name(&self) -> &str {
        "fake"
    }

    fn transcribe(&self, _: &Audio16k, _: &Options, cancel: &CancelFlag) -> Result<Vec<Utterance>, AsrError> {
        self.heard.fetch_add(1, Ordering::SeqCst);
        cancel.check()?;
        Ok(self.utterances.clone())
    }
}
