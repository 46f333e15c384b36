//! What can happen to a call: the whole vocabulary into a [`Session`](crate::Session).
//!
//! Every event may arrive in every phase, early, late or twice. A leg or playback number that is no longer
//! current is recognised and does no harm.

use std::time::Duration;

use crate::hall::HallOutput;
use crate::id::{AgentId, LegId, PlayId};
use crate::target::Target;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The caller's ACK came: the call is up.
    Confirmed,
    /// The call could not be answered (no common codec, no media port); the shell sent this final status.
    AnswerFailed {
        /// The SIP status sent, such as 488 or 503.
        sip_code: u16,
    },
    /// A prompt or beep was played to its end.
    PlayFinished {
        /// The number given in [`Action::Play`](crate::Action::Play).
        play: PlayId,
    },
    /// A prompt could not be played (file missing). The call goes on without it.
    PlayFailed {
        /// The number given in [`Action::Play`](crate::Action::Play).
        play: PlayId,
    },
    /// The caller pressed a key: `0`-`9`, `*`, `#`, `A`-`D`.
    Digit(char),
    /// The caller began to speak.
    SpeechHeard,
    /// The caller has been silent for this long. May come once or repeatedly; the session counts on by
    /// itself until [`Event::SpeechHeard`].
    SilentFor(Duration),
    /// The hall reserved an agent for this call ([`HallOutput::Offer`]).
    AgentOffered {
        /// The agent to ring.
        agent: AgentId,
    },
    /// The hall took the agent back ([`HallOutput::Withdraw`]): the phone unregistered.
    AgentWithdrawn {
        /// The agent that is gone.
        agent: AgentId,
    },
    /// The hall cannot give the claimed agent ([`HallOutput::Busy`]).
    AgentBusy {
        /// The agent.
        agent: AgentId,
    },
    /// A phone put the call on hold (re-INVITE with `sendonly` or `inactive`), or took it back.
    LegHeld {
        /// Whose.
        leg: LegId,
        /// On hold now.
        held: bool,
    },
    /// A phone asks for a blind transfer (REFER).
    Referred {
        /// Whose.
        leg: LegId,
        /// To whom.
        target: Target,
    },
    /// A phone asks for an attended transfer: to whom it consults (REFER with Replaces).
    ReferredToConsulted {
        /// Whose.
        leg: LegId,
    },
    /// The hall removed the caller from the queue ([`HallOutput::TurnAway`]).
    TurnedAway(TurnedAway),
    /// The phone of a leg of ours rings (180).
    LegRinging {
        /// The leg of [`Action::Ring`](crate::Action::Ring).
        leg: LegId,
    },
    /// It was picked up (200).
    LegAnswered {
        /// The leg of [`Action::Ring`](crate::Action::Ring).
        leg: LegId,
    },
    /// It refused, was busy, unreachable, or was cancelled (487).
    LegFailed {
        /// The leg of [`Action::Ring`](crate::Action::Ring).
        leg: LegId,
        /// The SIP status; 408 when nothing answered, 503 when it could not be sent.
        sip_code: u16,
    },
    /// Its party hung up an answered leg (BYE).
    LegHungUp {
        /// The leg of [`Action::Ring`](crate::Action::Ring).
        leg: LegId,
    },
    /// An answered leg died without BYE (media or session timer).
    LegLost {
        /// The leg of [`Action::Ring`](crate::Action::Ring).
        leg: LegId,
    },
    /// The caller hung up: CANCEL before the answer, BYE after it.
    CallerHungUp {
        /// Q.850 cause of the `Reason` header, when there was one.
        q850: Option<u8>,
    },
    /// The caller's leg died without BYE: media timeout, session timer, transport.
    CallerLost,
    /// The process takes no more calls and wants to end: who waits is offered the voice message now, who
    /// rings, talks or leaves a message goes on.
    Drain,
    /// The process ends now: hang up and hand in the summary.
    Shutdown,
}

/// Why the hall does not keep a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TurnedAway {
    /// The queue is at its bound and everybody in it goes before this caller.
    Full,
    /// No agent was registered for the grace time.
    NobodyThere,
    /// The caller stood in the queue beyond every limit: its session must have missed its own.
    Overdue,
}

impl From<HallOutput> for Event {
    fn from(output: HallOutput) -> Self {
        match output {
            HallOutput::Offer { agent, .. } => Self::AgentOffered { agent },
            HallOutput::Withdraw { agent, .. } => Self::AgentWithdrawn { agent },
            HallOutput::Busy { agent, .. } => Self::AgentBusy { agent },
            HallOutput::TurnAway { why, .. } => Self::TurnedAway(why),
        }
    }
}
