//! Our own offers inside a call: by re-INVITE, or by UPDATE while it rings; and what happens when two meet.
//!
//! One at a time. An offer refused with 491 is sent again after a random delay, shorter for the side that did not
//! begin the call ([RFC 3261 §14.1](https://www.rfc-editor.org/rfc/rfc3261#section-14.1)); it then carries a
//! higher version than whatever was answered in between (RFC 3264 §8).

use std::time::{Duration, Instant};

use super::{Endpoint, session_timer::FieldList};
use crate::{
    body,
    dialog::{Flight, Negotiation, Phase, Wanted},
    error::CommandError,
    event::{CallHandle, Cause, Event},
    message::{Message, Method},
    timers::Timer,
    transaction::Purpose,
    trunk::{Manner, Reliable},
};

/// So often an offer may meet another one; then it is refused to the layer above.
const MAX_TRIES: u8 = 5;

impl Endpoint {
    pub(super) fn start_offer(
        &mut self,
        now: Instant,
        call: CallHandle,
        sdp: &str,
    ) -> Result<(), CommandError> {
        let state = self.calls.get(&call).filter(|state| !state.over).ok_or(CommandError::NoSuchCall)?;
        let free = state.open_offer.is_none() && state.wanted.is_none();
        let early = match state.phase {
            Phase::Incoming { .. } => state.abilities.update && state.negotiation == Negotiation::Settled,
            Phase::Calling { .. } => state.abilities.update && self.settled_fork(call).is_some(),
            Phase::Confirmed => true,
            Phase::Leaving | Phase::Closing => false,
        };
        if !free || !early {
            return Err(CommandError::WrongState);
        }
        let Some(state) = self.calls.get_mut(&call) else { return Err(CommandError::NoSuchCall) };
        state.wanted = Some(Box::new(Wanted { sdp: sdp.to_owned(), tries: 0, retry: None }));
        self.try_wanted(now, call);
        Ok(())
    }

    /// Sends the waiting offer if nothing is in its way; what is in its way calls this again when it ends.
    pub(super) fn try_wanted(&mut self, now: Instant, call: CallHandle) {
        let Some(state) = self.calls.get(&call).filter(|state| !state.over) else { return };
        let Some(wanted) = state.wanted.as_ref().filter(|wanted| wanted.retry.is_none()) else { return };
        let busy = state.flight.is_some() || state.open_offer.is_some() || state.awaiting_ack.is_some();
        if busy {
            return;
        }
        let (contact, sdp, min_se) = (state.dialog.contact.clone(), wanted.sdp.clone(), state.min_se);
        let sent = match state.phase {
            Phase::Confirmed => {
                self.dialog_request(now, call, Method::Invite).and_then(|(mut request, path)| {
                    let wish = self.session_wish(self.session_now(call), min_se);
                    self.push_offer(&mut request, &contact, &sdp, wish, self.manner_of(call));
                    self.begin_client(now, request, path, Purpose::Reinvite(call))
                })
            }
            // RFC 3311 §5.1: before the answer there is UPDATE only.
            Phase::Incoming { .. } | Phase::Calling { .. } => {
                let made = match self.settled_fork(call) {
                    Some(fork) => self.early_request(now, call, fork, Method::Update),
                    None => self.dialog_request(now, call, Method::Update),
                };
                made.and_then(|(mut request, path)| {
                    request.push("Contact", contact);
                    self.push_abilities(&mut request);
                    request.push("Content-Type", "application/sdp");
                    request.body = sdp.into_bytes();
                    self.begin_client(now, request, path, Purpose::Update(call))
                })
            }
            Phase::Leaving | Phase::Closing => return,
        };
        let Some(state) = self.calls.get_mut(&call) else { return };
        match sent {
            Some(_) => state.flight = Some(Flight::Offer),
            None => {
                state.wanted = None;
                self.emit(Event::OfferRefused { call, status: 503 });
            }
        }
    }

    /// Contact, abilities, session timer and description of an INVITE.
    pub(super) fn push_offer(
        &self,
        request: &mut Message,
        contact: &str,
        sdp: &str,
        session: FieldList,
        manner: Option<Manner>,
    ) {
        request.push("Contact", contact);
        self.push_abilities(request);
        if let Some(manner) = manner {
            self.keep_manner(request, manner);
        }
        for (name, value) in session {
            if manner.is_none_or(|manner| manner.session_timer) {
                request.push(name, value);
            }
        }
        request.push("Content-Type", "application/sdp");
        request.body = sdp.as_bytes().to_vec();
    }

    /// What the carrier cannot bear is not offered, what it demands is required.
    fn keep_manner(&self, request: &mut Message, manner: Manner) {
        let borne = |tag: &&str| match *tag {
            "timer" => manner.session_timer,
            "100rel" => manner.reliable != Reliable::Off,
            _ => true,
        };
        let tags: Vec<&str> = self.supported().split(", ").filter(borne).collect();
        request.set("Supported", tags.join(", "));
        if manner.reliable == Reliable::Required && tags.contains(&"100rel") {
            request.push("Require", "100rel");
        }
    }

    /// The manner of the trunk a call of ours goes through.
    pub(super) fn manner_of(&self, call: CallHandle) -> Option<Manner> {
        self.manner_at(self.calls.get(&call)?.gateway?)
    }

    pub(super) fn manner_at(&self, gateway: u64) -> Option<Manner> {
        let trunk = &self.gateways.get(&gateway)?.trunk;
        self.trunk_named(trunk).map(|trunk| trunk.manner)
    }

