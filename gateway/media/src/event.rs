//! What a call's media tells the call.

use std::{collections::VecDeque, time::Duration};

use crate::{Leg, MediaEvent, PauseReason, dtmf::Digit};

/// Events kept until polled; beyond, new ones are dropped.
const MAX_EVENTS: usize = 64;

/// What a call's media tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BridgeEvent {
    /// A prompt has played to its end (not told of one that was stopped).
    PromptFinished {
        /// To whom.
        leg: Leg,
        /// As given to `play`.
        id: u64,
    },
    /// A key was pressed and released.
    Digit {
        /// By whom.
        leg: Leg,
        /// Which, and for how long.
        digit: Digit,
    },
    /// Nothing was received for the configured time.
    ReceiveTimeout {
        /// From whom.
        leg: Leg,
    },
    /// Something is received again.
    ReceiveResumed {
        /// From whom.
        leg: Leg,
    },
    /// Another source sends now.
    SourceChanged {
        /// On which leg.
        leg: Leg,
    },
    /// RTCP BYE; signalling should follow.
    Bye {
        /// From whom.
        leg: Leg,
    },
    /// Speech began or ended.
    VoiceActivity {
        /// Whose.
        leg: Leg,
        /// True when it began.
        speaking: bool,
    },
    /// What is said from here on is not kept.
    RecordingPaused {
        /// Place on the recording.
        at: Duration,
        /// Why.
        reason: PauseReason,
    },
    /// It is kept again.
    RecordingResumed {
        /// Where the pause began.
        from: Duration,
        /// Where it ended.
        until: Duration,
        /// Why it was.
        reason: PauseReason,
    },
}

impl BridgeEvent {
    /// What a leg's stream told, with its leg.
    #[must_use]
    pub fn of(leg: Leg, event: MediaEvent) -> Self {
        match event {
            MediaEvent::Digit(digit) => Self::Digit { leg, digit },
            MediaEvent::ReceiveTimeout => Self::ReceiveTimeout { leg },
            MediaEvent::ReceiveResumed => Self::ReceiveResumed { leg },
            MediaEvent::SourceChanged => Self::SourceChanged { leg },
            MediaEvent::Bye => Self::Bye { leg },
        }
    }
}

/// Events waiting to be polled.
#[derive(Debug)]
pub struct Events(VecDeque<BridgeEvent>);

impl Default for Events {
    fn default() -> Self {
        Self(VecDeque::with_capacity(MAX_EVENTS))
    }
}

impl Events {
    /// Tells one, unless nobody has listened for long.
    pub fn tell(&mut self, event: BridgeEvent) {
        if self.0.len() < MAX_EVENTS {
            self.0.push_back(event);
        }
    }

    /// The oldest.
    pub fn poll(&mut self) -> Option<BridgeEvent> {
        self.0.pop_front()
    }
}
