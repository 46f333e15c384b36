//! Calls of ours (where to: `route.rs`): what the answers do to the call.
//!
//! CANCEL goes out only after a 1xx; a 2xx that comes after it is acknowledged and ended; a 2xx of another fork
//! as well. [RFC 3261 §9.1](https://www.rfc-editor.org/rfc/rfc3261#section-9.1), §13.2.2.

use std::time::Instant;

use super::{Endpoint, route::Route, streams::Tie};
use crate::{
    body,
    config::Transport,
    dialog::{Attempt, Call, Dialog, DialogKey, Phase},
    error::CommandError,
    event::{CallHandle, Event, Invitation, Path},
    fields::{self, NameAddress, SipUri},
    identity,
    message::{Message, Method},
    timers::Timer,
    transaction::{MAX_FORKS, Purpose, SentAck},
};

impl Endpoint {
    pub(super) fn start_invitation(
        &mut self,
        now: Instant,
        invitation: Invitation<'_>,
    ) -> Result<CallHandle, CommandError> {
        let sound =
            |(name, value): &(String, String)| fields::is_token(name) && !value.contains(['\r', '\n', '\0']);
        let breaks = |value: &str| value.contains(['\r', '\n', '\0']);
        if !invitation.headers.iter().all(sound) || invitation.replaces.is_some_and(breaks) {
            return Err(CommandError::BadHeader);
        }
        if invitation.max_forwards == Some(0) {
            return Err(CommandError::TooManyHops);
        }
        if self.calls.len() >= self.config.max_calls {
            return Err(CommandError::TooManyCalls);
        }
        let Route { path, transport, uri, to, agent, peer, through } = self.route(now, &invitation)?;
        let at = self.path_transport(path).and_then(|(_, at)| at);
        let via = self.new_via(path).ok_or(CommandError::NoLocalAddress)?;
        let remote = self.path_remote(path).ok_or(CommandError::NoLocalAddress)?;
        let host = self.host_towards(transport, at, remote).ok_or(CommandError::NoLocalAddress)?;
        let caller = match &through {
            Some(through) => through.caller.from.clone(),
            None => caller_address(&invitation, &self.config.realm),
        };
        let contact = through.as_ref().and_then(|through| through.contact.as_deref());
        let contact = contact.map(|user| format!("{}@", fields::escape_user(user))).unwrap_or_default();
        let (call_id, local_tag) = (self.tokens.next(), self.tokens.next());
        let realm = self.config.realm.clone();
        let dialog = Dialog {
            key: DialogKey { call_id: format!("{call_id}@{realm}"), local_tag: local_tag.clone() },
            remote_tag: None,
            local: format!("{caller};tag={local_tag}"),
            remote: format!("<{to}>"),
            remote_target: uri,
            routes: Vec::new(),
            local_cseq: 0,
            remote_cseq: None,
            path,
            transport,
            contact: format!("<sip:{contact}{host}{}>", transport.uri_parameter()),
            // A phone's flow is the only way to it; who is called at an address says where it listens.
            follow_path: agent.is_some() || through.as_ref().is_some_and(|through| through.symmetric),
            call_id_is_ours: true,
            agent,
        };
        let mut request = dialog.request(Method::Invite, 1, via, &self.config.user_agent);
        let manner = through.as_ref().and_then(|through| self.manner_at(through.gateway));
        self.push_offer(&mut request, &dialog.contact, invitation.sdp, self.session_wish(None, None), manner);
        match &through {
            Some(through) => {
                for (name, value) in &through.caller.fields {
                    request.push(*name, value.clone());
                }
            }
            None if invitation.privacy => request.push("Privacy", "id"),
            None => {}
        }
        if let Some(hops) = invitation.max_forwards {
            request.set("Max-Forwards", hops.to_string());
        }
        if let Some(replaces) = invitation.replaces {
            request.push("Require", "replaces");
            request.push("Replaces", replaces);
        }
        for (name, value) in invitation.headers {
            request.push(name.clone(), value.clone());
        }
        let call = CallHandle(self.fresh_id());
        let peer = peer.map(|peer| peer.ip().to_canonical());
        let gateway = through.as_ref().map(|through| through.gateway);
        let (left, user) = through.map(|through| (through.left, through.user)).unwrap_or_default();
        let attempt = Some(Box::new(Attempt {
            left,
            user,
            invite: request,
            datagram: None,
            taken: false,
            elsewhere: Vec::new(),
            been: Vec::new(),
            limit: None,
        }));
        let limit = self.timers.set(now + self.config.timers.setup_limit, Timer::SetupLimit(call));
        self.tie(path, Tie::Call(call));
        if let Some(peer) = peer {
            self.count_called(peer, true);
        }
        self.dialogs.insert(dialog.key.clone(), call);
        let phase = Phase::Calling {
            client: 0,
            provisional: false,
            cancel_wanted: false,
            cancel_sent: false,
            early: Vec::new(),
        };
        let mut state = Call::new(dialog, phase, limit);
        state.peer = peer;
        (state.gateway, state.attempt) = (gateway, attempt);
        self.calls.insert(call, state);
        let path = self.attempt_path(now, call, path);
        if !self.try_along(now, call, path) {
            self.forget(call);
            return Err(CommandError::NoLocalAddress);
        }
        Ok(call)
    }

