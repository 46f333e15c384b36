//! The hall: the queue and the agents of all calls, with one owner.
//!
//! One machine with one owner, because the known queue faults (members "answered" for hours, agents stuck in
//! `Reserved`, a phone rung for a caller who left) are races between several. An agent is rung for one caller
//! at a time and a caller is offered one agent at a time; there is no ring-all. Whatever is held has a
//! deadline. A caller whose agent's phone was not answered keeps the place.

mod agent;
mod caller;
mod choice;
mod claim;
mod deadlines;
mod event;
mod registration;
mod snapshot;

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use record::Lane;

use self::agent::{Agent, AgentState};
use self::caller::{Caller, CallerState};
use self::choice::Turns;
pub use self::event::{HallEvent, HallOutput, RingFailure};
pub use self::snapshot::HallSnapshot;
use crate::config::CallConfig;
use crate::event::TurnedAway;
use crate::id::{AgentId, CallId, Skill};

/// A session takes up an offer within one turn of its loop; beyond this it is stuck or gone.
const RESERVATION: Duration = Duration::from_secs(5);
/// How long the hall waits for a session beyond the session's own limit before it frees an agent by itself.
const GRACE: Duration = Duration::from_secs(10);

/// The queue and the agents. Bounded by `queue_capacity` waiting callers, one caller more per agent held, and
/// the configured agents' accounts.
#[derive(Debug)]
pub struct Hall {
    config: Arc<CallConfig>,
    callers: BTreeMap<CallId, Caller>,
    agents: BTreeMap<AgentId, Agent>,
    turns: Turns,
    next_sequence: u64,
    /// Since when no agent at all is registered.
    empty_since: Option<Instant>,
    outputs: VecDeque<HallOutput>,
}

impl Hall {
    /// The call this agent talks in.
    pub fn call_of(&self, agent: &AgentId) -> Option<CallId> {
        match self.agents.get(agent)?.state {
            AgentState::Talking { call, .. } => Some(call),
            _ => None,
        }
    }

    /// An empty hall without agents.
    pub fn new(config: Arc<CallConfig>, now: Instant) -> Self {
        Self {
            config,
            callers: BTreeMap::new(),
            agents: BTreeMap::new(),
            turns: Turns::default(),
            next_sequence: 0,
            empty_since: Some(now),
            outputs: VecDeque::new(),
        }
    }

    /// Uses new limits from now on; callers and agents already waiting keep the deadlines they have.
    pub fn reconfigure(&mut self, config: Arc<CallConfig>) {
        self.config = config;
    }

    /// Takes note of an event. Then poll [`poll_output`](Self::poll_output) until `None` and read
    /// [`poll_timeout`](Self::poll_timeout) again.
    pub fn handle(&mut self, now: Instant, event: HallEvent) {
        match event {
            HallEvent::Join { call, lane, skills } => self.join(now, call, lane, skills),
            HallEvent::Leave { call } => self.leave(now, call),
            HallEvent::Claim { call, agent } => self.claim(now, call, agent),
            HallEvent::Unclaim { call, agent } => self.unclaim(now, call, &agent),
            HallEvent::Ringing { call, agent } => self.ringing(now, call, agent),
            HallEvent::RingFailed { call, agent, failure } => self.ring_failed(now, call, &agent, failure),
            HallEvent::Cleared { call, agent } => self.cleared(call, &agent),
            HallEvent::Talking { call, agent } => self.talking(now, call, agent),
            HallEvent::Released { call, agent } => self.released(now, call, &agent),
            HallEvent::AgentRegistered { agent, skills } => self.registered(now, agent, skills),
            HallEvent::AgentUnregistered { agent } => self.unregistered(&agent),
            HallEvent::AgentPaused { agent } => self.paused(now, agent),
            HallEvent::AgentResumed { agent } => self.resumed(now, &agent),
        }
        self.settle(now);
    }

    /// The next thing to tell a session. A caller who left is never offered, an agent never twice.
    pub fn poll_output(&mut self) -> Option<HallOutput> {
        self.outputs.pop_front()
    }

    fn join(&mut self, now: Instant, call: CallId, lane: Lane, skills: Vec<Skill>) {
        if self.callers.contains_key(&call) {
            return;
        }
        let rule = self.config.lane_rule(lane);
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let state = CallerState::Waiting;
        self.callers
            .insert(call, Caller { lane, rule, skills, joined: now, sequence, returned: false, state });
    }

    fn leave(&mut self, now: Instant, call: CallId) {
        let Some(caller) = self.callers.remove(&call) else { return };
        self.outputs.retain(|output| output.call() != call);
        let CallerState::Offered(id) = caller.state else { return };
        let Some(agent) = self.agents.get_mut(&id) else { return };
        agent.state = match agent.state {
            // The phone may still ring: it is free when the cancelled leg is settled.
            AgentState::Ringing { call, .. } => AgentState::Clearing { call, until: now + RESERVATION },
            _ => AgentState::Idle,
        };
    }

