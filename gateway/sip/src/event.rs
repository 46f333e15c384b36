//! What goes into the endpoint and what comes out: the whole vocabulary of the crate's border.
//!
//! Each call gives exactly one of [`Event::Cancelled`], [`Event::Failed`] and [`Event::Ended`]; after it the
//! handle is dead and commands with it do nothing. `Debug` shows no citizen's number, name or text.

use std::{fmt, net::SocketAddr};

use crate::{
    config::Transport,
    identity::{DiversionEntry, HistoryEntry, IdentityHeaders},
};

/// Names one call leg for as long as the endpoint lives; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallHandle(pub(crate) u64);

impl CallHandle {
    /// The number, for logs.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// Names one stream connection. The caller numbers the ones it accepts below 2^63; the endpoint numbers those
/// it asks for ([`Event::Connect`]) from 2^63 up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Names one MESSAGE until it is taken or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub(crate) u64);

/// What happened on the network.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram came.
    Datagram {
        /// The socket it came to.
        local: SocketAddr,
        /// Who sent it.
        remote: SocketAddr,
        /// All of it.
        bytes: &'a [u8],
    },
    /// A connection was accepted, or one asked for by [`Event::Connect`] stands.
    StreamOpened {
        /// Its name.
        connection: ConnectionId,
        /// Our end.
        local: SocketAddr,
        /// Their end.
        remote: SocketAddr,
        /// What kind of stream it is.
        transport: Transport,
    },
    /// Bytes came, in any portions; on `Ws` and `Wss` each is one whole WebSocket message.
    StreamBytes {
        /// Which connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A connection is gone, or could not be opened.
    StreamClosed {
        /// Which connection.
        connection: ConnectionId,
    },
}

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// A datagram.
    Udp {
        /// From this socket.
        local: SocketAddr,
        /// To this address.
        remote: SocketAddr,
    },
    /// A stream.
    Stream {
        /// Which connection.
        connection: ConnectionId,
    },
}

/// Bytes to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub path: Path,
    /// What.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Transmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transmit({:?}, {} bytes)", self.path, self.bytes.len())
    }
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The other side hung up; what its Reason header says, if it gave one (RFC 3326).
    RemoteHangup {
        /// The Q.850 cause, 0 to 127.
        q850: Option<u16>,
        /// The SIP status.
        sip: Option<u16>,
    },
    /// [`crate::Endpoint::hang_up`].
    LocalHangup,
    /// [`crate::Endpoint::refuse`].
    Refused,
    /// Our answer was never acknowledged.
    NoAck,
    /// Nobody answered within `setup_limit`.
    SetupLimit,
    /// Nobody refreshed the session in time (RFC 4028).
    SessionExpired,
    /// The connection broke and nothing replaced it.
    ConnectionLost,
    /// The other side answered a request of ours with "no such call" or not at all.
    Lost,
}