    /// The 2xx of our re-INVITE.
    pub(super) fn on_reinvite_answer(&mut self, now: Instant, id: u64, call: CallHandle, response: &Message) {
        let Some(state) = self.calls.get_mut(&call) else { return self.on_more_success(now, id, response) };
        state.dialog.refresh_target(response);
        self.acknowledge(now, call, id);
        self.on_offer_answer(now, call, response);
    }

    /// The 2xx of our UPDATE.
    pub(super) fn on_update_answer(&mut self, now: Instant, call: CallHandle, response: Option<&Message>) {
        let (Some(state), Some(response)) = (self.calls.get_mut(&call), response) else { return };
        state.dialog_with(response.to_tag().unwrap_or_default()).refresh_target(response);
        self.on_offer_answer(now, call, response);
    }

    fn on_offer_answer(&mut self, now: Instant, call: CallHandle, response: &Message) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        state.flight = None;
        let wanted = state.wanted.take();
        if state.over {
            return;
        }
        state.abilities.learn(response);
        if matches!(state.phase, Phase::Confirmed) {
            self.take_session(now, call, response);
        }
        if let Some(wanted) = wanted {
            self.keep_description(call, &wanted.sdp);
            self.trim_description(call);
        }
        let sdp = body::session_description(response).ok().flatten();
        self.emit(Event::OfferAccepted { call, sdp });
    }

    /// The 2xx of a session refresh by re-INVITE.
    pub(super) fn on_refresh_answer(&mut self, now: Instant, id: u64, call: CallHandle, response: &Message) {
        if !self.calls.contains_key(&call) {
            return self.on_more_success(now, id, response);
        }
        self.acknowledge(now, call, id);
        self.on_refreshed(now, call, response);
        let sdp = body::session_description(response).ok().flatten();
        if sdp.is_some() && self.calls.get(&call).is_some_and(|state| !state.over) {
            self.emit(Event::OfferAccepted { call, sdp });
        }
        self.try_wanted(now, call);
    }

    pub(super) fn on_offer_failure(&mut self, now: Instant, call: CallHandle, status: u16) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        state.flight = None;
        if state.over {
            return;
        }
        // RFC 3261 §12.2.1.2: the other side does not know the call any more.
        if matches!(status, 408 | 481) {
            self.end(call, Cause::Lost);
            return self.send_bye(now, call, None);
        }
        if let Some(wanted) = state.wanted.as_mut().filter(|wanted| status == 491 && wanted.tries < MAX_TRIES)
        {
            wanted.tries += 1;
            let ours = state.dialog.call_id_is_ours;
            let delay = glare_delay(self.tokens.below(401), ours);
            let retry = self.timers.set(now + delay, Timer::OfferRetry(call));
            if let Some(wanted) = self.calls.get_mut(&call).and_then(|state| state.wanted.as_mut()) {
                wanted.retry = Some(retry);
            }
            return;
        }
        state.wanted = None;
        self.emit(Event::OfferRefused { call, status });
    }

    pub(super) fn on_offer_retry(&mut self, now: Instant, call: CallHandle) {
        if let Some(wanted) = self.calls.get_mut(&call).and_then(|state| state.wanted.as_mut()) {
            wanted.retry = None;
            self.try_wanted(now, call);
        }
    }

    /// We answered their offer while ours waits: ours must have a higher version than that answer.
    pub(super) fn outdo_version(&mut self, call: CallHandle, answered: &str) {
        let Some(wanted) = self.calls.get_mut(&call).and_then(|state| state.wanted.as_mut()) else { return };
        if let Some(raised) = with_version_above(&wanted.sdp, answered) {
            wanted.sdp = raised;
        }
    }
}

/// `random` of 0 to 400 gives 2.1 to 4 s for the owner of the Call-ID, else 0 to 2 s, in steps of 10 ms.
fn glare_delay(random: u32, owner: bool) -> Duration {
    let steps = if owner { 210 + random % 191 } else { random % 201 };
    Duration::from_millis(u64::from(steps) * 10)
}

/// The version in `o=`: its third word.
fn version(sdp: &str) -> Option<(std::ops::Range<usize>, u64)> {
    let line = sdp
        .find("o=")
        .filter(|at| sdp.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with('\n')))?;
    let rest = sdp.get(line..)?;
    let start = rest.match_indices(' ').nth(1)?.0 + 1;
    let length = rest.get(start..)?.find([' ', '\r', '\n'])?;
    let range = line + start..line + start + length;
    Some((range.clone(), sdp.get(range)?.parse().ok()?))
}

/// `None` if it is higher already, or cannot be read.
fn with_version_above(sdp: &str, other: &str) -> Option<String> {
    let ((range, own), (_, other)) = (version(sdp)?, version(other)?);
    if own > other {
        return None;
    }
    let mut raised = sdp.to_owned();
    raised.replace_range(range, &other.saturating_add(1).to_string());
    Some(raised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_waits_longer() {
        for random in 0..=400 {
            let (owner, other) = (glare_delay(random, true), glare_delay(random, false));
            assert!((2_100..=4_000).contains(&owner.as_millis()), "{owner:?}");
            assert!(other.as_millis() <= 2_000, "{other:?}");
        }
    }

    #[test]
    fn a_version_is_raised_only_when_it_must() {
        let of = |version: &str| format!("v=0\r\no=- 7 {version} IN IP4 192.0.2.1\r\ns=-\r\n");
        assert_eq!(with_version_above(&of("3"), &of("3")), Some(of("4")));
        assert_eq!(with_version_above(&of("3"), &of("12")), Some(of("13")));
        assert_eq!(with_version_above(&of("4"), &of("3")), None);
        assert_eq!(with_version_above("v=0\r\no=x", &of("3")), None);
    }
}
