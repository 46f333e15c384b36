//! A call through a trunk, gateway after gateway, until one takes it.
//!
//! The call keeps its Call-ID and our tag; each try has a new branch and the next CSeq, so that no gateway takes
//! it for a merged request (482). A gateway that said more than 100 has the call: what it says then is the
//! answer. Sources: [RFC 3263 §4.3](https://www.rfc-editor.org/rfc/rfc3263#section-4.3) (failover),
//! [RFC 3261 §18.1.1](https://www.rfc-editor.org/rfc/rfc3261#section-18.1.1) (large requests), §22 (challenges).

use std::time::Instant;

use super::{Endpoint, streams::Tie};
use crate::{
    config::Transport,
    dialog::{Call, Phase},
    event::{CallHandle, Path},
    fields::SipUri,
    message::{Message, Start},
    timers::Timer,
    transaction::{ClientState, Purpose},
};

/// Larger requests do not go over UDP (RFC 3261 §18.1.1).
const MAX_DATAGRAM_REQUEST: usize = 1_300;
/// So many addresses without TCP are remembered; then all are forgotten.
const MAX_WITHOUT_TCP: usize = 256;
/// How long.
const WITHOUT_TCP: std::time::Duration = std::time::Duration::from_secs(600);

impl Endpoint {
    /// What the answer to an INVITE means for the gateways. True if another try is under way.
    pub(super) fn next_attempt(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        response: Option<&Message>,
    ) -> bool {
        let Some(state) = self.calls.get_mut(&call) else { return false };
        let Some(attempt) = &mut state.attempt else { return false };
        let limit = attempt.limit.take();
        let (wanted, taken) = (!state.over, attempt.taken);
        let datagram = attempt.datagram.take().filter(|_| response.is_none());
        let gateway = state.gateway;
        self.timers.cancel(limit);
        if let Some(path) = datagram {
            // No TCP there: the datagram must do (RFC 3261 §18.1.1).
            if let Some(remote) = self.path_remote(path) {
                self.remember_without_tcp(now, remote);
            }
            if wanted && self.try_along(now, call, path) {
                return true;
            }
        }
        if let Some(gateway) = gateway {
            self.judge_gateway(now, gateway, response, false);
        }
        let elsewhere = matches!(status, 408 | 500 | 502 | 503 | 504);
        wanted && elsewhere && !taken && self.try_next_gateway(now, call)
    }

