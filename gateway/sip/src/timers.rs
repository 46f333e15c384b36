//! All timers of the endpoint in one ordered queue: setting, cancelling and firing cost O(log n).
//!
//! The names in brackets are those of [RFC 3261 §17 table 4](https://www.rfc-editor.org/rfc/rfc3261#appendix-A)
//! and [RFC 6026 §8](https://www.rfc-editor.org/rfc/rfc6026#section-8).

use std::{collections::BTreeMap, time::Instant};

use crate::event::{CallHandle, ConnectionId};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Repeat a final response to an INVITE (G).
    ServerRetransmit(u64),
    /// A server transaction is over: no ACK came (H), all is quiet (I, J, L).
    ServerEnd(u64),
    /// Repeat a request (A, E).
    ClientRetransmit(u64),
    /// No answer came (B, F), or none after CANCEL.
    ClientGiveUp(u64),
    /// A client transaction has answered late repeats long enough (D, K, M).
    ClientEnd(u64),
    /// Repeat our 2xx until the ACK (RFC 3261 §13.3.1.4).
    AnswerRetransmit(CallHandle),
    /// No ACK for our 2xx in 64*T1: BYE.
    AnswerGiveUp(CallHandle),
    /// A call has been set up for too long (nobody answered).
    SetupLimit(CallHandle),
    /// Repeat 18x every minute so that proxies do not give up (timer C of §16.6).
    Refresh(CallHandle),
    /// An offer inside a call was not answered by the layer above.
    OfferLimit(CallHandle),
    /// A session is to be refreshed, or over (RFC 4028).
    Session(CallHandle),
    /// A reliable 18x is to be repeated, or was never confirmed (RFC 3262).
    Reliable(CallHandle),
    /// Their REFER is undecided, or its subscription is over.
    Referral(CallHandle),
    /// Our REFER brought no last word.
    Watched(CallHandle),
    /// A MESSAGE was neither taken nor refused.
    Text(u64),
    /// Our offer met another one and is tried again (RFC 3261 §14.1).
    OfferRetry(CallHandle),
    /// The connection of a confirmed call is gone and no new one came.
    Orphan(CallHandle),
    /// The registration of that agent ends.
    BindingEnd(String),
    /// A connection we asked for was not opened.
    ConnectGiveUp(ConnectionId),
    /// A connection we opened is to be kept alive, or found dead (RFC 5626 §4.4.1).
    KeepAlive(ConnectionId),
    /// A call through a trunk got no answer at all from its gateway: the next one.
    Attempt(CallHandle),
    /// A gateway is to be probed.
    Probe(u64),
    /// The Retry-After of a gateway is over.
    GatewayResume(u64),
    /// Gateways' names are to be resolved anew.
    Resolve,
    /// A registration of ours is to be made or refreshed.
    Register(u64),
}

/// Names one timer set; cancelling it twice is harmless.
pub(crate) type TimerKey = (Instant, u64);

#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeMap<TimerKey, Timer>,
    next: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) -> TimerKey {
        let key = (at, self.next);
        self.next = self.next.wrapping_add(1);
        self.queue.insert(key, timer);
        key
    }

    pub(crate) fn cancel(&mut self, key: Option<TimerKey>) {
        if let Some(key) = key {
            self.queue.remove(&key);
        }
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        self.next_at().filter(|at| *at <= now)?;
        self.queue.pop_first().map(|(_, timer)| timer)
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}
