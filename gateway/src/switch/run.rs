//! The switch's loop: what the network brings goes in, what the endpoint wants sent goes out, and each event
//! to the call it belongs to.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use gateway_sip::{
    CallHandle, Cause, ConnectionId, Endpoint, EndpointConfig, Event, IncomingMessage, Input, Invitation,
    Path, Transport,
};
use tokio::sync::mpsc;

use super::pressure::Pressure;
use super::refusals::Refusals;
use super::{Command, Incoming, LegEvent, LegEvents, Presence, Sockets, Switch};
use crate::net::{self, Arrival};
use crate::trunks;

/// Arrivals waiting for the switch, each up to 32 datagrams or 16 kB of a stream; datagrams beyond it are dropped.
const ARRIVAL_QUEUE: usize = 1024;
/// Commands waiting for the switch.
const COMMAND_QUEUE: usize = 4096;
/// Texts waiting to be written; more are told to come again.
const TEXT_QUEUE: usize = 256;
/// Events waiting for one call; a call that does not read them is broken.
const LEG_QUEUE: usize = 64;
/// Arrivals and commands taken in one turn before timers are looked at and anything is sent.
const TURN: usize = 32;

/// A switch that runs, and what comes out of it.
pub struct Started {
    /// How to speak to it.
    pub switch: Switch,
    /// New calls.
    pub incoming: mpsc::Receiver<Incoming>,
    /// Changes of the agents' phones.
    pub presence: mpsc::Receiver<Presence>,
    /// Texts outside of calls: each is to be taken or refused.
    pub texts: mpsc::Receiver<Box<IncomingMessage>>,
}

/// Starts the switch.
pub fn start(
    sockets: Sockets,
    secured: Secured,
    config: EndpointConfig,
    seed: [u8; 32],
) -> std::io::Result<Started> {
    let (arrival_sender, arrivals) = mpsc::channel(ARRIVAL_QUEUE);
    let (commands, command_receiver) = mpsc::channel(COMMAND_QUEUE);
    let (incoming, incoming_receiver) = mpsc::channel(COMMAND_QUEUE);
    let (presence, presence_receiver) = mpsc::channel(COMMAND_QUEUE);
    let (text_sender, texts) = mpsc::channel(TEXT_QUEUE);
    let Secured { tls, origins } = secured;
    let ids = Arc::new(AtomicU64::new(1));
    let open_legs = Arc::new(AtomicUsize::new(0));
    let mut udp = HashMap::new();
    for (local, socket) in sockets.udp {
        let listener = net::udp::Listener::start(socket, local, arrival_sender.clone())?;
        udp.insert(local, UdpEnd { listener, waiting: Vec::new() });
    }
    for (listen, listener) in sockets.streams {
        let (ids, arrivals, origins) = (ids.clone(), arrival_sender.clone(), origins.clone());
        match listen.transport() {
            Transport::Tls | Transport::Wss => {
                let (transport, tls) = (listen.transport(), tls.clone());
                tokio::spawn(net::tls::listen(listener, transport, tls, origins, ids, arrivals));
            }
            Transport::Ws => drop(tokio::spawn(net::ws::listen(listener, origins, ids, arrivals))),
            Transport::Tcp | Transport::Udp => drop(tokio::spawn(net::tcp::listen(listener, ids, arrivals))),
        }
    }
    let run = Run {
        endpoint: Endpoint::new(config, seed),
        udp,
        streams: HashMap::new(),
        legs: HashMap::new(),
        arrival_sender,
        incoming,
        presence,
        texts: text_sender,
        pressure: Pressure::default(),
        refusals: Refusals::default(),
        open_legs: open_legs.clone(),
        tls,
    };
    tokio::spawn(run.run(arrivals, command_receiver));
    let switch = Switch { commands, open_legs };
    Ok(Started { switch, incoming: incoming_receiver, presence: presence_receiver, texts })
}

/// A UDP socket, and what is to be sent from it at the end of the turn.
struct UdpEnd {
    listener: net::udp::Listener,
    waiting: Vec<(SocketAddr, Vec<u8>)>,
}

/// Our end of a stream; dropping it closes the stream.
struct StreamEnd {
    writer: mpsc::Sender<Vec<u8>>,
}

