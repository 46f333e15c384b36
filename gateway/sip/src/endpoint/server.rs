//! Server transactions: answering, repeating, and forgetting in time.
//!
//! [RFC 3261 §17.2](https://www.rfc-editor.org/rfc/rfc3261#section-17.2), Accepted state of
//! [RFC 6026 §7.1](https://www.rfc-editor.org/rfc/rfc6026#section-7.1).

use std::time::{Duration, Instant};

use super::{Endpoint, streams::Tie};
use crate::{
    event::CallHandle,
    message::{Message, Method},
    path::{Source, response_path},
    timers::Timer,
    transaction::{ServerState, ServerTransaction, merge_key, server_key},
};

impl Endpoint {
    /// Begins a server transaction for a request that was not seen before.
    pub(super) fn begin_server(
        &mut self,
        source: &Source,
        request: Message,
        call: Option<CallHandle>,
    ) -> Option<u64> {
        let method = request.method()?.clone();
        let key = server_key(&self.keys, &request, method.as_str())?;
        let id = self.fresh_id();
        let first = method == Method::Invite && request.to_tag().is_none();
        let merge = first.then(|| merge_key(&self.keys, &request)).flatten();
        if let Some(merge) = merge {
            self.merges.insert(merge, id);
        }
        self.server_keys.insert(key, id);
        let transaction = ServerTransaction {
            key,
            path: response_path(source, &request),
            source: source.remote.ip(),
            invite: method == Method::Invite,
            reliable: source.transport.is_reliable(),
            state: ServerState::Proceeding,
            last: None,
            interval: self.config.timers.t1,
            retransmit: None,
            end: None,
            call,
            merge,
            request: Some(Box::new(request)),
        };
        self.tie(transaction.path, Tie::Server(id));
        self.servers.insert(id, transaction);
        Some(id)
    }

    /// Whether this INVITE is one we have under another branch.
    pub(super) fn is_merged(&self, request: &Message) -> bool {
        merge_key(&self.keys, request).is_some_and(|key| self.merges.contains_key(&key))
    }

    /// The same request again.
    pub(super) fn on_repeat(&mut self, id: u64) {
        let Some(transaction) = self.servers.get(&id) else { return };
        let repeat = match transaction.state {
            ServerState::Proceeding | ServerState::Completed => {
                transaction.last.as_deref().map(<[u8]>::to_vec)
            }
            ServerState::Confirmed | ServerState::Accepted => None,
        };
        let path = transaction.path;
        if let Some(bytes) = repeat {
            self.send(path, bytes);
        }
    }

    /// Sends an answer made with [`Endpoint::response`] and moves the transaction.
    pub(super) fn respond(&mut self, now: Instant, id: u64, response: &Message) {
        let timers = self.config.timers;
        let Some(transaction) = self.servers.get_mut(&id) else { return };
        if transaction.state != ServerState::Proceeding {
            return;
        }
        let status = response.status().unwrap_or_default();
        let bytes = response.to_bytes();
        transaction.last = Some(bytes.as_slice().into());
        let (path, source, invite, reliable) =
            (transaction.path, transaction.source, transaction.invite, transaction.reliable);
        if status >= 200 {
            transaction.request = None;
            transaction.state =
                if invite && status < 300 { ServerState::Accepted } else { ServerState::Completed };
            if transaction.state == ServerState::Accepted {
                transaction.last = None;
            }
            let lifetime = if !invite && reliable { Duration::ZERO } else { timers.give_up() };
            transaction.end = Some(self.timers.set(now + lifetime, Timer::ServerEnd(id)));
            if invite && status >= 300 {
                if !reliable {
                    transaction.retransmit =
                        Some(self.timers.set(now + timers.t1, Timer::ServerRetransmit(id)));
                }
                self.count_unacked(source);
            }
        }
        self.send(path, bytes);
    }

    /// Timer G.
    pub(super) fn on_server_retransmit(&mut self, now: Instant, id: u64) {
        let t2 = self.config.timers.t2;
        let Some(transaction) = self.servers.get_mut(&id) else { return };
        transaction.interval = (transaction.interval * 2).min(t2);
        transaction.retransmit =
            Some(self.timers.set(now + transaction.interval, Timer::ServerRetransmit(id)));
        let (path, last) = (transaction.path, transaction.last.as_deref().map(<[u8]>::to_vec));
        if let Some(bytes) = last {
            self.send(path, bytes);
        }
    }

    /// The ACK of a refusal. Gives false if this transaction was not waiting for one.
    pub(super) fn acknowledge_refusal(&mut self, now: Instant, id: u64) -> bool {
        let t4 = self.config.timers.t4;
        let Some(transaction) = self.servers.get_mut(&id).filter(|transaction| transaction.invite) else {
            return false;
        };
        match transaction.state {
            ServerState::Completed => {
                transaction.state = ServerState::Confirmed;
                transaction.last = None;
                self.timers.cancel(transaction.retransmit.take());
                self.timers.cancel(transaction.end.take());
                let lifetime = if transaction.reliable { Duration::ZERO } else { t4 };
                transaction.end = Some(self.timers.set(now + lifetime, Timer::ServerEnd(id)));
                let (source, merge) = (transaction.source, transaction.merge.take());
                self.count_acked(source);
                // It is over: the same request under a new branch is a new try and no copy (RFC 3261 §8.2.2.2).
                if let Some(merge) = merge {
                    self.merges.remove(&merge);
                }
                true
            }
            ServerState::Confirmed => true,
            ServerState::Proceeding | ServerState::Accepted => false,
        }
    }

    /// Timers H, I, J, L, and the loss of a connection.
    pub(super) fn end_server(&mut self, id: u64) {
        let Some(transaction) = self.servers.remove(&id) else { return };
        self.server_keys.remove(&transaction.key);
        self.untie(transaction.path, Tie::Server(id));
        if let Some(merge) = &transaction.merge {
            self.merges.remove(merge);
        }
        self.timers.cancel(transaction.retransmit);
        self.timers.cancel(transaction.end);
        if transaction.invite && transaction.state == ServerState::Completed {
            self.count_acked(transaction.source);
        }
    }

    /// Answers a request whose transaction is open, by status alone.
    pub(super) fn respond_status(
        &mut self,
        now: Instant,
        id: u64,
        status: u16,
        tag: Option<&str>,
        fields: &[(&'static str, String)],
    ) {
        let Some(request) = self.servers.get(&id).and_then(|transaction| transaction.request.as_ref()) else {
            return;
        };
        let mut response = self.response(request, status, tag);
        for (name, value) in fields {
            response.push(*name, value.clone());
        }
        self.respond(now, id, &response);
    }
}
