//! Requests inside a call: BYE, re-INVITE, UPDATE, INFO, OPTIONS; and sending our own BYE.
//!
//! [RFC 3261 §12.2](https://www.rfc-editor.org/rfc/rfc3261#section-12.2), §14 (re-INVITE, glare), §15 (BYE),
//! [RFC 3311](https://www.rfc-editor.org/rfc/rfc3311) (UPDATE), [RFC 6086](https://www.rfc-editor.org/rfc/rfc6086) (INFO).

use std::time::Instant;

use super::{Endpoint, answer};
use crate::{
    body,
    dialog::{Call, Flight, Negotiation, OpenOffer, Phase, Way},
    event::{CallHandle, Cause, Event, Path},
    identity,
    message::{Message, Method},
    path::Source,
    timers::Timer,
    transaction::Purpose,
};

/// Seconds a peer should wait whose offer crossed another one (RFC 3261 §14.2: 0 to 10).
const GLARE_RETRY_AFTER_S: u32 = 3;

impl Endpoint {
    pub(super) fn on_in_dialog(&mut self, now: Instant, source: &Source, request: Message, method: &Method) {
        let Some(call) = self.find_call(&request) else {
            return self.reply(source, &request, 481, &[]);
        };
        match method {
            Method::Options => {
                let fields = [("Accept", answer::ACCEPT.to_owned()), ("Contact", self.contact_for(source))];
                return self.reply(source, &request, 200, &fields);
            }
            Method::Unserved(_) | Method::Register => return self.reply(source, &request, 405, &[]),
            Method::Unknown(_) => return self.reply(source, &request, 501, &[]),
            _ => {}
        }
        if self.refuse_required(source, &request) {
            return;
        }
        let number = request.cseq().map(|cseq| cseq.number);
        let Some(state) = self.calls.get_mut(&call) else { return };
        let dialog = state.dialog_with(request.from_tag());
        if dialog.remote_cseq > number {
            return self.reply(source, &request, 500, &[]);
        }
        dialog.remote_cseq = number;
        let orphan = state.orphan.take();
        self.move_call(call, source.path);
        self.timers.cancel(orphan);
        match method {
            Method::Bye => self.on_bye(now, source, call, request),
            Method::Invite | Method::Update => self.on_offer(now, source, call, request, method),
            Method::Prack => self.on_prack(now, source, call, request),
            Method::Refer => self.on_refer(now, source, call, request),
            Method::Notify => self.on_notify(now, source, call, request),
            Method::Subscribe => self.on_subscribe(now, source, Some(call), request),
            Method::Message => self.on_text(now, source, Some(call), request),
            _ => self.on_info(now, source, call, request),
        }
    }

    fn on_bye(&mut self, now: Instant, source: &Source, call: CallHandle, request: Message) {
        let reasons: Vec<&str> = request.values("Reason").collect();
        let (q850, sip) = (identity::q850_cause(&reasons), identity::sip_cause(&reasons));
        if let Some(server) = self.begin_server(source, request, None) {
            self.respond_status(now, server, 200, None, &[]);
        }
        self.end(call, Cause::RemoteHangup { q850, sip });
        // RFC 3261 §15.1.2: what is still unanswered inside the call gets 487.
        self.close_offer(now, call, 487);
        self.end_referral(now, call);
        let Some(state) = self.calls.get(&call) else { return };
        match &state.phase {
            // A BYE in an early dialog ends the INVITE as well.
            Phase::Incoming { server, .. } => {
                let (server, tag) = (*server, state.dialog.key.local_tag.clone());
                self.respond_status(now, server, 487, Some(&tag), &[]);
                self.forget(call);
            }
            // Their 200 is still on its way (UDP reorders): it will be ACKed and ended.
            Phase::Calling { .. } => self.try_cancel(now, call),
            Phase::Confirmed | Phase::Leaving => self.forget(call),
            // Both hung up at once: our BYE still waits for its answer.
            Phase::Closing => {}
        }
    }

