//! Runs one call: feeds the session what happened and does what it says. One loop, one `match` of actions,
//! each arm one call elsewhere. What a call *does* is decided in `gateway-call`.

mod agent_side;
mod caller_side;
mod dial;
mod ending;
mod leg_ends;
mod quality;
mod second_line;
mod transfer;
mod wishes;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use gateway_call::{
    Action, AgentId, CallConfig, CallId, Event, Flow, PromptId, Session, SessionParams, Summary, Tone,
};
use gateway_media::{BridgeEvent, Leg, Stream};
use gateway_sip::CallHandle;
use gateway_sip::sdp::{Direction, LocalDescription, Negotiated, SessionDescription};
use record::{Lane, Pii, Record};
use serde_json::Value;
use tokio::sync::mpsc;

use self::agent_side::{OurLeg, next_leg_event};
use self::second_line::{SecondLine, next_line_event};
pub use self::transfer::is_dialable;
use super::accept::Prepared;
use super::desk::Wishes;
use super::leg::Towards;
use super::media::{MediaCommand, MediaEvent, MediaHandle};
use super::ports::PortPair;
use super::{Calls, Ending, leg};
use crate::switch::{Callee, LegEvents, wait_until};

/// A call with a verdict, ports and a durable draft.
pub struct Accepted {
    /// Who is at the other end.
    pub far: Far,
    /// The draft.
    pub record: Record,
    /// The lane of the verdict.
    pub lane: Lane,
    /// When the INVITE came.
    pub started: Instant,
    /// The caller's media.
    pub prepared: Prepared,
    /// Limits and prompts.
    pub config: Arc<CallConfig>,
    /// What the dialled number does.
    pub flow: Flow,
    /// What the agent's phone may show.
    pub presented: Option<Pii<String>>,
}

/// Who is at the other end of a call.
pub enum Far {
    /// Somebody who called us.
    Caller {
        /// The leg.
        handle: CallHandle,
        /// Where its signalling comes from.
        host: IpAddr,
        /// What happens to it.
        events: LegEvents,
    },
    /// Somebody whom we call once the agent's phone is picked up.
    Called {
        /// Whom.
        callee: Callee,
        /// Whose phone rings first.
        agent: AgentId,
    },
}

/// Runs the call to its end; its record is durable when this returns.
pub async fn drive(calls: Arc<Calls>, call: CallId, accepted: Accepted) {
    let _counted = calls.count();
    let hall = calls.hub.open(call).await;
    let intake = accepted.flow.intake;
    let (lane, config, flow) = (accepted.lane, accepted.config, accepted.flow);
    let params = SessionParams { call, lane, skills: Vec::new(), config, flow };
    let wishes = calls.directory.enter(call);
    let (session, leg, dial) = match accepted.far {
        Far::Caller { handle, host, events } => {
            tracing::info!(call.id = %call, record.id = %accepted.record.record_id, "A call came in.");
            let session = Session::new(params, accepted.started);
            (session, (Some(handle), host, events), None)
        }
        Far::Called { callee, agent } => {
            tracing::info!(call.id = %call, record.id = %accepted.record.record_id, "A call goes out.");
            let session = Session::outbound(params, agent, accepted.started);
            // Nothing happens to a leg that is not there yet.
            let (_, events) = mpsc::channel(1);
            (session, (None, calls.media_address, events), Some(callee))
        }
    };
    let (handle, host, events) = leg;
    let Prepared { ports, towards, description, sdp, agreed } = accepted.prepared;
    let driver = Driver {
        session,
        caller: CallerLeg {
            handle,
            host,
            gone: handle.is_none(),
            events,
            description,
            towards,
            port: ports.port,
            sdp,
        },
        ports: Some(ports),
        agreed,
        media: None,
        agents: Vec::new(),
        second_line: None,
        leg_ends: Vec::new(),
        record: accepted.record,
        presented: accepted.presented,
        recorded: false,
        lost: None,
        outbound: dial.is_some(),
        dial,
        intake,
        ending: Ending::No,
        calls: calls.clone(),
    };
    driver.run(hall, wishes).await;
    calls.directory.leave(call);
    calls.hub.close(call).await;
}

struct CallerLeg {
    /// `None` until it is called, in a call that begins here.
    handle: Option<CallHandle>,
    events: LegEvents,
    /// Where its signalling comes from.
    host: IpAddr,
    description: LocalDescription,
    /// What it knows of us.
    towards: Towards,
    port: u16,
    sdp: String,
    gone: bool,
}