    pub(super) fn on_agent_provisional(&mut self, now: Instant, call: CallHandle, response: &Message) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Phase::Calling { provisional, cancel_wanted, .. } = &mut state.phase else { return };
        *provisional = true;
        if *cancel_wanted {
            return self.try_cancel(now, call);
        }
        if response.status() > Some(100) {
            self.on_early(now, call, response);
        }
    }

    /// Sends CANCEL if a 1xx was heard; otherwise the first 1xx will call this again.
    pub(super) fn try_cancel(&mut self, now: Instant, call: CallHandle) {
        let Some(Phase::Calling { client, provisional, cancel_wanted, cancel_sent, .. }) =
            self.calls.get_mut(&call).map(|call| &mut call.phase)
        else {
            return;
        };
        *cancel_wanted = true;
        if !*provisional || *cancel_sent {
            return;
        }
        *cancel_sent = true;
        let client = *client;
        let give_up = self.config.timers.give_up();
        let Some(transaction) = self.clients.get_mut(&client) else { return };
        // RFC 3261 §9.1: if CANCEL brings no final answer in 64*T1, the INVITE is forgotten.
        self.timers.cancel(transaction.end.take());
        transaction.end = Some(self.timers.set(now + give_up, Timer::ClientGiveUp(client)));
        let (path, mut cancel) = (transaction.path, cancel_of(&transaction.request));
        if let Some(reason) = self.calls.get(&call).and_then(|state| state.reason.as_deref()) {
            cancel.push("Reason", reason);
        }
        self.begin_client(now, cancel, path, Purpose::Nobody);
    }

    /// The first 2xx of a call to an agent.
    pub(super) fn on_agent_answer(&mut self, now: Instant, id: u64, call: CallHandle, response: &Message) {
        self.choose_fork(call, response.to_tag().unwrap_or_default());
        let Some(state) = self.calls.get_mut(&call) else { return self.on_more_success(now, id, response) };
        let Phase::Calling { cancel_wanted, .. } = state.phase else { return };
        state.dialog.remote_tag = Some(response.to_tag().unwrap_or_default().to_owned());
        state.dialog.remote = response.value("To").unwrap_or_default().to_owned();
        state.dialog.routes = routes_of_response(response);
        state.dialog.refresh_target(response);
        state.phase = Phase::Confirmed;
        state.abilities.learn(response);
        let limit = state.limit.take();
        let over = state.over;
        self.timers.cancel(limit);
        self.take_session(now, call, response);
        let sent = self.clients.get(&id).map(|transaction| &transaction.request.body);
        if let Some(sdp) = sent.and_then(|body| String::from_utf8(body.clone()).ok()) {
            self.keep_description(call, &sdp);
        }
        self.trim_description(call);
        self.acknowledge(now, call, id);
        if cancel_wanted || over {
            // It was answered while our CANCEL was on its way.
            return self.send_bye(now, call, None);
        }
        let sdp = body::session_description(response).ok().flatten();
        self.emit(Event::Answered { call, sdp });
    }

    /// Another 2xx: a repeat is acknowledged again, one of another fork is acknowledged and ended.
    pub(super) fn on_more_success(&mut self, now: Instant, id: u64, response: &Message) {
        let Some(transaction) = self.clients.get(&id) else { return };
        let tag = response.to_tag().unwrap_or_default().to_owned();
        if let Some(ack) = transaction.acks.iter().find(|ack| ack.remote_tag == tag).cloned() {
            return self.send(ack.path, ack.bytes);
        }
        if transaction.acks.len() >= MAX_FORKS {
            return;
        }
        let (path, request) = (transaction.path, &transaction.request);
        let mut fork = fork_dialog(request, response, path, tag.clone());
        // A phone of ours is reached along its flow, everyone else at the Contact or route of the answer.
        let follow = transaction.purpose.call().and_then(|call| self.calls.get(&call));
        let follow = follow.is_none_or(|state| state.dialog.follow_path);
        let path = match (path, fork.way().next) {
            (Path::Udp { local, .. }, Some(remote)) if !follow => Path::Udp { local, remote },
            _ => path,
        };
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let user_agent = self.config.user_agent.clone();
        let (Some(ack_via), Some(bye_via)) = (self.new_via(path), self.new_via(path)) else { return };
        let ack = fork.request(Method::Ack, number, ack_via, &user_agent).to_bytes();
        fork.local_cseq = number.wrapping_add(1);
        let bye = fork.request(Method::Bye, fork.local_cseq, bye_via, &user_agent);
        if let Some(transaction) = self.clients.get_mut(&id) {
            transaction.acks.push(SentAck { remote_tag: tag, bytes: ack.clone(), path });
        }
        self.send(path, ack);
        self.begin_client(now, bye, path, Purpose::Nobody);
    }

    /// Sends the ACK of a 2xx and keeps it for repeats.
    pub(super) fn acknowledge(&mut self, now: Instant, call: CallHandle, id: u64) {
        let Some(number) =
            self.clients.get(&id).and_then(|transaction| Some(transaction.request.cseq()?.number))
        else {
            return;
        };
        let Some(path) = self.dialog_path(now, call) else { return };
        let Some(via) = self.new_via(path) else { return };
        let Some(state) = self.calls.get(&call) else { return };
        let mut ack = state.dialog.request(Method::Ack, number, via, &self.config.user_agent);
        // RFC 3261 §22.1: an ACK cannot be challenged, so it carries the proof of its INVITE.
        if let Some(transaction) = self.clients.get(&id) {
            for name in ["Authorization", "Proxy-Authorization"] {
                for value in transaction.request.values(name) {
                    ack.push(name, value);
                }
            }
        }
        let bytes = ack.to_bytes();
        let remote_tag = state.dialog.remote_tag.clone().unwrap_or_default();
        if let Some(transaction) = self.clients.get_mut(&id) {
            transaction.acks.push(SentAck { remote_tag, bytes: bytes.clone(), path });
        }
        self.send(path, bytes);
    }

    /// The phone refused, could not be reached, or the INVITE was given up.
    pub(super) fn on_agent_failure(&mut self, call: CallHandle, status: u16, response: Option<&Message>) {
        let reasons: Vec<&str> =
            response.map(|response| response.values("Reason").collect()).unwrap_or_default();
        let wait = response.and_then(|response| response.value("Retry-After"));
        // `Retry-After: 18000 (at lunch);duration=3600`
        let digits = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(fields::seconds);
        let (q850, retry_after_s) = (identity::q850_cause(&reasons), wait.and_then(digits));
        self.finish(call, Event::Failed { call, status, q850, retry_after_s });
        self.forget(call);
    }
}

