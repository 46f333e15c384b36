//! The switch's loop: what the network brings goes in, what the endpoint wants sent goes out, and each event
//! to the call it belongs to.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use gateway_sip::{
    CallHandle, Cause, ConnectionId, Endpoint, EndpointConfig, Event, Input, Invitation, Path, Transport,
};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::refusals::Refusals;
use super::{Command, Incoming, LegEvent, LegEvents, Presence, Sockets, Switch, wait_until};
use crate::net::{self, Arrival};
use crate::trunks;

/// Arrivals waiting for the switch; UDP beyond it is dropped at the socket.
const ARRIVAL_QUEUE: usize = 8192;
/// Commands waiting for the switch.
const COMMAND_QUEUE: usize = 4096;
/// Events waiting for one call; a call that does not read them is broken.
const LEG_QUEUE: usize = 64;
/// Arrivals and commands taken in one turn before the timers are looked at again.
const TURN: usize = 64;

/// Starts the switch. New calls come out of the first receiver, presence out of the second.
pub fn start(
    sockets: Sockets,
    secured: Secured,
    config: EndpointConfig,
    seed: [u8; 32],
) -> (Switch, mpsc::Receiver<Incoming>, mpsc::Receiver<Presence>) {
    let (arrival_sender, arrivals) = mpsc::channel(ARRIVAL_QUEUE);
    let (commands, command_receiver) = mpsc::channel(COMMAND_QUEUE);
    let (incoming, incoming_receiver) = mpsc::channel(COMMAND_QUEUE);
    let (presence, presence_receiver) = mpsc::channel(COMMAND_QUEUE);
    let Secured { tls, origins } = secured;
    let ids = Arc::new(AtomicU64::new(1));
    let open_legs = Arc::new(AtomicUsize::new(0));
    let mut udp = HashMap::new();
    for (local, socket) in sockets.udp {
        udp.insert(local, socket.clone());
        tokio::spawn(net::udp::read(socket, local, arrival_sender.clone()));
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
        refusals: Refusals::default(),
        open_legs: open_legs.clone(),
        tls,
    };
    tokio::spawn(run.run(arrivals, command_receiver));
    (Switch { commands, open_legs }, incoming_receiver, presence_receiver)
}

/// Our end of a stream; dropping it closes the stream.
struct StreamEnd {
    writer: mpsc::Sender<Vec<u8>>,
}

struct Run {
    endpoint: Endpoint,
    udp: HashMap<SocketAddr, Arc<UdpSocket>>,
    streams: HashMap<ConnectionId, StreamEnd>,
    legs: HashMap<CallHandle, mpsc::Sender<LegEvent>>,
    arrival_sender: mpsc::Sender<Arrival>,
    incoming: mpsc::Sender<Incoming>,
    presence: mpsc::Sender<Presence>,
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
        loop {
            let deadline = self.endpoint.poll_timeout();
            tokio::select! {
                arrival = arrivals.recv() => match arrival {
                    Some(arrival) => {
                        self.arrived(arrival);
                        for _ in 0..TURN {
                            let Ok(arrival) = arrivals.try_recv() else { break };
                            self.arrived(arrival);
                        }
                    }
                    None => return,
                },
                command = commands.recv() => match command {
                    Some(command) => {
                        self.perform(command);
                        for _ in 0..TURN {
                            let Ok(command) = commands.try_recv() else { break };
                            self.perform(command);
                        }
                    }
                    // Every handle is gone: the gateway ends.
                    None => return,
                },
                () = wait_until(deadline) => {}
            }
            self.endpoint.handle_timeout(Instant::now());
            self.drain();
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        let now = Instant::now();
        match arrival {
            Arrival::Datagram { local, remote, bytes } => {
                self.endpoint.handle_input(now, Input::Datagram { local, remote, bytes: &bytes });
            }
            Arrival::Opened { connection, local, remote, transport, writer } => {
                self.streams.insert(connection, StreamEnd { writer });
                self.endpoint.handle_input(now, Input::StreamOpened { connection, local, remote, transport });
            }
            Arrival::Bytes { connection, bytes } => {
                self.endpoint.handle_input(now, Input::StreamBytes { connection, bytes: &bytes });
            }
            Arrival::Resolved { host, addresses } => self.endpoint.set_addresses(now, &host, &addresses),
            Arrival::Closed { connection } => {
                self.streams.remove(&connection);
                self.endpoint.handle_input(now, Input::StreamClosed { connection });
            }
        }
        self.drain();
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
            Command::Drain => self.endpoint.set_draining(true),
            Command::TrunkStates(reply) => drop(reply.send(self.endpoint.trunk_states(now))),
            Command::UnregisterTrunks => self.endpoint.unregister_trunks(now),
            Command::Counts(reply) => {
                let _ = reply.send(self.endpoint.counts());
            }
        }
        self.drain();
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

    fn drain(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.send(transmit.path, transmit.bytes);
        }
        while let Some(event) = self.endpoint.poll_event() {
            self.event(event);
        }
        self.open_legs.store(self.legs.len(), Ordering::Relaxed);
    }

    fn send(&mut self, path: Path, bytes: Vec<u8>) {
        match path {
            Path::Udp { local, remote } => {
                let Some(socket) = self.udp.get(&local) else { return };
                // A full socket buffer loses the datagram, as the network might; SIP repeats it.
                if let Err(error) = socket.try_send_to(&bytes, remote) {
                    metrics::counter!("jiesu_sip_dropped_total", "reason" => "socket").increment(1);
                    tracing::debug!(%error, "A SIP datagram could not be sent.");
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
                let events = self.open_leg(call);
                if self.incoming.try_send(Incoming { call, invite, events }).is_err() {
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
            // We make no offers, no reliable ringing and no REFER of our own yet.
            Event::OfferAccepted { .. }
            | Event::OfferRefused { .. }
            | Event::RingingAcknowledged { .. }
            | Event::ReferProgress { .. }
            | Event::ReferRefused { .. } => {}
            Event::Referred { call, refer } => {
                let (target_uri, replaces) = (refer.target_uri, refer.replaces);
                self.pass(call, LegEvent::Referred { target_uri, replaces });
            }
            Event::Message(message) => self.endpoint.refuse_message(Instant::now(), message.id, 488),
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
