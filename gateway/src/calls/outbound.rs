//! A call the desk asks for: a call-back, a follow-up visit (回访), a department. It is drafted before any phone
//! rings, as a call that comes in is before it is answered.

use std::sync::Arc;
use std::time::Instant;

use gateway_call::{AgentId, CallId, Target};
use record::{Caller, Pii, Presentation, Trust, Uuid, Verdict, number::normalise};
use serde_json::json;

use super::caller::Dialled;
use super::drive::{self, Accepted, Far};
use super::{Calls, Ending, accept};
use crate::compose::{self, CallLine};
use crate::switch::Callee;

/// What is asked for.
pub struct OutboundCall {
    /// Whose phone rings first.
    pub agent: AgentId,
    /// The trunk.
    pub trunk: String,
    /// The number to call.
    pub number: Pii<String>,
    /// The record it is about.
    pub about: Option<Uuid>,
}

/// A call that was begun.
pub struct Begun {
    /// Its number in this process.
    pub call: CallId,
    /// Its record.
    pub record_id: Uuid,
    /// The number of its record.
    pub record_no: String,
}

/// Why none was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotBegun {
    /// The process takes no more calls.
    Draining,
    /// The rest is kept for callers who go first.
    Crowded,
    /// No RTP port is free.
    NoPort,
}

/// Begins a call; it goes on by itself.
pub async fn begin(calls: &Arc<Calls>, wanted: OutboundCall) -> Result<Begun, NotBegun> {
    if *calls.ending.borrow() != Ending::No {
        return Err(NotBegun::Draining);
    }
    let target = Target::Trunk { trunk: None, number: wanted.number.clone() };
    if !calls.gate.admits_call_out(calls.switch.open_legs(), target.is_emergency()) {
        metrics::counter!("jiesu_calls_refused_total", "reason" => "reserve").increment(1);
        return Err(NotBegun::Crowded);
    }
    let prepared =
        accept::prepare(calls, None, calls.towards_trunk(&wanted.trunk)).map_err(|_| NotBegun::NoPort)?;
    let live = calls.live.load_full();
    let (_, numbers) = live.trunk(&wanted.trunk);
    let far = Caller {
        number: Some(normalise(wanted.number.reveal(), &numbers)),
        presentation: Presentation::Allowed,
        // Dialled by us: whoever picks up is reached under it.
        trust: Trust::NetworkAsserted,
        ..Caller::unknown()
    };
    let record_id = Uuid::now_v7();
    let line = CallLine {
        record_id,
        // The carrier learns of the call only when the agent is there; until then it has this name.
        call_id: &record_id.to_string(),
        session_id: None,
        trunk: &wanted.trunk,
        service_line: &live.call.service_line,
    };
    // The far number is a citizen's and stands with the reporter, sealed; "dialled" is our own line.
    let dialled =
        Dialled { number: live.call.service_line.clone(), legacy_line: None, diversion: Vec::new() };
    let at = calls.middle.now();
    let mut record = compose::from_call(calls.middle.node(), at, &far, &Verdict::admitted(), &dialled, line);
    let direction = match wanted.about {
        Some(about) => json!({ "direction": "outbound", "about": about }),
        None => json!({ "direction": "outbound" }),
    };
    record.ext.get_or_insert_default().insert(compose::EXT_DIRECTION.into(), direction);
    let record = calls.middle.call_admitted(record).await;
    let begun = Begun { call: calls.next_call_id(), record_id, record_no: record.record_no.clone() };
    let accepted = Accepted {
        far: Far::Called {
            callee: Callee::Trunk { trunk: wanted.trunk, number: wanted.number.clone() },
            agent: wanted.agent,
        },
        record,
        lane: Verdict::admitted().lane,
        started: Instant::now(),
        prepared,
        config: live.call.clone(),
        flow: gateway_call::Flow::default_of(&live.call),
        presented: Some(wanted.number),
    };
    tokio::spawn(drive::drive(calls.clone(), begun.call, accepted));
    Ok(begun)
}