struct Run {
    endpoint: Endpoint,
    udp: HashMap<SocketAddr, UdpEnd>,
    streams: HashMap<ConnectionId, StreamEnd>,
    legs: HashMap<CallHandle, mpsc::Sender<LegEvent>>,
    arrival_sender: mpsc::Sender<Arrival>,
    incoming: mpsc::Sender<Incoming>,
    presence: mpsc::Sender<Presence>,
    texts: mpsc::Sender<Box<IncomingMessage>>,
    pressure: Pressure,
    refusals: Refusals,
    open_legs: Arc<AtomicUsize>,
    tls: net::tls::Tls,
}

/// What secured listeners and connections need.
pub struct Secured {
    /// Certificates.
    pub tls: net::tls::Tls,
    /// Pages that may connect by WebSocket; any when empty.
    pub origins: Arc<Vec<String>>,
}

impl Run {
    async fn run(mut self, mut arrivals: mpsc::Receiver<Arrival>, mut commands: mpsc::Receiver<Command>) {
        let now = Instant::now();
        self.endpoint.start(now);
        self.show_gateways(now);
        self.drain();
        let (mut inbox, mut orders) = (Vec::with_capacity(TURN), Vec::with_capacity(TURN));
        let sleep = tokio::time::sleep_until(Instant::now().into());
        tokio::pin!(sleep);
        loop {
            // Moving the alarm costs a lock: one set for too early wakes us for nothing, which is cheaper.
            if let Some(deadline) = self.endpoint.poll_timeout().map(tokio::time::Instant::from)
                && (sleep.is_elapsed() || deadline < sleep.deadline())
            {
                sleep.as_mut().reset(deadline);
            }
            tokio::select! {
                count = arrivals.recv_many(&mut inbox, TURN) => if count == 0 { return },
                // Every handle is gone: the gateway ends.
                count = commands.recv_many(&mut orders, TURN) => if count == 0 { return },
                () = &mut sleep, if !sleep.is_elapsed() => {}
            }
            self.turn(&mut inbox, &mut orders);
        }
    }

    /// Everything that came since the last turn, then everything that is to be done about it.
    fn turn(&mut self, inbox: &mut Vec<Arrival>, orders: &mut Vec<Command>) {
        if !inbox.is_empty() {
            let now = Instant::now();
            let came = inbox.iter().filter_map(Arrival::came).min().unwrap_or(now);
            let shedding = self.pressure.shed(now, came);
            self.endpoint.set_shedding(shedding);
        }
        for arrival in inbox.drain(..) {
            self.arrived(arrival);
        }
        for command in orders.drain(..) {
            self.perform(command);
        }
        self.endpoint.handle_timeout(Instant::now());
        self.drain();
    }

    fn arrived(&mut self, arrival: Arrival) {
        let now = Instant::now();
        match arrival {
            Arrival::Datagrams(datagrams) => {
                let local = datagrams.local;
                for (remote, bytes) in datagrams.iter() {
                    self.endpoint.handle_input(now, Input::Datagram { local, remote, bytes });
                }
            }
            Arrival::Opened { connection, local, remote, transport, writer } => {
                self.streams.insert(connection, StreamEnd { writer });
                self.endpoint.handle_input(now, Input::StreamOpened { connection, local, remote, transport });
            }
            Arrival::Bytes { connection, bytes, .. } => {
                self.endpoint.handle_input(now, Input::StreamBytes { connection, bytes: &bytes });
            }
            Arrival::Resolved { host, addresses } => self.endpoint.set_addresses(now, &host, &addresses),
            Arrival::Closed { connection } => {
                self.streams.remove(&connection);
                self.endpoint.handle_input(now, Input::StreamClosed { connection });
            }
        }
    }

