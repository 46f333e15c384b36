//! The legs we ring: agents' phones and fixed ones, ringing, picking up, bridging. A cancelled phone is kept until it is silent, while the
//! next one rings.

use std::net::IpAddr;
use std::time::Instant;

use gateway_call::{Event, LegId, Role, Target, Watch};
use gateway_media::Leg;
use gateway_sip::CallHandle;
use gateway_sip::sdp::{Direction, LocalDescription, Negotiated, SessionDescription};

use super::{Driver, agreed_by, answer_offer, leg_ends};
use crate::calls::leg::{self, Towards};
use crate::calls::media::MediaCommand;
use crate::calls::ports::PortPair;
use crate::switch::{LegEvent, LegEvents, OutgoingCall};

/// Forbidden (RFC 3261 section 21.4.4).
const FORBIDDEN: u16 = 403;
/// Legs the media room gives to ours: 0 is the caller.
const ROOM_LEGS: std::ops::Range<u8> = 1..16;

/// A phone we rang, while it rings or talks. A cancelled one stays until it is silent, while the next rings.
pub(super) struct OurLeg {
    pub(super) leg: LegId,
    pub(super) target: Target,
    /// Its number in the media room, once it is heard there.
    pub(super) room: Option<(Leg, Role)>,
    pub(super) handle: CallHandle,
    events: LegEvents,
    description: LocalDescription,
    /// What it knows of us.
    towards: Towards,
    port: u16,
    /// Its sockets until the media task has them.
    ports: Option<PortPair>,
    /// Where the phone registered from.
    host: Option<IpAddr>,
    /// What was agreed, once it is picked up.
    agreed: Option<Negotiated>,
}

impl OurLeg {
    /// Picked up.
    pub(super) fn is_answered(&self) -> bool {
        self.agreed.is_some()
    }
}

impl Driver {
    pub(super) async fn agent_event(&mut self, (leg, event): (LegId, Option<LegEvent>)) {
        self.note_leg_end(leg, event.as_ref());
        self.second_line_hears(leg, event.as_ref());
        let event = match event {
            Some(LegEvent::Ringing { .. }) => Event::LegRinging { leg },
            Some(LegEvent::Answered { sdp }) => self.agent_answered(leg, sdp.as_deref()).await,
            Some(LegEvent::Offer { sdp }) => return self.agent_offer(leg, sdp).await,
            Some(LegEvent::Referred { target_uri, replaces }) => {
                return self.referred(leg, &target_uri, replaces).await;
            }
            // What agents have to write they write at the desk.
            Some(LegEvent::Text(message)) => {
                return self.calls.switch.refuse_text(message.id, FORBIDDEN).await;
            }
            Some(LegEvent::Info { content_type, body }) => {
                if let Some((room, _)) = self.agent(leg).and_then(|agent| agent.room) {
                    self.digit_by_info(room, &content_type, &body).await;
                }
                return;
            }
            Some(LegEvent::Confirmed { sdp } | LegEvent::OfferAnswered { sdp }) => {
                let Some(agent) = self.agent(leg) else { return };
                match agreed_by(&mut agent.description, sdp.as_deref()) {
                    Some(agreed) => return self.agent_agrees(leg, agreed).await,
                    None => return,
                }
            }
            Some(LegEvent::Failed { status }) => {
                self.drop_agent(leg).await;
                Event::LegFailed { leg, sip_code: status }
            }
            Some(LegEvent::HungUp { .. }) => {
                self.drop_agent(leg).await;
                Event::LegHungUp { leg }
            }
            Some(LegEvent::Lost { .. }) | None => {
                if let Some(LegEvent::Lost { why }) = event {
                    tracing::info!(record.id = %self.record.record_id, why, "A phone was lost in a call.");
                }
                let answered = self.agent(leg).is_some_and(|agent| agent.agreed.is_some());
                self.drop_agent(leg).await;
                if answered { Event::LegLost { leg } } else { Event::LegFailed { leg, sip_code: 487 } }
            }
        };
        self.session.handle(Instant::now(), event);
    }

    pub(super) async fn ring(&mut self, target: Target, leg: LegId) {
        let failed = |driver: &mut Self, sip_code| {
            driver.session.handle(Instant::now(), Event::LegFailed { leg, sip_code });
        };
        let Ok(ports) = self.calls.ports.bind() else {
            tracing::error!("No RTP port is free for another phone of a call.");
            return failed(self, 503);
        };
        let shown = self.presented.as_ref().map(|number| number.reveal().clone());
        let kind = leg_ends::kind(&target);
        let Some(callee) = self.callee(&target) else { return failed(self, 404) };
        let towards = self.calls.towards(&callee);
        let headers = self.context_headers(&target, towards.address);
        let mut description = leg::description();
        let offer =
            description.offer(towards.address, ports.port, Direction::SendRecv, &towards.capabilities);
        let invitation = OutgoingCall {
            callee,
            caller_display: None,
            privacy: shown.is_none() && matches!(target, Target::Trunk { .. }),
            caller_user: shown.unwrap_or_else(|| "anonymous".into()),
            sdp: offer,
            headers,
            ..OutgoingCall::default()
        };
        match self.calls.switch.invite(invitation).await {
            Ok((handle, events, host)) => {
                let port = ports.port;
                let ports = Some(ports);
                self.agents.push(OurLeg {
                    leg,
                    target,
                    room: None,
                    handle,
                    events,
                    description,
                    towards,
                    port,
                    ports,
                    agreed: None,
                    host,
                });
            }
            Err(error) => {
                tracing::warn!(kind, %error, "A phone could not be rung.");
                failed(self, 503);
            }
        }
    }

