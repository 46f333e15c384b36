//! Calls that come in: a new INVITE, its CANCEL, the ACK, and our 2xx until the ACK is there.
//!
//! [RFC 3261 §13.3](https://www.rfc-editor.org/rfc/rfc3261#section-13.3), §9.2 (CANCEL), §8.2.2.2 (merged
//! requests). Whatever refuses a call before the layer above knows of it does so without keeping state.

use std::time::Instant;

use super::{Endpoint, answer, streams::Tie};
use crate::{
    body,
    config::Reliability,
    dialog::{Abilities, AwaitingAck, Call, Dialog, DialogKey, Negotiation, Phase},
    event::{CallHandle, Cause, Event, IncomingInvite, Path},
    fields::{self, NameAddress, SipUri},
    identity::{self, IdentityHeaders, RawIdentity},
    message::{Message, Method},
    path::Source,
    timers::Timer,
    transaction::server_key,
    trunk::Reliable,
};

impl Endpoint {
    pub(super) fn on_invite(&mut self, now: Instant, source: &Source, request: Message) {
        if self.must_shed(now, &request) {
            return self.refuse_overloaded(source, &request, "overload");
        }
        if self.is_merged(&request) {
            return self.reply(source, &request, 482, &[]);
        }
        let Ok(sdp) = body::session_description(&request) else {
            return self.reply(source, &request, 415, &[("Accept", answer::ACCEPT.to_owned())]);
        };
        let mut agent = None;
        if source.trunk.is_none() {
            match self.authenticated_user(now, source, &request, &Method::Invite) {
                Ok(user) => agent = Some(user),
                Err(()) => return,
            }
        }
        let contact =
            request.list("Contact").next().and_then(NameAddress::parse).map(|contact| contact.uri.to_owned());
        let Some(remote_target) = contact.filter(|uri| SipUri::parse(uri).is_some()) else {
            // Without a Contact no request inside the call can be sent (RFC 3261 §8.1.1.8).
            self.refused(source, "malformed");
            return self.reply(source, &request, 400, &[]);
        };
        if self.config.reliability == Reliability::Demanded && !answer::has_option(&request, "100rel") {
            return self.reply(source, &request, 421, &[("Require", "100rel".to_owned())]);
        }
        if self.refuse_short_session(source, &request, None) {
            return;
        }
        let replaces = match self.replaced_call(&request) {
            Ok(replaces) => replaces,
            Err(status) => return self.reply(source, &request, status, &[]),
        };
        let rule = self.overload(source).or_else(|| self.too_fast(now, source, true));
        if let Some(rule) = rule {
            return self.refuse_overloaded(source, &request, rule);
        }
        let call = CallHandle(self.fresh_id());
        let local_tag = self.tokens.next();
        let follow_path = agent.is_some()
            || self
                .trunk_at(source.remote.ip())
                .is_some_and(|trunk| trunk.symmetric || trunk.manner.symmetric);
        let key = DialogKey { call_id: request.call_id().to_owned(), local_tag: local_tag.clone() };
        let dialog = Dialog {
            remote_tag: Some(request.from_tag().to_owned()),
            local: format!("{};tag={local_tag}", request.value("To").unwrap_or_default()),
            remote: request.value("From").unwrap_or_default().to_owned(),
            remote_target,
            routes: request.list("Record-Route").map(str::to_owned).collect(),
            local_cseq: 0,
            remote_cseq: request.cseq().map(|cseq| cseq.number),
            path: source.path,
            transport: source.transport,
            contact: self.contact_for(source),
            follow_path,
            call_id_is_ours: false,
            agent: agent.clone(),
            key: key.clone(),
        };
        let mut abilities = Abilities::default();
        abilities.learn(&request);
        if let Some(manner) = self.trunk_at(source.remote.ip()).map(|trunk| trunk.manner) {
            abilities.untimed = !manner.session_timer;
            abilities.reliable &= manner.reliable != Reliable::Off;
        }
        let negotiation = if sdp.is_some() { Negotiation::Theirs } else { Negotiation::Open };
        let invite = Box::new(IncomingInvite { agent, replaces, ..read_invite(source, &request, sdp) });
        let Some(server) = self.begin_server(source, request, Some(call)) else { return };
        let limit = self.timers.set(now + self.config.timers.setup_limit, Timer::SetupLimit(call));
        self.tie(source.path, Tie::Call(call));
        self.dialogs.insert(key, call);
        let mut state = Call::new(dialog, Phase::Incoming { server, ringing: None, refresh: None }, limit);
        state.abilities = abilities;
        state.negotiation = negotiation;
        self.calls.insert(call, state);
        self.respond_status(now, server, 100, None, &[]);
        self.emit(Event::Incoming { call, invite });
    }

    fn must_shed(&mut self, now: Instant, request: &Message) -> bool {
        let Some(key) = server_key(&self.keys, request, "INVITE") else { return false };
        let life = self.config.timers.give_up();
        if self.shedding {
            self.shed.remember(now, life, key);
        }
        self.shedding || self.shed.remembers(now, life, key)
    }

