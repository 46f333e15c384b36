//! The phone's SIP socket: one task that repeats what the network may lose and answers what needs no thought.
//!
//! Requests are repeated after 500 ms, doubling to 4 s, until answered; final answers to INVITE until the ACK
//! ([RFC 3261 §17](https://www.rfc-editor.org/rfc/rfc3261#section-17)). BYE, CANCEL and OPTIONS are answered
//! here; a new INVITE is answered 180 and handed on. Only the one server is listened to.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::PhoneError;
use super::wire::Message;

/// First pause before a repeat.
const T1: Duration = Duration::from_millis(500);
/// Longest pause before a repeat.
const T2: Duration = Duration::from_secs(4);
/// A request without any answer is given up after this.
const GIVE_UP: Duration = Duration::from_secs(32);
/// A call that rings is given up after this.
const RING_LIMIT: Duration = Duration::from_secs(180);
/// Answers and ACKs kept for repeats.
const REMEMBERED: usize = 64;
/// Commands that may wait.
const COMMANDS: usize = 64;
/// Calls that may ring unheard; the next hears 486.
const INCOMING: usize = 8;
/// Largest datagram.
const MAX_DATAGRAM: usize = 65_535;

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Not acknowledged yet.
    Open,
    /// The ACK came.
    Confirmed,
    /// The other side gave up before the answer.
    Cancelled,
    /// The other side hung up.
    Ended,
}

/// A call that rings.
pub struct Incoming {
    pub invite: Message,
    pub state: watch::Receiver<CallState>,
}

enum Command {
    Request { message: Message, responses: mpsc::Sender<Message> },
    Acknowledge { ack: Message },
    Respond { call_id: String, response: Message, done: oneshot::Sender<bool> },
    Follow { call_id: String, state: watch::Sender<CallState> },
}

/// How the phone speaks to the task; it ends when the last of these is gone.
#[derive(Clone)]
pub struct Line {
    commands: mpsc::Sender<Command>,
    /// The phone's own address.
    pub local: SocketAddr,
    /// Where everything goes.
    pub server: SocketAddr,
    /// The phone's tag in every dialog.
    pub tag: String,
}

impl Line {
    /// Starts the task on a bound socket.
    pub fn start(socket: UdpSocket, server: SocketAddr) -> std::io::Result<(Self, mpsc::Receiver<Incoming>)> {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (incoming, calls) = mpsc::channel(INCOMING);
        let line = Self { commands, local: socket.local_addr()?, server, tag: super::token() };
        let task = Task {
            socket,
            server,
            tag: line.tag.clone(),
            incoming,
            clients: HashMap::new(),
            unacknowledged: HashMap::new(),
            ringing: HashMap::new(),
            calls: HashMap::new(),
            answers: Recent::default(),
            acks: Recent::default(),
        };
        tokio::spawn(task.run(receiver));
        Ok((line, calls))
    }

    /// Sends a request; responses come in order, the channel closes after the final one or when nothing came.
    pub async fn request(&self, message: Message) -> Result<mpsc::Receiver<Message>, PhoneError> {
        let (responses, receiver) = mpsc::channel(16);
        self.send(Command::Request { message, responses }).await?;
        Ok(receiver)
    }

    /// Sends a request and waits for its final response.
    pub async fn transact(&self, message: Message) -> Result<Message, PhoneError> {
        let mut responses = self.request(message).await?;
        while let Some(response) = responses.recv().await {
            if response.status().is_some_and(|status| status >= 200) {
                return Ok(response);
            }
        }
        Err(PhoneError::NoAnswer)
    }

    /// Sends CANCEL, which shares its branch with the INVITE; the INVITE's own end is what counts.
    pub async fn cancel(&self, cancel: Message) -> Result<(), PhoneError> {
        let (responses, _) = mpsc::channel(1);
        self.send(Command::Request { message: cancel, responses }).await
    }

    /// Acknowledges a 2xx, and again whenever it is repeated.
    pub async fn acknowledge(&self, ack: Message) -> Result<(), PhoneError> {
        self.send(Command::Acknowledge { ack }).await
    }

    /// Answers a ringing call for good; false when it rings no more.
    pub async fn respond(&self, call_id: &str, response: Message) -> Result<bool, PhoneError> {
        let (done, answered) = oneshot::channel();
        self.send(Command::Respond { call_id: call_id.to_owned(), response, done }).await?;
        answered.await.map_err(|_| PhoneError::Closed)
    }

    /// Follows a call this phone is about to make.
    pub async fn follow(&self, call_id: &str) -> Result<watch::Receiver<CallState>, PhoneError> {
        let (state, receiver) = watch::channel(CallState::Open);
        self.send(Command::Follow { call_id: call_id.to_owned(), state }).await?;
        Ok(receiver)
    }

