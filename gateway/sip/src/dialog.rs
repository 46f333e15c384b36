//! One call as SIP sees it: the dialog's identifiers, where its requests go, and the phase it is in.
//!
//! Sources: [RFC 3261 §12](https://www.rfc-editor.org/rfc/rfc3261#section-12) (dialogs),
//! §13.3.1.4 (repeating a 2xx until its ACK).

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crate::{
    config::Transport,
    event::Path,
    fields::{NameAddress, SipUri},
    message::{Message, Method},
    session::SessionTimer,
    timers::TimerKey,
};

/// Finds a call by what every request inside it carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DialogKey {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
}

/// RFC 3261 §12.1: the state both ends share.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) key: DialogKey,
    pub(crate) remote_tag: Option<String>,
    /// The value of From in our requests, tag included.
    pub(crate) local: String,
    /// The value of To in our requests, tag included.
    pub(crate) remote: String,
    pub(crate) remote_target: String,
    /// Values of Route, in order.
    pub(crate) routes: Vec<String>,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: Option<u32>,
    /// The way the other side was last heard.
    pub(crate) path: Path,
    pub(crate) transport: Transport,
    /// Our Contact.
    pub(crate) contact: String,
    /// Always answer along `path`: agents' phones behind NAT, and trunks configured so.
    pub(crate) follow_path: bool,
    /// We began this call: our Call-ID, and the longer wait after a glare.
    pub(crate) call_id_is_ours: bool,
    /// The agent, for finding a new flow when the old one broke.
    pub(crate) agent: Option<String>,
}

/// What decides where a request inside a dialog goes.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) next: Option<SocketAddr>,
    pub(crate) path: Path,
    pub(crate) transport: Transport,
    pub(crate) follow_path: bool,
    pub(crate) agent: Option<String>,
}

impl Dialog {
    pub(crate) fn way(&self) -> Way {
        Way {
            next: SipUri::parse(self.next_hop()).and_then(|uri| uri.socket_address()),
            path: self.path,
            transport: self.transport,
            follow_path: self.follow_path,
            agent: self.agent.clone(),
        }
    }

    /// A new request inside the dialog, without its Via.
    pub(crate) fn request(&self, method: Method, cseq: u32, via: String, user_agent: &str) -> Message {
        let (uri, routes) = self.request_uri_and_routes();
        let cseq = format!("{cseq} {}", method.as_str());
        let mut request = Message::request(method, uri);
        request.push("Via", via);
        for route in routes {
            request.push("Route", route);
        }
        request.push("Max-Forwards", "70");
        request.push("From", self.local.clone());
        request.push("To", self.remote.clone());
        request.push("Call-ID", self.key.call_id.clone());
        request.push("CSeq", cseq);
        request.push("User-Agent", user_agent);
        request
    }

    /// RFC 3261 §12.2.1.1: with a strict router first, the target goes to the end of the route set.
    fn request_uri_and_routes(&self) -> (String, Vec<String>) {
        let first = self.routes.first().and_then(|route| NameAddress::parse(route));
        match first {
            Some(first) if SipUri::parse(first.uri).is_some_and(|uri| uri.parameter("lr").is_none()) => {
                let mut routes: Vec<String> = self.routes.iter().skip(1).cloned().collect();
                routes.push(format!("<{}>", self.remote_target));
                (first.uri.to_owned(), routes)
            }
            _ => (self.remote_target.clone(), self.routes.clone()),
        }
    }

    /// The URI the next request is sent to.
    pub(crate) fn next_hop(&self) -> &str {
        self.routes
            .first()
            .and_then(|route| NameAddress::parse(route))
            .map_or(self.remote_target.as_str(), |route| route.uri)
    }

    /// A target refresh: the Contact of a re-INVITE, an UPDATE or their 2xx.
    pub(crate) fn refresh_target(&mut self, message: &Message) {
        if let Some(contact) = message.list("Contact").next().and_then(NameAddress::parse)
            && SipUri::parse(contact.uri).is_some()
        {
            self.remote_target = contact.uri.to_owned();
        }
    }
}

/// A 2xx of ours that waits for its ACK.
#[derive(Debug)]
pub(crate) struct AwaitingAck {
    pub(crate) bytes: Vec<u8>,
    pub(crate) path: Path,
    pub(crate) source: IpAddr,
    pub(crate) cseq: u32,
    pub(crate) interval: Duration,
    pub(crate) retransmit: TimerKey,
    pub(crate) give_up: TimerKey,
    /// The ACK that confirms the call (not that of a re-INVITE).
    pub(crate) first: bool,
}

/// What the other side said it can do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Abilities {
    /// `Allow: UPDATE`
    pub(crate) update: bool,
    /// `Supported: 100rel`
    pub(crate) reliable: bool,
    /// `Require: 100rel` in its INVITE
    pub(crate) demands_reliable: bool,
    /// Its trunk bears no session timers, whatever it says.
    pub(crate) untimed: bool,
}

