//! The hall's vocabulary: what it is told and what it says.

use record::Lane;

use crate::event::TurnedAway;
use crate::id::{AgentId, CallId, Skill};

/// Something the hall is told. The first group comes from sessions ([`Action::Hall`](crate::Action::Hall)),
/// the second from the registrar and the desk. All are safe to repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HallEvent {
    /// A caller wants an agent.
    Join {
        /// The caller's call.
        call: CallId,
        /// Its lane.
        lane: Lane,
        /// What the agent must be able to do.
        skills: Vec<Skill>,
    },
    /// A caller wants no agent any more.
    Leave {
        /// The caller's call.
        call: CallId,
    },
    /// A call that talks already wants this very agent as a further party. Answered by `Offer` or `Busy`.
    Claim {
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },
    /// It wants that agent no more. A phone that rings counts as busy until its leg is settled.
    Unclaim {
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },
    /// The offered agent's phone is being rung.
    Ringing {
        /// For this call.
        call: CallId,
        /// The offered agent.
        agent: AgentId,
    },
    /// It came to nothing: the agent is put aside, the caller keeps the place.
    RingFailed {
        /// For this call.
        call: CallId,
        /// The agent who rang.
        agent: AgentId,
        /// Why.
        failure: RingFailure,
    },
    /// The cancelled leg to the agent is settled: the phone is silent again.
    Cleared {
        /// The call that rang.
        call: CallId,
        /// The agent who rang.
        agent: AgentId,
    },
    /// Caller and agent hear each other.
    Talking {
        /// The call, which leaves the queue.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },
    /// The talk is over: wrap-up begins.
    Released {
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },

    /// The agent's phone registered, or refreshed.
    AgentRegistered {
        /// The agent.
        agent: AgentId,
        /// What the agent can do; replaces what was said before.
        skills: Vec<Skill>,
    },
    /// The agent's phone unregistered or its binding ran out. A talk goes on.
    AgentUnregistered {
        /// The agent.
        agent: AgentId,
    },
    /// The agent takes no calls for now. Survives a new registration.
    AgentPaused {
        /// The agent.
        agent: AgentId,
    },
    /// The agent takes calls again; ends wrap-up and a time aside, too.
    AgentResumed {
        /// The agent.
        agent: AgentId,
    },
}

/// Something the hall says, for the session of `call`: `Event::from(output)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HallOutput {
    /// Ring this agent for this call. Reserved until `Ringing` or the reservation runs out.
    Offer {
        /// The caller's call.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },
    /// Do not ring this agent any more.
    Withdraw {
        /// The call it was offered to.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },
    /// The claimed agent is not there, rests, or has another call.
    Busy {
        /// The call that claimed.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },
    /// The caller is no longer in the queue.
    TurnAway {
        /// The caller's call.
        call: CallId,
        /// Why.
        why: TurnedAway,
    },
}

impl HallOutput {
    /// The call whose session must hear this.
    pub const fn call(&self) -> CallId {
        match self {
            Self::Offer { call, .. }
            | Self::Withdraw { call, .. }
            | Self::Busy { call, .. }
            | Self::TurnAway { call, .. } => *call,
        }
    }
}

/// Why an agent's phone was rung in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RingFailure {
    /// Rang out.
    NoAnswer,
    /// 486 or 600.
    Busy,
    /// 603, or picked up and hung up before the caller was there.
    Declined,
    /// Anything else: the phone is not there.
    Unreachable,
}

impl RingFailure {
    /// The meaning of the phone's final status (RFC 3261 §21).
    pub const fn of_sip_code(sip_code: u16) -> Self {
        match sip_code {
            486 | 600 => Self::Busy,
            403 | 433 | 603 | 607 => Self::Declined,
            408 | 480 | 487 => Self::NoAnswer,
            _ => Self::Unreachable,
        }
    }

    /// Word for logs, metrics and the console.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Declined => "declined",
            Self::Unreachable => "unreachable",
        }
    }
}
