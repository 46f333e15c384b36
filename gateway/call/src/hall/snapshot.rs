//! The hall in figures, for metrics and the wallboard, and the proof that its books agree.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use record::Lane;

use super::agent::AgentState;
use super::caller::CallerState;
use super::{Hall, HallOutput, RingFailure};

/// How full the hall is. Holds no name and no number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HallSnapshot {
    /// Callers without a person, by lane (those whose agent's phone rings are among them). Lanes without a
    /// caller are absent.
    pub waiting: BTreeMap<Lane, usize>,
    /// The longest of their waits.
    pub longest_wait: Duration,
    /// Agents who would get the next call.
    pub agents_free: usize,
    /// Agents who rest by their own wish and have no call.
    pub agents_paused: usize,
    /// Agents reserved or ringing.
    pub agents_ringing: usize,
    /// Agents with a caller.
    pub agents_talking: usize,
    /// Agents in wrap-up.
    pub agents_wrap_up: usize,
    /// Agents put aside because their phone was not answered, by reason.
    pub agents_aside: BTreeMap<RingFailure, usize>,
}

impl Hall {
    /// The figures at `now`.
    pub fn snapshot(&self, now: Instant) -> HallSnapshot {
        let mut snapshot = HallSnapshot::default();
        for caller in self.callers.values() {
            *snapshot.waiting.entry(caller.lane).or_default() += 1;
            snapshot.longest_wait = snapshot.longest_wait.max(now.saturating_duration_since(caller.joined));
        }
        for agent in self.agents.values() {
            let counter = match agent.state {
                AgentState::Idle if agent.is_free() => &mut snapshot.agents_free,
                AgentState::Idle if agent.registered => &mut snapshot.agents_paused,
                AgentState::Idle => continue,
                AgentState::Reserved { .. } | AgentState::Ringing { .. } | AgentState::Clearing { .. } => {
                    &mut snapshot.agents_ringing
                }
                AgentState::Talking { .. } => &mut snapshot.agents_talking,
                AgentState::WrapUp { .. } => &mut snapshot.agents_wrap_up,
                AgentState::Aside { failure, .. } => snapshot.agents_aside.entry(failure).or_default(),
            };
            *counter += 1;
        }
        snapshot
    }

    /// Whether the books agree; for tests and a debug build's reconciler. Says the first disagreement.
    pub fn check_invariants(&self) -> Result<(), String> {
        for (id, agent) in &self.agents {
            if let Some(call) = agent.state.held_for()
                && !agent.claimed
                && !self.callers.get(&call).is_some_and(|caller| caller.is_offered(id))
            {
                return Err(format!("agent {id} is held for call {call}, which knows nothing of it"));
            }
            if agent.state != AgentState::Idle && agent.state.until().is_none() {
                return Err(format!("agent {id} is busy without a deadline"));
            }
            if agent.is_forgettable() {
                return Err(format!("agent {id} is gone and still in the books"));
            }
        }
        for (call, caller) in &self.callers {
            if let CallerState::Offered(id) = &caller.state
                && self.agents.get(id).and_then(|agent| agent.state.held_for()) != Some(*call)
            {
                return Err(format!("call {call} was offered agent {id}, who is not held for it"));
            }
        }
        for output in &self.outputs {
            if let HallOutput::Offer { call, agent } = output
                && !self.agents.get(agent).is_some_and(|agent| agent.claimed)
                && !self.callers.get(call).is_some_and(|caller| caller.is_offered(agent))
            {
                return Err(format!("an offer of agent {agent} is under way to call {call}, which left"));
            }
        }
        if self.callers.values().filter(|caller| caller.is_waiting()).count() > self.config.queue_capacity {
            return Err("more callers than the bound".to_owned());
        }
        Ok(())
    }
}
