//! An INVITE becomes a call, or a refusal that leaves a record.
//!
//! Order matters: lists before anything is answered, description and ports before the durable draft, the
//! draft before the 200.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_sip::sdp::{Direction, LocalDescription, Negotiated, SdpError, SessionDescription};
use gateway_sip::{CallHandle, IncomingInvite};
use record::{Decision, Outcome, Record, Timestamp, Uuid};

use super::decision::{self, Decided};
use super::drive::{self, Accepted, Far};
use super::leg::Towards;
use super::ports::PortPair;
use super::{Calls, Live, leg, second_line, silent_line};
use crate::compose::{self, CallLine};
use crate::switch::{Incoming, LegEvents};

/// Decline (RFC 3261 section 21.6.2): the lists say no.
const DECLINE: u16 = 603;

/// When a caller who found it crowded may try again.
const RETRY_AFTER_S: u32 = 10;

/// An INVITE with a verdict.
struct Judged {
    call: CallHandle,
    invite: Box<IncomingInvite>,
    events: LegEvents,
    started: Instant,
    at: Timestamp,
    live: Arc<Live>,
    decided: Decided,
}

/// Takes one INVITE from the switch to its end.
pub async fn accept(calls: Arc<Calls>, incoming: Incoming) {
    let started = Instant::now();
    let at = calls.middle.now();
    let Incoming { call, invite, events, begun } = incoming;
    drop(begun);
    if invite.agent.is_some() {
        return Box::pin(second_line::take(&calls, call, &invite, events)).await;
    }
    let live = calls.live.load_full();
    let decided = decision::decide(&live, &invite, |caller| calls.middle.check(caller));
    let Decided { identity, flow, verdict, .. } = &decided;
    let key = &calls.middle.node().identity_key;
    let lane_rule = live.call.lane_rule(verdict.lane);
    if let Err(reason) = calls.gate.admit(started, calls.switch.open_legs(), lane_rule, identity, key) {
        metrics::counter!("jiesu_calls_refused_total", "reason" => reason).increment(1);
        return calls.switch.refuse(call, 503, Some(RETRY_AFTER_S)).await;
    }
    if flow.is_silent() && !flow.intake && verdict.decision != Decision::Refuse {
        let _counted = calls.count();
        let address = calls.address_towards_trunk(&invite.trunk);
        let (sdp, limit) = (invite.sdp, live.call.max_call);
        // Nothing else of the INVITE is needed while the line is held.
        drop((decided, live));
        return hold(&calls, call, address, sdp, events, limit).await;
    }
    // On the heap of its own, so that a line that needs no driver does not pay for its size.
    Box::pin(take(calls, Judged { call, invite, events, started, at, live, decided })).await;
}

async fn take(calls: Arc<Calls>, judged: Judged) {
    let Judged { call, invite, events, started, at, live, decided } = judged;
    let Decided { identity, dialled, flow, verdict } = decided;
    let line = CallLine {
        record_id: Uuid::now_v7(),
        call_id: &invite.call_id,
        session_id: invite.session_id.as_deref(),
        trunk: &invite.trunk,
        service_line: &live.call.service_line,
    };
    let record = compose::from_call(calls.middle.node(), at, &identity, &verdict, &dialled, line);
    if verdict.decision == Decision::Refuse {
        tracing::info!(record.id = %record.record_id, trunk = %invite.trunk, "A call was refused by the lists.");
        metrics::counter!("jiesu_calls_refused_total", "reason" => "list").increment(1);
        refused(&calls, flow.intake, record, Outcome::Blocked, DECLINE).await;
        return calls.switch.refuse(call, DECLINE, None).await;
    }
    let prepared = match prepare(&calls, invite.sdp.as_deref(), calls.towards_trunk(&invite.trunk)) {
        Ok(prepared) => prepared,
        Err((status, reason)) => {
            tracing::warn!(record.id = %record.record_id, trunk = %invite.trunk, status, reason, "A call could not be taken.");
            metrics::counter!("jiesu_calls_refused_total", "reason" => reason).increment(1);
            calls.switch.refuse(call, status, (status == 503).then_some(5)).await;
            return refused(&calls, flow.intake, record, Outcome::Failed, status).await;
        }
    };
    let record = if flow.intake { calls.middle.call_admitted(record).await } else { record };
    let presented = presented_number(&identity);
    let accepted = Accepted {
        far: Far::Caller { handle: call, host: invite.remote.ip(), events },
        record,
        lane: verdict.lane,
        started,
        prepared,
        config: live.call.clone(),
        flow,
        presented,
    };
    let call = calls.next_call_id();
    Box::pin(drive::drive(calls, call, accepted)).await;
}

async fn hold(
    calls: &Calls,
    call: CallHandle,
    address: IpAddr,
    sdp: Option<String>,
    events: LegEvents,
    limit: Duration,
) {
    if let Err(status) = silent_line::hold(calls, call, address, sdp, events, limit).await {
        metrics::counter!("jiesu_calls_refused_total", "reason" => refusal(status)).increment(1);
        calls.switch.refuse(call, status, None).await;
    }
}

/// A technical number leaves no record of a refusal either.
async fn refused(calls: &Calls, intake: bool, record: Record, outcome: Outcome, status: u16) {
    if intake {
        calls.middle.call_refused(record, outcome, i64::from(status)).await;
    }
}

const fn refusal(status: u16) -> &'static str {
    if status == 488 { "no-codec" } else { "bad-sdp" }
}

/// The caller's side of the media, agreed or offered.
pub struct Prepared {
    /// Our RTP ports.
    pub ports: PortPair,
    /// What the other side is to know of us.
    pub towards: Towards,
    /// Our description, with its version.
    pub description: LocalDescription,
    /// The SDP of the 200: an answer, or an offer when the INVITE had none.
    pub sdp: String,
    /// What was agreed; `None` while our offer waits for the ACK.
    pub agreed: Option<Negotiated>,
}

pub(super) fn prepare(
    calls: &Calls,
    offer: Option<&str>,
    towards: Towards,
) -> Result<Prepared, (u16, &'static str)> {
    let status = |error: SdpError| (error.status(), refusal(error.status()));
    let offer = offer.map(SessionDescription::parse).transpose().map_err(status)?;
    let ports = calls.ports.bind().map_err(|_| (503, "no-rtp-port"))?;
    let mut description = leg::description();
    let (address, port, capabilities) = (towards.address, ports.port, &towards.capabilities);
    let (sdp, agreed) = match offer {
        Some(offer) => {
            let (sdp, agreed) = description
                .answer(&offer, address, port, Direction::SendRecv, capabilities)
                .map_err(status)?;
            (sdp, Some(agreed))
        }
        None => (description.offer(address, port, Direction::SendRecv, capabilities), None),
    };
    Ok(Prepared { ports, towards, description, sdp, agreed })
}

/// What the agent's phone may show: the number, unless the caller asked to hide it.
fn presented_number(caller: &record::Caller) -> Option<record::Pii<String>> {
    let shown = caller.presentation == record::Presentation::Allowed;
    let number = caller.number.as_ref().filter(|_| shown)?;
    Some(number.e164.clone().unwrap_or_else(|| number.raw.clone()))
}
