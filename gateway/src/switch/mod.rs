//! The one owner of the SIP endpoint: feeds it what the network brings, sends what it wants sent, and
//! carries events to the call each belongs to. A loop that is boring to read; every decision is in
//! `gateway-sip`.

mod pressure;
mod refusals;
mod run;
mod sockets;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use gateway_sip::{
    AgentAccount, CallHandle, CommandError, Counts, GatewayState, IncomingInvite, IncomingMessage, MessageId,
    Target, TrunkConfig,
};
use tokio::sync::{mpsc, oneshot};

pub use pressure::Begun;
pub use run::{Secured, Started, start};
pub use sockets::Sockets;

/// An event of one leg, for the call it belongs to.
#[derive(Debug)]
pub enum LegEvent {
    /// The ACK came.
    Confirmed {
        /// The answer, when the offer was ours.
        sdp: Option<String>,
    },
    /// The phone rings.
    Ringing {
        /// An answer to our offer already: early media.
        sdp: Option<String>,
    },
    /// The phone was picked up.
    Answered {
        /// The answer to our offer.
        sdp: Option<String>,
    },
    /// The other side gave up before the answer, or hung up after it.
    HungUp {
        /// The Q.850 cause it gave.
        q850: Option<u16>,
    },
    /// The phone refused or did not react.
    Failed {
        /// The final status; 408 when nothing came.
        status: u16,
    },
    /// The leg died without a BYE.
    Lost {
        /// A fixed word: `no_ack`, `no_answer`, `session_expired`, `connection_lost`, `no_such_call`, `gateway`.
        why: &'static str,
    },
    /// A re-INVITE or UPDATE.
    Offer {
        /// The offer; `None` asks for ours.
        sdp: Option<String>,
    },
    /// The other side's answer to our description inside the call, sent to refresh the session: it may have moved.
    OfferAnswered {
        /// The answer.
        sdp: Option<String>,
    },
    /// The other side wants us to call someone in its place (REFER).
    Referred {
        /// Whom.
        target_uri: String,
        /// The call of ours whose far end it means (attended transfer).
        replaces: Option<CallHandle>,
    },
    /// A text inside the call: take it or refuse it.
    Text(Box<IncomingMessage>),
    /// An INFO request inside the call.
    Info {
        /// Its Content-Type.
        content_type: String,
        /// Its body.
        body: Vec<u8>,
    },
}

/// A ringing phone: its leg, what happens to it, where it is.
pub type Invited = (CallHandle, LegEvents, Option<IpAddr>);

/// Events of one leg.
pub type LegEvents = mpsc::Receiver<LegEvent>;

/// A new call and its events.
#[derive(Debug)]
pub struct Incoming {
    /// Its handle.
    pub call: CallHandle,
    /// What the INVITE said.
    pub invite: Box<IncomingInvite>,
    /// What happens to it.
    pub events: LegEvents,
    /// To be dropped when the call's own task begins: how long that took tells the switch how busy we are.
    pub begun: Begun,
}

/// A change of the agents' phones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// An agent has a phone now.
    Registered(String),
    /// An agent's last phone is gone.
    Unregistered(String),
}

/// Whom to call.
#[derive(Clone, PartialEq, Eq)]
pub enum Callee {
    /// The phone of an agent.
    Agent(String),
    /// A number, through a trunk.
    Trunk {
        /// The trunk's name.
        trunk: String,
        /// The number.
        number: record::Pii<String>,
    },
    /// A phone at a fixed SIP address that registers nowhere.
    Phone {
        /// Its URI.
        uri: String,
    },
}

impl Default for Callee {
    fn default() -> Self {
        Self::Agent(String::new())
    }
}

impl Callee {
    fn target(&self) -> Target<'_> {
        match self {
            Self::Agent(user) => Target::Agent(user),
            Self::Trunk { trunk, number } => Target::Trunk { trunk, number: number.reveal() },
            Self::Phone { uri } => Target::Phone { uri },
        }
    }
}

/// An outgoing call.
#[derive(Default)]
pub struct OutgoingCall {
    /// Whom to call.
    pub callee: Callee,
    /// The called side must not learn who calls.
    pub privacy: bool,
    /// The value of a Replaces header.
    pub replaces: Option<String>,
    /// How often the call may still be handed on; `None` for one that begins here.
    pub max_forwards: Option<u8>,
    /// Shown beside the number.
    pub caller_display: Option<String>,
    /// The user part of From.
    pub caller_user: String,
    /// Our offer.
    pub sdp: String,
    /// More header fields.
    pub headers: Vec<(String, String)>,
}

