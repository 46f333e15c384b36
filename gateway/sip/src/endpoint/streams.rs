//! Stream connections: opening, cutting into messages, and what their loss means.
//!
//! Every transaction on a lost connection ends at once, so nothing waits for an answer that cannot come; a
//! confirmed call gets 64*T1 to be heard again on another connection.

use std::{collections::BTreeSet, net::SocketAddr, time::Instant};

use super::{Endpoint, keep_alive::Pulse};
use crate::{
    config::Transport,
    dialog::Phase,
    event::{CallHandle, Cause, ConnectionId, Event, Path},
    framing::{Frame, Framer},
    message::Message,
    path::{Source, complete_via},
    timers::{Timer, TimerKey},
};

/// The first number of connections the endpoint itself asks for.
const OWN: u64 = 1 << 63;
/// So many messages wait for a connection to be opened; more are dropped, as a full socket would.
const MAX_HELD: usize = 64;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) transport: Transport,
    /// `None` until it is open.
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: SocketAddr,
    framer: Framer,
    held: Vec<Vec<u8>>,
    give_up: Option<TimerKey>,
    /// Asked for by us: the far end may send though it is in no configured network.
    own: bool,
    pub(super) pulse: Pulse,
    /// What ends or must move when this connection is lost, so that a loss scans nothing else.
    ties: BTreeSet<Tie>,
}

/// Something that lives on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tie {
    Server(u64),
    Client(u64),
    Call(CallHandle),
}

impl Connection {
    /// Whether a transaction or a call lives on it.
    pub(super) fn is_used(&self) -> bool {
        !self.ties.is_empty()
    }

    pub(super) fn is_open(&self) -> bool {
        self.local.is_some()
    }

    pub(super) fn hold(&mut self, bytes: Vec<u8>) {
        if self.held.len() < MAX_HELD {
            self.held.push(bytes);
        }
    }
}

impl Endpoint {
    /// A connection to that address: one we asked for before, or one asked for now, along which what is sent
    /// is held until it stands.
    pub(super) fn connect(&mut self, now: Instant, remote: SocketAddr, transport: Transport) -> Path {
        if let Some(connection) = self.flows.get(&(transport, remote)) {
            return Path::Stream { connection: *connection };
        }
        let connection = self.begin_connection(now, remote, transport);
        self.flows.insert((transport, remote), connection);
        let gateway = self.gateway_at(transport, remote);
        let server_name = gateway.as_ref().map(|(_, host)| host.clone());
        let trunk = gateway.map(|(trunk, _)| trunk);
        self.emit(Event::Connect { connection, remote, transport, server_name, trunk });
        Path::Stream { connection }
    }

    fn begin_connection(&mut self, now: Instant, remote: SocketAddr, transport: Transport) -> ConnectionId {
        let connection = ConnectionId(OWN | self.fresh_id());
        let framer = Framer::new(self.config.max_message_bytes);
        let give_up =
            Some(self.timers.set(now + self.config.timers.connect_limit, Timer::ConnectGiveUp(connection)));
        let ties = BTreeSet::new();
        let state = Connection {
            transport,
            local: None,
            remote,
            framer,
            held: Vec::new(),
            give_up,
            own: true,
            pulse: Pulse::default(),
            ties,
        };
        self.connections.insert(connection, state);
        connection
    }

    pub(super) fn on_stream_opened(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        local: SocketAddr,
        remote: SocketAddr,
        transport: Transport,
    ) {
        if let Some(state) = self.connections.get_mut(&connection) {
            if state.local.is_none() {
                state.local = Some(local);
                self.timers.cancel(state.give_up.take());
                for bytes in std::mem::take(&mut state.held) {
                    self.send(Path::Stream { connection }, bytes);
                }
                self.begin_pulse(now, connection);
            }
            return;
        }
        if connection.0 >= OWN {
            // It stands too late: nobody waits for it any more.
            return self.emit(Event::Disconnect { connection });
        }
        let known = self.trunk_at(remote.ip()).is_some() || self.config.is_agent_network(remote.ip());
        let rule = match known {
            false => Some("unknown-source"),
            true if self.connections.len() >= self.config.max_connections => Some("max-connections"),
            true => None,
        };
        if let Some(rule) = rule {
            self.emit(Event::Refused { remote, rule, value: None });
            return self.emit(Event::Disconnect { connection });
        }
        let state = Connection {
            transport,
            local: Some(local),
            remote,
            framer: Framer::new(self.config.max_message_bytes),
            held: Vec::new(),
            give_up: None,
            own: false,
            pulse: Pulse::default(),
            ties: BTreeSet::new(),
        };
        self.connections.insert(connection, state);
    }