    fn perform(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Answer { call, sdp, reply } => {
                let _ = reply.send(self.endpoint.answer(now, call, &sdp));
            }
            Command::Refuse { call, status, retry_after } => {
                self.endpoint.refuse(now, call, status, retry_after)
            }
            Command::HangUp { call, reason } => self.endpoint.hang_up(now, call, reason.as_deref()),
            Command::AnswerOffer { call, sdp } => self.endpoint.answer_offer(now, call, &sdp),
            Command::RefuseOffer { call, status } => self.endpoint.refuse_offer(now, call, status),
            Command::Ring { call } => self.endpoint.ring(now, call, 180, None),
            Command::Invite { invitation, reply } => {
                let made = self.endpoint.invite(
                    now,
                    Invitation {
                        target: invitation.callee.target(),
                        caller_display: invitation.caller_display.as_deref(),
                        caller_user: &invitation.caller_user,
                        privacy: invitation.privacy,
                        replaces: invitation.replaces.as_deref(),
                        max_forwards: invitation.max_forwards,
                        sdp: &invitation.sdp,
                        headers: &invitation.headers,
                    },
                );
                let made = made.map(|call| (call, self.open_leg(call), self.host_of(call)));
                let _ = reply.send(made);
            }
            Command::Reload { trunks, agents } => {
                self.endpoint.set_trunks(now, trunks);
                self.show_gateways(now);
                self.endpoint.set_agents(agents);
            }
            Command::AcceptRefer { call } => self.endpoint.accept_refer(now, call),
            Command::RefuseRefer { call, status } => self.endpoint.refuse_refer(now, call, status),
            Command::NotifyRefer { call, status, last } => {
                self.endpoint.notify_refer(now, call, status, last)
            }
            Command::AcceptText { id } => self.endpoint.accept_message(now, id),
            Command::RefuseText { id, status } => self.endpoint.refuse_message(now, id, status),
            Command::Drain => self.endpoint.set_draining(true),
            Command::TrunkStates(reply) => drop(reply.send(self.endpoint.trunk_states(now))),
            Command::UnregisterTrunks => self.endpoint.unregister_trunks(now),
            Command::Counts(reply) => {
                let _ = reply.send(self.endpoint.counts());
            }
        }
    }

    /// Every gateway has its gauge, also one that nothing has happened to.
    fn show_gateways(&self, now: Instant) {
        for state in self.endpoint.trunk_states(now) {
            set_gauge(&state.trunk, &state.gateway, state.up);
        }
    }

    /// Where the far end of a call is.
    fn host_of(&self, call: CallHandle) -> Option<IpAddr> {
        self.endpoint.remote_of(call).map(|remote| remote.ip())
    }

    fn open_leg(&mut self, call: CallHandle) -> LegEvents {
        let (sender, events) = mpsc::channel(LEG_QUEUE);
        self.legs.insert(call, sender);
        events
    }

    /// Everything the endpoint wants done, sent datagrams last: one system call carries those of a whole turn.
    fn drain(&mut self) {
        loop {
            while let Some(transmit) = self.endpoint.poll_transmit() {
                self.send(transmit.path, transmit.bytes);
            }
            // What an event comes to may want something sent in turn.
            match self.endpoint.poll_event() {
                Some(event) => self.event(event),
                None => break,
            }
        }
        for end in self.udp.values_mut().filter(|end| !end.waiting.is_empty()) {
            // A full socket buffer loses the datagram, as the network might; SIP repeats it.
            let lost = end.listener.send(&mut end.waiting);
            if lost > 0 {
                metrics::counter!("jiesu_sip_dropped_total", "reason" => "socket").increment(lost as u64);
                tracing::debug!(lost, "SIP datagrams could not be sent.");
            }
        }
        self.open_legs.store(self.legs.len(), Ordering::Relaxed);
    }

    fn send(&mut self, path: Path, bytes: Vec<u8>) {
        match path {
            Path::Udp { local, remote } => {
                if let Some(end) = self.udp.get_mut(&local) {
                    end.waiting.push((remote, bytes));
                }
            }
            Path::Stream { connection } => {
                let Some(stream) = self.streams.get(&connection) else { return };
                if stream.writer.try_send(bytes).is_err() {
                    // Too slow a reader: close; the reader task reports it, and the endpoint ends its calls.
                    self.streams.remove(&connection);
                    metrics::counter!("jiesu_sip_dropped_total", "reason" => "slow-stream").increment(1);
                }
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Incoming { call, invite } => {
                let (events, begun) = (self.open_leg(call), self.pressure.hand_on(Instant::now()));
                if self.incoming.try_send(Incoming { call, invite, events, begun }).is_err() {
                    self.legs.remove(&call);
                    self.endpoint.refuse(Instant::now(), call, 503, Some(10));
                }
            }
            Event::Cancelled { call, q850, .. } => self.last(call, LegEvent::HungUp { q850 }),
            Event::Ended { call, cause } => {
                let lost = |why| LegEvent::Lost { why };
                let last = match cause {
                    Cause::RemoteHangup { q850, .. } => LegEvent::HungUp { q850 },
                    Cause::NoAck => lost("no_ack"),
                    Cause::SetupLimit => lost("no_answer"),
                    Cause::SessionExpired => lost("session_expired"),
                    Cause::ConnectionLost => lost("connection_lost"),
                    Cause::Lost => lost("no_such_call"),
                    // Of our own doing: whoever did it knows why.
                    Cause::LocalHangup | Cause::Refused => lost("gateway"),
                };
                self.last(call, last);
            }
            Event::Failed { call, status, .. } => self.last(call, LegEvent::Failed { status }),
            Event::Confirmed { call, sdp } => self.pass(call, LegEvent::Confirmed { sdp }),
            Event::Ringing { call, sdp, .. } => self.pass(call, LegEvent::Ringing { sdp }),
            Event::Answered { call, sdp } => self.pass(call, LegEvent::Answered { sdp }),
            Event::Offer { call, sdp } => self.pass(call, LegEvent::Offer { sdp }),
            Event::Info { call, content_type, body } => {
                self.pass(call, LegEvent::Info { content_type, body })
            }
            Event::OfferAccepted { call, sdp } => self.pass(call, LegEvent::OfferAnswered { sdp }),
            // Nobody here makes an offer or sends a REFER, and our ringing carries none that could be answered: a
            // refused refresh changes nothing, and the endpoint ends the call where it must.
            Event::OfferRefused { .. }
            | Event::RingingAcknowledged { .. }
            | Event::ReferProgress { .. }
            | Event::ReferRefused { .. } => {}
            Event::Referred { call, refer } if refer.replaces.is_none() && refer.replaces_value.is_some() => {
                // An attended transfer to a call that is none of ours, or over by now.
                self.endpoint.refuse_refer(Instant::now(), call, 481);
            }
            Event::Referred { call, refer } => {
                let (target_uri, replaces) = (refer.target_uri, refer.replaces);
                self.pass(call, LegEvent::Referred { target_uri, replaces });
            }
            Event::Message(message) => match message.call {
                Some(call) => self.pass(call, LegEvent::Text(message)),
                None => {
                    let id = message.id;
                    if self.texts.try_send(message).is_err() {
                        self.endpoint.refuse_message(Instant::now(), id, 503);
                    }
                }
            },
            Event::Registered { user, new, .. } => {
                if new {
                    tracing::info!(agent = %user, "An agent's phone registered.");
                }
                let _ = self.presence.try_send(Presence::Registered(user));
            }
            Event::Unregistered { user } => {
                tracing::info!(agent = %user, "An agent's phone is gone.");
                let _ = self.presence.try_send(Presence::Unregistered(user));
            }
            Event::Refused { remote, rule, value } => {
                self.refusals.note(Instant::now(), remote, rule, value.as_deref());
            }
            Event::Connect { connection, remote, transport: Transport::Tls, server_name, trunk } => {
                let (tls, arrivals) = (self.tls.clone(), self.arrival_sender.clone());
                tokio::spawn(net::tls::connect(remote, server_name, trunk, tls, connection, arrivals));
            }
            Event::Connect { connection, remote, .. } => {
                tokio::spawn(net::tcp::connect(remote, connection, self.arrival_sender.clone()));
            }
            Event::Resolve { host } => {
                let arrivals = self.arrival_sender.clone();
                tokio::spawn(async move {
                    let addresses = trunks::look_up(&host).await;
                    let _ = arrivals.send(Arrival::Resolved { host, addresses }).await;
                });
            }
            Event::TrunkGateway { trunk, gateway, up, reason } => {
                set_gauge(&trunk, &gateway, up);
                if up {
                    tracing::info!(trunk, gateway, reason, "A trunk's gateway is in use again.");
                } else {
                    tracing::error!(trunk, gateway, reason, "A trunk's gateway is out of use.");
                }
            }
            Event::TrunkRegistration { trunk, gateway, registered, status } => {
                metrics::gauge!("jiesu_trunk_registered", "trunk" => trunk.clone())
                    .set(f64::from(registered));
                if registered {
                    tracing::info!(trunk, gateway, "The registration with a carrier stands.");
                } else {
                    tracing::error!(trunk, gateway, status, "There is no registration with a carrier.");
                }
            }
            Event::Disconnect { connection } => drop(self.streams.remove(&connection)),
        }
    }

    fn pass(&mut self, call: CallHandle, event: LegEvent) {
        let Some(leg) = self.legs.get(&call) else { return };
        match leg.try_send(event) {
            // A call that is gone (refused, finished) needs to hear nothing more.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::error!(call.id = call.as_u64(), "A call does not read its events; it is ended.");
                self.legs.remove(&call);
                self.endpoint.hang_up(Instant::now(), call, None);
            }
        }
    }

    fn last(&mut self, call: CallHandle, event: LegEvent) {
        self.pass(call, event);
        self.legs.remove(&call);
    }
}

