//! What would happen to this call now: who calls, which line, what the lists say, which flow. Decided once and
//! without side effects, so that `route-test` and a real INVITE cannot differ.

use gateway_call::Flow;
use gateway_sip::IncomingInvite;
use record::{Caller, Verdict};

use super::Live;
use super::caller::{self, Dialled};

/// The decision on one INVITE.
pub struct Decided {
    /// The caller, with how much the number is believed.
    pub identity: Caller,
    /// The line that was dialled.
    pub dialled: Dialled,
    /// What the number does.
    pub flow: Flow,
    /// What the lists say, and the lane.
    pub verdict: Verdict,
}

/// Decides; `check` asks the lists.
pub fn decide(live: &Live, invite: &IncomingInvite, check: impl FnOnce(&Caller) -> Verdict) -> Decided {
    let (trunk, numbers) = live.trunk(&invite.trunk);
    let identity = caller::identify(invite, trunk, &numbers);
    let dialled = caller::dialled(invite, trunk);
    let flow = live.call.flow(&dialled.number, dialled.legacy_line.as_deref());
    let verdict = check(&identity);
    Decided { identity, dialled, flow, verdict }
}
