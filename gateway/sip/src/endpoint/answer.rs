//! Building responses, and sending those that need no transaction.
//!
//! Every response carries Server, Allow, Supported and (but for 100) a To tag; a refusal decided by the request
//! alone is answered without keeping state, with a tag that follows from the request
//! ([RFC 3261 §8.2.6–8.2.7](https://www.rfc-editor.org/rfc/rfc3261#section-8.2.6)).

use super::Endpoint;
use crate::{
    config::Reliability,
    fields,
    message::{Message, Method},
    path::{Source, response_path},
};

/// The methods served.
pub(super) const ALLOW: &str =
    "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY, MESSAGE, REGISTER";
/// The bodies read.
pub(super) const ACCEPT: &str = "application/sdp, multipart/mixed";

impl Endpoint {
    /// A response with everything the request dictates. `tag` is used where To has none.
    pub(super) fn response(&self, request: &Message, status: u16, tag: Option<&str>) -> Message {
        let mut response = Message::response(status);
        for name in ["Via", "Record-Route"] {
            // Record-Route only where a dialog may begin (RFC 3261 §12.1.1).
            if name == "Record-Route"
                && !((101..300).contains(&status) && request.method() == Some(&Method::Invite))
            {
                continue;
            }
            for value in request.values(name) {
                response.push(name, value);
            }
        }
        if let Some(from) = request.value("From") {
            response.push("From", from);
        }
        if let Some(to) = request.value("To") {
            match (request.to_tag(), status) {
                (None, 101..) => {
                    let derived;
                    let tag = match tag {
                        Some(tag) => tag,
                        None => {
                            derived = self.derived_tag(request);
                            &derived
                        }
                    };
                    response.push("To", format!("{to};tag={tag}"));
                }
                _ => response.push("To", to),
            }
        }
        for name in ["Call-ID", "CSeq"] {
            if let Some(value) = request.value(name) {
                response.push(name, value);
            }
        }
        if status == 100
            && let Some(timestamp) = request.value("Timestamp")
        {
            response.push("Timestamp", timestamp);
        }
        response.push("Server", self.config.user_agent.clone());
        response.push("Allow", ALLOW);
        response.push("Supported", self.supported());
        response
    }

    /// The option tags we understand.
    pub(super) fn supported(&self) -> &'static str {
        match (self.config.reliability != Reliability::Off, self.config.session_expires.is_some()) {
            (true, true) => "100rel, timer, replaces, norefersub",
            (true, false) => "100rel, replaces, norefersub",
            (false, true) => "timer, replaces, norefersub",
            (false, false) => "replaces, norefersub",
        }
    }

    /// The option tags required of us that we do not understand.
    pub(super) fn unsupported(&self, request: &Message) -> Option<String> {
        let ours = |tag: &str| self.supported().split(", ").any(|known| known.eq_ignore_ascii_case(tag));
        let tags: Vec<&str> =
            request.list("Require").filter(|tag| fields::is_token(tag) && !ours(tag)).collect();
        (!tags.is_empty()).then(|| tags.join(", "))
    }

    /// What stands in every request that carries an offer or refreshes a session.
    pub(super) fn push_abilities(&self, request: &mut Message) {
        request.push("Allow", ALLOW);
        request.push("Supported", self.supported());
        request.push("Accept", ACCEPT);
    }

    fn derived_tag(&self, request: &Message) -> String {
        let branch = request.via().map_or("", |via| via.branch());
        self.tokens.derive(&[
            branch,
            request.call_id(),
            request.from_tag(),
            request.value("CSeq").unwrap_or_default(),
        ])
    }

    /// Answers without a transaction. An ACK is never answered.
    pub(super) fn reply(
        &mut self,
        source: &Source,
        request: &Message,
        status: u16,
        fields: &[(&'static str, String)],
    ) {
        self.reply_tagged(source, request, status, None, fields);
    }

    pub(super) fn reply_tagged(
        &mut self,
        source: &Source,
        request: &Message,
        status: u16,
        tag: Option<&str>,
        fields: &[(&'static str, String)],
    ) {
        if request.method() == Some(&Method::Ack) {
            return;
        }
        let mut response = self.response(request, status, tag);
        for (name, value) in fields {
            response.push(*name, value.clone());
        }
        self.send(response_path(source, request), response.to_bytes());
    }

    /// Our Contact towards that source.
    pub(super) fn contact_for(&self, source: &Source) -> String {
        let host = self
            .host_towards(source.transport, Some(source.local), source.remote)
            .unwrap_or_else(|| source.local.to_string());
        format!("<sip:{host}{}>", source.transport.uri_parameter())
    }
}

/// Whether a message names an option tag as supported or required.
pub(super) fn has_option(message: &Message, tag: &str) -> bool {
    ["Supported", "Require"].iter().any(|name| message.list(name).any(|have| have.eq_ignore_ascii_case(tag)))
}
