//! The second call of the agent's phone: it rings while the party it wants is called, is answered when that party is
//! there, and ends with the consultation. Meanwhile the agent speaks and hears there, and the first leg is kept silent.

use std::net::IpAddr;
use std::time::Instant;

use gateway_call::{Command, CommandRefused, Consultation, Event, LegId, Role};
use gateway_media::Leg;
use gateway_sip::CallHandle;
use gateway_sip::sdp::{LocalDescription, Negotiated};

use super::{Driver, agreed_by, answer_offer};
use crate::calls::leg::{self, Towards};
use crate::calls::media::MediaCommand;
use crate::calls::ports::PortPair;
use crate::calls::second_line::{NOT_IN_A_CALL, NewLine, TEMPORARILY_UNAVAILABLE};
use crate::switch::{LegEvent, LegEvents};

/// Busy here (RFC 3261 section 21.4.24): the phone consults already, or wants somebody of this very call.
const BUSY_HERE: u16 = 486;
/// Decline (RFC 3261 section 21.6.2).
const DECLINE: u16 = 603;

pub(super) struct SecondLine {
    handle: CallHandle,
    events: LegEvents,
    /// The agent's first leg.
    first: LegId,
    host: IpAddr,
    description: LocalDescription,
    /// What it knows of us.
    towards: Towards,
    port: u16,
    /// Its sockets until the media task has them.
    ports: Option<PortPair>,
    /// The SDP of our 200.
    sdp: String,
    agreed: Option<Negotiated>,
    /// Its leg of the media room, once it is heard there.
    room: Option<Leg>,
    answered: bool,
    /// The phone it wants rings.
    alerting: bool,
    /// 180 was sent.
    rung: bool,
    /// What its party's phone said, for the refusal.
    status: u16,
    /// Its REFER is being carried out.
    refers: bool,
}

impl SecondLine {
    pub(super) const fn handle(&self) -> CallHandle {
        self.handle
    }
}

impl Driver {
    /// The phone's second call begins a consultation. `Err` is the status to refuse it with.
    pub(super) fn take_second_line(&mut self, line: NewLine) -> Result<(), u16> {
        let in_charge = |leg: &&super::OurLeg| {
            leg.room.is_some_and(|(_, role)| role == Role::Agent)
                && leg.target.agent().is_some_and(|agent| agent.as_str() == line.agent)
        };
        let first = self.agents.iter().find(in_charge).map(|leg| leg.leg).ok_or(NOT_IN_A_CALL)?;
        if self.second_line.is_some() {
            return Err(BUSY_HERE);
        }
        let consult = Command::Consult { target: line.target };
        self.session.command(Instant::now(), consult).map_err(|why| match why {
            CommandRefused::NotTalking => TEMPORARILY_UNAVAILABLE,
            _ => BUSY_HERE,
        })?;
        let prepared = line.prepared;
        self.second_line = Some(SecondLine {
            handle: line.handle,
            events: line.events,
            first,
            host: line.host,
            description: prepared.description,
            towards: prepared.towards,
            port: prepared.ports.port,
            ports: Some(prepared.ports),
            sdp: prepared.sdp,
            agreed: prepared.agreed,
            room: None,
            answered: false,
            alerting: false,
            rung: false,
            status: TEMPORARILY_UNAVAILABLE,
            refers: false,
        });
        Ok(())
    }

    /// Whether a REFER in the phone's first call means its second one.
    pub(super) fn refers_to_second_line(&mut self, handle: CallHandle) -> bool {
        let Some(line) = self.second_line.as_mut().filter(|line| line.handle == handle) else { return false };
        line.refers = false;
        true
    }

    pub(super) fn second_line_place(&self) -> Option<Leg> {
        self.second_line.as_ref()?.room
    }

    /// The dialog of the second call, when it was there that this leg's phone sent its REFER.
    pub(super) fn referrer_on_second_line(&self, leg: LegId) -> Option<CallHandle> {
        let line = self.second_line.as_ref().filter(|line| line.refers && line.first == leg)?;
        Some(line.handle)
    }

    /// What another leg says of itself: when it is the one consulted, the phone is told as much.
    pub(super) fn second_line_hears(&mut self, leg: LegId, event: Option<&LegEvent>) {
        let Some(line) = self.second_line.as_mut().filter(|line| line.first != leg) else { return };
        match event {
            Some(LegEvent::Ringing { .. }) => line.alerting = true,
            Some(LegEvent::Failed { status }) => line.status = *status,
            _ => {}
        }
    }

