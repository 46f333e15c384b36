//! How each leg of ours ended: hung up, refused, or lost, and by what. The record of a talk that broke off must say whose
//! side it was.

use std::time::Instant;

use gateway_call::{Event, LegId, Target};
use gateway_media::Leg;
use serde_json::{Value, json};

use super::Driver;
use crate::switch::LegEvent;

/// Ends noted of one call; a call that rings more phones than that is told by the first ones.
const MAX_NOTED: usize = 32;

impl Driver {
    /// Notes the end of a leg, if the event is one.
    pub(super) fn note_leg_end(&mut self, leg: LegId, event: Option<&LegEvent>) {
        let (ended, status) = match event {
            Some(LegEvent::Failed { status }) => ("refused", Some(*status)),
            Some(LegEvent::HungUp { .. }) => ("hung_up", None),
            Some(LegEvent::Lost { why }) => (*why, None),
            Some(_) => return,
            None => ("gateway", None),
        };
        self.note_end(leg, ended, status);
    }

    /// Legs that are there when the call ends are ended by us.
    pub(super) fn note_remaining_legs(&mut self) {
        let legs: Vec<LegId> = self.agents.iter().map(|agent| agent.leg).collect();
        for leg in legs {
            self.note_end(leg, "gateway", None);
        }
    }

    /// Nothing came from a phone for `media.receive_timeout`: it is gone without a BYE.
    pub(super) async fn leg_fell_silent(&mut self, room: Leg) {
        if self.second_line_place() == Some(room) {
            return self.line_event(Some(LegEvent::Lost { why: "no_media" })).await;
        }
        let is_it = |agent: &&super::OurLeg| agent.room.is_some_and(|(place, _)| place == room);
        let Some((leg, handle)) = self.agents.iter().find(is_it).map(|agent| (agent.leg, agent.handle))
        else {
            return;
        };
        self.note_end(leg, "no_media", None);
        self.drop_agent(leg).await;
        self.calls.switch.hang_up(handle, None).await;
        self.session.handle(Instant::now(), Event::LegLost { leg });
    }

    fn note_end(&mut self, leg: LegId, ended: &'static str, status: Option<u16>) {
        let Some((kind, answered)) = self.agent(leg).map(|agent| (kind(&agent.target), agent.is_answered()))
        else {
            return;
        };
        if self.leg_ends.len() >= MAX_NOTED {
            return;
        }
        let mut end = json!({ "leg": leg.0, "kind": kind, "answered": answered, "ended": ended });
        if let Some(status) = status {
            end["sip_code"] = status.into();
        }
        self.leg_ends.push(end);
    }

    /// For the record; nothing when no phone was rung.
    pub(super) fn take_leg_ends(&mut self) -> Option<Value> {
        let ends = std::mem::take(&mut self.leg_ends);
        (!ends.is_empty()).then(|| ends.into())
    }
}

/// Who was rung, without any number.
pub(super) const fn kind(target: &Target) -> &'static str {
    match target {
        Target::Agent(_) => "agent",
        Target::Phone(_) => "phone",
        Target::Trunk { .. } => "trunk",
    }
}
