//! Nobody is held for ever: every agent but an idle one, and every caller, has a deadline here, even if a
//! session vanished without a word.

use std::time::Instant;

use super::agent::{Agent, AgentState};
use super::caller::Caller;
use super::{GRACE, Hall, HallOutput, RingFailure};
use crate::event::TurnedAway;
use crate::id::{AgentId, CallId};

impl Hall {
    /// Acts on every deadline up to `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |agent: &Agent| agent.state.until().is_some_and(|until| until <= now);
        let agents: Vec<AgentId> =
            self.agents.iter().filter(|(_, agent)| due(agent)).map(|(id, _)| id.clone()).collect();
        for id in agents {
            self.agent_timeout(now, &id);
        }
        let callers: Vec<(CallId, TurnedAway)> = self
            .callers
            .iter()
            .filter(|(_, caller)| caller.is_waiting())
            .filter_map(|(call, caller)| {
                let why = if self.nobody_at(caller).is_some_and(|at| at <= now) {
                    TurnedAway::NobodyThere
                } else if self.overdue_at(caller) <= now {
                    TurnedAway::Overdue
                } else {
                    return None;
                };
                Some((*call, why))
            })
            .collect();
        for (call, why) in callers {
            self.turn_away(call, why);
        }
        self.settle(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let agents = self.agents.values().filter_map(|agent| agent.state.until());
        let callers = self.callers.values().filter(|caller| caller.is_waiting()).map(|caller| {
            let overdue = self.overdue_at(caller);
            self.nobody_at(caller).map_or(overdue, |nobody| nobody.min(overdue))
        });
        agents.chain(callers).min()
    }

    fn agent_timeout(&mut self, now: Instant, id: &AgentId) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        match agent.state {
            AgentState::Idle => {}
            AgentState::Reserved { call, .. } => {
                agent.state = AgentState::Idle;
                self.withdraw(call, id);
            }
            AgentState::Ringing { call, .. } => {
                self.ring_failed(now, call, id, RingFailure::NoAnswer);
                self.outputs.push_back(HallOutput::Withdraw { call, agent: id.clone() });
            }
            AgentState::Clearing { .. } => agent.state = AgentState::Idle,
            AgentState::Talking { .. } | AgentState::WrapUp { .. } | AgentState::Aside { .. } => {
                agent.rest(now);
            }
        }
    }

    fn nobody_at(&self, caller: &Caller) -> Option<Instant> {
        self.empty_since.map(|since| since.max(caller.joined) + self.config.no_agent_grace)
    }

    /// Sessions leave by themselves at `max_wait`; this catches the one that does not.
    fn overdue_at(&self, caller: &Caller) -> Instant {
        let config = &self.config;
        caller.joined + config.max_wait + config.ring_time + config.prompt_max + GRACE
    }
}