    async fn send(&self, command: Command) -> Result<(), PhoneError> {
        self.commands.send(command).await.map_err(|_| PhoneError::Closed)
    }
}

/// When to send again.
struct Repeat {
    bytes: Vec<u8>,
    /// `None` while a provisional answer says that it arrived.
    at: Option<Instant>,
    pause: Duration,
    until: Instant,
}

impl Repeat {
    fn new(bytes: Vec<u8>) -> Self {
        let now = Instant::now();
        Self { bytes, at: Some(now + T1), pause: T1, until: now + GIVE_UP }
    }

    fn next(&self) -> Instant {
        self.at.map_or(self.until, |at| at.min(self.until))
    }
}

struct Client {
    request: Message,
    repeat: Repeat,
    responses: mpsc::Sender<Message>,
}

/// The last few messages by key.
#[derive(Default)]
struct Recent(VecDeque<(String, Vec<u8>)>);

impl Recent {
    fn keep(&mut self, key: String, bytes: Vec<u8>) {
        self.0.retain(|(known, _)| *known != key);
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((key, bytes));
    }

    fn find(&self, key: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, bytes)| bytes.as_slice())
    }
}

struct Task {
    socket: UdpSocket,
    server: SocketAddr,
    tag: String,
    incoming: mpsc::Sender<Incoming>,
    /// Requests under way, by method and branch.
    clients: HashMap<String, Client>,
    /// Final answers to INVITE that wait for their ACK, by Call-ID.
    unacknowledged: HashMap<String, Repeat>,
    /// INVITEs without a final answer, by Call-ID.
    ringing: HashMap<String, Message>,
    calls: HashMap<String, watch::Sender<CallState>>,
    answers: Recent,
    acks: Recent,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let next = self.clients.values().map(|client| client.repeat.next());
            let next = next.chain(self.unacknowledged.values().map(Repeat::next)).min();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.perform(command).await,
                    None => return,
                },
                received = self.socket.recv_from(&mut buffer) => {
                    // An error here is an ICMP answer to an earlier datagram; repeats will show it.
                    let Ok((length, remote)) = received else { continue };
                    let message = buffer.get(..length).and_then(Message::parse);
                    if let Some(message) = message.filter(|_| remote == self.server) {
                        match message.status() {
                            Some(status) => self.on_response(status, message).await,
                            None => self.on_request(message).await,
                        }
                    }
                }
                () = until(next) => self.repeat().await,
            }
        }
    }

    async fn perform(&mut self, command: Command) {
        match command {
            Command::Request { message, responses } => {
                let bytes = message.to_bytes();
                self.send(&bytes).await;
                if message.method() == Some("BYE") {
                    self.calls.remove(message.call_id());
                }
                let client = Client { repeat: Repeat::new(bytes), request: message, responses };
                self.clients.insert(answer_key(&client.request), client);
            }
            Command::Acknowledge { ack } => self.acknowledge(&ack).await,
            Command::Respond { call_id, response, done } => {
                let invite = self.ringing.remove(&call_id);
                let _ = done.send(invite.is_some());
                if let Some(invite) = invite {
                    self.answer(&invite, &response).await;
                }
            }
            Command::Follow { call_id, state } => {
                self.calls.insert(call_id, state);
            }
        }
    }

    async fn on_response(&mut self, status: u16, response: Message) {
        let key = client_key(&response);
        let Some(client) = self.clients.get_mut(&key) else {
            let ack = ack_key(&response).and_then(|key| self.acks.find(&key)).map(<[u8]>::to_vec);
            if let Some(ack) = ack.filter(|_| status >= 200) {
                self.send(&ack).await;
            }
            return;
        };
        let is_invite = client.request.method() == Some("INVITE");
        if status < 200 {
            if is_invite {
                client.repeat.at = None;
                client.repeat.until = Instant::now() + RING_LIMIT;
            }
            // A reader that does not look at provisional answers may miss some.
            let _ = client.responses.try_send(response);
            return;
        }
        let Some(client) = self.clients.remove(&key) else { return };
        if is_invite && status >= 300 {
            self.acknowledge(&refusal_ack(&client.request, &response)).await;
        }
        // The channel has room for more answers than come; a caller who went away needs none.
        let _ = client.responses.try_send(response);
    }

    async fn on_request(&mut self, request: Message) {
        let method = request.method().unwrap_or_default().to_owned();
        let call_id = request.call_id().to_owned();
        if method == "ACK" {
            self.unacknowledged.remove(&call_id);
            return self.change(&call_id, CallState::Open, CallState::Confirmed);
        }
        if let Some(answer) = self.answers.find(&answer_key(&request)).map(<[u8]>::to_vec) {
            return self.send(&answer).await;
        }
        let reply = |status, reason| Message::response(&request, status, reason, &self.tag);
        let response = match method.as_str() {
            "INVITE" if request.tag("To").is_some() => reply(488, "Not Acceptable Here"),
            "INVITE" => return self.on_invite(request).await,
            "OPTIONS" => reply(200, "OK"),
            "CANCEL" | "BYE" if !self.calls.contains_key(&call_id) => reply(481, "No Such Call"),
            "CANCEL" | "BYE" => reply(200, "OK"),
            _ => reply(501, "Not Implemented"),
        };
        self.answer(&request, &response).await;
        if method == "CANCEL"
            && let Some(invite) = self.ringing.remove(&call_id)
        {
            let response = Message::response(&invite, 487, "Request Terminated", &self.tag);
            self.answer(&invite, &response).await;
            self.change(&call_id, CallState::Open, CallState::Cancelled);
        }
        if method == "BYE" {
            self.unacknowledged.remove(&call_id);
            if let Some(state) = self.calls.remove(&call_id) {
                state.send_replace(CallState::Ended);
            }
        }
    }

    async fn on_invite(&mut self, invite: Message) {
        let (state, receiver) = watch::channel(CallState::Open);
        let call_id = invite.call_id().to_owned();
        let handed = self.incoming.try_send(Incoming { invite: invite.clone(), state: receiver });
        if handed.is_err() {
            let busy = Message::response(&invite, 486, "Busy Here", &self.tag);
            return self.answer(&invite, &busy).await;
        }
        let ringing = Message::response(&invite, 180, "Ringing", &self.tag);
        let ringing = ringing.with("Contact", &format!("<sip:{}>", self.local()));
        self.calls.insert(call_id.clone(), state);
        self.answer(&invite, &ringing).await;
        self.ringing.insert(call_id, invite);
    }

    /// Sends a response, keeps it for repeats of its request and repeats a final one to INVITE itself.
    async fn answer(&mut self, request: &Message, response: &Message) {
        let bytes = response.to_bytes();
        self.send(&bytes).await;
        self.answers.keep(answer_key(request), bytes.clone());
        if request.method() == Some("INVITE") && response.status().is_some_and(|status| status >= 200) {
            self.unacknowledged.insert(request.call_id().to_owned(), Repeat::new(bytes));
        }
    }

    async fn acknowledge(&mut self, ack: &Message) {
        let bytes = ack.to_bytes();
        self.send(&bytes).await;
        if let Some(key) = ack_key(ack) {
            self.acks.keep(key, bytes);
        }
    }

    async fn repeat(&mut self) {
        let now = Instant::now();
        // Dropping the sender tells the one who waits.
        self.clients.retain(|_, client| client.repeat.until > now);
        self.unacknowledged.retain(|_, repeat| repeat.until > now);
        let mut due = Vec::new();
        let repeats = self.clients.values_mut().map(|client| &mut client.repeat);
        for repeat in repeats.chain(self.unacknowledged.values_mut()) {
            if repeat.at.is_some_and(|at| at <= now) {
                repeat.pause = (repeat.pause * 2).min(T2);
                repeat.at = Some(now + repeat.pause);
                due.push(repeat.bytes.clone());
            }
        }
        for bytes in due {
            self.send(&bytes).await;
        }
    }

    fn change(&self, call_id: &str, from: CallState, to: CallState) {
        if let Some(state) = self.calls.get(call_id) {
            state.send_if_modified(|now| *now == from && std::mem::replace(now, to) != to);
        }
    }

    fn local(&self) -> SocketAddr {
        self.socket.local_addr().unwrap_or(self.server)
    }

    async fn send(&self, bytes: &[u8]) {
        // What is lost here is repeated like what is lost on the way.
        let _ = self.socket.send_to(bytes, self.server).await;
    }
}

/// The ACK of a refusal belongs to the INVITE's transaction: same branch (RFC 3261 §17.1.1.3).
fn refusal_ack(invite: &Message, refusal: &Message) -> Message {
    let number = invite.cseq().map_or(1, |(number, _)| number);
    Message::request("ACK", invite.uri())
        .with("Via", invite.value("Via").unwrap_or_default())
        .with("Max-Forwards", "70")
        .with("From", invite.value("From").unwrap_or_default())
        .with("To", refusal.value("To").unwrap_or_default())
        .with("Call-ID", invite.call_id())
        .with("CSeq", &format!("{number} ACK"))
}

/// A final response to INVITE and its ACK share Call-ID and number.
fn ack_key(message: &Message) -> Option<String> {
    let (number, method) = message.cseq()?;
    ["INVITE", "ACK"].contains(&method).then(|| format!("{number} {}", message.call_id()))
}

fn answer_key(request: &Message) -> String {
    format!("{} {}", request.method().unwrap_or_default(), request.branch())
}

/// The request a response belongs to (RFC 3261 §17.1.3): method of CSeq and branch.
fn client_key(response: &Message) -> String {
    format!("{} {}", response.cseq().map_or("", |(_, method)| method), response.branch())
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