    /// Timer: not even 100 came.
    pub(super) fn on_attempt_limit(&mut self, now: Instant, call: CallHandle) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Phase::Calling { client, .. } = state.phase else { return };
        let Some(attempt) = &mut state.attempt else { return };
        attempt.limit = None;
        let last = attempt.left.is_empty() && attempt.elsewhere.is_empty();
        let (over, gateway) = (state.over, state.gateway);
        if over || last {
            return;
        }
        // It may still answer: then it is cancelled, or acknowledged and ended.
        if let Some(transaction) = self.clients.get_mut(&client) {
            transaction.purpose = Purpose::Abandoned;
            let retransmit = transaction.retransmit.take();
            self.timers.cancel(retransmit);
        }
        if let Some(gateway) = gateway {
            self.judge_gateway(now, gateway, None, false);
        }
        if !self.try_next_gateway(now, call) && !self.go_elsewhere(now, call, 408) {
            // Every other gateway went out of use meanwhile.
            if let Some(transaction) = self.clients.get_mut(&client) {
                transaction.purpose = Purpose::Invite(call);
            }
        }
    }

    /// A 1xx or 2xx of the gateway in use.
    pub(super) fn attempt_heard(&mut self, now: Instant, call: CallHandle, response: &Message) {
        let status = response.status().unwrap_or_default();
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Some(attempt) = &mut state.attempt else { return };
        attempt.taken |= status > 100;
        attempt.datagram = None;
        let (limit, gateway) = (attempt.limit.take(), state.gateway);
        if status >= 200 {
            state.attempt = None;
        }
        self.timers.cancel(limit);
        if let Some(gateway) = gateway {
            self.judge_gateway(now, gateway, Some(response), false);
        }
    }

    fn try_next_gateway(&mut self, now: Instant, call: CallHandle) -> bool {
        loop {
            let Some(attempt) = self.calls.get_mut(&call).and_then(|state| state.attempt.as_mut()) else {
                return false;
            };
            let Some(gateway) = attempt.left.pop() else { return false };
            let user = attempt.user.clone();
            let Some(host) = self.gateway_host(gateway) else { continue };
            let Some((path, _)) = self.way_to_gateway(now, gateway) else { continue };
            let uri = format!("sip:{}@{host}{}", user.0, user.1);
            if let Some(state) = self.calls.get_mut(&call) {
                state.gateway = Some(gateway);
                state.dialog.remote_target = uri;
            }
            self.set_called(call, self.gateway_address(gateway).map(|at| at.ip()));
            let path = self.attempt_path(now, call, path);
            if self.try_along(now, call, path) {
                return true;
            }
        }
    }

    /// The address the call goes to from now on: it may speak inside the call.
    pub(super) fn set_called(&mut self, call: CallHandle, peer: Option<std::net::IpAddr>) {
        let peer = peer.map(|ip| ip.to_canonical());
        let Some(state) = self.calls.get_mut(&call) else { return };
        if let Some(before) = std::mem::replace(&mut state.peer, peer) {
            self.count_called(before, false);
        }
        if let Some(peer) = peer {
            self.count_called(peer, true);
        }
    }

    /// The way of this try: a connection instead of a datagram where the INVITE is too large for one.
    pub(super) fn attempt_path(&mut self, now: Instant, call: CallHandle, path: Path) -> Path {
        let Some(state) = self.calls.get(&call) else { return path };
        let Some(attempt) = state.attempt.as_ref() else { return path };
        if state.dialog.agent.is_some() && !self.is_where_it_says(state, path) {
            // Behind a NAT only the flow it registered on leads to a phone.
            return path;
        }
        let size = attempt.invite.to_bytes().len();
        let Some(connection) = self.connection_for_large(now, path, size) else { return path };
        if let Some(attempt) = self.calls.get_mut(&call).and_then(|state| state.attempt.as_mut()) {
            attempt.datagram = Some(path);
        }
        connection
    }

    fn is_where_it_says(&self, state: &Call, path: Path) -> bool {
        let claimed = SipUri::parse(&state.dialog.remote_target).and_then(|uri| uri.socket_address());
        claimed.is_some() && claimed == self.path_remote(path)
    }

    /// A connection to where that datagram would go, if `size` is too much for one and TCP may be spoken there.
    pub(super) fn connection_for_large(&mut self, now: Instant, path: Path, size: usize) -> Option<Path> {
        let Path::Udp { remote, .. } = path else { return None };
        let forbidden = self.trunk_at(remote.ip()).is_some_and(|trunk| !trunk.manner.large_over_tcp);
        let without = self.without_tcp.get(&remote).is_some_and(|since| now < *since + WITHOUT_TCP);
        if size <= MAX_DATAGRAM_REQUEST || forbidden || without {
            return None;
        }
        self.config.local_towards(Transport::Tcp, remote)?;
        Some(self.connect(now, remote, Transport::Tcp))
    }

    fn remember_without_tcp(&mut self, now: Instant, remote: std::net::SocketAddr) {
        if self.without_tcp.len() >= MAX_WITHOUT_TCP {
            self.without_tcp.clear();
        }
        self.without_tcp.insert(remote, now);
    }

    /// Sends the call's INVITE along `path` with the next CSeq.
    pub(super) fn try_along(&mut self, now: Instant, call: CallHandle, path: Path) -> bool {
        let Some((transport, at)) = self.path_transport(path) else { return false };
        let remote = self.path_remote(path);
        let Some(host) = remote.and_then(|remote| self.host_towards(transport, at, remote)) else {
            return false;
        };
        let Some(via) = self.new_via(path) else { return false };
        let cnonce = self.tokens.next();
        let Some(state) = self.calls.get_mut(&call) else { return false };
        let Some(attempt) = &state.attempt else { return false };
        let mut request = attempt.invite.clone();
        state.dialog.local_cseq = state.dialog.local_cseq.wrapping_add(1);
        state.dialog.contact = contact_at(&state.dialog.contact, &host, transport);
        request.start = Start::Request {
            method: crate::message::Method::Invite,
            uri: state.dialog.remote_target.clone(),
        };
        request.set("Via", via);
        request.set("CSeq", format!("{} INVITE", state.dialog.local_cseq));
        request.set("Contact", state.dialog.contact.clone());
        let (gateway, before) = (state.gateway, std::mem::replace(&mut state.dialog.path, path));
        state.dialog.transport = transport;
        self.untie(before, Tie::Call(call));
        self.tie(path, Tie::Call(call));
        if let Some(gateway) = gateway {
            self.prove(gateway, &mut request, &cnonce);
        }
        let Some(id) = self.begin_client(now, request, path, Purpose::Invite(call)) else { return false };
        self.set_calling(call, id);
        self.limit_attempt(now, call);
        true
    }

    fn set_calling(&mut self, call: CallHandle, id: u64) {
        if let Some(Phase::Calling { client, provisional, cancel_sent, early, .. }) =
            self.calls.get_mut(&call).map(|state| &mut state.phase)
        {
            (*client, *provisional, *cancel_sent) = (id, false, false);
            // Whoever rang at another gateway rings no more.
            early.clear();
        }
    }

    /// Gives the gateway in use its time to say anything, if there is another one.
    pub(super) fn limit_attempt(&mut self, now: Instant, call: CallHandle) {
        let Some(state) = self.calls.get(&call) else { return };
        let others = state
            .attempt
            .as_ref()
            .is_some_and(|attempt| !attempt.left.is_empty() || !attempt.elsewhere.is_empty());
        let trunk = state.gateway.and_then(|id| self.gateways.get(&id)).map(|gateway| &gateway.trunk);
        let limit = trunk.and_then(|name| self.trunk_named(name)).map(|trunk| trunk.health.answer_limit);
        let Some(limit) = limit.filter(|_| others) else { return };
        let timer = self.timers.set(now + limit, Timer::Attempt(call));
        let attempt = self.calls.get_mut(&call).and_then(|state| state.attempt.as_mut());
        let old = attempt.and_then(|attempt| attempt.limit.replace(timer));
        self.timers.cancel(old);
    }

    /// The gateway whose challenges a request answers.
    fn gateway_of(&self, purpose: Purpose) -> Option<u64> {
        match purpose {
            Purpose::Register(id) => self.registration_gateway(id),
            // A challenge shows that it lives; that is all a probe asks.
            Purpose::Probe(_) | Purpose::Nobody | Purpose::Abandoned => None,
            _ => self.calls.get(&purpose.call()?)?.gateway,
        }
    }

    /// Writes our proof into a request to that gateway, if it asked for one before.
    pub(super) fn prove(&mut self, gateway: u64, request: &mut Message, cnonce: &str) {
        let Some(gateway) = self.gateways.get_mut(&gateway) else { return };
        let trunk = self.config.trunks.iter().find(|trunk| trunk.name == gateway.trunk);
        if let Some(credentials) = trunk.and_then(|trunk| trunk.credentials.as_ref()) {
            gateway.proof.prove(request, credentials, cnonce);
        }
    }

    /// 401 or 407: the same request again, with the proof asked for. False if we have none, or it was refused.
    pub(super) fn retry_with_proof(&mut self, now: Instant, id: u64, response: &Message) -> bool {
        let Some(transaction) = self.clients.get(&id) else { return false };
        let (purpose, path) = (transaction.purpose, transaction.path);
        let Some(gateway) = self.gateway_of(purpose) else { return false };
        if let Some(state) = purpose.call().and_then(|call| self.calls.get(&call))
            && matches!(state.phase, Phase::Calling { cancel_wanted: true, .. })
        {
            return false;
        }
        let mut request = transaction.request.clone();
        let Some(state) = self.gateways.get_mut(&gateway) else { return false };
        let trunk = self.config.trunks.iter().find(|trunk| trunk.name == state.trunk);
        let Some(credentials) = trunk.and_then(|trunk| trunk.credentials.as_ref()) else { return false };
        if state.proof.learn(response, &request, credentials).is_err() {
            return false;
        }
        let Some(via) = self.new_via(path) else { return false };
        let Some(cseq) = self.next_cseq(purpose, &request) else { return false };
        let method = request.method().map(|method| method.as_str().to_owned()).unwrap_or_default();
        let cnonce = self.tokens.next();
        request.set("Via", via);
        request.set("CSeq", format!("{cseq} {method}"));
        self.prove(gateway, &mut request, &cnonce);
        let Some(new) = self.begin_client(now, request, path, purpose) else { return false };
        if let Purpose::Invite(call) = purpose {
            self.set_calling(call, new);
            self.limit_attempt(now, call);
        }
        true
    }

    fn next_cseq(&mut self, purpose: Purpose, request: &Message) -> Option<u32> {
        match purpose.call() {
            Some(call) => {
                let state = self.calls.get_mut(&call)?;
                let dialog = match request.to_tag() {
                    // Each phone that rings counts for itself; one that rings no more is owed nothing.
                    Some(tag) => Some(state.dialog_with(tag))
                        .filter(|dialog| dialog.remote_tag.as_deref() == Some(tag))?,
                    None => &mut state.dialog,
                };
                dialog.local_cseq = dialog.local_cseq.wrapping_add(1);
                Some(dialog.local_cseq)
            }
            None => Some(request.cseq()?.number.wrapping_add(1)),
        }
    }

    /// The INVITE that was given up for another gateway is answered yet.
    pub(super) fn on_abandoned(&mut self, now: Instant, id: u64, response: &Message) {
        let Some(transaction) = self.clients.get(&id) else { return };
        match response.status().unwrap_or_default() {
            100..200 if transaction.state == ClientState::Proceeding => {
                let (path, cancel) = (transaction.path, super::outgoing::cancel_of(&transaction.request));
                self.limit_client(now, id, self.config.timers.give_up());
                self.begin_client(now, cancel, path, Purpose::Nobody);
            }
            200..300 => self.on_more_success(now, id, response),
            _ => {}
        }
    }
}

/// Our Contact with another host and transport and the same user.
fn contact_at(contact: &str, host: &str, transport: Transport) -> String {
    let user = contact.strip_prefix("<sip:").and_then(|rest| rest.split_once('@')).map(|(user, _)| user);
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    format!("<sip:{user}{host}{}>", transport.uri_parameter())
}
