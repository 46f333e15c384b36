//! Reliable ringing, our side answering: RSeq, repeating until PRACK, and what waits for it.
//!
//! One reliable 1xx is outstanding at a time; the next one waits for its PRACK, and so does our 2xx if the 1xx
//! carried a description. [RFC 3262 §3](https://www.rfc-editor.org/rfc/rfc3262#section-3), offers and answers in
//! it §5. The calling side is `early.rs`.

use std::time::Instant;

use super::Endpoint;
use crate::{
    body,
    config::Reliability,
    dialog::{Negotiation, OpenOffer, Outstanding, Phase, Reliable},
    event::{CallHandle, Cause, Event},
    message::Message,
    path::Source,
    timers::Timer,
};

impl Endpoint {
    /// Sends an 18x: reliably where the other side wants that, else as it is.
    pub(super) fn send_ringing(
        &mut self,
        now: Instant,
        call: CallHandle,
        server: u64,
        status: u16,
        sdp: Option<&str>,
    ) {
        let Some(state) = self.calls.get(&call) else { return };
        let sdp = sdp.filter(|_| state.negotiation != Negotiation::Settled);
        let demanded = state.abilities.demands_reliable || self.config.reliability == Reliability::Demanded;
        let reliable = match self.config.reliability {
            Reliability::Off => false,
            _ => demanded || (state.abilities.reliable && sdp.is_some()),
        };
        if !reliable {
            return self.send_plain_ringing(now, call, server, status, sdp);
        }
        if state.negotiation == Negotiation::Open && sdp.is_none() {
            // RFC 3262 §5: the first reliable response to an INVITE without an offer must bring one.
            if !demanded {
                self.send_plain_ringing(now, call, server, status, None);
            }
            return;
        }
        self.send_reliable(now, call, server, status, sdp);
    }

    fn send_reliable(&mut self, now: Instant, call: CallHandle, server: u64, status: u16, sdp: Option<&str>) {
        let first = self.tokens.below(1 << 30) + 1;
        let timers = self.config.timers;
        let Some(state) = self.calls.get_mut(&call) else { return };
        let reliable = state.reliable.get_or_insert_with(|| Box::new(Reliable::before(first)));
        if reliable.outstanding.is_some() {
            let kept = reliable.next.take().and_then(|(_, sdp)| sdp);
            reliable.next = Some((status, sdp.map(str::to_owned).or(kept)));
            return;
        }
        reliable.rseq = reliable.rseq.wrapping_add(1);
        let rseq = reliable.rseq;
        let Some(transaction) = self.servers.get(&server) else { return };
        let (Some(request), path) = (&transaction.request, transaction.path) else { return };
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let mut response = self.ringing_response(request, call, status, sdp);
        response.push("Require", "100rel");
        response.push("RSeq", rseq.to_string());
        self.respond(now, server, &response);
        let timer = self.timers.set(now + timers.t1, Timer::Reliable(call));
        let Some(state) = self.calls.get_mut(&call) else { return };
        if sdp.is_some() && state.negotiation == Negotiation::Open {
            state.negotiation = Negotiation::Ours;
        }
        if let Some(reliable) = &mut state.reliable {
            reliable.outstanding = Some(Outstanding {
                bytes: response.to_bytes(),
                path,
                cseq,
                described: sdp.is_some(),
                interval: timers.t1,
                give_up_at: now + timers.give_up(),
                timer: Some(timer),
            });
        }
    }

    /// Repeats at T1, 2*T1, 4*T1 …; after 64*T1 the call is refused (RFC 3262 §3).
    pub(super) fn on_reliable_timer(&mut self, now: Instant, call: CallHandle) {
        let outstanding =
            self.calls.get_mut(&call).and_then(|state| state.reliable.as_mut()?.outstanding.as_mut());
        let Some(outstanding) = outstanding else { return };
        if now >= outstanding.give_up_at {
            outstanding.timer = None;
            return self.refuse_with(now, call, 504, None, None, Cause::NoAck);
        }
        outstanding.interval *= 2;
        let next = (now + outstanding.interval).min(outstanding.give_up_at);
        outstanding.timer = Some(self.timers.set(next, Timer::Reliable(call)));
        let (path, bytes) = (outstanding.path, outstanding.bytes.clone());
        self.send(path, bytes);
    }