    fn refuse_overloaded(&mut self, source: &Source, request: &Message, rule: &'static str) {
        self.refused(source, rule);
        let wait = self.config.overload_retry_after.to_string();
        self.reply(source, request, 503, &[("Retry-After", wait)]);
    }

    fn overload(&self, source: &Source) -> Option<&'static str> {
        let unacked = self.unacked.get(&source.remote.ip()).copied().unwrap_or_default();
        if self.draining {
            Some("draining")
        } else if self.calls.len() >= self.config.max_calls {
            Some("max-calls")
        } else if unacked >= self.config.max_unacked_per_source {
            Some("max-unacked-per-source")
        } else if self.unacked_total >= self.config.max_unacked {
            Some("max-unacked")
        } else {
            None
        }
    }

    /// CANCEL: 200 to it and, if we have not answered yet, 487 to the INVITE; both with the call's own tag.
    pub(super) fn on_cancel(&mut self, now: Instant, source: &Source, request: &Message) {
        let found =
            server_key(&self.keys, request, "INVITE").and_then(|key| self.server_keys.get(&key).copied());
        let Some((id, call)) = found.and_then(|id| Some((id, self.servers.get(&id)?.call?))) else {
            return self.reply(source, request, 481, &[]);
        };
        let tag = self.calls.get(&call).map(|call| call.dialog.key.local_tag.clone());
        self.reply_tagged(source, request, 200, tag.as_deref(), &[]);
        let Some(state) = self.calls.get(&call) else { return };
        match &state.phase {
            Phase::Incoming { server, .. } if *server == id => {
                let reasons: Vec<&str> = request.values("Reason").collect();
                let (q850, sip) = (identity::q850_cause(&reasons), identity::sip_cause(&reasons));
                self.respond_status(now, id, 487, tag.as_deref(), &[]);
                self.finish(call, Event::Cancelled { call, q850, sip });
                self.close_offer(now, call, 487);
                self.forget(call);
            }
            // A re-INVITE taken back: the call itself goes on.
            _ if state.open_offer.as_ref().is_some_and(|offer| offer.server == id) => {
                self.close_offer(now, call, 487);
            }
            _ => {}
        }
    }

    /// ACK: of a refusal to its transaction, of a 2xx to its call. Late and repeated ones do nothing.
    pub(super) fn on_ack(&mut self, now: Instant, source: &Source, request: &Message) {
        let transaction =
            server_key(&self.keys, request, "INVITE").and_then(|key| self.server_keys.get(&key).copied());
        if transaction.is_some_and(|id| self.acknowledge_refusal(now, id)) {
            return;
        }
        let Some(call) = self.find_call(request) else { return };
        let Some(state) = self.calls.get_mut(&call) else { return };
        let number = request.cseq().map(|cseq| cseq.number);
        let Some(waiting) = state.awaiting_ack.take_if(|waiting| Some(waiting.cseq) == number) else {
            return;
        };
        let leaving = matches!(state.phase, Phase::Leaving);
        state.reliable = None;
        self.move_call(call, source.path);
        self.timers.cancel(Some(waiting.retransmit));
        self.timers.cancel(Some(waiting.give_up));
        self.count_acked(waiting.source);
        if leaving {
            return self.send_bye(now, call, None);
        }
        let sdp = body::session_description(request).ok().flatten();
        if waiting.first || sdp.is_some() {
            self.emit(Event::Confirmed { call, sdp });
        }
        self.try_wanted(now, call);
    }

    /// Sends our 2xx to an INVITE and repeats it until the ACK (RFC 3261 §13.3.1.4), on streams too.
    pub(super) fn accept_invite(
        &mut self,
        now: Instant,
        call: CallHandle,
        server: u64,
        sdp: Option<&str>,
        first: bool,
    ) {
        let timers = self.config.timers;
        let Some(transaction) = self.servers.get(&server) else { return };
        let Some(request) = &transaction.request else { return };
        let Some(state) = self.calls.get(&call) else { return };
        let mut response = self.response(request, 200, Some(&state.dialog.key.local_tag));
        response.push("Contact", state.dialog.contact.clone());
        response.push("Accept", answer::ACCEPT);
        if let Some(sdp) = sdp {
            response.push("Content-Type", "application/sdp");
            response.body = sdp.as_bytes().to_vec();
        }
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let (path, source): (Path, _) = (transaction.path, transaction.source);
        let verdict = self.session_verdict(request, Some(call));
        for (name, value) in self.agree_session(now, call, verdict) {
            response.push(name, value);
        }
        if let Some(sdp) = sdp {
            self.keep_description(call, sdp);
        }
        self.trim_description(call);
        self.respond(now, server, &response);
        let waiting = AwaitingAck {
            bytes: response.to_bytes(),
            path,
            source,
            cseq,
            interval: timers.t1,
            retransmit: self.timers.set(now + timers.t1, Timer::AnswerRetransmit(call)),
            give_up: self.timers.set(now + timers.give_up(), Timer::AnswerGiveUp(call)),
            first,
        };
        self.count_unacked(source);
        if let Some(state) = self.calls.get_mut(&call) {
            state.awaiting_ack = Some(waiting);
        }
    }

    pub(super) fn on_answer_retransmit(&mut self, now: Instant, call: CallHandle) {
        let t2 = self.config.timers.t2;
        let Some(waiting) = self.calls.get_mut(&call).and_then(|call| call.awaiting_ack.as_mut()) else {
            return;
        };
        waiting.interval = (waiting.interval * 2).min(t2);
        waiting.retransmit = self.timers.set(now + waiting.interval, Timer::AnswerRetransmit(call));
        let (path, bytes) = (waiting.path, waiting.bytes.clone());
        self.send(path, bytes);
    }

    /// 64*T1 without an ACK: the call is taken for dead, and told so.
    pub(super) fn on_answer_give_up(&mut self, now: Instant, call: CallHandle) {
        let Some(waiting) = self.calls.get_mut(&call).and_then(|call| call.awaiting_ack.take()) else {
            return;
        };
        self.timers.cancel(Some(waiting.retransmit));
        self.count_acked(waiting.source);
        self.end(call, Cause::NoAck);
        self.send_bye(now, call, None);
    }

    /// The call a request inside a dialog belongs to; both tags must fit.
    pub(super) fn find_call(&self, request: &Message) -> Option<CallHandle> {
        let key =
            DialogKey { call_id: request.call_id().to_owned(), local_tag: request.to_tag()?.to_owned() };
        let handle = *self.dialogs.get(&key)?;
        let call = self.calls.get(&handle)?;
        // Before the answer any phone behind a fork may speak: a BYE may even overtake its 200.
        let fits = call.dialog.remote_tag.as_deref().is_none_or(|tag| tag == request.from_tag());
        fits.then_some(handle)
    }

    /// A provisional answer above 100, sent once.
    pub(super) fn send_plain_ringing(
        &mut self,
        now: Instant,
        call: CallHandle,
        server: u64,
        status: u16,
        sdp: Option<&str>,
    ) {
        let Some(request) = self.servers.get(&server).and_then(|transaction| transaction.request.as_ref())
        else {
            return;
        };
        let response = self.ringing_response(request, call, status, sdp);
        self.respond(now, server, &response);
    }

    /// A provisional answer above 100, with our Contact so that early requests find us.
    pub(super) fn ringing_response(
        &self,
        request: &Message,
        call: CallHandle,
        status: u16,
        sdp: Option<&str>,
    ) -> Message {
        let dialog = self.calls.get(&call).map(|state| &state.dialog);
        let mut response = self.response(request, status, dialog.map(|dialog| dialog.key.local_tag.as_str()));
        if let Some(dialog) = dialog {
            response.push("Contact", dialog.contact.clone());
        }
        if let Some(sdp) = sdp {
            response.push("Content-Type", "application/sdp");
            response.body = sdp.as_bytes().to_vec();
        }
        response
    }

    /// Answers an in-dialog request of this source with a status alone, without a transaction.
    pub(super) fn reply_retry(&mut self, source: &Source, request: &Message, status: u16, after_s: u32) {
        self.reply(source, request, status, &[("Retry-After", after_s.to_string())]);
    }

    /// 420 where something is required that we do not have.
    pub(super) fn refuse_required(&mut self, source: &Source, request: &Message) -> bool {
        match self.unsupported(request) {
            Some(tags) => {
                self.reply(source, request, 420, &[("Unsupported", tags)]);
                true
            }
            None => false,
        }
    }
}