/// From, without its tag. Who asks for privacy is `anonymous` (RFC 3323 §4.1.1.3).
fn caller_address(invitation: &Invitation<'_>, realm: &str) -> String {
    if invitation.privacy {
        return "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned();
    }
    let display =
        invitation.caller_display.map(|name| format!("{} ", fields::quote(name))).unwrap_or_default();
    format!("{display}<sip:{}@{realm}>", fields::escape_user(invitation.caller_user))
}

/// RFC 3261 §9.1: the same Request-URI, Via, To, From, Call-ID, Route and CSeq number.
pub(super) fn cancel_of(invite: &Message) -> Message {
    let mut cancel = Message::request(Method::Cancel, invite.request_uri());
    for name in ["Via", "Route", "Max-Forwards", "From", "To", "Call-ID"] {
        for value in invite.values(name) {
            cancel.push(name, value);
        }
    }
    cancel.push("CSeq", format!("{} CANCEL", invite.cseq().map_or(0, |cseq| cseq.number)));
    cancel
}

/// RFC 3261 §12.1.2: for the caller the route set is the Record-Route in reverse.
pub(super) fn routes_of_response(response: &Message) -> Vec<String> {
    let mut routes: Vec<String> = response.list("Record-Route").map(str::to_owned).collect();
    routes.reverse();
    routes
}

/// The dialog of a fork nobody wants, for its ACK and BYE.
fn fork_dialog(request: &Message, response: &Message, path: Path, tag: String) -> Dialog {
    let target = response
        .list("Contact")
        .next()
        .and_then(NameAddress::parse)
        .map(|contact| contact.uri)
        .filter(|uri| SipUri::parse(uri).is_some())
        .unwrap_or_else(|| request.request_uri());
    Dialog {
        key: DialogKey { call_id: request.call_id().to_owned(), local_tag: request.from_tag().to_owned() },
        remote_tag: Some(tag),
        local: request.value("From").unwrap_or_default().to_owned(),
        remote: response.value("To").unwrap_or_default().to_owned(),
        remote_target: target.to_owned(),
        routes: routes_of_response(response),
        local_cseq: 0,
        remote_cseq: None,
        path,
        transport: Transport::Udp,
        contact: String::new(),
        follow_path: true,
        call_id_is_ours: true,
        agent: None,
    }
}
