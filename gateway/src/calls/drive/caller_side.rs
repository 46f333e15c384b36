//! The caller's leg: answering, what happens to it, re-INVITEs, hanging up.

use std::time::{Duration, Instant};

use gateway_call::Event;
use gateway_media::{Leg, Stream, digit_of_info};
use gateway_sip::IncomingMessage;
use gateway_sip::sdp::Negotiated;

use super::{Driver, agreed_by, answer_offer};
use crate::calls::leg;
use crate::calls::media::{MediaCommand, Setup};
use crate::calls::ports::PortPair;
use crate::switch::LegEvent;
use crate::{compose, texts};

/// A disk writes within this, or the text is refused.
const DISK_PATIENCE: Duration = Duration::from_secs(2);
/// Texts kept of one call.
const MAX_TEXTS: usize = 100;
/// Not acceptable here (RFC 3261 section 21.4.26): a technical number keeps nothing.
const NOT_ACCEPTABLE: u16 = 488;
/// Temporarily unavailable (RFC 3261 section 21.4.18): so much was written already.
const TEMPORARILY_UNAVAILABLE: u16 = 480;
/// Service unavailable: the disk takes nothing.
const UNAVAILABLE: u16 = 503;

impl Driver {
    pub(super) async fn caller_event(&mut self, event: Option<LegEvent>) {
        let now = Instant::now();
        match event {
            Some(LegEvent::Confirmed { sdp }) => self.confirmed(sdp.as_deref()).await,
            Some(LegEvent::HungUp { q850 }) => {
                self.caller.gone = true;
                let q850 = q850.and_then(|cause| u8::try_from(cause).ok());
                self.session.handle(now, Event::CallerHungUp { q850 });
            }
            Some(LegEvent::Offer { sdp }) => self.caller_offer(sdp).await,
            Some(LegEvent::OfferAnswered { sdp }) => self.caller_answers(sdp.as_deref()).await,
            // A citizen hands nobody over.
            Some(LegEvent::Referred { .. }) => {
                if let Some(handle) = self.caller.handle {
                    self.calls.switch.refuse_refer(handle, 603).await;
                }
            }
            Some(LegEvent::Text(message)) => self.caller_writes(*message).await,
            Some(LegEvent::Info { content_type, body }) => {
                self.digit_by_info(Leg::CALLER, &content_type, &body).await;
            }
            Some(LegEvent::Ringing { sdp }) => self.far_rings(sdp.as_deref()).await,
            Some(LegEvent::Answered { sdp }) => self.far_answered(sdp.as_deref()).await,
            Some(LegEvent::Failed { status }) if self.outbound => {
                self.caller.gone = true;
                self.session.handle(now, Event::AnswerFailed { sip_code: status });
            }
            Some(LegEvent::Lost { .. } | LegEvent::Failed { .. }) | None => {
                if let Some(LegEvent::Lost { why }) = event {
                    self.lost.get_or_insert(why);
                }
                self.caller.gone = true;
                self.session.handle(now, Event::CallerLost);
            }
        }
    }

    /// The ACK. When the INVITE or a re-INVITE had no offer, it carries the answer to ours.
    pub(super) async fn confirmed(&mut self, sdp: Option<&str>) {
        if self.media.is_some() {
            self.caller_answers(sdp).await;
        } else {
            match agreed_by(&mut self.caller.description, sdp) {
                Some(agreed) => self.start_media(&agreed).await,
                None => {
                    self.end_caller("SIP;cause=488").await;
                    return self.session.handle(Instant::now(), Event::CallerLost);
                }
            }
        }
        self.session.handle(Instant::now(), Event::Confirmed);
    }

    async fn caller_answers(&mut self, sdp: Option<&str>) {
        if let Some(agreed) = agreed_by(&mut self.caller.description, sdp) {
            self.change_stream(Leg::CALLER, agreed).await;
        }
    }