enum Command {
    Answer { call: CallHandle, sdp: String, reply: oneshot::Sender<Result<(), CommandError>> },
    Refuse { call: CallHandle, status: u16, retry_after: Option<u32> },
    HangUp { call: CallHandle, reason: Option<String> },
    AnswerOffer { call: CallHandle, sdp: String },
    RefuseOffer { call: CallHandle, status: u16 },
    Ring { call: CallHandle },
    Invite { invitation: Box<OutgoingCall>, reply: oneshot::Sender<Result<Invited, CommandError>> },
    Reload { trunks: Vec<TrunkConfig>, agents: Vec<AgentAccount> },
    AcceptRefer { call: CallHandle },
    RefuseRefer { call: CallHandle, status: u16 },
    NotifyRefer { call: CallHandle, status: u16, last: bool },
    AcceptText { id: MessageId },
    RefuseText { id: MessageId, status: u16 },
    Drain,
    TrunkStates(oneshot::Sender<Vec<GatewayState>>),
    UnregisterTrunks,
    Counts(oneshot::Sender<Counts>),
}

/// How the rest of the gateway speaks to the switch.
#[derive(Clone)]
pub struct Switch {
    commands: mpsc::Sender<Command>,
    open_legs: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Switch")
    }
}

impl Switch {
    /// Calls and agents' legs that are open now.
    pub fn open_legs(&self) -> usize {
        self.open_legs.load(Ordering::Relaxed)
    }

    /// Answers a call with 200 and this description.
    pub async fn answer(&self, call: CallHandle, sdp: String) -> Result<(), CommandError> {
        let (reply, answered) = oneshot::channel();
        self.send(Command::Answer { call, sdp, reply }).await;
        answered.await.unwrap_or(Err(CommandError::NoSuchCall))
    }

    /// Tells a caller that it rings (180).
    pub async fn ring(&self, call: CallHandle) {
        self.send(Command::Ring { call }).await;
    }

    /// Refuses a call that is not answered yet.
    pub async fn refuse(&self, call: CallHandle, status: u16, retry_after: Option<u32>) {
        self.send(Command::Refuse { call, status, retry_after }).await;
    }

    /// Ends a leg in whatever state it is.
    pub async fn hang_up(&self, call: CallHandle, reason: Option<String>) {
        self.send(Command::HangUp { call, reason }).await;
    }

    /// Accepts a re-INVITE.
    pub async fn answer_offer(&self, call: CallHandle, sdp: String) {
        self.send(Command::AnswerOffer { call, sdp }).await;
    }

    /// Refuses a re-INVITE; the call goes on as it was.
    pub async fn refuse_offer(&self, call: CallHandle, status: u16) {
        self.send(Command::RefuseOffer { call, status }).await;
    }

    /// Grants a REFER.
    pub async fn accept_refer(&self, call: CallHandle) {
        self.send(Command::AcceptRefer { call }).await;
    }

    /// Refuses a REFER.
    pub async fn refuse_refer(&self, call: CallHandle, status: u16) {
        self.send(Command::RefuseRefer { call, status }).await;
    }

    /// Tells who sent a REFER how the new call goes.
    pub async fn notify_refer(&self, call: CallHandle, status: u16, last: bool) {
        self.send(Command::NotifyRefer { call, status, last }).await;
    }

    /// Takes a text: it is on disk.
    pub async fn accept_text(&self, id: MessageId) {
        self.send(Command::AcceptText { id }).await;
    }

    /// Refuses a text.
    pub async fn refuse_text(&self, id: MessageId, status: u16) {
        self.send(Command::RefuseText { id, status }).await;
    }

    /// Calls an agent's phone, a number through a trunk, or a fixed address.
    pub async fn invite(&self, invitation: OutgoingCall) -> Result<Invited, CommandError> {
        let (reply, invited) = oneshot::channel();
        self.send(Command::Invite { invitation: Box::new(invitation), reply }).await;
        invited.await.unwrap_or(Err(CommandError::NoSuchCall))
    }

    /// Takes over new trunks and agents; calls in progress go on.
    pub async fn reload(&self, trunks: Vec<TrunkConfig>, agents: Vec<AgentAccount>) {
        self.send(Command::Reload { trunks, agents }).await;
    }

    /// Refuses new calls from now on.
    pub async fn drain(&self) {
        self.send(Command::Drain).await;
    }

    /// Every gateway of every trunk, and whether calls may go through it.
    pub async fn trunk_states(&self) -> Vec<GatewayState> {
        let (reply, states) = oneshot::channel();
        self.send(Command::TrunkStates(reply)).await;
        states.await.unwrap_or_default()
    }

    /// Takes our registrations with carriers back.
    pub async fn unregister_trunks(&self) {
        self.send(Command::UnregisterTrunks).await;
    }

    /// How much state the endpoint holds.
    pub async fn counts(&self) -> Option<Counts> {
        let (reply, counts) = oneshot::channel();
        self.send(Command::Counts(reply)).await;
        counts.await.ok()
    }

    async fn send(&self, command: Command) {
        // The switch outlives every call; when it is gone, the process ends.
        let _ = self.commands.send(command).await;
    }
}

/// Waits until `deadline`; for ever when there is none.
pub async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
