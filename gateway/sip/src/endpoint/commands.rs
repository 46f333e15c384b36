//! What the layer above asks for. A command on a call that is over does nothing, or says so where it matters.

use std::time::Instant;

use super::{Endpoint, answer};
use crate::{
    dialog::{Negotiation, Phase},
    error::CommandError,
    event::{CallHandle, Cause, Invitation},
    identity,
    timers::Timer,
};

/// How often an 18x is repeated (RFC 3261 §13.3.1.1: every minute).
pub(super) const REFRESH: std::time::Duration = std::time::Duration::from_secs(60);

impl Endpoint {
    /// Tells the caller how it goes: 180 it rings, 183 with `sdp` early media comes, 181, 182 (101 to 199; anything
    /// else becomes 180). Sent reliably where the caller requires it, or supports it and `sdp` is given: then
    /// [`crate::Event::RingingAcknowledged`] follows. Repeated by us every minute until the answer.
    ///
    /// `sdp` is the answer to the INVITE's offer, or an offer if it had none (then only reliably, and the event
    /// brings the answer). It must be the one given to [`Endpoint::answer`] later.
    pub fn ring(&mut self, now: Instant, call: CallHandle, status: u16, sdp: Option<&str>) {
        let status = if (101..200).contains(&status) { status } else { 180 };
        let Some(state) = self.calls.get_mut(&call).filter(|state| !state.over) else { return };
        let Phase::Incoming { server, ringing, refresh } = &mut state.phase else { return };
        *ringing = Some((status, sdp.map(str::to_owned)));
        let server = *server;
        self.timers.cancel(refresh.take());
        *refresh = Some(self.timers.set(now + REFRESH, Timer::Refresh(call)));
        self.send_ringing(now, call, server, status, sdp);
    }

    /// Answers a call with our description (an answer, or an offer if the INVITE had none).
    /// [`crate::Event::Confirmed`] follows, or `Ended` with `NoAck`.
    ///
    /// # Errors
    /// `NoSuchCall` when the caller was faster, `WrongState` when it is answered already.
    pub fn answer(&mut self, now: Instant, call: CallHandle, sdp: &str) -> Result<(), CommandError> {
        let state = self.calls.get_mut(&call).filter(|state| !state.over).ok_or(CommandError::NoSuchCall)?;
        let held = state.reliable.as_ref().is_some_and(|reliable| reliable.held.is_some());
        if held || !matches!(state.phase, Phase::Incoming { .. }) {
            return Err(CommandError::WrongState);
        }
        // RFC 3262 §3: while a reliable 18x with a description is not confirmed, the 2xx waits.
        if !self.hold_answer(call, sdp) {
            self.answer_now(now, call, sdp);
        }
        Ok(())
    }

    pub(super) fn answer_now(&mut self, now: Instant, call: CallHandle, sdp: &str) {
        self.stop_repeating(call);
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Phase::Incoming { server, refresh, .. } = &mut state.phase else { return };
        let server = *server;
        let (refresh, limit) = (refresh.take(), state.limit.take());
        state.phase = Phase::Confirmed;
        let sdp = Some(sdp).filter(|_| state.negotiation != Negotiation::Settled);
        self.timers.cancel(refresh);
        self.timers.cancel(limit);
        self.accept_invite(now, call, server, sdp, true);
    }

    /// Refuses a call that is not answered yet; `status` 300 to 699 (anything else becomes 480), `retry_after`
    /// in seconds. `Ended` with `Refused` follows.
    pub fn refuse(&mut self, now: Instant, call: CallHandle, status: u16, retry_after: Option<u32>) {
        self.refuse_with(now, call, status, retry_after, None, Cause::Refused);
    }

    pub(super) fn refuse_with(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        retry_after: Option<u32>,
        reason: Option<&str>,
        cause: Cause,
    ) {
        let Some(state) = self.calls.get(&call) else { return };
        let Phase::Incoming { server, .. } = state.phase else { return };
        let tag = state.dialog.key.local_tag.clone();
        let status = if (300..700).contains(&status) { status } else { 480 };
        let mut fields = Vec::new();
        // A 503 without it would take us out of the carrier's routing for as long as it likes.
        let wait = retry_after.or((status == 503).then_some(self.config.overload_retry_after));
        fields.extend(wait.map(|seconds| ("Retry-After", seconds.to_string())));
        let mapped = || format!("Q.850;cause={}", identity::q850_of_status(status));
        fields.push(("Reason", reason.map_or_else(mapped, str::to_owned)));
        self.respond_status(now, server, status, Some(&tag), &fields);
        self.end(call, cause);
        self.close_offer(now, call, 487);
        self.forget(call);
    }