    pub(super) async fn answer(&mut self) {
        if let Some(agreed) = self.agreed.take() {
            self.start_media(&agreed).await;
        }
        let Some(handle) = self.caller.handle else { return };
        if let Err(error) = self.calls.switch.answer(handle, self.caller.sdp.clone()).await {
            // Mostly a caller who gave up at this very moment: their event is already on its way.
            tracing::debug!(%error, "A call could not be answered.");
        }
    }

    pub(super) async fn start_media(&mut self, agreed: &Negotiated) {
        let Some(ports) = self.ports.take() else { return };
        let stream = leg::stream(&self.calls.media, agreed, Some(self.caller.host));
        self.open_room(ports, stream).await;
    }

    pub(super) async fn open_room(&mut self, ports: PortPair, stream: Stream) {
        let path = self.calls.recorder.path(self.record.record_id, self.record.created_at);
        let track = self.calls.recorder.track(self.record.record_id, &path);
        let setup = Setup { config: self.calls.media.clone(), ports, stream, track };
        self.media = Some(self.calls.engine.open(setup).await);
    }

    pub(super) async fn hang_up_caller(&mut self, q850: u8) {
        if !self.caller.gone {
            self.end_caller(&format!("Q.850;cause={q850}")).await;
        }
    }

    /// Hangs up, or stops ringing.
    pub(super) async fn end_caller(&self, reason: &str) {
        if let Some(handle) = self.caller.handle {
            self.calls.switch.hang_up(handle, Some(reason.to_owned())).await;
        }
    }

    pub(super) async fn caller_offer(&mut self, sdp: Option<String>) {
        let Some(handle) = self.caller.handle else { return };
        let (description, port) = (&mut self.caller.description, self.caller.port);
        let answered = answer_offer(&self.calls, handle, description, &self.caller.towards, port, sdp);
        if let Some(agreed) = answered.await {
            self.change_stream(Leg::CALLER, agreed).await;
        }
    }

    /// What the citizen writes during the call stands in its record, on disk before it is answered.
    async fn caller_writes(&mut self, message: IncomingMessage) {
        let taken = match texts::plain_text(&message.content_type, &message.body) {
            Ok(_) if !self.intake => Err(NOT_ACCEPTABLE),
            Ok(_) if self.record.messages.as_ref().is_some_and(|known| known.len() >= MAX_TEXTS) => {
                Err(TEMPORARILY_UNAVAILABLE)
            }
            Ok(text) => self.keep_text(&message.key, text.reveal()).await,
            Err(status) => Err(status),
        };
        match taken {
            Ok(()) => self.calls.switch.accept_text(message.id).await,
            Err(status) => self.calls.switch.refuse_text(message.id, status).await,
        }
    }

    async fn keep_text(&mut self, key: &str, text: &str) -> Result<(), u16> {
        let written = compose::written(key, self.calls.middle.now(), text);
        let messages = self.record.messages.get_or_insert_default();
        if messages.iter().any(|known| known.id == written.id) {
            return Ok(());
        }
        messages.push(written);
        // A disk that hangs must not hold the call up.
        let noted = tokio::time::timeout(DISK_PATIENCE, self.calls.middle.call_noted(&self.record));
        if noted.await == Ok(true) {
            return Ok(());
        }
        // The sender will say it again.
        if let Some(messages) = &mut self.record.messages {
            messages.pop();
        }
        Err(UNAVAILABLE)
    }

    /// A key by INFO; the stream tells it unless it came as event or tone as well. Citizens' numbers pass here:
    /// nothing is logged.
    pub(super) async fn digit_by_info(&self, leg: Leg, content_type: &str, body: &[u8]) {
        let digit = std::str::from_utf8(body).ok().and_then(|body| digit_of_info(content_type, body));
        let Some(digit) = digit else { return };
        let press = Box::new(move |stream: &mut Stream, now| stream.digit_by_info(now, digit));
        self.media(MediaCommand::Change(leg, press)).await;
    }
}
