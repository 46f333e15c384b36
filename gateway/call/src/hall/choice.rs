//! Who is next: the order of lanes, the burst rule that keeps ordinary callers from starving, and the
//! longest idle agent.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::agent::Agent;
use super::caller::Caller;
use crate::id::{AgentId, CallId};

/// Remembers how many boosted callers went before a waiting ordinary one since its kind last had a turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    boosted_in_a_row: u32,
}

impl Turns {
    /// The next caller and the agent for it, if some waiting caller can be served by some free agent.
    pub fn next(
        &mut self,
        callers: &BTreeMap<CallId, Caller>,
        agents: &BTreeMap<AgentId, Agent>,
        priority_burst: u32,
    ) -> Option<(CallId, AgentId)> {
        let free: Vec<(&AgentId, &Agent)> = agents.iter().filter(|(_, agent)| agent.is_free()).collect();
        if free.is_empty() {
            return None;
        }
        let servable = |caller: &Caller| free.iter().any(|(_, agent)| agent.can(&caller.skills));
        let waiting: Vec<(CallId, &Caller)> = callers
            .iter()
            .filter(|(_, caller)| caller.is_waiting() && servable(caller))
            .map(|(call, caller)| (*call, caller))
            .collect();
        let (call, caller) = self.caller(&waiting, priority_burst)?;
        let (agent, _) = free
            .iter()
            .filter(|(_, agent)| agent.can(&caller.skills))
            .min_by_key(|(id, agent)| (agent.idle_since, *id))?;
        Some((call, (*agent).clone()))
    }

    fn caller<'a>(
        &mut self,
        waiting: &[(CallId, &'a Caller)],
        priority_burst: u32,
    ) -> Option<(CallId, &'a Caller)> {
        let first = |wanted: &dyn Fn(&Caller) -> bool| {
            waiting
                .iter()
                .filter(|(_, caller)| wanted(caller))
                .min_by_key(|(_, caller)| (Reverse(caller.rule.precedence), caller.sequence))
                .copied()
        };
        // Who had a turn and met a silent phone keeps it; the turn was already counted.
        if let Some(chosen) = first(&|caller| caller.rule.absolute)
            .or_else(|| first(&|caller| caller.returned && !caller.rule.absolute))
        {
            return Some(chosen);
        }
        let boosted = first(&|caller| !caller.rule.is_ordinary());
        let ordinary = first(&|caller| caller.rule.is_ordinary());
        match (boosted, ordinary) {
            (Some(boosted), Some(_)) if self.boosted_in_a_row.saturating_add(1) < priority_burst => {
                self.boosted_in_a_row = self.boosted_in_a_row.saturating_add(1);
                Some(boosted)
            }
            (Some(boosted), None) => Some(boosted),
            (_, Some(ordinary)) => {
                self.boosted_in_a_row = 0;
                Some(ordinary)
            }
            (None, None) => None,
        }
    }
}