impl Abilities {
    /// Takes over what a message says; what it is silent about stays.
    pub(crate) fn learn(&mut self, message: &Message) {
        if message.value("Allow").is_some() {
            self.update = message.list("Allow").any(|method| method == "UPDATE");
        }
        self.update |= message.method() == Some(&Method::Update);
        if message.value("Supported").is_some() || message.value("Require").is_some() {
            let has = |name| message.list(name).any(|tag| tag.eq_ignore_ascii_case("100rel"));
            self.demands_reliable = has("Require");
            self.reliable = self.demands_reliable || has("Supported");
        }
    }
}

/// A request of ours inside a call that is under way and keeps others waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flight {
    /// The layer above's offer, by re-INVITE or UPDATE.
    Offer,
    /// A session refresh by re-INVITE: an offer, too.
    RefreshOffer,
    /// A session refresh by UPDATE, without an offer.
    Refresh,
}

impl Flight {
    pub(crate) fn is_offer(self) -> bool {
        self != Self::Refresh
    }
}

/// An offer of the layer above, until it is accepted or refused for good.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) sdp: String,
    /// How often it met another offer.
    pub(crate) tries: u8,
    pub(crate) retry: Option<TimerKey>,
}

/// Their re-INVITE or UPDATE that the layer above has not answered yet.
#[derive(Debug)]
pub(crate) struct OpenOffer {
    pub(crate) server: u64,
    pub(crate) limit: TimerKey,
}

/// Where the call stands.
#[derive(Debug)]
pub(crate) enum Phase {
    /// An INVITE came; ends by our answer, our refusal, CANCEL, or the limit.
    Incoming {
        server: u64,
        /// The 18x to be repeated every minute.
        ringing: Option<(u16, Option<String>)>,
        refresh: Option<TimerKey>,
    },
    /// We invited; ends by a final answer or the limits of the client transaction.
    Calling {
        client: u64,
        provisional: bool,
        cancel_wanted: bool,
        cancel_sent: bool,
        /// One for each phone that rings, at most [`crate::transaction::MAX_FORKS`].
        early: Vec<Early>,
    },
    /// Both sides answered. Ends by BYE.
    Confirmed,
    /// Over for the layer above; BYE waits for the ACK that must come first.
    Leaving,
    /// BYE sent; ends by its answer or timer F.
    Closing,
}

impl Phase {
    /// Whether a phone rings with that tag.
    pub(crate) fn has_early(&self, tag: &str) -> bool {
        let Self::Calling { early, .. } = self else { return false };
        early.iter().any(|early| early.dialog.remote_tag.as_deref() == Some(tag))
    }
}

/// One phone that rings.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) dialog: Dialog,
    /// The last reliable 18x taken from it.
    pub(crate) rseq: Option<u32>,
    /// A reliable 18x brought the answer to our offer.
    pub(crate) settled: bool,
}

/// How far offer and answer are before the call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Negotiation {
    /// The INVITE brought an offer that is not answered.
    Theirs,
    /// The INVITE brought none, nor did we.
    Open,
    /// Our offer went out in a reliable 18x.
    Ours,
    /// A reliable 18x and its PRACK settled it: the 2xx says nothing more.
    Settled,
}

/// Our reliable 18x (RFC 3262).
#[derive(Debug)]
pub(crate) struct Reliable {
    /// Of the last one sent.
    pub(crate) rseq: u32,
    pub(crate) outstanding: Option<Outstanding>,
    /// The 18x that waits for the PRACK of the one before.
    pub(crate) next: Option<(u16, Option<String>)>,
    /// Our answer, which waits for the PRACK too.
    pub(crate) held: Option<String>,
}

impl Reliable {
    /// Before the first, which will have the number `rseq`.
    pub(crate) fn before(rseq: u32) -> Self {
        Self { rseq: rseq.wrapping_sub(1), outstanding: None, next: None, held: None }
    }
}

/// A reliable 18x that waits for its PRACK.
#[derive(Debug)]
pub(crate) struct Outstanding {
    pub(crate) bytes: Vec<u8>,
    pub(crate) path: Path,
    /// Of the INVITE.
    pub(crate) cseq: u32,
    /// It carried a description.
    pub(crate) described: bool,
    pub(crate) interval: Duration,
    pub(crate) give_up_at: Instant,
    /// `None` once it is not repeated any more.
    pub(crate) timer: Option<TimerKey>,
}

/// Their REFER.
#[derive(Debug)]
pub(crate) struct Referral {
    /// Its transaction, until it is decided.
    pub(crate) server: Option<u64>,
    /// They want no NOTIFY, or do not take it.
    pub(crate) silent: bool,
    /// Its CSeq, where it is not the first in this call.
    pub(crate) id: Option<u32>,
    /// What they were told last.
    pub(crate) status: u16,
    pub(crate) timer: TimerKey,
}

