//! What is remembered of one request and its answers. The rules that move these are in
//! `endpoint/server.rs` and `endpoint/client.rs`; each state says how it ends.
//!
//! Sources: [RFC 3261 §17](https://www.rfc-editor.org/rfc/rfc3261#section-17),
//! [RFC 6026](https://www.rfc-editor.org/rfc/rfc6026) (the Accepted state).

use std::{net::IpAddr, time::Duration};

use crate::{
    event::{CallHandle, Path},
    keys::{Key, Keys},
    message::{Message, Method},
    timers::TimerKey,
};

/// The cookie of RFC 3261 branches.
const COOKIE: &str = "z9hG4bK";

/// The kinds of keys in this file.
const SERVER: u8 = 1;
const SERVER_2543: u8 = 2;
const MERGE: u8 = 3;
const CLIENT: u8 = 4;

/// A server transaction's name: branch, sent-by and method; for RFC 2543 peers what §17.2.3 lists instead.
pub(crate) fn server_key(keys: &Keys, request: &Message, method: &str) -> Option<Key> {
    let via = request.via()?;
    let branch = via.branch();
    if branch.len() > COOKIE.len()
        && branch.get(..COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
    {
        let key = keys.begin(SERVER).text(branch).text(method).caseless(via.host);
        return Some(key.number(u32::from(via.port.unwrap_or(5060))).finish());
    }
    let key = keys.begin(SERVER_2543).text(branch).text(method).text(via.host);
    let key = key.number(u32::from(via.port.unwrap_or(5060))).number(request.cseq()?.number);
    Some(key.text(request.request_uri()).text(request.call_id()).text(request.from_tag()).finish())
}

/// Names a request that may reach us twice by two ways (RFC 3261 §8.2.2.2).
pub(crate) fn merge_key(keys: &Keys, request: &Message) -> Option<Key> {
    let key = keys.begin(MERGE).text(request.call_id()).text(request.from_tag());
    Some(key.number(request.cseq()?.number).finish())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerState {
    /// No final answer yet. Ends by one.
    Proceeding,
    /// INVITE: repeats its refusal until ACK (G) or H. Others: answers repeats until J.
    Completed,
    /// INVITE refused and acknowledged: swallows late ACKs until I.
    Confirmed,
    /// INVITE accepted: swallows repeats of the INVITE until L; the call repeats the 2xx.
    Accepted,
}

#[derive(Debug)]
pub(crate) struct ServerTransaction {
    pub(crate) key: Key,
    /// Kept until the final answer, which needs its Via, From, To, Call-ID and CSeq. Boxed, as most transactions
    /// only linger: what repeats may come is small.
    pub(crate) request: Option<Box<Message>>,
    pub(crate) path: Path,
    pub(crate) source: IpAddr,
    pub(crate) invite: bool,
    pub(crate) reliable: bool,
    pub(crate) state: ServerState,
    /// The last answer, for repeats of the request; no longer than it must be.
    pub(crate) last: Option<Box<[u8]>>,
    pub(crate) interval: Duration,
    pub(crate) retransmit: Option<TimerKey>,
    pub(crate) end: Option<TimerKey>,
    pub(crate) call: Option<CallHandle>,
    pub(crate) merge: Option<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientState {
    /// Sent, nothing heard (INVITE: "Calling"). Repeats by A/E, ends by B/F.
    Trying,
    /// A 1xx came. An INVITE waits for the call's limit, others go on with E and F.
    Proceeding,
    /// A final answer came; repeats of it are absorbed until D/K.
    Completed,
    /// INVITE answered by 2xx: more 2xx (repeats, forks) are taken until M.
    Accepted,
}

/// Whom the answer concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The first INVITE of a call to an agent.
    Invite(CallHandle),
    /// Our re-INVITE.
    Reinvite(CallHandle),
    /// Our offer by UPDATE.
    Update(CallHandle),
    /// The receipt for a reliable ringing: no one waits for the answer, but it may be asked to prove itself.
    Prack(CallHandle),
    /// Our refresh of the session, by UPDATE or re-INVITE.
    Refresh(CallHandle),
    /// The end of that call.
    Bye(CallHandle),
    /// Our REFER.
    Refer(CallHandle),
    /// How their REFER goes.
    Notify(CallHandle),
    /// An INVITE given up for another gateway: cancelled, or acknowledged and ended, if it is answered yet.
    Abandoned,
    /// A probe of that gateway.
    Probe(u64),
    /// A registration of ours.
    Register(u64),
    /// CANCEL, or the BYE of a fork nobody wants: no one waits for the answer.
    Nobody,
}

impl Purpose {
    /// The call it concerns.
    pub(crate) fn call(self) -> Option<CallHandle> {
        match self {
            Self::Invite(call)
            | Self::Reinvite(call)
            | Self::Update(call)
            | Self::Prack(call)
            | Self::Refresh(call)
            | Self::Bye(call)
            | Self::Refer(call)
            | Self::Notify(call) => Some(call),
            Self::Abandoned | Self::Probe(_) | Self::Register(_) | Self::Nobody => None,
        }
    }
}

/// The ACK sent to one 2xx, to be repeated when the 2xx is.
#[derive(Clone, Debug)]
pub(crate) struct SentAck {
    pub(crate) remote_tag: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) path: Path,
}

#[derive(Debug)]
pub(crate) struct ClientTransaction {
    /// Branch and method.
    pub(crate) key: Key,
    pub(crate) method: Method,
    /// As sent: CANCEL and ACK are made from it.
    pub(crate) request: Message,
    pub(crate) bytes: Vec<u8>,
    pub(crate) path: Path,
    pub(crate) reliable: bool,
    pub(crate) state: ClientState,
    pub(crate) interval: Duration,
    pub(crate) retransmit: Option<TimerKey>,
    pub(crate) end: Option<TimerKey>,
    pub(crate) purpose: Purpose,
    /// The ACK of a refusal.
    pub(crate) ack: Option<Vec<u8>>,
    /// The ACKs of 2xx, one a fork, at most [`MAX_FORKS`].
    pub(crate) acks: Vec<SentAck>,
}

/// So many different phones may answer one INVITE; the others' 2xx die of their own timers.
pub(crate) const MAX_FORKS: usize = 8;

/// A client transaction's name.
pub(crate) fn client_key(keys: &Keys, branch: &str, method: &str) -> Key {
    keys.begin(CLIENT).text(branch).text(method).finish()
}
