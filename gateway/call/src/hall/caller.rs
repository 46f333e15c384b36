//! A caller in the queue.

use std::time::Instant;

use record::Lane;

use crate::id::{AgentId, Skill};
use crate::lane::LaneRule;

/// One caller. The place is `sequence`: it never changes, whatever happens to the phones that ring.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub lane: Lane,
    pub rule: LaneRule,
    pub skills: Vec<Skill>,
    pub joined: Instant,
    pub sequence: u64,
    /// Was offered an agent before and came back: goes before everybody but the absolute lanes.
    pub returned: bool,
    pub state: CallerState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallerState {
    /// Ends with an offer, leaving, or being turned away.
    Waiting,
    /// An agent is reserved or rings; ends with talking, leaving, or back to waiting.
    Offered(AgentId),
}

impl Caller {
    pub fn is_waiting(&self) -> bool {
        self.state == CallerState::Waiting
    }

    pub fn is_offered(&self, agent: &AgentId) -> bool {
        matches!(&self.state, CallerState::Offered(offered) if offered == agent)
    }

    pub fn wait_again(&mut self) {
        self.state = CallerState::Waiting;
        self.returned = true;
    }
}
