//! One call as SIP sees it: the dialog's identifiers, where its requests go, and the phase it is in.
//!
//! Sources: [RFC 3261 §12](https://www.rfc-editor.org/rfc/rfc3261#section-12) (dialogs),
//! §13.3.1.4 (repeating a 2xx until its ACK).

use std::{net::IpAddr, time::Duration};

use crate::{
    config::Transport,
    event::Path,
    fields::{NameAddress, SipUri},
    message::{Message, Method},
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
    /// The agent, for finding a new flow when the old one broke.
    pub(crate) agent: Option<String>,
}

impl Dialog {
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
    Calling { client: u64, provisional: bool, cancel_wanted: bool, cancel_sent: bool },
    /// Both sides answered. Ends by BYE.
    Confirmed,
    /// Over for the layer above; BYE waits for the ACK that must come first.
    Leaving,
    /// BYE sent; ends by its answer or timer F.
    Closing,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) dialog: Dialog,
    pub(crate) phase: Phase,
    /// The terminal event was given.
    pub(crate) over: bool,
    pub(crate) awaiting_ack: Option<AwaitingAck>,
    pub(crate) open_offer: Option<OpenOffer>,
    /// Our re-INVITE on its way.
    pub(crate) our_offer: Option<u64>,
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
    /// When the next one is tried if this one says nothing.
    pub(crate) limit: Option<TimerKey>,
}
