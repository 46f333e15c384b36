//! Client transactions: asking, repeating, giving up; and the ACK of a refusal.
//!
//! [RFC 3261 §17.1](https://www.rfc-editor.org/rfc/rfc3261#section-17.1), Accepted state of
//! [RFC 6026 §7.2](https://www.rfc-editor.org/rfc/rfc6026#section-7.2).

use std::time::{Duration, Instant};

use super::{Endpoint, streams::Tie};
use crate::{
    config::Transport,
    event::Path,
    message::{Message, Method},
    path::Source,
    timers::Timer,
    transaction::{ClientState, ClientTransaction, Purpose, client_key},
};

impl Endpoint {
    /// A Via for a request along `path`, with a branch never used before.
    pub(super) fn new_via(&mut self, path: Path) -> Option<String> {
        let (transport, at) = self.path_transport(path)?;
        let host = self.host_towards(transport, at, self.path_remote(path)?)?;
        let branch = self.tokens.next();
        Some(format!("SIP/2.0/{} {host};branch=z9hG4bK{branch};rport", transport.as_str()))
    }

    /// Sends a request and waits for its answer.
    pub(super) fn begin_client(
        &mut self,
        now: Instant,
        request: Message,
        path: Path,
        purpose: Purpose,
    ) -> Option<u64> {
        let method = request.method()?.clone();
        let key = client_key(&self.keys, request.via()?.branch(), method.as_str());
        let id = self.fresh_id();
        let timers = self.config.timers;
        let reliable = matches!(path, Path::Stream { .. });
        let retransmit = (!reliable).then(|| self.timers.set(now + timers.t1, Timer::ClientRetransmit(id)));
        let end = Some(self.timers.set(now + timers.give_up(), Timer::ClientGiveUp(id)));
        let bytes = request.to_bytes();
        self.client_keys.insert(key, id);
        let transaction = ClientTransaction {
            key,
            method,
            request,
            bytes: bytes.clone(),
            path,
            reliable,
            state: ClientState::Trying,
            interval: timers.t1,
            retransmit,
            end,
            purpose,
            ack: None,
            acks: Vec::new(),
        };
        self.tie(path, Tie::Client(id));
        self.clients.insert(id, transaction);
        self.send(path, bytes);
        Some(id)
    }

    /// A response: to its transaction, or nowhere.
    pub(super) fn on_response(&mut self, now: Instant, source: &Source, response: &Message) {
        let status = response.status().unwrap_or_default();
        // RFC 3261 §8.1.3.3: more than one Via means it is not for us.
        let found = match (response.via(), response.cseq(), response.list("Via").nth(1)) {
            (Some(via), Some(cseq), None) => {
                self.client_keys.get(&client_key(&self.keys, via.branch(), cseq.method)).copied()
            }
            _ => None,
        };
        let Some(id) = found else { return self.refused(source, "stray-response") };
        let invite = self.clients.get(&id).is_some_and(|transaction| transaction.method == Method::Invite);
        match (invite, status) {
            (_, 100..200) => self.on_provisional(now, id, response, invite),
            (true, 200..300) => self.on_invite_success(now, id, response),
            (true, _) => self.on_invite_refusal(now, id, response),
            (false, _) => self.on_final(now, id, response),
        }
    }

    fn on_provisional(&mut self, now: Instant, id: u64, response: &Message, invite: bool) {
        let (t2, limit) = (self.config.timers.t2, self.config.timers.setup_limit);
        let Some(transaction) = self.clients.get_mut(&id) else { return };
        if !matches!(transaction.state, ClientState::Trying | ClientState::Proceeding) {
            return;
        }
        let first = transaction.state == ClientState::Trying;
        transaction.state = ClientState::Proceeding;
        let purpose = transaction.purpose;
        if invite && first {
            self.timers.cancel(transaction.retransmit.take());
            self.timers.cancel(transaction.end.take());
            // Timer C stands in for B; the call's own limit comes first for a call to an agent.
            transaction.end = Some(self.timers.set(now + limit + limit / 2, Timer::ClientGiveUp(id)));
        } else if !invite && transaction.retransmit.is_some() {
            transaction.interval = t2;
        }
        match purpose {
            Purpose::Invite(call) => {
                self.attempt_heard(now, call, response);
                self.on_agent_provisional(now, call, response);
            }
            Purpose::Abandoned if first => self.on_abandoned(now, id, response),
            _ => {}
        }
    }