    pub(super) fn agent(&mut self, leg: LegId) -> Option<&mut OurLeg> {
        self.agents.iter_mut().find(|agent| agent.leg == leg)
    }

    /// Picked up. Its sound is taken up when the session bridges it, not before: the notice may still play.
    pub(super) async fn agent_answered(&mut self, leg: LegId, sdp: Option<&str>) -> Event {
        let answer = sdp.and_then(|sdp| SessionDescription::parse(sdp).ok());
        let Some(agent) = self.agent(leg) else { return Event::LegFailed { leg, sip_code: 487 } };
        agent.agreed = answer.and_then(|answer| agent.description.accept_answer(&answer).ok());
        if agent.agreed.is_some() {
            return Event::LegAnswered { leg };
        }
        let handle = agent.handle;
        self.drop_agent(leg).await;
        self.calls.switch.hang_up(handle, Some("SIP;cause=488".into())).await;
        Event::LegFailed { leg, sip_code: 488 }
    }

    /// This leg's party is in charge of the caller, and they hear each other.
    pub(super) async fn bridge(&mut self, leg: LegId) {
        self.enter(leg, Role::Agent).await;
        self.media(MediaCommand::Bridge(true)).await;
    }

    /// A party enters the conversation, or gets another role in it.
    pub(super) async fn enter(&mut self, leg: LegId, role: Role) {
        let free = self.free_place();
        let media = self.calls.media.clone();
        let Some(agent) = self.agent(leg) else { return };
        let command = match agent.room {
            Some((_, known)) if known == role => return,
            Some((room, _)) => {
                agent.room = Some((room, role));
                MediaCommand::SetRole(room, room_role(role))
            }
            None => {
                let (Some(room), Some(agreed), Some(ports)) = (free, &agent.agreed, agent.ports.take())
                else {
                    return;
                };
                let stream = Box::new(leg::stream(&media, agreed, agent.host));
                agent.room = Some((room, role));
                MediaCommand::SetLeg { leg: room, role: room_role(role), ports, stream }
            }
        };
        self.media(command).await;
    }

    /// A leg of the room that nobody has.
    pub(super) fn free_place(&self) -> Option<Leg> {
        let taken = |place: &Leg| {
            self.agents.iter().any(|agent| agent.room.is_some_and(|(room, _)| room == *place))
                || self.second_line_place() == Some(*place)
        };
        ROOM_LEGS.map(Leg).find(|place| !taken(place))
    }

    pub(super) async fn hang_up_agent(&mut self, leg: LegId) {
        let Some(handle) = self.agent(leg).map(|agent| agent.handle) else { return };
        self.calls.switch.hang_up(handle, None).await;
    }

    pub(super) async fn drop_agent(&mut self, leg: LegId) {
        let room = self.agent(leg).and_then(|agent| agent.room);
        self.agents.retain(|agent| agent.leg != leg);
        if let Some((room, _)) = room {
            self.media(MediaCommand::DropLeg(room)).await;
        }
    }

    /// A re-INVITE: another address or codec, hold or its end.
    pub(super) async fn agent_offer(&mut self, leg: LegId, sdp: Option<String>) {
        let calls = self.calls.clone();
        let Some(agent) = self.agent(leg) else { return };
        let answered =
            answer_offer(&calls, agent.handle, &mut agent.description, &agent.towards, agent.port, sdp).await;
        let Some(agreed) = answered else { return };
        self.agent_agrees(leg, agreed).await;
    }

    async fn agent_agrees(&mut self, leg: LegId, agreed: Negotiated) {
        let Some(agent) = self.agent(leg) else { return };
        // What the phone does not want to hear is the caller: it put the call on hold (RFC 3264 section 8.4).
        let held = !agreed.direction.sends();
        agent.agreed = Some(agreed.clone());
        if let Some((room, _)) = agent.room {
            self.change_stream(room, agreed).await;
        }
        self.session.handle(Instant::now(), Event::LegHeld { leg, held });
    }
}

const fn room_role(role: Role) -> gateway_media::Role {
    match role {
        Role::Agent => gateway_media::Role::Agent,
        Role::Specialist => gateway_media::Role::Specialist,
        Role::Supervisor(Watch::Listen) => gateway_media::Role::Listener,
        Role::Supervisor(Watch::Whisper) => gateway_media::Role::Whisperer,
        Role::Supervisor(Watch::Barge) => gateway_media::Role::Barger,
    }
}

/// The next event of whichever phone has one.
pub(super) async fn next_leg_event(agents: &mut [OurLeg]) -> (LegId, Option<LegEvent>) {
    std::future::poll_fn(|context| {
        for agent in agents.iter_mut() {
            if let std::task::Poll::Ready(event) = agent.events.poll_recv(context) {
                return std::task::Poll::Ready((agent.leg, event));
            }
        }
        std::task::Poll::Pending
    })
    .await
}
