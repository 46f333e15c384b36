//! An agent's phone calls somebody else while it talks with a caller: a second call of the phone's own, by which it
//! consults and then hands over (REFER with Replaces, [RFC 5589 §7](https://www.rfc-editor.org/rfc/rfc5589#section-7)).
//!
//! It is no call of its own here: it becomes a consultation of the call the agent is in, so that queue, record and
//! recording know of it. A phone that talks with nobody calls nobody this way: calls out begin at the desk.

use std::net::IpAddr;

use gateway_call::Target;
use gateway_sip::{CallHandle, IncomingInvite};

use super::accept::{self, Prepared};
use super::{Calls, Ending};
use crate::switch::LegEvents;

/// Forbidden (RFC 3261 section 21.4.4): the phone talks with no caller, or is not in charge of the call.
pub const NOT_IN_A_CALL: u16 = 403;
/// Temporarily unavailable (RFC 3261 section 21.4.18): the call has too much to do, or nobody talks yet.
pub const TEMPORARILY_UNAVAILABLE: u16 = 480;
/// Not found (RFC 3261 section 21.4.5).
const NOT_FOUND: u16 = 404;

/// Such a call, with media of its own.
pub struct NewLine {
    /// Whose phone.
    pub agent: String,
    /// Whom it calls.
    pub target: Target,
    /// The leg.
    pub handle: CallHandle,
    /// What happens to it.
    pub events: LegEvents,
    /// Where its signalling comes from.
    pub host: IpAddr,
    /// Its media, agreed or offered.
    pub prepared: Prepared,
}

/// Hands the call to the one its agent is in, or refuses it.
pub async fn take(calls: &Calls, handle: CallHandle, invite: &IncomingInvite, events: LegEvents) {
    if let Err(status) = try_take(calls, handle, invite, events).await {
        metrics::counter!("jiesu_second_lines_refused_total").increment(1);
        calls.switch.refuse(handle, status, (status == 503).then_some(5)).await;
    }
}

async fn try_take(
    calls: &Calls,
    handle: CallHandle,
    invite: &IncomingInvite,
    events: LegEvents,
) -> Result<(), u16> {
    let agent = invite.agent.clone().ok_or(NOT_IN_A_CALL)?;
    if *calls.ending.borrow() == Ending::Now {
        return Err(503);
    }
    let target = calls.live.load().target_of(&invite.request_uri).ok_or(NOT_FOUND)?;
    let call = calls.hub.call_of(agent.as_str().into()).await.ok_or(NOT_IN_A_CALL)?;
    let prepared =
        accept::prepare(calls, invite.sdp.as_deref(), calls.towards_agent()).map_err(|(status, _)| status)?;
    let line = NewLine { agent, target, handle, events, host: invite.remote.ip(), prepared };
    calls.directory.second_line(call, line).await
}
