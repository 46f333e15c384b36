//! The front door: who may send what, and what is refused before any state exists.
//!
//! A source that is neither a trunk nor in an agents' network is not answered at all. From known sources a
//! malformed request is answered with 400 where an answer can be built.
//! Order of checks: [RFC 3261 §8.2](https://www.rfc-editor.org/rfc/rfc3261#section-8.2).

use std::{net::SocketAddr, time::Instant};

use super::{Endpoint, answer};
use crate::{
    config::Transport,
    event::{Event, Path},
    fields,
    message::{DEFECT_VERSION, Message, Method, ParseError},
    path::{Source, complete_via},
    transaction::{client_key, server_key},
};

/// The longest method that is told of.
const MAX_VALUE: usize = 32;

impl Endpoint {
    pub(super) fn on_datagram(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        let source = Source {
            path: Path::Udp { local, remote },
            local,
            remote,
            transport: Transport::Udp,
            trunk: self.trunk_at(remote.ip()).map(|trunk| trunk.name.clone()),
            agent: self.config.is_agent_network(remote.ip()),
            called_by_us: self.called.contains_key(&remote.ip().to_canonical()),
        };
        self.on_message(now, &source, bytes);
    }

    /// One message, from a datagram or cut out of a stream.
    pub(super) fn on_message(&mut self, now: Instant, source: &Source, bytes: &[u8]) {
        // Strangers may only answer what we asked them (a BYE to a Contact outside the trunk's network).
        if !source.is_known() && !bytes.starts_with(b"SIP/2.0 ") {
            return self.refused(source, "unknown-source");
        }
        if bytes.len() > self.config.max_message_bytes {
            return self.refused_with(source, "too-large", bytes.len().to_string());
        }
        match Message::parse(bytes) {
            Ok(message) if message.status().is_some() => self.on_response(now, source, &message),
            Ok(message) => self.on_request(now, source, message),
            Err(ParseError::Empty) => {}
            Err(ParseError::StartLine) => self.refused(source, "not-sip"),
        }
    }

    pub(super) fn refused(&mut self, source: &Source, rule: &'static str) {
        self.emit(Event::Refused { remote: source.remote, rule, value: None });
    }

    /// The same with what failed the rule.
    pub(super) fn refused_with(&mut self, source: &Source, rule: &'static str, value: impl Into<String>) {
        self.emit(Event::Refused { remote: source.remote, rule, value: Some(value.into()) });
    }

