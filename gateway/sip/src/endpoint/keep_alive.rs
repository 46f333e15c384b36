//! Connections we opened: kept alive, found dead, and closed when nobody needs them any more.
//!
//! CRLF CRLF goes out, CRLF is expected back ([RFC 5626 §3.5.1, §4.4.1]). A peer that never answered a ping is
//! not taken for dead because of it: many do not know the custom.
//!
//! [RFC 5626 §3.5.1, §4.4.1]: https://www.rfc-editor.org/rfc/rfc5626#section-4.4.1

use std::time::{Duration, Instant};

use super::{Endpoint, streams::Connection};
use crate::{
    config::Transport,
    event::{ConnectionId, Event, Path},
    timers::{Timer, TimerKey},
};

/// Between pings to a peer that is no trunk's gateway.
const EVERY: Duration = Duration::from_secs(30);
/// RFC 5626 §4.4.1: a pong takes no longer.
const PONG_LIMIT: Duration = Duration::from_secs(10);
/// So many pings without anything living on the connection, and it is closed.
const IDLE_PINGS: u32 = 4;

/// What is known of a connection's life.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) timer: Option<TimerKey>,
    waiting: bool,
    heard: bool,
    /// It answered a ping before: then silence means something.
    ponged: bool,
    idle: u32,
}

impl Pulse {
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        self.heard = true;
        if self.waiting && bytes.starts_with(b"\r\n") && !bytes.starts_with(b"\r\n\r\n") {
            self.ponged = true;
        }
    }
}

impl Endpoint {
    pub(super) fn begin_pulse(&mut self, now: Instant, connection: ConnectionId) {
        let Some(every) = self.pulse_every(connection) else { return };
        self.schedule_pulse(connection, now + every);
    }

    pub(super) fn on_keep_alive(&mut self, now: Instant, connection: ConnectionId) {
        let Some(every) = self.pulse_every(connection) else { return };
        let needed = self.connections.get(&connection).is_some_and(|state| self.is_needed(connection, state));
        let Some(state) = self.connections.get_mut(&connection) else { return };
        let pulse = &mut state.pulse;
        pulse.timer = None;
        pulse.idle = if needed { 0 } else { pulse.idle + 1 };
        if pulse.idle > IDLE_PINGS || (pulse.waiting && pulse.ponged && !pulse.heard) {
            return self.drop_connection(now, connection);
        }
        pulse.waiting = !pulse.waiting;
        let ping = pulse.waiting;
        if ping {
            pulse.heard = false;
            self.send(Path::Stream { connection }, b"\r\n\r\n".to_vec());
        }
        self.schedule_pulse(connection, now + if ping { PONG_LIMIT } else { every });
    }

    /// A connection did not stand in time.
    pub(super) fn on_connect_give_up(&mut self, now: Instant, connection: ConnectionId) {
        if self.connections.get(&connection).is_some_and(|state| !state.is_open()) {
            self.drop_connection(now, connection);
        }
    }

    fn drop_connection(&mut self, now: Instant, connection: ConnectionId) {
        self.emit(Event::Disconnect { connection });
        self.on_stream_closed(now, connection);
    }

    fn schedule_pulse(&mut self, connection: ConnectionId, at: Instant) {
        let timer = self.timers.set(at, Timer::KeepAlive(connection));
        let old = self.connections.get_mut(&connection).and_then(|state| state.pulse.timer.replace(timer));
        self.timers.cancel(old);
    }

    fn pulse_every(&self, connection: ConnectionId) -> Option<Duration> {
        let remote = self.connections.get(&connection)?.remote;
        match self.trunk_at(remote.ip()) {
            Some(trunk) => trunk.manner.keep_alive,
            None => Some(EVERY),
        }
    }

    fn is_needed(&self, connection: ConnectionId, state: &Connection) -> bool {
        state.is_used()
            || self.gateway_at(state.transport, state.remote).is_some()
            || self.is_registered_over(connection)
    }

    /// The trunk and the host of the gateway at that address.
    pub(super) fn gateway_at(
        &self,
        transport: Transport,
        remote: std::net::SocketAddr,
    ) -> Option<(String, String)> {
        self.gateways
            .values()
            .find(|gateway| {
                gateway.config.transport == transport && gateway.is_at(remote)
                    || gateway.config.transport == Transport::Udp
                        && transport == Transport::Tcp
                        && gateway.is_at(remote)
            })
            .map(|gateway| (gateway.trunk.clone(), gateway.config.host().to_owned()))
    }
}
