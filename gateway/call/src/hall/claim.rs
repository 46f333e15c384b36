//! An agent wanted by name, as a further party of a call that talks already: a consultation, a three-way call, a
//! transfer, supervision. No place in the queue is involved, and wrap-up does not stand against it: whoever asks
//! knows whom they want.

use std::time::Instant;

use super::agent::AgentState;
use super::{Hall, HallOutput, RESERVATION};
use crate::id::{AgentId, CallId};

impl Hall {
    pub(super) fn claim(&mut self, now: Instant, call: CallId, id: AgentId) {
        let free = self.agents.get_mut(&id).filter(|agent| {
            agent.registered
                && matches!(
                    agent.state,
                    AgentState::Idle | AgentState::WrapUp { .. } | AgentState::Aside { .. }
                )
        });
        let output = match free {
            Some(agent) => {
                agent.state = AgentState::Reserved { call, until: now + RESERVATION };
                agent.claimed = true;
                HallOutput::Offer { call, agent: id }
            }
            None => HallOutput::Busy { call, agent: id },
        };
        self.outputs.push_back(output);
    }

    pub(super) fn unclaim(&mut self, now: Instant, call: CallId, id: &AgentId) {
        let Some(agent) = self.agents.get_mut(id).filter(|agent| agent.claimed) else { return };
        match agent.state {
            AgentState::Reserved { call: held, .. } if held == call => agent.state = AgentState::Idle,
            AgentState::Ringing { call: held, .. } if held == call => {
                agent.state = AgentState::Clearing { call, until: now + RESERVATION };
            }
            _ => return,
        }
        self.drop_offer(call, id);
    }
}