fn set_gauge(trunk: &str, gateway: &str, up: bool) {
    let labels = [("trunk", trunk.to_owned()), ("gateway", gateway.to_owned())];
    metrics::gauge!("jiesu_trunk_up", &labels).set(f64::from(up));
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use gateway_sip::{LocalAddress, Transport};

    use super::*;
    use crate::net::Datagrams;
    use crate::net::udp::Listener;
    use crate::switch::pressure::CLOSE_AFTER;

    fn invite(peer: SocketAddr, number: u32) -> Vec<u8> {
        format!(
            "INVITE sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {peer};branch=z9hG4bK{number}\r\n\
             From: <sip:a@{peer}>;tag={number}\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: {number}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:a@{peer}>\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    #[tokio::test]
    async fn arrivals_that_waited_too_long_are_shed_and_fresh_ones_are_taken() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (local, remote) = (socket.local_addr().unwrap(), peer.local_addr().unwrap());
        let (arrival_sender, _arrivals) = mpsc::channel(8);
        let (incoming, mut calls) = mpsc::channel(8);
        let (presence, _presence) = mpsc::channel(8);
        let config = EndpointConfig {
            local: vec![LocalAddress { transport: Transport::Udp, listen: local, external: None }],
            trunks: vec![gateway_sip::TrunkConfig {
                name: "carrier".into(),
                from: vec!["127.0.0.0/8".parse().unwrap()],
                ..Default::default()
            }],
            ..EndpointConfig::default()
        };
        let listener = Listener::start(socket, local, arrival_sender.clone()).unwrap();
        let mut run = Run {
            endpoint: Endpoint::new(config, [1; 32]),
            udp: HashMap::from([(local, UdpEnd { listener, waiting: Vec::new() })]),
            streams: HashMap::new(),
            legs: HashMap::new(),
            arrival_sender,
            incoming,
            presence,
            texts: mpsc::channel(1).0,
            pressure: Pressure::default(),
            refusals: Refusals::default(),
            open_legs: Arc::default(),
            tls: net::tls::Tls::load(&config::Config::default()).unwrap(),
        };
        let mut answer = |number: u32, age: Duration| {
            let bytes = invite(remote, number);
            let each = vec![(remote, bytes.len())];
            let came = Instant::now().checked_sub(age).unwrap();
            run.turn(&mut vec![Arrival::Datagrams(Datagrams { local, came, bytes, each })], &mut Vec::new());
            let mut buffer = [0; 2_000];
            let (length, _) = peer.recv_from(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert!(answer(1, Duration::ZERO).starts_with("SIP/2.0 100"));
        let begun = calls.try_recv().unwrap().begun;
        drop(begun);
        let shed = answer(2, CLOSE_AFTER * 2);
        assert!(shed.starts_with("SIP/2.0 503") && shed.contains("\r\nRetry-After: "), "{shed}");
        assert!(calls.try_recv().is_err(), "no call was made of it");
        assert!(answer(3, Duration::ZERO).starts_with("SIP/2.0 100"));
        assert!(answer(2, Duration::ZERO).starts_with("SIP/2.0 503"), "a repeat hears the same");
    }
}
