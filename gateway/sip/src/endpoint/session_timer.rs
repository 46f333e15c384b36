//! Session timers at work: arming, refreshing, and ending a call that nobody refreshes.
//!
//! One timer a call: the refresh at half the interval if that is ours, else the end shortly before the interval
//! is over. A refresh is an UPDATE where the peer allows it, else a re-INVITE with the description it knows.
//! [RFC 4028 §7.4, §10](https://www.rfc-editor.org/rfc/rfc4028#section-7.4).

use std::time::{Duration, Instant};

use super::Endpoint;
use crate::{
    dialog::{Flight, Phase},
    event::{CallHandle, Cause},
    message::{Message, Method},
    session::{self, Rules, SessionTimer, Verdict},
    timers::Timer,
    transaction::Purpose,
};

/// A header field to be written.
pub(super) type FieldList = Vec<(&'static str, String)>;

impl Endpoint {
    /// `None` while session timers are off.
    pub(super) fn session_rules(&self) -> Option<Rules> {
        let min_s = self.config.min_se.max(90);
        self.config.session_expires.map(|expires_s| Rules { expires_s: expires_s.max(min_s), min_s })
    }

    /// What an INVITE, re-INVITE or UPDATE of ours asks for.
    pub(super) fn session_wish(&self, current: Option<(u32, bool)>, min_se: Option<u32>) -> FieldList {
        let Some(rules) = self.session_rules() else { return Vec::new() };
        let floor = rules.min_s.max(min_se.unwrap_or_default());
        let value = match current {
            // Inside a call we stay in our role (RFC 4028 §7.4): this request's UAC is us.
            Some((interval_s, true)) => format!("{};refresher=uac", interval_s.max(floor)),
            Some((interval_s, false)) => format!("{};refresher=uas", interval_s.max(floor)),
            None => rules.expires_s.max(floor).to_string(),
        };
        vec![("Session-Expires", value), ("Min-SE", floor.to_string())]
    }

    /// The role that holds now.
    pub(super) fn session_now(&self, call: CallHandle) -> Option<(u32, bool)> {
        let session = self.calls.get(&call)?.session?;
        Some((session.interval_s, session.ours))
    }

    /// Looks at an INVITE or UPDATE that came; `call` is `None` before there is one.
    pub(super) fn session_verdict(&self, request: &Message, call: Option<CallHandle>) -> Verdict {
        let Some(rules) = self.session_rules() else { return Verdict::None };
        if call.and_then(|call| self.calls.get(&call)).is_some_and(|state| state.abilities.untimed) {
            return Verdict::None;
        }
        let supports = super::answer::has_option(request, "timer");
        session::decide(rules, request, supports, call.and_then(|call| self.session_now(call)))
    }

    /// 422, if that is the verdict.
    pub(super) fn refuse_short_session(
        &mut self,
        source: &crate::path::Source,
        request: &Message,
        call: Option<CallHandle>,
    ) -> bool {
        let untimed = call.is_none()
            && self.trunk_at(source.remote.ip()).is_some_and(|trunk| !trunk.manner.session_timer);
        if untimed || self.session_verdict(request, call) != Verdict::TooShort {
            return false;
        }
        let min_s = self.session_rules().map_or(90, |rules| rules.min_s);
        self.reply(source, request, 422, &[("Min-SE", min_s.to_string())]);
        true
    }

    /// We answer with 2xx: arms the timer, gives the fields of the answer.
    pub(super) fn agree_session(&mut self, now: Instant, call: CallHandle, verdict: Verdict) -> FieldList {
        let Verdict::Agreed { interval_s, refresher, require } = verdict else {
            self.stop_session(call);
            return Vec::new();
        };
        self.arm_session(now, call, interval_s, refresher == session::Refresher::Uas);
        let mut fields = vec![("Session-Expires", format!("{interval_s};refresher={}", refresher.as_str()))];
        if require {
            fields.push(("Require", "timer".to_owned()));
        }
        fields
    }

    /// A 2xx to an INVITE or UPDATE of ours came.
    pub(super) fn take_session(&mut self, now: Instant, call: CallHandle, response: &Message) {
        match session::accepted(response).filter(|_| self.session_rules().is_some()) {
            Some((interval_s, ours)) => self.arm_session(now, call, interval_s, ours),
            None => self.stop_session(call),
        }
    }

    fn arm_session(&mut self, now: Instant, call: CallHandle, interval_s: u32, ours: bool) {
        self.stop_session(call);
        let interval = Duration::from_secs(u64::from(interval_s));
        let expires_at = now + interval;
        let Some(state) = self.calls.get_mut(&call).filter(|state| !state.over) else { return };
        let mut session = SessionTimer { interval_s, ours, expires_at, timer: (now, 0) };
        let at = if ours { now + interval / 2 } else { expires_at - session.margin() };
        session.timer = self.timers.set(at, Timer::Session(call));
        state.session = Some(session);
    }

    pub(super) fn stop_session(&mut self, call: CallHandle) {
        let Some(session) = self.calls.get_mut(&call).and_then(|call| call.session.take()) else { return };
        self.timers.cancel(Some(session.timer));
    }

    pub(super) fn on_session_timer(&mut self, now: Instant, call: CallHandle) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Some(session) = &mut state.session else { return };
        let last = session.expires_at - session.margin();
        if !session.ours || now >= last {
            state.session = None;
            self.end(call, Cause::SessionExpired);
            return self.send_bye(now, call, Some("SIP;cause=408;text=\"Session expired\""));
        }
        // If the refresh comes to nothing, the next try is half way to the end.
        let next = last.min(now + ((last - now) / 2).max(Duration::from_secs(1)));
        session.timer = self.timers.set(next, Timer::Session(call));
        self.refresh_session(now, call);
    }

    /// Sends the refresh, unless an offer is under way: that one refreshes too, or the next try will.
    fn refresh_session(&mut self, now: Instant, call: CallHandle) {
        let Some(state) = self.calls.get(&call) else { return };
        let busy = state.flight.is_some() || state.open_offer.is_some() || state.awaiting_ack.is_some();
        if busy || !matches!(state.phase, Phase::Confirmed) {
            return;
        }
        let by_update = state.abilities.update;
        let body = state.local_sdp.clone().filter(|_| !by_update);
        if !by_update && body.is_none() {
            // We know no description that both sides hold: silence would end the call for nothing.
            return self.postpone_session(now, call);
        }
        let (contact, min_se) = (state.dialog.contact.clone(), state.min_se);
        let wish = self.session_wish(self.session_now(call), min_se);
        let method = if by_update { Method::Update } else { Method::Invite };
        let Some((mut request, path)) = self.dialog_request(now, call, method) else { return };
        request.push("Contact", contact);
        self.push_abilities(&mut request);
        for (name, value) in wish {
            request.push(name, value);
        }
        if let Some(body) = &body {
            request.push("Content-Type", "application/sdp");
            request.body = body.as_bytes().to_vec();
        }
        let client = self.begin_client(now, request, path, Purpose::Refresh(call));
        if let (Some(state), Some(_)) = (self.calls.get_mut(&call), client) {
            state.flight = Some(if by_update { Flight::Refresh } else { Flight::RefreshOffer });
        }
    }

    fn postpone_session(&mut self, now: Instant, call: CallHandle) {
        if let Some((interval_s, ours)) = self.session_now(call) {
            self.arm_session(now, call, interval_s, ours);
        }
    }

    /// The refresh was accepted.
    pub(super) fn on_refreshed(&mut self, now: Instant, call: CallHandle, response: &Message) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        state.flight = None;
        state.dialog.refresh_target(response);
        if !state.over {
            self.take_session(now, call, response);
        }
    }

    /// The refresh was refused; a later try is set already.
    pub(super) fn on_refresh_failure(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        response: Option<&Message>,
    ) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        state.flight = None;
        if state.over {
            return;
        }
        match status {
            // RFC 3261 §12.2.1.2: the other side does not know the call any more.
            408 | 481 => {
                self.end(call, Cause::Lost);
                self.send_bye(now, call, None);
            }
            422 => {
                let asked = response.map(session::min_se);
                let more = asked > state.min_se;
                state.min_se = state.min_se.max(asked);
                if let Some(session) = state.session.as_mut().filter(|_| more) {
                    session.interval_s = session.interval_s.max(asked.unwrap_or_default());
                    self.refresh_session(now, call);
                }
            }
            // It said it could: ask by re-INVITE from now on.
            405 | 501 if state.abilities.update => {
                state.abilities.update = false;
                self.refresh_session(now, call);
            }
            _ => {}
        }
        self.try_wanted(now, call);
    }

    /// Keeps the description last agreed on, where a refresh may need it.
    pub(super) fn keep_description(&mut self, call: CallHandle, sdp: &str) {
        let on = self.session_rules().is_some();
        if let Some(state) = self.calls.get_mut(&call).filter(|_| on) {
            state.local_sdp = Some(sdp.into());
        }
    }

    /// After the call stands: the description is kept only where we refresh by re-INVITE.
    pub(super) fn trim_description(&mut self, call: CallHandle) {
        if let Some(state) = self.calls.get_mut(&call)
            && (state.abilities.update || state.session.is_none_or(|session| !session.ours))
        {
            state.local_sdp = None;
        }
    }
}
