//! The desk asks about this call, or wants something of it.

use std::time::Instant;

use gateway_call::{Role, Watch};
use serde_json::{Value, json};

use super::Driver;
use crate::calls::desk::Wish;

impl Driver {
    pub(super) fn wish(&mut self, wish: Wish) {
        match wish {
            Wish::Describe(reply) => drop(reply.send(self.describe())),
            Wish::Command(command, reply) => {
                let granted = self.session.command(Instant::now(), command);
                // Who asked may have given up waiting.
                let _ = reply.send(granted);
            }
            Wish::SecondLine(line, reply) => drop(reply.send(self.take_second_line(*line))),
        }
    }

    /// The call as the API shows it. Its caller's number stands in the record, not here.
    fn describe(&self) -> Value {
        let call = self.record.call.as_ref();
        let legs: Vec<Value> = self
            .agents
            .iter()
            .map(|leg| {
                json!({
                    "leg": leg.leg.0,
                    "target": leg.target.to_string(),
                    "state": if leg.is_answered() { "up" } else { "ringing" },
                    "role": leg.room.map(|(_, role)| role_word(role)),
                })
            })
            .collect();
        json!({
            "id": self.session.call().0,
            "record_id": self.record.record_id,
            "record_no": self.record.record_no,
            "phase": self.session.phase().as_str(),
            "lane": call.and_then(|call| call.lane),
            "dialled": call.map(|call| &call.dialled),
            "legacy_line": call.and_then(|call| call.legacy_line.as_ref()),
            "invited_at": call.map(|call| call.invited_at),
            "recorded": self.recorded,
            "legs": legs,
        })
    }
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Agent => "agent",
        Role::Specialist => "specialist",
        Role::Supervisor(Watch::Listen) => "listen",
        Role::Supervisor(Watch::Whisper) => "whisper",
        Role::Supervisor(Watch::Barge) => "barge",
    }
}