/// What the layer above must know.
#[derive(Clone)]
pub enum Event {
    /// A new call. Answer with `ring`, `answer`, `refuse` or `hang_up`.
    Incoming {
        /// Its handle.
        call: CallHandle,
        /// What the INVITE said.
        invite: Box<IncomingInvite>,
    },
    /// The caller gave up before the answer.
    Cancelled {
        /// Which.
        call: CallHandle,
        /// The Q.850 cause of the CANCEL's Reason.
        q850: Option<u16>,
        /// The SIP status of it: 200 says that the call was answered elsewhere.
        sip: Option<u16>,
    },
    /// Our answer was acknowledged (first time), or an ACK brought the answer to an offer of ours.
    Confirmed {
        /// Which.
        call: CallHandle,
        /// The answer, if the offer was in our 2xx.
        sdp: Option<String>,
    },
    /// The agent's phone rings (101 to 199).
    Ringing {
        /// Which.
        call: CallHandle,
        /// The status.
        status: u16,
        /// Early media.
        sdp: Option<String>,
        /// Which of several phones behind a proxy, counted from 0.
        fork: u8,
    },
    /// Our reliable 18x was confirmed by PRACK.
    RingingAcknowledged {
        /// Which.
        call: CallHandle,
        /// The answer, if the 18x carried our offer.
        sdp: Option<String>,
    },
    /// The agent answered; the ACK is on its way.
    Answered {
        /// Which.
        call: CallHandle,
        /// The answer.
        sdp: Option<String>,
    },
    /// The agent's phone refused (300 to 699), did not react (408) or cannot be reached (503). Terminal.
    Failed {
        /// Which.
        call: CallHandle,
        /// The status.
        status: u16,
        /// The Q.850 cause of its Reason.
        q850: Option<u16>,
        /// When it may be tried again, by its own word (Retry-After), in seconds.
        retry_after_s: Option<u32>,
    },
    /// The call is over. Terminal.
    Ended {
        /// Which.
        call: CallHandle,
        /// Why.
        cause: Cause,
    },
    /// A re-INVITE or UPDATE; answer with `answer_offer` or `refuse_offer` within 64*T1.
    Offer {
        /// Which.
        call: CallHandle,
        /// The offer; `None` asks us to make one.
        sdp: Option<String>,
    },
    /// Our own re-INVITE ([`crate::Endpoint::offer`]) was accepted.
    OfferAccepted {
        /// Which.
        call: CallHandle,
        /// The answer.
        sdp: Option<String>,
    },
    /// Our own re-INVITE was refused (491 = both sides at once: try again a little later); the call goes on as it was.
    OfferRefused {
        /// Which.
        call: CallHandle,
        /// The status.
        status: u16,
    },
    /// The other side asks us to call someone else in its place (REFER): answer with `accept_refer` or
    /// `refuse_refer` within 10 s.
    Referred {
        /// Which.
        call: CallHandle,
        /// Whom.
        refer: Box<Refer>,
    },
    /// How our own REFER goes.
    ReferProgress {
        /// Which.
        call: CallHandle,
        /// What the call made for us has come to; 408 if the other side never said.
        status: u16,
        /// Nothing more will be told.
        terminated: bool,
    },
    /// Our own REFER was refused; the call goes on as it was.
    ReferRefused {
        /// Which.
        call: CallHandle,
        /// The status.
        status: u16,
    },
    /// A MESSAGE: answer with `accept_message` or `refuse_message` within 15 s.
    Message(Box<IncomingMessage>),
    /// An INFO inside a call (DTMF of some phones).
    Info {
        /// Which.
        call: CallHandle,
        /// The Content-Type.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// An agent's phone registered or refreshed.
    Registered {
        /// Whose.
        user: String,
        /// Granted, in seconds.
        expires_s: u32,
        /// Whether the agent had no phone before.
        new: bool,
    },
    /// An agent's last phone is gone: unregistered, expired or its connection broke.
    Unregistered {
        /// Whose.
        user: String,
    },
    /// A message was not served: for a log line and a metric with the label `rule`.
    Refused {
        /// Who sent it.
        remote: SocketAddr,
        /// A fixed word.
        rule: &'static str,
        /// What failed it: a method, a header's name, a size, a kind of defect. Never a number, name or text of
        /// a citizen.
        value: Option<String>,
    },
    /// Open a connection, then report `StreamOpened` (or `StreamClosed` when it fails) under this name.
    Connect {
        /// The name.
        connection: ConnectionId,
        /// Where to.
        remote: SocketAddr,
        /// Plain or TLS.
        transport: Transport,
        /// The name the far end's certificate must show; its address when there is none.
        server_name: Option<String>,
        /// The trunk it belongs to, for its certificates.
        trunk: Option<String>,
    },
    /// Look this host name up, then give [`crate::Endpoint::set_addresses`]. Asked for again every minute.
    Resolve {
        /// The name.
        host: String,
    },
    /// A gateway of a trunk came into use or went out of it.
    TrunkGateway {
        /// The trunk's name.
        trunk: String,
        /// The gateway's address, as configured.
        gateway: String,
        /// Whether calls may go through it now.
        up: bool,
        /// A fixed word: `probe`, `calls`, `retry-after`, `answered`, `unresolved`.
        reason: &'static str,
    },
    /// Our registration with a carrier stands, or does not.
    TrunkRegistration {
        /// The trunk's name.
        trunk: String,
        /// The gateway's address, as configured.
        gateway: String,
        /// Whether it stands.
        registered: bool,
        /// What the carrier said; 408 for nothing.
        status: u16,
    },
    /// Close this connection: its stream can no longer be understood.
    Disconnect {
        /// Which.
        connection: ConnectionId,
    },
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incoming { call, invite } => write!(f, "Incoming({}, {invite:?})", call.0),
            Self::Cancelled { call, q850, sip: None } => write!(f, "Cancelled({}, {q850:?})", call.0),
            Self::Cancelled { call, q850, sip } => write!(f, "Cancelled({}, {q850:?}, {sip:?})", call.0),
            Self::Confirmed { call, sdp } => write!(f, "Confirmed({}, sdp: {})", call.0, sdp.is_some()),
            Self::Ringing { call, status, fork: 0, .. } => write!(f, "Ringing({}, {status})", call.0),
            Self::Ringing { call, status, fork, .. } => {
                write!(f, "Ringing({}, {status}, fork {fork})", call.0)
            }
            Self::RingingAcknowledged { call, sdp } => {
                write!(f, "RingingAcknowledged({}, sdp: {})", call.0, sdp.is_some())
            }
            Self::Referred { call, .. } => write!(f, "Referred({})", call.0),
            Self::ReferProgress { call, status, terminated } => {
                write!(f, "ReferProgress({}, {status}, {terminated})", call.0)
            }
            Self::ReferRefused { call, status } => write!(f, "ReferRefused({}, {status})", call.0),
            Self::Message(message) => write!(f, "{message:?}"),
            Self::Answered { call, sdp } => write!(f, "Answered({}, sdp: {})", call.0, sdp.is_some()),
            Self::Failed { call, status, q850, .. } => write!(f, "Failed({}, {status}, {q850:?})", call.0),
            Self::Ended { call, cause } => write!(f, "Ended({}, {cause:?})", call.0),
            Self::Offer { call, sdp } => write!(f, "Offer({}, sdp: {})", call.0, sdp.is_some()),
            Self::OfferAccepted { call, .. } => write!(f, "OfferAccepted({})", call.0),
            Self::OfferRefused { call, status } => write!(f, "OfferRefused({}, {status})", call.0),
            Self::Info { call, body, .. } => write!(f, "Info({}, {} bytes)", call.0, body.len()),
            Self::Registered { expires_s, new, .. } => write!(f, "Registered({expires_s} s, new: {new})"),
            Self::Unregistered { .. } => f.write_str("Unregistered"),
            Self::Refused { remote, rule, .. } => write!(f, "Refused({remote}, {rule})"),
            Self::Connect { connection, remote, .. } => write!(f, "Connect({}, {remote})", connection.0),
            Self::Resolve { host } => write!(f, "Resolve({host})"),
            Self::TrunkGateway { trunk, gateway, up, reason } => {
                write!(f, "TrunkGateway({trunk}, {gateway}, up: {up}, {reason})")
            }
            Self::TrunkRegistration { trunk, gateway, registered, status } => {
                write!(f, "TrunkRegistration({trunk}, {gateway}, {registered}, {status})")
            }
            Self::Disconnect { connection } => write!(f, "Disconnect({})", connection.0),
        }
    }
}