/// Who it says sends it.
pub(super) fn read_identity(request: &Message) -> IdentityHeaders {
    let values = |name: &'static str| request.values(name).collect::<Vec<&str>>();
    IdentityHeaders::read(&RawIdentity {
        asserted: &values("P-Asserted-Identity"),
        preferred: &values("P-Preferred-Identity"),
        from: request.value("From"),
        privacy: &values("Privacy"),
        remote_party: &values("Remote-Party-ID"),
    })
}

fn read_invite(source: &Source, request: &Message, sdp: Option<String>) -> IncomingInvite {
    let values = |name: &'static str| request.values(name).collect::<Vec<&str>>();
    let identity = read_identity(request);
    let history = identity::read_history(&values("History-Info"), &identity.privacy);
    let from = request.from();
    IncomingInvite {
        call_id: request.call_id().to_owned(),
        trunk: source.trunk.clone().unwrap_or_default(),
        remote: source.remote,
        transport: source.transport,
        request_uri: request.request_uri().to_owned(),
        to_uri: request.to().map(|to| to.uri.to_owned()).unwrap_or_default(),
        from_uri: from.map(|from| from.uri.to_owned()).unwrap_or_default(),
        from_display: from.and_then(|from| from.display_name()),
        identity,
        history,
        diversion: identity::read_diversion(&values("Diversion")),
        session_id: request.value("Session-ID").map(str::to_owned),
        user_agent: request.value("User-Agent").map(str::to_owned),
        sdp,
        max_forwards: request
            .value("Max-Forwards")
            .and_then(fields::seconds)
            .map_or(70, |hops| u8::try_from(hops).unwrap_or(u8::MAX)),
        agent: None,
        replaces: None,
    }
}
