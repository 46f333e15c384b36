//! An agent in the hall: exactly one state, and every state but idle has a deadline, so that nobody stays
//! reserved for a caller who is long gone.

use std::time::Instant;

use super::RingFailure;
use crate::id::{CallId, Skill};

/// One agent.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub registered: bool,
    pub paused: bool,
    /// Held for a call that asked for this very agent and stands in no queue.
    pub claimed: bool,
    pub skills: Vec<Skill>,
    /// Since when without a call, for "longest idle first". A ring that the caller ended does not count.
    pub idle_since: Instant,
    pub state: AgentState,
}

/// | state | ends by event | ends by time |
/// |---|---|---|
/// | `Idle` | offer | – |
/// | `Reserved` | `Ringing`, `Talking`, `Leave`, unregistered | back to idle |
/// | `Ringing` | `Talking`, `RingFailed`, `Leave`, unregistered | aside |
/// | `Clearing` | `Cleared` | idle |
/// | `Talking` | `Released` | idle |
/// | `WrapUp` | `AgentResumed` | idle |
/// | `Aside` | `AgentResumed`, a new registration | idle |
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AgentState {
    Idle,
    Reserved { call: CallId, until: Instant },
    Ringing { call: CallId, until: Instant },
    Clearing { call: CallId, until: Instant },
    Talking { call: CallId, until: Instant },
    WrapUp { until: Instant },
    Aside { until: Instant, failure: RingFailure },
}

impl AgentState {
    pub fn until(&self) -> Option<Instant> {
        match self {
            Self::Idle => None,
            Self::Reserved { until, .. }
            | Self::Ringing { until, .. }
            | Self::Clearing { until, .. }
            | Self::Talking { until, .. }
            | Self::WrapUp { until }
            | Self::Aside { until, .. } => Some(*until),
        }
    }

    /// The caller in the queue this agent is held for.
    pub fn held_for(&self) -> Option<CallId> {
        match self {
            Self::Reserved { call, .. } | Self::Ringing { call, .. } => Some(*call),
            _ => None,
        }
    }
}

impl Agent {
    pub fn new(now: Instant) -> Self {
        Self {
            registered: false,
            paused: false,
            claimed: false,
            skills: Vec::new(),
            idle_since: now,
            state: AgentState::Idle,
        }
    }

    pub fn is_free(&self) -> bool {
        self.registered && !self.paused && self.state == AgentState::Idle
    }

    pub fn can(&self, skills: &[Skill]) -> bool {
        skills.iter().all(|skill| self.skills.contains(skill))
    }

    /// Nothing is known about it that must be remembered.
    pub fn is_forgettable(&self) -> bool {
        !self.registered && !self.paused && self.state == AgentState::Idle
    }

    /// Back to idle, as the last of the idle ones.
    pub fn rest(&mut self, now: Instant) {
        self.state = AgentState::Idle;
        self.idle_since = now;
    }
}