/// What a new INVITE said about who calls whom.
#[derive(Clone)]
pub struct IncomingInvite {
    /// The Call-ID, for finding the call in the carrier's records.
    pub call_id: String,
    /// The trunk's name.
    pub trunk: String,
    /// Who sent it.
    pub remote: SocketAddr,
    /// How it came.
    pub transport: Transport,
    /// The Request-URI: the number dialled, as the carrier routes it.
    pub request_uri: String,
    /// The URI of To: the number dialled, as the caller wrote it.
    pub to_uri: String,
    /// The URI of From.
    pub from_uri: String,
    /// The display name of From.
    pub from_display: Option<String>,
    /// P-Asserted-Identity, P-Preferred-Identity, From and Privacy, read.
    pub identity: IdentityHeaders,
    /// History-Info, in order.
    pub history: Vec<HistoryEntry>,
    /// Diversion, topmost first.
    pub diversion: Vec<DiversionEntry>,
    /// Session-ID (RFC 7989).
    pub session_id: Option<String>,
    /// User-Agent.
    pub user_agent: Option<String>,
    /// The offer; `None` if we are to make one in our answer.
    pub sdp: Option<String>,
    /// How often the call may still be handed on (Max-Forwards; 70 where it says nothing). Give one less to
    /// [`Invitation::max_forwards`] when it goes on elsewhere, so that a circle of diversions ends.
    pub max_forwards: u8,
    /// The agent whose phone calls, if it is one of ours and not a trunk.
    pub agent: Option<String>,
    /// The call of ours that this one takes the place of (RFC 3891): answer this one, then hang up that one.
    pub replaces: Option<CallHandle>,
}