/// Our REFER.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) cseq: u32,
    pub(crate) timer: TimerKey,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) dialog: Dialog,
    pub(crate) phase: Phase,
    /// The terminal event was given.
    pub(crate) over: bool,
    pub(crate) awaiting_ack: Option<AwaitingAck>,
    pub(crate) open_offer: Option<OpenOffer>,
    /// Our offer, on its way or waiting.
    pub(crate) wanted: Option<Box<Wanted>>,
    pub(crate) flight: Option<Flight>,
    pub(crate) abilities: Abilities,
    pub(crate) session: Option<SessionTimer>,
    pub(crate) negotiation: Negotiation,
    pub(crate) reliable: Option<Box<Reliable>>,
    pub(crate) referral: Option<Box<Referral>>,
    pub(crate) was_referred: bool,
    pub(crate) watched: Option<Box<Watched>>,
    /// What our CANCEL, or the BYE that must wait, will give as Reason.
    pub(crate) reason: Option<Box<str>>,
    /// The Min-SE a 422 told us.
    pub(crate) min_se: Option<u32>,
    /// Our description last agreed on, where a refresh needs it.
    pub(crate) local_sdp: Option<Box<str>>,
    pub(crate) limit: Option<TimerKey>,
    pub(crate) orphan: Option<TimerKey>,
    /// The address we called, where that is not an agent's phone: it may speak inside the call.
    pub(crate) peer: Option<IpAddr>,
    /// The gateway the call goes through: whose challenges our requests answer.
    pub(crate) gateway: Option<u64>,
    /// The gateways left to try, until one answers.
    pub(crate) attempt: Option<Box<Attempt>>,
}

/// A call through a trunk that no gateway has taken yet.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Gateways not tried yet, the next one last.
    pub(crate) left: Vec<u64>,
    /// The number dialled, as the trunk writes it, with the parameters of its URI.
    pub(crate) user: (String, &'static str),
    /// The INVITE, for sending it again elsewhere.
    pub(crate) invite: Message,
    /// It was too large for UDP and goes over TCP; if there is no TCP, it goes here.
    pub(crate) datagram: Option<Path>,
    /// The gateway said more than 100: it has the call, no other is tried.
    pub(crate) taken: bool,
    /// Where a 3xx sends the call besides, the next one last.
    pub(crate) elsewhere: Vec<Elsewhere>,
    /// Where redirections (3xx) led, for going nowhere twice.
    pub(crate) been: Vec<String>,
    /// When the next one is tried if this one says nothing.
    pub(crate) limit: Option<TimerKey>,
}

/// A place a 3xx named.
pub(crate) struct Elsewhere {
    pub(crate) uri: String,
    pub(crate) remote: SocketAddr,
    pub(crate) transport: Transport,
    /// The gateway whose challenges are answered there.
    pub(crate) gateway: u64,
}

impl std::fmt::Debug for Elsewhere {
    /// The URI is a number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Elsewhere({}, {:?})", self.remote, self.transport)
    }
}

impl Call {
    pub(crate) fn new(dialog: Dialog, phase: Phase, limit: TimerKey) -> Self {
        Self {
            dialog,
            phase,
            over: false,
            awaiting_ack: None,
            open_offer: None,
            wanted: None,
            flight: None,
            abilities: Abilities::default(),
            session: None,
            negotiation: Negotiation::Theirs,
            reliable: None,
            referral: None,
            was_referred: false,
            watched: None,
            reason: None,
            min_se: None,
            local_sdp: None,
            limit: Some(limit),
            orphan: None,
            peer: None,
            gateway: None,
            attempt: None,
        }
    }
    /// The dialog a request from `tag` belongs to: that of the phone that rings with it, else the call's own.
    pub(crate) fn dialog_with(&mut self, tag: &str) -> &mut Dialog {
        if let (None, Phase::Calling { early, .. }) = (&self.dialog.remote_tag, &mut self.phase)
            && let Some(early) =
                early.iter_mut().find(|early| early.dialog.remote_tag.as_deref() == Some(tag))
        {
            return &mut early.dialog;
        }
        &mut self.dialog
    }

    /// The timers of what is under way inside the call; taken out, for the call ends.
    pub(crate) fn take_timers(&mut self) -> [Option<TimerKey>; 5] {
        let outstanding = self.reliable.take().and_then(|reliable| reliable.outstanding);
        [
            self.session.take().map(|session| session.timer),
            self.wanted.take().and_then(|wanted| wanted.retry),
            outstanding.and_then(|outstanding| outstanding.timer),
            self.referral.take().map(|referral| referral.timer),
            self.watched.take().map(|watched| watched.timer),
        ]
    }
}