struct Driver {
    calls: Arc<Calls>,
    session: Session,
    caller: CallerLeg,
    /// The caller's sockets until the media task has them.
    ports: Option<PortPair>,
    agreed: Option<Negotiated>,
    media: Option<MediaHandle>,
    agents: Vec<OurLeg>,
    /// What the agent's phone calls besides.
    second_line: Option<SecondLine>,
    /// How each leg of ours ended, for the record.
    leg_ends: Vec<Value>,
    record: Record,
    presented: Option<Pii<String>>,
    recorded: bool,
    /// A call that began here.
    outbound: bool,
    /// Whom to call, until that is done.
    dial: Option<Callee>,
    /// Why the caller's leg ended without a BYE, when it did.
    lost: Option<&'static str>,
    /// Whether the call leaves a record.
    intake: bool,
    ending: Ending,
}

impl Driver {
    async fn run(mut self, mut hall: mpsc::Receiver<Event>, mut wishes: Wishes) {
        let mut ending = self.calls.ending.clone();
        loop {
            if let Some(summary) = self.perform_all().await {
                return self.finish(*summary).await;
            }
            self.follow_consultation().await;
            let deadline = self.session.poll_timeout();
            tokio::select! {
                event = self.caller.events.recv(), if !self.caller.gone => self.caller_event(event).await,
                event = next_leg_event(&mut self.agents) => self.agent_event(event).await,
                event = next_line_event(&mut self.second_line) => self.line_event(event).await,
                event = next_media_event(&mut self.media) => match event {
                    Some(event) => self.media_event(event).await,
                    None => self.media_ended(),
                },
                Some(wish) = wishes.recv() => self.wish(wish),
                Some(event) = hall.recv() => self.session.handle(Instant::now(), event),
                () = wait_until(deadline) => self.session.handle_timeout(Instant::now()),
                Ok(()) = ending.changed() => {
                    let now = *ending.borrow_and_update();
                    self.process_ends(now);
                }
            }
        }
    }

    async fn perform_all(&mut self) -> Option<Box<Summary>> {
        while let Some(action) = self.session.poll_action() {
            match action {
                Action::Answer => self.answer().await,
                Action::Play { play, prompt } => self.play(play.0, &prompt).await,
                Action::PlayTone { play, tone } => self.play_tone(play.0, tone).await,
                Action::StopPlaying => self.media(MediaCommand::StopPlaying(Leg::CALLER)).await,
                Action::StartRecording => {
                    self.recorded = true;
                    self.media(MediaCommand::StartRecording).await;
                    self.media(MediaCommand::Listen).await;
                }
                Action::StopRecording => self.media(MediaCommand::StopRecording).await,
                Action::Hall(event) => self.calls.hub.tell(event).await,
                Action::Ring { target, leg } => self.ring(target, leg).await,
                Action::Dial { leg } => self.dial(leg).await,
                Action::Cancel { leg } | Action::HangUp { leg } => self.hang_up_agent(leg).await,
                Action::Bridge { leg } => self.bridge(leg).await,
                Action::Enter { leg, role } => self.enter(leg, role).await,
                Action::AcceptRefer { leg } => self.accept_refer(leg).await,
                Action::RefuseRefer { leg, status } => self.refuse_refer(leg, status).await,
                Action::NotifyRefer { leg, status, last } => self.notify_refer(leg, status, last).await,
                Action::Echo => self.media(MediaCommand::Echo(Leg::CALLER, true)).await,
                Action::Unbridge => self.media(MediaCommand::Bridge(false)).await,
                Action::HangUpCaller { q850 } => self.hang_up_caller(q850).await,
                Action::Finished(summary) => return Some(summary),
            }
        }
        None
    }

    // === what happened ===

    async fn media_event(&mut self, event: MediaEvent) {
        let now = Instant::now();
        let event = match event {
            MediaEvent::CallerSilent(silent) => Event::SilentFor(silent),
            MediaEvent::Bridge(BridgeEvent::PromptFinished { id, .. }) => {
                Event::PlayFinished { play: gateway_call::PlayId(id) }
            }
            MediaEvent::Bridge(BridgeEvent::Digit { leg: Leg::CALLER, digit }) => Event::Digit(digit.digit),
            MediaEvent::Bridge(BridgeEvent::VoiceActivity { leg: Leg::CALLER, speaking: true }) => {
                Event::SpeechHeard
            }
            MediaEvent::Bridge(BridgeEvent::ReceiveTimeout { leg: Leg::CALLER }) => {
                // Nothing came for so long: the peer is gone without a BYE.
                Event::CallerLost
            }
            MediaEvent::Bridge(BridgeEvent::ReceiveTimeout { leg }) => {
                return self.leg_fell_silent(leg).await;
            }
            MediaEvent::Bridge(_) => return,
        };
        if event == Event::CallerLost {
            self.lost.get_or_insert("no_media");
            self.drop_caller(None);
        }
        self.session.handle(now, event);
    }

