//! What a leg of ours is in the conversation. Who hears whom follows from it, in the media layer.

/// A leg's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The one in charge of the caller.
    Agent,
    /// Brought in by the agent: consulted, or the third in a three-way call (三方通话).
    Specialist,
    /// A supervisor.
    Supervisor(Watch),
}

/// How a supervisor takes part; may change while running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Watch {
    /// Hears everybody, is heard by nobody.
    Listen,
    /// Is heard by the agent alone.
    Whisper,
    /// Is heard by everybody.
    Barge,
}

impl Watch {
    /// The word for it in the API and the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Whisper => "whisper",
            Self::Barge => "barge",
        }
    }
}
