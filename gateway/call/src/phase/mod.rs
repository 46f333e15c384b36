//! The phases of a call: an enum of structs, each in its own file. A transition consumes the old state.
//!
//! | phase | ends by |
//! |---|---|
//! | [`Answering`] | the caller's ACK; `confirm_max` |
//! | [`Greeting`] | the end of the notice; `prompt_max` |
//! | [`Waiting`] | an offered agent; turned away; `max_wait` |
//! | [`Ringing`] | the agent's answer; refusal, `ring_time` |
//! | [`Dialling`] | the fixed phone's answer; refusal, `ring_time` |
//! | [`CallingOut`] | the far phone's answer; refusal, `max_wait` |
//! | [`Holding`] | hang-up; `max_call` |
//! | [`Talking`] | either side; `max_call` |
//! | [`VoiceMessage`] | hang-up, `#`, silence; `message_max` |
//! | [`Ended`] | the last cancelled leg's end; five seconds |

mod answering;
mod calling_out;
mod dialling;
mod ended;
mod greeting;
mod holding;
mod ringing;
mod talking;
mod voice_message;
mod waiting;

use std::time::Instant;

use record::Outcome;

use self::answering::Answering;
use self::calling_out::CallingOut;
use self::dialling::Dialling;
pub(crate) use self::ended::Ended;
use self::greeting::Greeting;
use self::holding::Holding;
use self::ringing::Ringing;
use self::talking::Talking;
use self::voice_message::VoiceMessage;
use self::waiting::Waiting;
use crate::context::Context;
use crate::event::Event;
use crate::id::{AgentId, LegId};
use crate::session::Next;

/// Where a call stands.
#[derive(Debug)]
pub(crate) enum Phase {
    Answering(Answering),
    Greeting(Greeting),
    Waiting(Waiting),
    Ringing(Ringing),
    Dialling(Dialling),
    CallingOut(CallingOut),
    Holding(Holding),
    Talking(Box<Talking>),
    VoiceMessage(VoiceMessage),
    Ended(Ended),
}

/// Where a call stands, for wallboard, log and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PhaseName {
    /// 200 sent, ACK awaited.
    Answering,
    /// The notice plays.
    Greeting,
    /// In the queue.
    Waiting,
    /// An agent's phone rings.
    Ringing,
    /// A fixed phone rings.
    Dialling,
    /// A call of ours: the agent's phone rings, then the far one.
    CallingOut,
    /// Echo test.
    Echo,
    /// Connected to nobody.
    Hold,
    /// Caller and agent hear each other.
    Talking,
    /// A voice message is offered or spoken.
    VoiceMessage,
    /// Over.
    Ended,
}

impl PhaseName {
    /// The word for it in logs, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answering => "answering",
            Self::Greeting => "greeting",
            Self::Waiting => "waiting",
            Self::Ringing => "ringing",
            Self::Dialling => "dialling",
            Self::CallingOut => "calling_out",
            Self::Echo => "echo",
            Self::Hold => "hold",
            Self::Talking => "talking",
            Self::VoiceMessage => "voice_message",
            Self::Ended => "ended",
        }
    }
}

impl Default for Phase {
    /// What stands in the place while a transition consumes the real one.
    fn default() -> Self {
        Self::Ended(Ended::default())
    }
}

impl Phase {
    pub fn answering(context: &mut Context, now: Instant) -> Self {
        Self::Answering(Answering::enter(context, now))
    }

