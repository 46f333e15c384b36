//! Agents come and go: what the registrar and the desk tell the hall.

use std::time::Instant;

use super::Hall;
use super::agent::{Agent, AgentState};
use crate::id::{AgentId, Skill};

impl Hall {
    /// A refresh changes nothing but the skills; a phone that comes back is proven alive and needs no more
    /// time aside.
    pub(super) fn registered(&mut self, now: Instant, id: AgentId, skills: Vec<Skill>) {
        let agent = self.agents.entry(id).or_insert_with(|| Agent::new(now));
        if !agent.registered {
            agent.registered = true;
            if matches!(agent.state, AgentState::Aside { .. } | AgentState::Idle) {
                agent.rest(now);
            }
        }
        agent.skills = skills;
    }

    pub(super) fn unregistered(&mut self, id: &AgentId) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.registered = false;
        if let Some(call) = agent.state.held_for() {
            agent.state = AgentState::Idle;
            self.withdraw(call, id);
        }
    }

    /// Whoever is reserved or rings at this moment still takes that call.
    pub(super) fn paused(&mut self, now: Instant, id: AgentId) {
        self.agents.entry(id).or_insert_with(|| Agent::new(now)).paused = true;
    }

    pub(super) fn resumed(&mut self, now: Instant, id: &AgentId) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.paused = false;
        if matches!(agent.state, AgentState::WrapUp { .. } | AgentState::Aside { .. }) {
            agent.rest(now);
        }
    }
}