    /// Only a fault of ours ends a call's sound before the call.
    fn media_ended(&mut self) {
        self.media = None;
        self.lost.get_or_insert("sound_failed");
        tracing::error!(record.id = %self.record.record_id, "A call lost its sound and is ended.");
        self.drop_caller(Some("Q.850;cause=41"));
        self.session.handle(Instant::now(), Event::CallerLost);
    }

    /// Ends a leg from which nothing more is to be expected, without waiting for the switch.
    fn drop_caller(&self, reason: Option<&str>) {
        let Some(handle) = self.caller.handle else { return };
        let (switch, reason) = (self.calls.switch.clone(), reason.map(str::to_owned));
        tokio::spawn(async move { switch.hang_up(handle, reason).await });
    }

    fn process_ends(&mut self, ending: Ending) {
        self.ending = ending;
        match ending {
            Ending::No => {}
            Ending::Draining => self.session.handle(Instant::now(), Event::Drain),
            Ending::Now => self.session.handle(Instant::now(), Event::Shutdown),
        }
    }

    // === what is to be done ===

    async fn media(&self, command: MediaCommand) {
        if let Some(media) = &self.media {
            media.send(command).await;
        }
    }

    /// What was agreed on anew, for a stream that is in the room.
    async fn change_stream(&self, leg: Leg, agreed: Negotiated) {
        let change = Box::new(move |stream: &mut Stream, now| leg::change(stream, now, &agreed));
        self.media(MediaCommand::Change(leg, change)).await;
    }

    async fn play(&mut self, id: u64, prompt: &PromptId) {
        match self.calls.prompts.prompt(prompt.as_str()) {
            Some(prompt) if self.media.is_some() => {
                self.media(MediaCommand::Play { leg: Leg::CALLER, prompt, id, repeat: false }).await;
            }
            _ => self.session.handle(Instant::now(), Event::PlayFailed { play: gateway_call::PlayId(id) }),
        }
    }

    async fn play_tone(&mut self, id: u64, tone: Tone) {
        let (prompt, repeat) = match tone {
            Tone::RingBack => (self.calls.prompts.ring_back(), true),
            Tone::Hold => (self.calls.prompts.hold(), true),
            Tone::Beep => (self.calls.prompts.beep(), false),
        };
        self.media(MediaCommand::Play { leg: Leg::CALLER, prompt, id, repeat }).await;
        if tone == Tone::Beep {
            self.media(MediaCommand::Listen).await;
        }
    }
}

async fn next_media_event(media: &mut Option<MediaHandle>) -> Option<MediaEvent> {
    match media {
        Some(media) => media.events.recv().await,
        None => std::future::pending().await,
    }
}

/// What their answer to our last description inside the call comes to; nothing when it cannot be used, and the call
/// goes on as it was.
fn agreed_by(description: &mut LocalDescription, sdp: Option<&str>) -> Option<Negotiated> {
    let answer = SessionDescription::parse(sdp?).ok()?;
    description.accept_answer(&answer).ok()
}

async fn answer_offer(
    calls: &Calls,
    handle: CallHandle,
    description: &mut LocalDescription,
    towards: &Towards,
    port: u16,
    sdp: Option<String>,
) -> Option<Negotiated> {
    let (address, capabilities) = (towards.address, &towards.capabilities);
    let Some(sdp) = sdp else {
        // They ask for our offer: the answer comes in the ACK. What stands is offered again.
        let offer = description.offer(address, port, Direction::SendRecv, capabilities);
        calls.switch.answer_offer(handle, offer).await;
        return None;
    };
    let answered = SessionDescription::parse(&sdp)
        .and_then(|offer| description.answer(&offer, address, port, Direction::SendRecv, capabilities));
    match answered {
        Ok((answer, agreed)) => {
            calls.switch.answer_offer(handle, answer).await;
            Some(agreed)
        }
        Err(error) => {
            calls.switch.refuse_offer(handle, error.status()).await;
            None
        }
    }
}