    fn on_invite_success(&mut self, now: Instant, id: u64, response: &Message) {
        let give_up = self.config.timers.give_up();
        let Some(transaction) = self.clients.get_mut(&id) else { return };
        let purpose = transaction.purpose;
        match transaction.state {
            ClientState::Trying | ClientState::Proceeding => {
                transaction.state = ClientState::Accepted;
                self.timers.cancel(transaction.retransmit.take());
                self.timers.cancel(transaction.end.take());
                transaction.end = Some(self.timers.set(now + give_up, Timer::ClientEnd(id)));
                match purpose {
                    Purpose::Invite(call) => {
                        self.attempt_heard(now, call, response);
                        self.on_agent_answer(now, id, call, response);
                    }
                    Purpose::Abandoned => self.on_abandoned(now, id, response),
                    Purpose::Reinvite(call) => self.on_reinvite_answer(now, id, call, response),
                    Purpose::Refresh(call) => self.on_refresh_answer(now, id, call, response),
                    _ => {}
                }
            }
            ClientState::Accepted => self.on_more_success(now, id, response),
            ClientState::Completed => {}
        }
    }

    fn on_invite_refusal(&mut self, now: Instant, id: u64, response: &Message) {
        let Some(transaction) = self.clients.get_mut(&id) else { return };
        match transaction.state {
            ClientState::Trying | ClientState::Proceeding => {
                transaction.state = ClientState::Completed;
                let ack = refusal_ack(&transaction.request, response).to_bytes();
                transaction.ack = Some(ack.clone());
                self.timers.cancel(transaction.retransmit.take());
                self.timers.cancel(transaction.end.take());
                // Timer D: at least 32 s over UDP.
                let wait = if transaction.reliable { Duration::ZERO } else { self.config.timers.give_up() };
                transaction.end = Some(self.timers.set(now + wait, Timer::ClientEnd(id)));
                let (path, purpose) = (transaction.path, transaction.purpose);
                self.send(path, ack);
                self.on_outcome(now, id, purpose, response.status().unwrap_or_default(), Some(response));
            }
            ClientState::Completed => {
                let (path, ack) = (transaction.path, transaction.ack.clone());
                if let Some(ack) = ack {
                    self.send(path, ack);
                }
            }
            ClientState::Accepted => {}
        }
    }

    fn on_final(&mut self, now: Instant, id: u64, response: &Message) {
        let Some(transaction) = self.clients.get_mut(&id) else { return };
        if !matches!(transaction.state, ClientState::Trying | ClientState::Proceeding) {
            return;
        }
        transaction.state = ClientState::Completed;
        self.timers.cancel(transaction.retransmit.take());
        self.timers.cancel(transaction.end.take());
        let wait = if transaction.reliable { Duration::ZERO } else { self.config.timers.t4 };
        transaction.end = Some(self.timers.set(now + wait, Timer::ClientEnd(id)));
        let purpose = transaction.purpose;
        self.on_outcome(now, id, purpose, response.status().unwrap_or_default(), Some(response));
    }

    /// Timers A and E.
    pub(super) fn on_client_retransmit(&mut self, now: Instant, id: u64) {
        let t2 = self.config.timers.t2;
        let Some(transaction) = self.clients.get_mut(&id) else { return };
        if transaction.retransmit.is_none() {
            return;
        }
        let doubled = transaction.interval * 2;
        // A knows no upper limit (but B); E stops growing at T2.
        transaction.interval = if transaction.method == Method::Invite { doubled } else { doubled.min(t2) };
        transaction.retransmit =
            Some(self.timers.set(now + transaction.interval, Timer::ClientRetransmit(id)));
        let (path, bytes) = (transaction.path, transaction.bytes.clone());
        self.send(path, bytes);
    }