/// Whom the other side wants called in its place.
#[derive(Clone)]
pub struct Refer {
    /// The URI to call (`sip:`, `sips:`, `tel:`), without headers.
    pub target_uri: String,
    /// An attended transfer to the far end of this call of ours: join the two instead of calling.
    pub replaces: Option<CallHandle>,
    /// The Replaces header to be sent with the new INVITE ([`Invitation::replaces`]), where it names no call of
    /// ours.
    pub replaces_value: Option<String>,
    /// Who asks, by its own word.
    pub referred_by: Option<String>,
}

impl fmt::Debug for Refer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refer(replaces: {:?})", self.replaces)
    }
}

/// A text by SIP (RFC 3428).
#[derive(Clone)]
pub struct IncomingMessage {
    /// For taking or refusing it.
    pub id: MessageId,
    /// The call it came in, if it came in one.
    pub call: Option<CallHandle>,
    /// Call-ID and CSeq: what makes it this text and no other of its sender.
    pub key: String,
    /// The URI of From.
    pub from: String,
    /// P-Asserted-Identity, P-Preferred-Identity, From and Privacy, read.
    pub identity: IdentityHeaders,
    /// The Request-URI.
    pub to: String,
    /// The Content-Type; `text/plain` where none was written.
    pub content_type: String,
    /// The text.
    pub body: Vec<u8>,
    /// Who sent it.
    pub remote: SocketAddr,
    /// The trunk it came from.
    pub trunk: Option<String>,
    /// The agent whose phone sent it.
    pub agent: Option<String>,
}

impl fmt::Debug for IncomingMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes, in a call: {})", self.body.len(), self.call.is_some())
    }
}

impl fmt::Debug for IncomingInvite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingInvite")
            .field("trunk", &self.trunk)
            .field("remote", &self.remote)
            .field("transport", &self.transport)
            .field("history", &self.history.len())
            .field("diversion", &self.diversion.len())
            .field("sdp", &self.sdp.is_some())
            .finish_non_exhaustive()
    }
}

/// Whom to call. `Debug` shows no number and no user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The newest phone that registered as this agent.
    Agent(&'a str),
    /// A number, through the gateways of a trunk.
    Trunk {
        /// The trunk's name.
        trunk: &'a str,
        /// The number, in international form (`+86…`) or as it is to be dialled.
        number: &'a str,
    },
    /// A phone that registers nowhere, at a fixed address: `sip:user@192.0.2.7:5060;transport=tcp`. The host
    /// must be a literal address; without a transport it is UDP.
    Phone {
        /// Its URI.
        uri: &'a str,
    },
}

impl Default for Target<'_> {
    fn default() -> Self {
        Self::Agent("")
    }
}

impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(_) => f.write_str("Agent(…)"),
            Self::Trunk { trunk, .. } => write!(f, "Trunk({trunk}, …)"),
            Self::Phone { .. } => f.write_str("Phone(…)"),
        }
    }
}

/// An outgoing call.
#[derive(Clone, Copy, Default)]
pub struct Invitation<'a> {
    /// Whom to call.
    pub target: Target<'a>,
    /// Shown on the phone beside the number.
    pub caller_display: Option<&'a str>,
    /// The caller's number (or `anonymous`): the user part of From.
    pub caller_user: &'a str,
    /// The called side must not learn who calls (RFC 3323): From says `anonymous`, and `Privacy: id` is asked.
    pub privacy: bool,
    /// The value of a Replaces header (RFC 3891): the call that this one takes the place of.
    pub replaces: Option<&'a str>,
    /// Our offer.
    pub sdp: &'a str,
    /// How often the call may still be handed on; `None` for a call that begins here (70).
    pub max_forwards: Option<u8>,
    /// More header fields, such as Call-Info.
    pub headers: &'a [(String, String)],
}

impl fmt::Debug for Invitation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invitation({:?})", self.target)
    }
}

/// A registered phone.
#[derive(Clone, Debug)]
pub struct BindingView<'a> {
    /// Whose.
    pub user: &'a str,
    /// Requests go there.
    pub path: Path,
    /// When it ends.
    pub expires_at: std::time::Instant,
}

/// How much state there is; all of it must go back to 0 when calls end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Server and client transactions.
    pub transactions: usize,
    /// Dialogs found by Call-ID and tag.
    pub dialogs: usize,
    /// Calls, ending ones included.
    pub calls: usize,
    /// INVITEs finally answered and not acknowledged.
    pub unacked: usize,
    /// Timers set (those of registrations included).
    pub timers: usize,
}
