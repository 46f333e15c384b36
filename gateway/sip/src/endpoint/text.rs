//! MESSAGE: a text by SIP, inside a call or outside one; the layer above takes or refuses it.
//!
//! [RFC 3428](https://www.rfc-editor.org/rfc/rfc3428). We send none. A text from an agents' network proves its
//! secret first, as a registration does; inside a call the tags are proof enough.

use std::time::{Duration, Instant};

use super::{Endpoint, invite::read_identity};
use crate::{
    event::{CallHandle, Event, IncomingMessage, MessageId},
    message::{Message, Method},
    path::Source,
    timers::Timer,
};

/// Texts that wait for the layer above; more get 503.
const MAX_WAITING: usize = 1_000;
/// How long the layer above may take, before the sender's timer F: then 500.
const DECISION: Duration = Duration::from_secs(15);

impl Endpoint {
    pub(super) fn on_text(
        &mut self,
        now: Instant,
        source: &Source,
        call: Option<CallHandle>,
        request: Message,
    ) {
        let mut agent = None;
        if call.is_none() && source.trunk.is_none() {
            match self.authenticated_user(now, source, &request, &Method::Message) {
                Ok(user) => agent = Some(user),
                Err(()) => return,
            }
        }
        if self.texts.len() >= MAX_WAITING || (self.draining && call.is_none()) {
            let wait = self.config.overload_retry_after.to_string();
            return self.reply(source, &request, 503, &[("Retry-After", wait)]);
        }
        let uri = |name| {
            let address = request.value(name).and_then(crate::fields::NameAddress::parse);
            address.map(|address| address.uri.to_owned()).unwrap_or_default()
        };
        let mut message = IncomingMessage {
            id: MessageId(0),
            call,
            key: format!(
                "{} {} {}",
                request.call_id(),
                request.cseq().map_or(0, |cseq| cseq.number),
                request.from_tag()
            ),
            from: uri("From"),
            identity: read_identity(&request),
            to: request.request_uri().to_owned(),
            content_type: request.value("Content-Type").unwrap_or("text/plain").to_owned(),
            body: request.body.clone(),
            remote: source.remote,
            trunk: source.trunk.clone(),
            agent: agent.or_else(|| self.calls.get(&call?)?.dialog.agent.clone()),
        };
        let Some(server) = self.begin_server(source, request, None) else { return };
        message.id = MessageId(server);
        let timer = self.timers.set(now + DECISION, Timer::Text(server));
        self.texts.insert(server, timer);
        self.emit(Event::Message(Box::new(message)));
    }

    /// Takes a text: 200.
    pub fn accept_message(&mut self, now: Instant, id: MessageId) {
        self.decide_text(now, id, 200, &[]);
    }

    /// Refuses a text; `status` 300 to 699 (anything else becomes 488).
    pub fn refuse_message(&mut self, now: Instant, id: MessageId, status: u16) {
        let status = if (300..700).contains(&status) { status } else { 488 };
        let wait = [("Retry-After", self.config.overload_retry_after.to_string())];
        let plain = [("Accept", "text/plain".to_owned())];
        let fields = match status {
            480 | 500 | 503 => &wait[..],
            415 => &plain[..],
            _ => &[],
        };
        self.decide_text(now, id, status, fields);
    }

    fn decide_text(&mut self, now: Instant, id: MessageId, status: u16, fields: &[(&'static str, String)]) {
        let Some(timer) = self.texts.remove(&id.0) else { return };
        self.timers.cancel(Some(timer));
        self.respond_status(now, id.0, status, None, fields);
    }

    pub(super) fn on_text_timer(&mut self, now: Instant, server: u64) {
        self.refuse_message(now, MessageId(server), 500);
    }
}