    pub fn calling_out(context: &mut Context, now: Instant, agent: AgentId) -> Self {
        Self::CallingOut(CallingOut::enter(context, now, agent))
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Next {
        match self {
            Self::Answering(phase) => phase.on_event(context, now, event),
            Self::Greeting(phase) => phase.on_event(context, now, event),
            Self::Waiting(phase) => phase.on_event(context, now, event),
            Self::Ringing(phase) => phase.on_event(context, now, event),
            Self::Dialling(phase) => phase.on_event(context, now, event),
            Self::CallingOut(phase) => phase.on_event(context, now, event),
            Self::Holding(phase) => phase.on_event(context, now, event),
            Self::Talking(phase) => phase.on_event(context, now, event),
            Self::VoiceMessage(phase) => phase.on_event(context, now, event),
            Self::Ended(phase) => Next::Phase(Self::Ended(phase)),
        }
    }

    pub fn on_timeout(self, context: &mut Context, now: Instant) -> Next {
        match self {
            Self::Answering(phase) => phase.on_timeout(now),
            Self::Greeting(phase) => phase.on_timeout(context, now),
            Self::Waiting(phase) => phase.on_timeout(context, now),
            Self::Ringing(phase) => phase.on_timeout(context, now),
            Self::Dialling(phase) => phase.on_timeout(context, now),
            Self::CallingOut(phase) => phase.on_timeout(context, now),
            Self::Holding(phase) => Next::Phase(Self::Holding(phase)),
            Self::Talking(phase) => phase.on_timeout(context, now),
            Self::VoiceMessage(phase) => phase.on_timeout(context, now),
            Self::Ended(phase) => Next::Phase(Self::Ended(phase.on_timeout(context, now))),
        }
    }

    /// Lets go of all the phase holds, because the call ends now; says what the call counts as when it was
    /// the caller who left.
    pub fn abandon(self, context: &mut Context, now: Instant) -> Outcome {
        match self {
            Self::Answering(_) | Self::Ended(_) => Outcome::AbandonedQueue,
            Self::Greeting(phase) => phase.abandon(context, now),
            Self::Waiting(phase) => phase.abandon(context, now),
            Self::Ringing(phase) => phase.abandon(context, now),
            Self::Dialling(phase) => phase.abandon(context),
            Self::CallingOut(phase) => phase.abandon(context),
            Self::Holding(phase) => phase.abandon(),
            Self::Talking(phase) => phase.abandon(context),
            Self::VoiceMessage(phase) => phase.abandon(context, now),
        }
    }

    pub fn deadline(&self, context: &Context) -> Option<Instant> {
        match self {
            Self::Answering(phase) => Some(phase.deadline()),
            Self::Greeting(phase) => Some(phase.deadline()),
            Self::Waiting(phase) => Some(phase.deadline()),
            Self::Ringing(phase) => Some(phase.deadline()),
            Self::Dialling(phase) => phase.deadline(),
            Self::CallingOut(phase) => phase.deadline(),
            Self::Holding(_) => None,
            Self::Talking(phase) => phase.deadline(),
            Self::VoiceMessage(phase) => Some(phase.deadline(context)),
            Self::Ended(phase) => phase.deadline(),
        }
    }

    /// Whether this leg belongs to the call as it stands.
    pub fn owns(&self, leg: LegId) -> bool {
        match self {
            Self::Greeting(phase) => phase.leg() == Some(leg),
            Self::Ringing(phase) => phase.leg() == leg,
            Self::Dialling(phase) => phase.leg() == leg,
            Self::CallingOut(phase) => phase.owns(leg),
            Self::Talking(phase) => phase.owns(leg),
            Self::Answering(_)
            | Self::Waiting(_)
            | Self::Holding(_)
            | Self::VoiceMessage(_)
            | Self::Ended(_) => false,
        }
    }

    pub fn name(&self) -> PhaseName {
        match self {
            Self::Answering(_) => PhaseName::Answering,
            Self::Greeting(_) => PhaseName::Greeting,
            Self::Waiting(_) => PhaseName::Waiting,
            Self::Ringing(_) => PhaseName::Ringing,
            Self::Dialling(_) => PhaseName::Dialling,
            Self::CallingOut(_) => PhaseName::CallingOut,
            Self::Holding(phase) if phase.is_echo() => PhaseName::Echo,
            Self::Holding(_) => PhaseName::Hold,
            Self::Talking(_) => PhaseName::Talking,
            Self::VoiceMessage(_) => PhaseName::VoiceMessage,
            Self::Ended(_) => PhaseName::Ended,
        }
    }

    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    pub fn is_finished(&self) -> bool {
        matches!(self, Self::Ended(phase) if phase.is_finished())
    }

    /// Hands in the summary of an ended call, once.
    pub fn finish(&mut self, context: &mut Context) {
        if let Self::Ended(phase) = self {
            phase.finish(context);
        }
    }
}