    pub(super) fn on_prack(&mut self, now: Instant, source: &Source, call: CallHandle, request: Message) {
        let Some((rseq, cseq)) = rack(&request) else { return self.reply(source, &request, 400, &[]) };
        let Ok(sdp) = body::session_description(&request) else {
            return self.reply(source, &request, 415, &[("Accept", super::answer::ACCEPT.to_owned())]);
        };
        let Some(state) = self.calls.get_mut(&call) else { return };
        let matching = state.reliable.as_mut().filter(|reliable| reliable.rseq == rseq);
        let acknowledged = matching
            .and_then(|reliable| reliable.outstanding.take_if(|outstanding| outstanding.cseq == cseq));
        let Some(acknowledged) = acknowledged else { return self.reply(source, &request, 481, &[]) };
        let over = state.over;
        // What the PRACK's description is to us.
        let (answer, offer) = match state.negotiation {
            Negotiation::Ours if sdp.is_some() => {
                state.negotiation = Negotiation::Settled;
                (sdp, None)
            }
            Negotiation::Ours => {
                // No answer where one must stand: our 2xx will offer again.
                state.negotiation = Negotiation::Open;
                (None, None)
            }
            Negotiation::Theirs if acknowledged.described => {
                state.negotiation = Negotiation::Settled;
                (None, sdp)
            }
            Negotiation::Settled => (None, sdp),
            Negotiation::Theirs | Negotiation::Open => (None, None),
        };
        self.timers.cancel(acknowledged.timer);
        let Some(server) = self.begin_server(source, request, None) else { return };
        if !over {
            self.emit(Event::RingingAcknowledged { call, sdp: answer });
        }
        if offer.is_some() && !over {
            let limit = self.timers.set(now + self.config.timers.give_up() / 2, Timer::OfferLimit(call));
            if let Some(state) = self.calls.get_mut(&call) {
                state.open_offer = Some(OpenOffer { server, limit });
            }
            self.emit(Event::Offer { call, sdp: offer });
        } else {
            self.respond_status(now, server, 200, None, &[]);
        }
        self.go_on_after_prack(now, call);
    }

    /// What waited for the PRACK, or for the answer to an early offer: our 2xx, else the next 18x.
    pub(super) fn go_on_after_prack(&mut self, now: Instant, call: CallHandle) {
        let Some(state) = self.calls.get_mut(&call).filter(|state| !state.over) else { return };
        let Phase::Incoming { server, .. } = state.phase else { return };
        let Some(reliable) = state.reliable.as_mut().filter(|reliable| reliable.outstanding.is_none()) else {
            return;
        };
        if state.open_offer.is_some() {
            return;
        }
        if let Some(sdp) = reliable.held.take() {
            return self.answer_now(now, call, &sdp);
        }
        if let Some((status, sdp)) = reliable.next.take() {
            self.send_ringing(now, call, server, status, sdp.as_deref());
        }
    }

    /// Whether our 2xx must wait; then it is kept.
    pub(super) fn hold_answer(&mut self, call: CallHandle, sdp: &str) -> bool {
        let Some(state) = self.calls.get_mut(&call) else { return false };
        let Some(reliable) = &mut state.reliable else { return false };
        let described = reliable.outstanding.as_ref().is_some_and(|outstanding| outstanding.described);
        if !described && state.open_offer.is_none() {
            return false;
        }
        reliable.held = Some(sdp.to_owned());
        true
    }

    /// Stops repeating; a PRACK that is late is still understood.
    pub(super) fn stop_repeating(&mut self, call: CallHandle) {
        let reliable = self.calls.get_mut(&call).and_then(|state| state.reliable.as_mut());
        if let Some(reliable) = reliable {
            reliable.next = None;
            let timer = reliable.outstanding.as_mut().and_then(|outstanding| outstanding.timer.take());
            self.timers.cancel(timer);
        }
    }
}

/// `RAck: 776656 1 INVITE` (RFC 3262 §7.2).
fn rack(request: &Message) -> Option<(u32, u32)> {
    let mut words = request.value("RAck")?.split_ascii_whitespace();
    let (rseq, cseq, method) = (words.next()?, words.next()?, words.next()?);
    (method == "INVITE" && words.next().is_none()).then_some(())?;
    Some((rseq.parse().ok()?, cseq.parse().ok()?))
}