    fn ringing(&mut self, now: Instant, call: CallId, agent: AgentId) {
        match self.agents.get_mut(&agent) {
            Some(found) if matches!(found.state, AgentState::Reserved { call: held, .. } if held == call) => {
                // The agent may have answered and wait for the end of the notice.
                let until = now + self.config.ring_time + self.config.prompt_max + GRACE;
                found.state = AgentState::Ringing { call, until };
            }
            Some(found) if found.state.held_for() == Some(call) => {}
            _ => self.outputs.push_back(HallOutput::Withdraw { call, agent }),
        }
    }

    fn ring_failed(&mut self, now: Instant, call: CallId, id: &AgentId, failure: RingFailure) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        if agent.state.held_for() != Some(call) {
            return;
        }
        agent.state = AgentState::Aside { until: now + self.config.agent_pause_after_no_answer, failure };
        if let Some(caller) = self.callers.get_mut(&call)
            && caller.is_offered(id)
        {
            caller.wait_again();
        }
        self.drop_offer(call, id);
    }

    fn cleared(&mut self, call: CallId, id: &AgentId) {
        if let Some(agent) = self.agents.get_mut(id)
            && matches!(agent.state, AgentState::Clearing { call: cleared, .. } if cleared == call)
        {
            agent.state = AgentState::Idle;
        }
    }

    /// What is so is so: whoever else was held for this caller, and whomever else this agent was held for,
    /// are set free.
    fn talking(&mut self, now: Instant, call: CallId, id: AgentId) {
        if let Some(Caller { state: CallerState::Offered(other), .. }) = self.callers.remove(&call)
            && other != id
            && let Some(other) = self.agents.get_mut(&other)
        {
            other.state = AgentState::Idle;
        }
        self.outputs.retain(|output| output.call() != call);
        let until = now + self.config.max_call + GRACE;
        let agent = self.agents.entry(id.clone()).or_insert_with(|| Agent::new(now));
        let held_for = agent.state.held_for().filter(|held| *held != call);
        if !matches!(agent.state, AgentState::Talking { .. }) {
            agent.state = AgentState::Talking { call, until };
        }
        if let Some(other_call) = held_for {
            self.withdraw(other_call, &id);
        }
    }

    fn released(&mut self, now: Instant, call: CallId, id: &AgentId) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        if matches!(agent.state, AgentState::Talking { call: talking, .. } if talking == call) {
            agent.rest(now);
            if !self.config.wrap_up.is_zero() {
                agent.state = AgentState::WrapUp { until: now + self.config.wrap_up };
            }
        }
    }

    /// Takes the agent back from a caller, who waits again. An offer nobody has seen yet just vanishes.
    fn withdraw(&mut self, call: CallId, id: &AgentId) {
        if let Some(caller) = self.callers.get_mut(&call)
            && caller.is_offered(id)
        {
            caller.wait_again();
        }
        if !self.drop_offer(call, id) {
            self.outputs.push_back(HallOutput::Withdraw { call, agent: id.clone() });
        }
    }

    /// Removes an offer not yet polled; whether there was one.
    fn drop_offer(&mut self, call: CallId, id: &AgentId) -> bool {
        let before = self.outputs.len();
        self.outputs.retain(
            |output| !matches!(output, HallOutput::Offer { call: c, agent } if *c == call && agent == id),
        );
        self.outputs.len() < before
    }

    fn turn_away(&mut self, call: CallId, why: TurnedAway) {
        if self.callers.remove(&call).is_some() {
            self.outputs.push_back(HallOutput::TurnAway { call, why });
        }
    }

    /// Ends every step: forgets who is gone, notes whether anybody is there, and gives out free agents.
    fn settle(&mut self, now: Instant) {
        for agent in self.agents.values_mut() {
            agent.claimed &= agent.state.held_for().is_some();
        }
        self.agents.retain(|_, agent| !agent.is_forgettable());
        if self.agents.values().any(|agent| agent.registered) {
            self.empty_since = None;
        } else {
            self.empty_since.get_or_insert(now);
        }
        while let Some((call, id)) = self.turns.next(&self.callers, &self.agents, self.config.priority_burst)
        {
            let (Some(caller), Some(agent)) = (self.callers.get_mut(&call), self.agents.get_mut(&id)) else {
                return;
            };
            caller.state = CallerState::Offered(id.clone());
            agent.state = AgentState::Reserved { call, until: now + RESERVATION };
            self.outputs.push_back(HallOutput::Offer { call, agent: id });
        }
        self.shed();
    }

    /// At the bound the lowest lane yields, and in it the last to come. Whoever has an agent held is nearly
    /// through and does not count.
    fn shed(&mut self) {
        loop {
            let waiting = || self.callers.iter().filter(|(_, caller)| caller.is_waiting());
            if waiting().count() <= self.config.queue_capacity {
                return;
            }
            let last = waiting().max_by_key(|(_, caller)| {
                (Reverse((caller.rule.absolute, caller.rule.precedence)), caller.sequence)
            });
            let Some(call) = last.map(|(call, _)| *call) else { return };
            self.turn_away(call, TurnedAway::Full);
        }
    }
}