    /// Calls an agent's phone, a number through a trunk, or a fixed address. `Ringing`, then `Answered` or
    /// `Failed`.
    ///
    /// # Errors
    /// `NotRegistered`, `NoGateway`, `BadTarget`, `TooManyCalls`, `BadHeader`, `NoLocalAddress`.
    pub fn invite(&mut self, now: Instant, invitation: Invitation<'_>) -> Result<CallHandle, CommandError> {
        self.start_invitation(now, invitation)
    }

    /// Ends a call in whatever state it is: refusal (480), CANCEL as soon as that is allowed, or BYE (after the
    /// ACK it must wait for). `Ended` with `LocalHangup` follows at once; the rest happens behind it.
    /// `reason` is the value of a Reason header, such as `Q.850;cause=16`.
    pub fn hang_up(&mut self, now: Instant, call: CallHandle, reason: Option<&str>) {
        self.leave(now, call, reason, Cause::LocalHangup);
    }

    pub(super) fn leave(&mut self, now: Instant, call: CallHandle, reason: Option<&str>, cause: Cause) {
        let Some(state) = self.calls.get_mut(&call).filter(|state| !state.over) else { return };
        match state.phase {
            Phase::Incoming { .. } => self.refuse_with(now, call, 480, None, reason, cause),
            Phase::Calling { .. } => {
                state.reason = reason.map(Into::into);
                self.end(call, cause);
                self.try_cancel(now, call);
            }
            Phase::Confirmed if state.awaiting_ack.as_ref().is_some_and(|waiting| waiting.first) => {
                // RFC 3261 §15: no BYE before the ACK of our 2xx, or its time is over.
                state.phase = Phase::Leaving;
                state.reason = reason.map(Into::into);
                self.end(call, cause);
            }
            Phase::Confirmed => {
                self.end(call, cause);
                self.send_bye(now, call, reason);
            }
            Phase::Leaving | Phase::Closing => {}
        }
    }

    /// Accepts the offer of [`crate::Event::Offer`].
    pub fn answer_offer(&mut self, now: Instant, call: CallHandle, sdp: &str) {
        let Some(offer) = self.calls.get_mut(&call).and_then(|call| call.open_offer.take()) else { return };
        self.timers.cancel(Some(offer.limit));
        self.outdo_version(call, sdp);
        let Some(transaction) = self.servers.get(&offer.server) else { return };
        if transaction.invite {
            return self.accept_invite(now, call, offer.server, Some(sdp), false);
        }
        let (Some(request), Some(state)) = (&transaction.request, self.calls.get(&call)) else { return };
        let mut response = self.response(request, 200, None);
        response.push("Contact", state.dialog.contact.clone());
        response.push("Accept", answer::ACCEPT);
        response.push("Content-Type", "application/sdp");
        response.body = sdp.as_bytes().to_vec();
        if matches!(state.phase, Phase::Confirmed) {
            let verdict = self.session_verdict(request, Some(call));
            for (name, value) in self.agree_session(now, call, verdict) {
                response.push(name, value);
            }
        }
        self.keep_description(call, sdp);
        self.trim_description(call);
        self.respond(now, offer.server, &response);
        self.try_wanted(now, call);
        self.go_on_after_prack(now, call);
    }

    /// Refuses the offer of [`crate::Event::Offer`]; the call goes on as it was. Usually 488.
    pub fn refuse_offer(&mut self, now: Instant, call: CallHandle, status: u16) {
        self.close_offer(now, call, if (300..700).contains(&status) { status } else { 488 });
    }

    /// Sends an offer inside a call (re-INVITE). `OfferAccepted` or `OfferRefused` follows. An offer that meets
    /// the other side's (491) is sent again by itself after the random delay of RFC 3261 §14.1, a few times.
    ///
    /// # Errors
    /// `NoSuchCall`; `WrongState` before the call is confirmed or while another offer is open.
    pub fn offer(&mut self, now: Instant, call: CallHandle, sdp: &str) -> Result<(), CommandError> {
        self.start_offer(now, call, sdp)
    }
}
