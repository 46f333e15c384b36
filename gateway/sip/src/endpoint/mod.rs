//! The endpoint: one value holding all SIP state, driven by input and time.
//!
//! Reading order: `requests` (who may ask what), `server` and `client` (transactions), `invite` (calls that
//! come), `prack` (ringing reliably), `in_dialog` (requests inside calls), `outgoing` and `early` (calls of ours
//! until they are answered), `offer` and `session_timer` (what we ask inside calls), `refer`, `replaces`, `text`,
//! `commands` (what the layer above asks for), `timeouts`, `streams`, `register`. `answer` builds responses.

mod answer;
mod attempt;
mod client;
mod commands;
mod early;
mod in_dialog;
mod invite;
mod keep_alive;
mod offer;
mod outgoing;
mod prack;
mod redirect;
mod refer;
mod register;
mod replaces;
mod requests;
mod retry;
mod route;
mod server;
mod session_timer;
mod streams;
mod text;
mod timeouts;
mod trunk_register;
mod trunks;

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use crate::limits::Buckets;
use crate::{
    config::{AgentAccount, EndpointConfig, Transport},
    dialog::{Call, DialogKey},
    event::{BindingView, CallHandle, Cause, ConnectionId, Counts, Event, Input, Path, Transmit},
    keys::{Key, Keys, Table},
    registrar::Registrar,
    shed::Shed,
    timers::{TimerKey, Timers},
    token::Tokens,
    transaction::{ClientTransaction, ServerTransaction},
};
use streams::{Connection, Tie};
use trunk_register::Registrations;
use trunks::Gateways;

/// Source addresses whose rate is remembered.
const MAX_SOURCES: usize = 10_000;

