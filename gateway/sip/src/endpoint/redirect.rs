//! A carrier answers a call of ours with 3xx: followed as long as it stays with that carrier.
//!
//! The Contacts that lie in the trunk's own networks, at one of its gateways or in its domain are tried one after the
//! other, the preferred one first, with the same Call-ID and the next CSeq, until one answers or declines for everybody
//! (6xx); nowhere twice, and three times at most. Anything else is an answer like another: the call has failed with
//! that status. Calls to agents' and fixed phones are never redirected.
//! [RFC 3261 §8.1.3.4](https://www.rfc-editor.org/rfc/rfc3261#section-8.1.3.4).

use std::{net::SocketAddr, time::Instant};

use super::Endpoint;
use crate::{
    config::Transport,
    dialog::{Elsewhere, Phase},
    event::CallHandle,
    fields::{self, NameAddress, SipUri},
    message::Message,
    replaces,
};

/// So often a call may be sent elsewhere.
const MAX_HOPS: usize = 3;
/// The longest Request-URI taken over.
const MAX_URI: usize = 512;

impl Endpoint {
    /// What a 3xx to our INVITE asks for. True if the call is under way to where it points.
    pub(super) fn follow_redirect(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        response: Option<&Message>,
    ) -> bool {
        let Some(response) = response.filter(|_| matches!(status, 300..=302 | 305)) else { return false };
        let Some(state) = self.calls.get(&call).filter(|state| !state.over) else { return false };
        let wanted = matches!(state.phase, Phase::Calling { cancel_wanted: false, .. });
        let (Some(gateway), Some(attempt)) = (state.gateway.filter(|_| wanted), &state.attempt) else {
            return false;
        };
        let known = |uri: &String| {
            *uri == state.dialog.remote_target
                || attempt.been.contains(uri)
                || attempt.elsewhere.iter().any(|target| target.uri == *uri)
        };
        let mut found: Vec<Elsewhere> = contacts(response)
            .into_iter()
            .filter(|uri| !known(uri))
            .filter_map(|uri| self.within_trunk(gateway, uri))
            .take(MAX_HOPS)
            .collect();
        if found.is_empty() || attempt.been.len() >= MAX_HOPS {
            return self.go_elsewhere(now, call, status);
        }
        self.judge_gateway(now, gateway, Some(response), false);
        if let Some(attempt) = self.calls.get_mut(&call).and_then(|state| state.attempt.as_mut()) {
            // The other gateways were for the number that was dialled, not for this one.
            attempt.left.clear();
            found.reverse();
            attempt.elsewhere.append(&mut found);
        }
        self.go_elsewhere(now, call, status)
    }

    /// To the next place a 3xx named, when the one before came to nothing with `status`. True if it is tried.
    pub(super) fn go_elsewhere(&mut self, now: Instant, call: CallHandle, status: u16) -> bool {
        if status >= 600 {
            return false;
        }
        loop {
            let Some(state) = self.calls.get_mut(&call).filter(|state| !state.over) else { return false };
            if !matches!(state.phase, Phase::Calling { cancel_wanted: false, .. }) {
                return false;
            }
            let Some(attempt) = state.attempt.as_mut().filter(|attempt| attempt.been.len() < MAX_HOPS) else {
                return false;
            };
            let Some(Elsewhere { uri, remote, transport, gateway }) = attempt.elsewhere.pop() else {
                return false;
            };
            let Ok(path) = self.way_to(now, transport, remote) else { continue };
            let Some(state) = self.calls.get_mut(&call) else { return false };
            let Some(attempt) = &mut state.attempt else { return false };
            let limit = attempt.limit.take();
            attempt.been.push(std::mem::replace(&mut state.dialog.remote_target, uri));
            (attempt.taken, attempt.datagram) = (false, None);
            state.gateway = Some(gateway);
            self.timers.cancel(limit);
            self.set_called(call, Some(remote.ip()));
            let path = self.attempt_path(now, call, path);
            if self.try_along(now, call, path) {
                return true;
            }
        }
    }

    /// Where a Contact leads, and the gateway whose challenges are answered there; `None` outside the trunk.
    fn within_trunk(&self, gateway: u64, uri: String) -> Option<Elsewhere> {
        let (remote, transport, gateway) = self.place_within_trunk(gateway, &uri)?;
        Some(Elsewhere { uri, remote, transport, gateway })
    }

    fn place_within_trunk(&self, gateway: u64, uri: &str) -> Option<(SocketAddr, Transport, u64)> {
        let parsed = SipUri::parse(uri)?;
        let current = self.gateways.get(&gateway)?;
        let trunk = self.trunk_named(&current.trunk)?;
        let asked = match parsed.parameter("transport") {
            Some(name) => Some(Transport::of_parameter(name)?),
            None if uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:")) => {
                Some(Transport::Tls)
            }
            None => None,
        };
        let Some(ip) = fields::literal(parsed.host) else {
            // A name of the carrier's: its domain stands for the gateway in use.
            let own = trunk.domain.as_deref().is_some_and(|domain| domain.eq_ignore_ascii_case(parsed.host));
            let named = self.gateways.iter().find(|(_, known)| {
                known.trunk == trunk.name && known.config.host().eq_ignore_ascii_case(parsed.host)
            });
            let id = named.map(|(id, _)| *id).or(own.then_some(gateway))?;
            let known = self.gateways.get(&id)?.config.transport;
            return Some((self.gateway_address(id)?, asked.unwrap_or(known), id));
        };
        let own = self
            .gateways
            .iter()
            .filter(|(_, known)| known.trunk == trunk.name)
            .find(|(id, _)| self.gateway_address(**id).is_some_and(|at| at.ip().to_canonical() == ip));
        let inside = trunk.from.iter().any(|network| network.contains(&ip));
        let (id, known) = match own {
            Some((id, known)) => (*id, known.config.transport),
            None => inside.then_some((gateway, Transport::Udp))?,
        };
        let transport = asked.unwrap_or(known);
        Some((SocketAddr::new(ip, parsed.port.unwrap_or(transport.default_port())), transport, id))
    }
}

/// The URIs of the Contacts without headers, the preferred ones first (`q`).
fn contacts(response: &Message) -> Vec<String> {
    let mut found: Vec<(u32, String)> = response
        .list("Contact")
        .filter_map(NameAddress::parse)
        .filter_map(|contact| {
            let weight = contact.parameter("q").and_then(|q| q.trim().parse::<f32>().ok()).unwrap_or(1.0);
            let uri = replaces::split_target(contact.uri).0;
            let sound = uri.len() <= MAX_URI
                && !uri.contains(|character: char| character.is_control() || character.is_whitespace());
            let parsed = SipUri::parse(uri).filter(|_| sound)?;
            let invites = parsed.parameter("method").is_none_or(|method| method == "INVITE");
            // In thousandths: what is written has three digits at most.
            let weight = (weight.clamp(0.0, 1.0) * 1_000.0) as u32;
            invites.then(|| (weight, uri.to_owned()))
        })
        .collect();
    found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    found.into_iter().map(|(_, uri)| uri).collect()
}