    pub(super) fn on_stream_bytes(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        let Some(state) = self.connections.get_mut(&connection) else { return };
        let Some(local) = state.local else { return };
        state.pulse.heard(bytes);
        let whole = state.transport.keeps_boundaries();
        if !whole {
            state.framer.push(bytes);
        }
        let (remote, transport, called_by_us) = (state.remote, state.transport, state.own);
        let source = Source {
            path: Path::Stream { connection },
            local,
            remote,
            transport,
            trunk: self.trunk_at(remote.ip()).map(|trunk| trunk.name.clone()),
            agent: self.config.is_agent_network(remote.ip()),
            called_by_us,
        };
        if whole {
            return match bytes {
                // RFC 7118 §6 allows the keep-alive of RFC 5626 beside WebSocket's own.
                b"\r\n\r\n" => self.send(source.path, b"\r\n".to_vec()),
                _ => self.on_message(now, &source, bytes),
            };
        }
        // The connection may be gone after any message.
        while let Some(frame) = self.connections.get_mut(&connection).and_then(|state| state.framer.next()) {
            match frame {
                Frame::Message(message) => self.on_message(now, &source, &message),
                Frame::Ping => self.send(source.path, b"\r\n".to_vec()),
                Frame::Lost(head) => self.on_stream_lost(&source, connection, &head),
            }
        }
    }

    /// The stream cannot be followed any further: say so if that is possible, and close.
    fn on_stream_lost(&mut self, source: &Source, connection: ConnectionId, head: &[u8]) {
        self.refused(source, "stream-framing-lost");
        if let Ok(mut request) = Message::parse(head) {
            complete_via(&mut request, source.remote);
            let answerable =
                ["From", "To", "Call-ID", "CSeq"].iter().all(|name| request.value(name).is_some());
            if request.method().is_some() && request.via().is_some() && answerable {
                self.reply(source, &request, 400, &[]);
            }
        }
        self.emit(Event::Disconnect { connection });
    }

    pub(super) fn on_stream_closed(&mut self, now: Instant, connection: ConnectionId) {
        let Some(state) = self.connections.remove(&connection) else { return };
        self.timers.cancel(state.give_up);
        self.timers.cancel(state.pulse.timer);
        if self.flows.get(&(state.transport, state.remote)) == Some(&connection) {
            self.flows.remove(&(state.transport, state.remote));
        }
        for user in self.registrar.drop_connection(connection, &mut self.timers) {
            self.emit(Event::Unregistered { user });
        }
        // Transactions first (the order of `Tie`): what they come to decides what is left of a call.
        let lost = Path::Stream { connection };
        for tie in state.ties {
            match tie {
                Tie::Server(id) => self.end_server(id),
                Tie::Client(id) => self.give_up_client(now, id, 503),
                Tie::Call(call) => self.on_call_cut_off(now, call, lost),
            }
        }
        self.on_flow_lost(now, connection);
    }

    fn on_call_cut_off(&mut self, now: Instant, call: CallHandle, lost: Path) {
        // It may have found another way already: the next gateway, or a datagram.
        let Some(state) = self.calls.get_mut(&call).filter(|state| state.dialog.path == lost) else { return };
        match state.phase {
            Phase::Confirmed if state.orphan.is_some() => {}
            Phase::Confirmed => {
                let limit = self.timers.set(now + self.config.timers.give_up(), Timer::Orphan(call));
                state.orphan = Some(limit);
            }
            Phase::Incoming { .. } | Phase::Calling { .. } | Phase::Leaving | Phase::Closing => {
                self.end(call, Cause::ConnectionLost);
                self.forget(call);
            }
        }
    }

    /// Notes that something lives on a path, if that is a connection.
    pub(super) fn tie(&mut self, path: Path, tie: Tie) {
        if let Path::Stream { connection } = path
            && let Some(state) = self.connections.get_mut(&connection)
        {
            state.ties.insert(tie);
        }
    }

    pub(super) fn untie(&mut self, path: Path, tie: Tie) {
        if let Path::Stream { connection } = path
            && let Some(state) = self.connections.get_mut(&connection)
        {
            state.ties.remove(&tie);
        }
    }

    /// The call was heard on that path; requests inside it follow.
    pub(super) fn move_call(&mut self, call: CallHandle, path: Path) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        let before = std::mem::replace(&mut state.dialog.path, path);
        if before != path {
            self.untie(before, Tie::Call(call));
            self.tie(path, Tie::Call(call));
        }
    }
}
