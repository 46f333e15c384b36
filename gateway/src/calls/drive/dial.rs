//! A call that begins here: calling the far end once the agent is there, who hears how it rings: the carrier's own
//! announcements where they come as early media (RFC 3960), else our ring-back tone.

use std::time::Instant;

use gateway_call::{Event, LegId, Role};
use gateway_media::{Leg, Stream};
use gateway_sip::sdp::{Negotiated, SessionDescription};

use super::Driver;
use crate::calls::leg;
use crate::calls::media::MediaCommand;
use crate::switch::OutgoingCall;

/// The endpoint would not call: no gateway of the trunk is in use, or too many calls.
const UNAVAILABLE: u16 = 503;

impl Driver {
    pub(super) async fn dial(&mut self, leg: LegId) {
        let Some(callee) = self.dial.take() else { return };
        let invitation = OutgoingCall {
            callee,
            caller_user: self.calls.live.load().call.service_line.clone(),
            sdp: self.caller.sdp.clone(),
            ..OutgoingCall::default()
        };
        match self.calls.switch.invite(invitation).await {
            Ok((handle, events, host)) => {
                self.caller.handle = Some(handle);
                self.caller.events = events;
                self.caller.host = host.unwrap_or(self.calls.media_address);
                self.caller.gone = false;
            }
            Err(error) => {
                tracing::warn!(record.id = %self.record.record_id, %error, "A call could not be made.");
                self.session.handle(Instant::now(), Event::AnswerFailed { sip_code: UNAVAILABLE });
                return;
            }
        }
        let Some(ports) = self.ports.take() else { return };
        self.open_room(ports, leg::silent_stream(&self.calls.media, self.caller.host)).await;
        self.enter(leg, Role::Agent).await;
        if let Some((room, _)) = self.agent(leg).and_then(|agent| agent.room) {
            let prompt = self.calls.prompts.ring_back();
            self.media(MediaCommand::Play { leg: room, prompt, id: 0, repeat: true }).await;
        }
    }

    /// It rings, with the carrier's own sound if an answer came along.
    pub(super) async fn far_rings(&mut self, sdp: Option<&str>) {
        if !self.outbound {
            return;
        }
        if let Some(agreed) = self.far_agreed(sdp) {
            self.hear_far(agreed).await;
            self.media(MediaCommand::Bridge(true)).await;
        }
    }

    pub(super) async fn far_answered(&mut self, sdp: Option<&str>) {
        if !self.outbound {
            return;
        }
        let now = Instant::now();
        let Some(agreed) = self.far_agreed(sdp) else {
            self.end_caller("SIP;cause=488").await;
            self.caller.gone = true;
            return self.session.handle(now, Event::AnswerFailed { sip_code: 488 });
        };
        self.hear_far(agreed).await;
        self.session.handle(now, Event::Confirmed);
    }

    fn far_agreed(&mut self, sdp: Option<&str>) -> Option<Negotiated> {
        let answer = SessionDescription::parse(sdp?).ok()?;
        self.caller.description.accept_answer(&answer).ok()
    }

    async fn hear_far(&self, agreed: Negotiated) {
        let change = Box::new(move |stream: &mut Stream, now| leg::change(stream, now, &agreed));
        self.media(MediaCommand::Change(Leg::CALLER, change)).await;
        for (room, _) in self.agents.iter().filter_map(|agent| agent.room) {
            self.media(MediaCommand::StopPlaying(room)).await;
        }
    }
}
