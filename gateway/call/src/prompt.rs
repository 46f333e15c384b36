//! What a caller hears that is not a person: recorded prompts by name, and tones.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A recorded prompt, by its `id` in the prompts' manifest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptId(Cow<'static, str>);

impl PromptId {
    /// "This call is recorded."
    pub const NOTICE: Self = Self(Cow::Borrowed("notice"));
    /// "We are connecting you." Once, at the start of the wait.
    pub const WAITING: Self = Self(Cow::Borrowed("waiting"));
    /// "All agents are busy, please stay." Repeated during the wait.
    pub const STILL_WAITING: Self = Self(Cow::Borrowed("still_waiting"));
    /// "No agent is free, please leave a message after the tone."
    pub const NO_AGENT: Self = Self(Cow::Borrowed("no_agent"));
    /// "Your message was received."
    pub const MESSAGE_SAVED: Self = Self(Cow::Borrowed("message_saved"));

    /// A prompt with the manifest id `id`.
    pub fn new(id: impl Into<String>) -> Self {
        Self(Cow::Owned(id.into()))
    }

    /// The manifest id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tone made by the media layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Ring-back (450 Hz, 1 s on, 4 s off in China). Plays until stopped or replaced; never finishes.
    RingBack,
    /// "You are on hold." Plays until stopped or replaced; never finishes.
    Hold,
    /// "Speak now." Short; finishes by itself.
    Beep,
}