    /// The second call is where the consultation is: called, there, or over.
    pub(super) async fn follow_consultation(&mut self) {
        let Some(line) = self.second_line.as_mut() else { return };
        let handle = line.handle;
        match self.session.consultation() {
            Some(Consultation::Called) if line.alerting && !line.rung => {
                line.rung = true;
                self.calls.switch.ring(handle).await;
            }
            Some(Consultation::There) if !line.answered => {
                line.answered = true;
                let sdp = line.sdp.clone();
                if self.calls.switch.answer(handle, sdp).await.is_ok() {
                    self.second_line_speaks().await;
                }
            }
            Some(Consultation::Called | Consultation::There) => {}
            None => {
                let (answered, status) = (line.answered, line.status);
                self.drop_second_line().await;
                if answered {
                    self.calls.switch.hang_up(handle, None).await;
                } else {
                    self.calls.switch.refuse(handle, status, None).await;
                }
            }
        }
    }

    /// Takes its sound up, once it is answered and its media agreed on.
    async fn second_line_speaks(&mut self) {
        let (place, media) = (self.free_place(), self.calls.media.clone());
        let Some(line) = self.second_line.as_mut().filter(|line| line.answered) else { return };
        let (Some(place), Some(agreed)) = (place, &line.agreed) else { return };
        let Some(ports) = line.ports.take() else { return };
        let stream = Box::new(leg::stream(&media, agreed, Some(line.host)));
        line.room = Some(place);
        let first = line.first;
        let role = gateway_media::Role::Agent;
        self.media(MediaCommand::SetLeg { leg: place, role, ports, stream }).await;
        // Whatever the phone sends there now, music or the room, is not for the party it consults.
        if let Some((first, _)) = self.agent(first).and_then(|agent| agent.room) {
            self.media(MediaCommand::Hold(first, true)).await;
        }
    }

    async fn drop_second_line(&mut self) {
        let Some(line) = self.second_line.take() else { return };
        let Some(place) = line.room else { return };
        self.media(MediaCommand::DropLeg(place)).await;
        if let Some((first, _)) = self.agent(line.first).and_then(|agent| agent.room) {
            self.media(MediaCommand::Hold(first, false)).await;
        }
    }

    pub(super) async fn line_event(&mut self, event: Option<LegEvent>) {
        let Some(line) = self.second_line.as_mut() else { return };
        match event {
            Some(LegEvent::Confirmed { sdp } | LegEvent::OfferAnswered { sdp }) => {
                if let Some(agreed) = agreed_by(&mut line.description, sdp.as_deref()) {
                    self.line_agrees(agreed).await;
                }
            }
            Some(LegEvent::Offer { sdp }) => self.line_offer(sdp).await,
            Some(LegEvent::Info { content_type, body }) => {
                if let Some(room) = line.room {
                    self.digit_by_info(room, &content_type, &body).await;
                }
            }
            Some(LegEvent::Referred { replaces, .. }) => self.line_refers(replaces).await,
            Some(LegEvent::Text(message)) => {
                self.calls.switch.refuse_text(message.id, NOT_IN_A_CALL).await;
            }
            Some(LegEvent::Ringing { .. } | LegEvent::Answered { .. }) => {}
            Some(LegEvent::HungUp { .. } | LegEvent::Failed { .. } | LegEvent::Lost { .. }) | None => {
                self.drop_second_line().await;
                // Whoever was consulted is let go; in a three-way call the phone's first leg speaks again.
                let _ = self.session.command(Instant::now(), Command::Resume);
            }
        }
    }

    /// Some phones send the REFER in the call to whom the caller is handed, and name the caller's.
    async fn line_refers(&mut self, replaces: Option<CallHandle>) {
        let Some(line) = self.second_line.as_mut() else { return };
        let (handle, first) = (line.handle, line.first);
        if replaces.is_none() || self.agent(first).map(|agent| agent.handle) != replaces {
            return self.calls.switch.refuse_refer(handle, DECLINE).await;
        }
        if let Some(line) = self.second_line.as_mut() {
            line.refers = true;
        }
        self.session.handle(Instant::now(), Event::ReferredToConsulted { leg: first });
    }

    async fn line_offer(&mut self, sdp: Option<String>) {
        let calls = self.calls.clone();
        let Some(line) = self.second_line.as_mut() else { return };
        let (handle, port) = (line.handle, line.port);
        let answered = answer_offer(&calls, handle, &mut line.description, &line.towards, port, sdp).await;
        if let Some(agreed) = answered {
            self.line_agrees(agreed).await;
        }
    }

    async fn line_agrees(&mut self, agreed: Negotiated) {
        let Some(line) = self.second_line.as_mut() else { return };
        line.agreed = Some(agreed.clone());
        let Some(room) = line.room else { return self.second_line_speaks().await };
        self.change_stream(room, agreed).await;
    }
}

/// What happens to the second call next; nothing while there is none.
pub(super) async fn next_line_event(line: &mut Option<SecondLine>) -> Option<LegEvent> {
    match line {
        Some(line) => line.events.recv().await,
        None => std::future::pending().await,
    }
}