    /// Timers B and F, and the loss of the connection (503): the same as an answer nobody sent.
    pub(super) fn give_up_client(&mut self, now: Instant, id: u64, status: u16) {
        let open = self
            .clients
            .get(&id)
            .filter(|transaction| matches!(transaction.state, ClientState::Trying | ClientState::Proceeding))
            .map(|transaction| transaction.purpose);
        self.end_client(id);
        if let Some(purpose) = open {
            self.on_outcome(now, id, purpose, status, None);
        }
    }

    /// Timers D, K and M.
    pub(super) fn end_client(&mut self, id: u64) {
        let Some(transaction) = self.clients.remove(&id) else { return };
        self.client_keys.remove(&transaction.key);
        self.untie(transaction.path, Tie::Client(id));
        self.timers.cancel(transaction.retransmit);
        self.timers.cancel(transaction.end);
    }

    /// What a request of ours came to, other than the 2xx of an INVITE.
    fn on_outcome(
        &mut self,
        now: Instant,
        id: u64,
        purpose: Purpose,
        status: u16,
        response: Option<&Message>,
    ) {
        let challenge = response.filter(|_| matches!(status, 401 | 407));
        if challenge.is_some_and(|response| self.retry_with_proof(now, id, response)) {
            return;
        }
        match purpose {
            Purpose::Invite(call) if self.retry_with_longer_session(now, call, status, response) => {}
            Purpose::Invite(call) if self.follow_redirect(now, call, status, response) => {}
            Purpose::Invite(call) if self.next_attempt(now, call, status, response) => {}
            Purpose::Invite(call) if self.go_elsewhere(now, call, status) => {}
            Purpose::Probe(gateway) => self.judge_gateway(now, gateway, response, true),
            Purpose::Register(registration) => self.on_register_outcome(now, registration, status, response),
            Purpose::Invite(call) => self.on_agent_failure(call, status, response),
            Purpose::Update(call) if (200..300).contains(&status) => {
                self.on_update_answer(now, call, response)
            }
            Purpose::Reinvite(call) | Purpose::Update(call) => self.on_offer_failure(now, call, status),
            Purpose::Refresh(call) => match response.filter(|_| (200..300).contains(&status)) {
                Some(response) => {
                    self.on_refreshed(now, call, response);
                    self.try_wanted(now, call);
                }
                None => self.on_refresh_failure(now, call, status, response),
            },
            // 2xx, 481 or silence: the call is over either way.
            Purpose::Bye(call) => self.forget(call),
            Purpose::Refer(call) => self.on_refer_outcome(now, call, status, response),
            Purpose::Notify(call) => self.on_notify_failure(call, status),
            Purpose::Prack(_) | Purpose::Abandoned | Purpose::Nobody => {}
        }
    }

    /// Gives a transaction that has no answer yet only so long.
    pub(super) fn limit_client(&mut self, now: Instant, id: u64, limit: Duration) {
        let Some(transaction) = self.clients.get_mut(&id) else { return };
        let old = transaction.end.replace(self.timers.set(now + limit, Timer::ClientGiveUp(id)));
        self.timers.cancel(old);
    }

    pub(super) fn path_transport(&self, path: Path) -> Option<(Transport, Option<std::net::SocketAddr>)> {
        match path {
            Path::Udp { local, .. } => Some((Transport::Udp, Some(local))),
            Path::Stream { connection } => {
                let stream = self.connections.get(&connection)?;
                Some((stream.transport, stream.local))
            }
        }
    }
}

/// RFC 3261 §17.1.1.3: same branch, the To of the response, the Route of the request.
fn refusal_ack(request: &Message, response: &Message) -> Message {
    let mut ack = Message::request(Method::Ack, request.request_uri());
    if let Some(via) = request.value("Via") {
        ack.push("Via", via);
    }
    for route in request.values("Route") {
        ack.push("Route", route);
    }
    ack.push("Max-Forwards", "70");
    for (name, from) in [("From", request), ("To", response), ("Call-ID", request)] {
        if let Some(value) = from.value(name) {
            ack.push(name, value);
        }
    }
    ack.push("CSeq", format!("{} ACK", request.cseq().map_or(0, |cseq| cseq.number)));
    ack
}