    fn on_offer(
        &mut self,
        now: Instant,
        source: &Source,
        call: CallHandle,
        request: Message,
        method: &Method,
    ) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Ok(sdp) = body::session_description(&request) else {
            return self.reply(source, &request, 415, &[("Accept", answer::ACCEPT.to_owned())]);
        };
        if request.value("Replaces").is_some() {
            // RFC 3891 §3: a call inside a call cannot take another one's place.
            return self.reply(source, &request, 400, &[]);
        }
        let invite = *method == Method::Invite;
        let tag = request.from_tag().to_owned();
        match &state.phase {
            Phase::Confirmed => {}
            // A second INVITE before the first one was answered (RFC 3261 §14.2).
            Phase::Incoming { .. } if invite => {
                return self.reply_retry(source, &request, 500, GLARE_RETRY_AFTER_S);
            }
            // RFC 3311 §5.2: an offer in an early dialog needs the first one to be answered.
            Phase::Incoming { .. } if sdp.is_some() && state.negotiation == Negotiation::Ours => {
                return self.reply(source, &request, 491, &[]);
            }
            Phase::Incoming { .. } if sdp.is_some() && state.negotiation != Negotiation::Settled => {
                return self.reply_retry(source, &request, 500, GLARE_RETRY_AFTER_S);
            }
            Phase::Incoming { .. } => {}
            // Our own INVITE is under way, with our offer.
            Phase::Calling { early, .. } => {
                let settled = early
                    .iter()
                    .any(|early| early.settled && early.dialog.remote_tag.as_deref() == Some(&tag));
                if invite || (sdp.is_some() && !settled) {
                    return self.reply(source, &request, 491, &[]);
                }
            }
            Phase::Leaving | Phase::Closing => return self.reply(source, &request, 481, &[]),
        }
        if state.flight.is_some_and(Flight::is_offer) && (invite || sdp.is_some()) {
            return self.reply(source, &request, 491, &[]);
        }
        if state.open_offer.is_some() || (invite && state.awaiting_ack.is_some()) {
            return self.reply_retry(source, &request, 500, GLARE_RETRY_AFTER_S);
        }
        if self.refuse_short_session(source, &request, Some(call)) {
            return;
        }
        let Some(state) = self.calls.get_mut(&call) else { return };
        state.abilities.learn(&request);
        state.dialog_with(&tag).refresh_target(&request);
        let contact = state.dialog.contact.clone();
        let Some(server) = self.begin_server(source, request, invite.then_some(call)) else { return };
        if invite {
            self.respond_status(now, server, 100, None, &[]);
        } else if sdp.is_none() {
            // An UPDATE without an offer only refreshes the target and the session.
            let mut fields = vec![("Contact", contact)];
            let confirmed = |state: &Call| matches!(state.phase, Phase::Confirmed);
            if let Some(request) = self.servers.get(&server).and_then(|server| server.request.as_ref())
                && self.calls.get(&call).is_some_and(confirmed)
            {
                let verdict = self.session_verdict(request, Some(call));
                fields.extend(self.agree_session(now, call, verdict));
            }
            return self.respond_status(now, server, 200, None, &fields);
        }
        let limit = self.timers.set(now + self.config.timers.give_up() / 2, Timer::OfferLimit(call));
        if let Some(state) = self.calls.get_mut(&call) {
            state.open_offer = Some(OpenOffer { server, limit });
        }
        self.emit(Event::Offer { call, sdp });
    }

    fn on_info(&mut self, now: Instant, source: &Source, call: CallHandle, request: Message) {
        // RFC 6086 §4.2.2: a package we did not announce. Phones put digits into one all the same.
        let known =
            |package: &str| ["dtmf", "infodtmf"].contains(&package.trim().to_ascii_lowercase().as_str());
        if request
            .value("Info-Package")
            .is_some_and(|package| !known(package.split(';').next().unwrap_or_default()))
        {
            return self.reply(source, &request, 469, &[("Recv-Info", String::new())]);
        }
        let content_type = request.value("Content-Type").unwrap_or_default().to_owned();
        let body = request.body.clone();
        let Some(server) = self.begin_server(source, request, None) else { return };
        self.respond_status(now, server, 200, None, &[]);
        let over = self.calls.get(&call).is_none_or(|state| state.over);
        if !over {
            self.emit(Event::Info { call, content_type, body });
        }
    }

    /// Answers their open offer with a refusal, if there is one.
    pub(super) fn close_offer(&mut self, now: Instant, call: CallHandle, status: u16) {
        let Some(offer) = self.calls.get_mut(&call).and_then(|call| call.open_offer.take()) else { return };
        self.timers.cancel(Some(offer.limit));
        let wait = [("Retry-After", GLARE_RETRY_AFTER_S.to_string())];
        self.respond_status(now, offer.server, status, None, if status == 500 { &wait } else { &[] });
        self.try_wanted(now, call);
        self.go_on_after_prack(now, call);
    }

    /// Sends BYE; the call stays until it is answered or given up.
    pub(super) fn send_bye(&mut self, now: Instant, call: CallHandle, reason: Option<&str>) {
        self.close_offer(now, call, 487);
        self.end_referral(now, call);
        let kept = self.calls.get_mut(&call).and_then(|state| state.reason.take());
        let reason = reason.or(kept.as_deref());
        let Some((mut request, path)) = self.dialog_request(now, call, Method::Bye) else {
            // Nowhere to send it: the other side's own timers must do.
            return self.forget(call);
        };
        if let Some(reason) = reason {
            request.push("Reason", reason);
        }
        let Some(state) = self.calls.get_mut(&call) else { return };
        state.phase = Phase::Closing;
        let (limit, orphan, waiting) = (state.limit.take(), state.orphan.take(), state.awaiting_ack.take());
        for timer in state.take_timers() {
            self.timers.cancel(timer);
        }
        self.timers.cancel(limit);
        self.timers.cancel(orphan);
        if let Some(waiting) = waiting {
            self.timers.cancel(Some(waiting.retransmit));
            self.timers.cancel(Some(waiting.give_up));
            self.count_acked(waiting.source);
        }
        if self.begin_client(now, request, path, Purpose::Bye(call)).is_none() {
            self.forget(call);
        }
    }

    /// A request inside the dialog with the next CSeq, and where it goes.
    pub(super) fn dialog_request(
        &mut self,
        now: Instant,
        call: CallHandle,
        method: Method,
    ) -> Option<(Message, Path)> {
        let path = self.dialog_path(now, call)?;
        let via = self.new_via(path)?;
        let user_agent = self.config.user_agent.clone();
        let dialog = &mut self.calls.get_mut(&call)?.dialog;
        dialog.local_cseq = dialog.local_cseq.wrapping_add(1);
        Some((dialog.request(method, dialog.local_cseq, via, &user_agent), path))
    }

    /// The way of the next request inside a call: by its route set or Contact, or the way the peer came.
    pub(super) fn dialog_path(&mut self, now: Instant, call: CallHandle) -> Option<Path> {
        let way = self.calls.get(&call)?.dialog.way();
        self.path_along(now, call, way)
    }

    pub(super) fn path_along(&mut self, now: Instant, call: CallHandle, way: Way) -> Option<Path> {
        let Way { next, path, transport, follow_path, agent } = way;
        match path {
            Path::Udp { local, .. } => match next.filter(|_| !follow_path) {
                Some(remote) => Some(Path::Udp { local, remote }),
                // A host name: names are not resolved inside a call, the peer's own address serves.
                None => Some(path),
            },
            Path::Stream { connection } if self.connections.contains_key(&connection) => Some(path),
            Path::Stream { .. } => {
                if let Some(user) = agent {
                    return self.registrar.newest(&user).map(|binding| binding.path);
                }
                if !transport.can_connect() {
                    // A browser's flow is gone: nothing leads there (RFC 7118 §5.2).
                    return None;
                }
                let path = self.connect(now, next?, transport);
                self.move_call(call, path);
                Some(path)
            }
        }
    }
}