    /// Whether a new call or a registration comes too soon after the others.
    pub(super) fn too_fast(&mut self, now: Instant, source: &Source, invite: bool) -> Option<&'static str> {
        let address = source.remote.ip().to_canonical();
        if self.source_rate.as_mut().is_some_and(|buckets| !buckets.take(now, address)) {
            return Some("source-rate");
        }
        let all = self.invite_rate.as_mut().filter(|_| invite);
        all.is_some_and(|buckets| !buckets.take(now, ())).then_some("invite-rate")
    }

    fn on_request(&mut self, now: Instant, source: &Source, mut request: Message) {
        complete_via(&mut request, source.remote);
        if let Some((rule, header)) = unanswerable(&request) {
            return self.refused_with(source, rule, header);
        }
        let Some(method) = request.method().cloned() else { return };
        if let Some(defect) = defect(&request, &method) {
            self.refused_with(source, "malformed", defect);
            return self.reply(source, &request, if defect == DEFECT_VERSION { 505 } else { 400 }, &[]);
        }
        // Repeats, CANCEL and the ACK of a refusal belong to a transaction that is there already.
        match method {
            Method::Ack => return self.on_ack(now, source, &request),
            Method::Cancel => return self.on_cancel(now, source, &request),
            _ => {}
        }
        if let Some(id) = server_key(&self.keys, &request, method.as_str())
            .and_then(|key| self.server_keys.get(&key).copied())
        {
            return self.on_repeat(id);
        }
        if request.to_tag().is_some() {
            return self.on_in_dialog(now, source, request, &method);
        }
        self.on_new_request(now, source, request, &method);
    }

    fn on_new_request(&mut self, now: Instant, source: &Source, request: Message, method: &Method) {
        let allowed = match method {
            Method::Register => source.agent,
            Method::Options => true,
            Method::Invite => source.trunk.is_some() || (source.agent && self.config.agent_calls),
            Method::Message | Method::Subscribe | Method::Notify => source.trunk.is_some() || source.agent,
            _ => source.trunk.is_some(),
        };
        if !allowed {
            let rule = if *method == Method::Register {
                "register-outside-agent-networks"
            } else {
                "not-from-a-trunk"
            };
            return self.refused_with(
                source,
                rule,
                method.as_str().chars().take(MAX_VALUE).collect::<String>(),
            );
        }
        if request.value("Max-Forwards").is_some_and(|hops| hops.trim().parse::<u32>() == Ok(0)) {
            return self.reply(source, &request, 483, &[]);
        }
        if self.was_ours(&request, method) {
            return self.reply(source, &request, 482, &[]);
        }
        match method {
            Method::Unserved(_) => return self.reply(source, &request, 405, &[]),
            Method::Unknown(_) => return self.reply(source, &request, 501, &[]),
            _ => {}
        }
        if !is_served_scheme(request.request_uri()) {
            return self.reply(source, &request, 416, &[]);
        }
        if let Some(unsupported) = self.unsupported(&request) {
            return self.reply(source, &request, 420, &[("Unsupported", unsupported)]);
        }
        match method {
            Method::Invite => self.on_invite(now, source, request),
            Method::Register => self.on_register(now, source, request),
            Method::Options => {
                let fields = [
                    ("Accept", answer::ACCEPT.to_owned()),
                    ("Accept-Encoding", "identity".to_owned()),
                    ("Contact", self.contact_for(source)),
                ];
                self.reply(source, &request, 200, &fields);
            }
            Method::Message => self.on_text(now, source, None, request),
            Method::Subscribe => self.on_subscribe(now, source, None, request),
            Method::Notify if super::refer::package(&request) != "refer" => {
                self.reply(source, &request, 489, &[("Allow-Events", "refer".to_owned())]);
            }
            // We hand on calls, not registrations or nothing at all.
            Method::Refer => self.reply(source, &request, 403, &[]),
            // BYE, INFO, PRACK and UPDATE make sense inside a call only.
            _ => self.reply(source, &request, 481, &[]),
        }
    }

    /// RFC 3261 §16.3 step 4, for a user agent: a request of ours that was sent back to us on its way.
    fn was_ours(&self, request: &Message, method: &Method) -> bool {
        let branch = |via| fields::Via::parse(via).map(|via| via.branch());
        request
            .list("Via")
            .filter_map(branch)
            .any(|branch| self.client_keys.contains_key(&client_key(&self.keys, branch, method.as_str())))
    }
}

/// What an answer cannot be built without.
fn unanswerable(request: &Message) -> Option<(&'static str, &'static str)> {
    if request.via().is_none() {
        return Some(("no-via", "Via"));
    }
    ["From", "To", "Call-ID", "CSeq"]
        .into_iter()
        .find(|name| request.value(name).is_none_or(|value| value.is_empty()))
        .map(|name| ("mandatory-header-missing", name))
}

fn defect(request: &Message, method: &Method) -> Option<&'static str> {
    if let Some(defect) = request.defect {
        return Some(defect);
    }
    for single in ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length"] {
        if request.values(single).nth(1).is_some() {
            return Some("a header that may stand once stands twice");
        }
    }
    if request.call_id().contains(char::is_control) {
        // Could not be written back as it came, so no answer would be found again by its asker.
        return Some("Call-ID holds control characters");
    }
    if request.cseq().is_none_or(|cseq| cseq.method != method.as_str()) {
        return Some("CSeq does not fit");
    }
    if request.from().is_none() || request.to().is_none() {
        return Some("From or To cannot be read");
    }
    let uri = request.request_uri();
    if is_sip(uri) && fields::SipUri::parse(uri).is_none() {
        return Some("the Request-URI is malformed");
    }
    let hops = request.value("Max-Forwards");
    if hops.is_some_and(|hops| hops.trim().parse::<u32>().is_err()) {
        return Some("Max-Forwards is not a number");
    }
    None
}

fn is_served_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| {
        ["sip", "sips", "tel"].iter().any(|known| known.eq_ignore_ascii_case(scheme))
    })
}

fn is_sip(uri: &str) -> bool {
    uri.split_once(':')
        .is_some_and(|(scheme, _)| ["sip", "sips"].iter().any(|known| known.eq_ignore_ascii_case(scheme)))
}