/// SIP for a hotline: calls from trunks in, calls to registered agents out. See the crate's example.
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    tokens: Tokens,
    timers: Timers,
    /// The first `now` ever seen; nonces count from it.
    epoch: Option<Instant>,
    next_id: u64,
    keys: Keys,
    servers: Table<u64, ServerTransaction>,
    server_keys: Table<Key, u64>,
    merges: Table<Key, u64>,
    clients: Table<u64, ClientTransaction>,
    client_keys: Table<Key, u64>,
    calls: Table<CallHandle, Call>,
    dialogs: HashMap<DialogKey, CallHandle>,
    unacked: HashMap<IpAddr, usize>,
    unacked_total: usize,
    connections: HashMap<ConnectionId, Connection>,
    /// The connections we asked for, for using them again.
    flows: HashMap<(Transport, SocketAddr), ConnectionId>,
    /// How many calls of ours go to an address: it may speak inside them, whatever network it is in.
    called: HashMap<IpAddr, usize>,
    /// MESSAGEs that wait for the layer above.
    texts: HashMap<u64, TimerKey>,
    registrar: Registrar,
    gateways: Gateways,
    gateway_addresses: HashMap<IpAddr, String>,
    registrations: Registrations,
    /// Addresses where a connection was refused, and when: datagrams must do there.
    without_tcp: HashMap<SocketAddr, Instant>,
    resolve: Option<TimerKey>,
    source_rate: Option<Buckets<IpAddr>>,
    invite_rate: Option<Buckets<()>>,
    started: bool,
    draining: bool,
    shedding: bool,
    shed: Shed,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Endpoint {
    /// An endpoint without calls. `seed` must come from the operating system's random source: tags, branches
    /// and nonces follow from it.
    pub fn new(config: EndpointConfig, seed: [u8; 32]) -> Self {
        let tokens = Tokens::new(seed);
        let registrar = Registrar::new(&tokens);
        let source_rate = config.source_rate.map(|rate| Buckets::new(rate, MAX_SOURCES));
        let invite_rate = config.invite_rate.map(|rate| Buckets::new(rate, 1));
        let keys = Keys::new(&tokens.key("tables"));
        let mut endpoint = Self {
            config,
            tokens,
            timers: Timers::default(),
            epoch: None,
            next_id: 0,
            keys,
            servers: Table::default(),
            server_keys: Table::default(),
            merges: Table::default(),
            clients: Table::default(),
            client_keys: Table::default(),
            calls: Table::default(),
            dialogs: HashMap::new(),
            unacked: HashMap::new(),
            unacked_total: 0,
            connections: HashMap::new(),
            flows: HashMap::new(),
            called: HashMap::new(),
            texts: HashMap::new(),
            registrar,
            gateways: Gateways::new(),
            gateway_addresses: HashMap::new(),
            registrations: Registrations::new(),
            without_tcp: HashMap::new(),
            resolve: None,
            source_rate,
            invite_rate,
            started: false,
            draining: false,
            shedding: false,
            shed: Shed::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        endpoint.load_gateways(Gateways::new());
        endpoint
    }

    /// Takes in what happened on the network. Never fails: what is wrong is answered, or told by
    /// [`Event::Refused`].
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.epoch.get_or_insert(now);
        match input {
            Input::Datagram { local, remote, bytes } => self.on_datagram(now, local, remote, bytes),
            Input::StreamOpened { connection, local, remote, transport } => {
                self.on_stream_opened(now, connection, local, remote, transport)
            }
            Input::StreamBytes { connection, bytes } => self.on_stream_bytes(now, connection, bytes),
            Input::StreamClosed { connection } => self.on_stream_closed(now, connection),
        }
    }

    /// Fires what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.epoch.get_or_insert(now);
        while let Some(timer) = self.timers.pop_due(now) {
            self.on_timer(now, timer);
        }
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing the layer above must know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Endpoint::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next_at()
    }

    /// The registered phones, newest of each agent last.
    pub fn bindings(&self) -> impl Iterator<Item = BindingView<'_>> {
        self.registrar.bindings()
    }

    /// The address at the far end of a call: where media may be expected from.
    pub fn remote_of(&self, call: CallHandle) -> Option<SocketAddr> {
        match self.calls.get(&call)?.dialog.path {
            Path::Udp { remote, .. } => Some(remote),
            Path::Stream { connection } => self.connections.get(&connection).map(|stream| stream.remote),
        }
    }

    /// New accounts from now on; phones of accounts that are gone or whose secret changed are unregistered.
    pub fn set_agents(&mut self, agents: Vec<AgentAccount>) {
        let before = std::mem::replace(&mut self.config.agents, agents);
        for account in before {
            let kept =
                self.config.agents.iter().any(|new| new.user == account.user && new.secret == account.secret);
            if !kept {
                self.unregister(&account.user);
            }
        }
    }

    /// While draining a new INVITE is answered with 503 and Retry-After; calls in progress go on.
    pub fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// While shedding a new INVITE is answered with 503 and Retry-After before anything dear is done for it, and so
    /// are its repeats, also when the pressure is gone. Whatever belongs to calls in progress is served as ever.
    pub fn set_shedding(&mut self, shedding: bool) {
        self.shedding = shedding;
    }

    /// How much state there is.
    pub fn counts(&self) -> Counts {
        Counts {
            transactions: self.servers.len() + self.clients.len(),
            dialogs: self.dialogs.len(),
            calls: self.calls.len(),
            unacked: self.unacked_total,
            timers: self.timers.len(),
        }
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn send(&mut self, path: Path, bytes: Vec<u8>) {
        if let Path::Stream { connection } = path {
            match self.connections.get_mut(&connection) {
                Some(stream) if stream.is_open() => {}
                Some(stream) => return stream.hold(bytes),
                None => return,
            }
        }
        self.transmits.push_back(Transmit { path, bytes });
    }

    fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Gives the terminal event of a call, once.
    fn finish(&mut self, call: CallHandle, event: Event) {
        if let Some(state) = self.calls.get_mut(&call).filter(|state| !state.over) {
            state.over = true;
            self.events.push_back(event);
        }
    }

    fn end(&mut self, call: CallHandle, cause: Cause) {
        self.finish(call, Event::Ended { call, cause });
    }

    /// Forgets a call and every timer of it.
    fn forget(&mut self, handle: CallHandle) {
        let Some(mut call) = self.calls.remove(&handle) else { return };
        self.dialogs.remove(&call.dialog.key);
        self.untie(call.dialog.path, Tie::Call(handle));
        if let Some(peer) = call.peer {
            self.count_called(peer, false);
        }
        let attempt = call.attempt.as_ref().and_then(|attempt| attempt.limit);
        // Nobody is left to answer these; a request that comes again finds no call (481).
        let undecided = call.referral.as_ref().and_then(|referral| referral.server);
        for server in undecided.into_iter().chain(call.open_offer.as_ref().map(|offer| offer.server)) {
            self.end_server(server);
        }
        for timer in call.take_timers().into_iter().chain([call.limit, call.orphan, attempt]) {
            self.timers.cancel(timer);
        }
        if let Some(offer) = &call.open_offer {
            self.timers.cancel(Some(offer.limit));
        }
        if let Some(waiting) = &call.awaiting_ack {
            self.timers.cancel(Some(waiting.retransmit));
            self.timers.cancel(Some(waiting.give_up));
            self.count_acked(waiting.source);
        }
        if let crate::dialog::Phase::Incoming { refresh, .. } = call.phase {
            self.timers.cancel(refresh);
        }
    }

    fn count_called(&mut self, peer: IpAddr, more: bool) {
        let count = self.called.entry(peer).or_default();
        *count = if more { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.called.remove(&peer);
        }
    }

    fn count_unacked(&mut self, source: IpAddr) {
        *self.unacked.entry(source).or_default() += 1;
        self.unacked_total += 1;
    }

    fn count_acked(&mut self, source: IpAddr) {
        if let Some(count) = self.unacked.get_mut(&source) {
            *count = count.saturating_sub(1);
            self.unacked_total = self.unacked_total.saturating_sub(1);
            if *count == 0 {
                self.unacked.remove(&source);
            }
        }
    }
}
