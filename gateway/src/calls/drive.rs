//! Runs one call: feeds the session what happened and does what it says. One loop, one `match` of actions,
//! each arm one call elsewhere. What a call *does* is decided in `gateway-call`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_call::{
    Action, AgentId, CallConfig, Event, LegId, PromptId, Session, SessionParams, Summary, Tone,
};
use gateway_media::{BridgeEvent, Leg};
use gateway_sip::CallHandle;
use gateway_sip::sdp::{Capabilities, Direction, LocalDescription, Negotiated, SessionDescription};
use record::{Lane, Pii, Record};
use tokio::sync::mpsc;

use super::accept::Prepared;
use super::media::{self, MediaCommand, MediaEvent, MediaHandle};
use super::ports::PortPair;
use super::{Calls, Ending, leg};
use crate::calls::recording::Finished;
use crate::compose;
use crate::switch::{AgentInvitation, LegEvent, LegEvents, wait_until};

/// A call with a verdict, ports and a durable draft.
pub struct Accepted {
    /// The caller's leg.
    pub handle: CallHandle,
    /// What happens to it.
    pub events: LegEvents,
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
    /// What the agent's phone may show.
    pub presented: Option<Pii<String>>,
}

/// Runs the call to its end; its record is durable when this returns.
pub async fn drive(calls: Arc<Calls>, accepted: Accepted) {
    let _counted = calls.count();
    let call = calls.next_call_id();
    let hall = calls.hub.open(call).await;
    let params = SessionParams { call, lane: accepted.lane, skills: Vec::new(), config: accepted.config };
    let session = Session::new(params, accepted.started);
    tracing::info!(call.id = %call, record.id = %accepted.record.record_id, "A call came in.");
    let Prepared { ports, description, sdp, agreed } = accepted.prepared;
    let driver = Driver {
        session,
        caller: CallerLeg { handle: accepted.handle, description, port: ports.port, sdp, gone: false },
        ports: Some(ports),
        agreed,
        media: None,
        agents: Vec::new(),
        bridged: None,
        record: accepted.record,
        presented: accepted.presented,
        recorded: false,
        ending: Ending::No,
        calls: calls.clone(),
    };
    driver.run(accepted.events, hall).await;
    calls.hub.close(call).await;
}

struct CallerLeg {
    handle: CallHandle,
    description: LocalDescription,
    port: u16,
    sdp: String,
    gone: bool,
}

/// An agent's phone while it rings or talks. A cancelled one stays until it is silent, while the next rings.
struct AgentLeg {
    leg: LegId,
    handle: CallHandle,
    events: LegEvents,
    description: LocalDescription,
    port: u16,
    /// Its sockets until the media task has them.
    ports: Option<PortPair>,
    /// What was agreed, once it is picked up.
    agreed: Option<Negotiated>,
}

struct Driver {
    calls: Arc<Calls>,
    session: Session,
    caller: CallerLeg,
    /// The caller's sockets until the media task has them.
    ports: Option<PortPair>,
    agreed: Option<Negotiated>,
    media: Option<MediaHandle>,
    agents: Vec<AgentLeg>,
    /// The leg whose sound the media task carries.
    bridged: Option<LegId>,
    record: Record,
    presented: Option<Pii<String>>,
    recorded: bool,
    ending: Ending,
}

impl Driver {
    async fn run(mut self, mut caller: LegEvents, mut hall: mpsc::Receiver<Event>) {
        let mut ending = self.calls.ending.clone();
        loop {
            if let Some(summary) = self.perform_all().await {
                return self.finish(*summary).await;
            }
            let deadline = self.session.poll_timeout();
            tokio::select! {
                event = caller.recv(), if !self.caller.gone => self.caller_event(event).await,
                event = next_leg_event(&mut self.agents) => self.agent_event(event).await,
                Some(event) = next_media_event(&mut self.media) => self.media_event(event),
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
                Action::StopPlaying => self.media(MediaCommand::StopPlaying).await,
                Action::StartRecording => {
                    self.recorded = true;
                    self.media(MediaCommand::StartRecording).await;
                    self.media(MediaCommand::Listen).await;
                }
                Action::StopRecording => self.media(MediaCommand::StopRecording).await,
                Action::Hall(event) => self.calls.hub.tell(event).await,
                Action::RingAgent { agent, leg } => self.ring_agent(&agent, leg).await,
                Action::CancelAgent { leg } | Action::HangUpAgent { leg } => self.hang_up_agent(leg).await,
                Action::Bridge { leg } => self.bridge(leg).await,
                Action::Unbridge => self.media(MediaCommand::Bridge(false)).await,
                Action::HangUpCaller { q850 } => self.hang_up_caller(q850).await,
                Action::Finished(summary) => return Some(summary),
            }
        }
        None
    }

    // === what happened ===

    async fn caller_event(&mut self, event: Option<LegEvent>) {
        let now = Instant::now();
        match event {
            Some(LegEvent::Confirmed { sdp }) => self.confirmed(sdp.as_deref()).await,
            Some(LegEvent::HungUp { q850 }) => {
                self.caller.gone = true;
                let q850 = q850.and_then(|cause| u8::try_from(cause).ok());
                self.session.handle(now, Event::CallerHungUp { q850 });
            }
            Some(LegEvent::Offer { sdp }) => self.caller_offer(sdp).await,
            Some(LegEvent::Info { .. } | LegEvent::Ringing | LegEvent::Answered { .. }) => {}
            Some(LegEvent::Lost | LegEvent::Failed { .. }) | None => {
                self.caller.gone = true;
                self.session.handle(now, Event::CallerLost);
            }
        }
    }

    /// The ACK. When the INVITE had no offer, it carries the answer to ours.
    async fn confirmed(&mut self, sdp: Option<&str>) {
        if self.media.is_none() {
            let answer = sdp.and_then(|sdp| SessionDescription::parse(sdp).ok());
            match answer.and_then(|answer| self.caller.description.accept_answer(&answer).ok()) {
                Some(agreed) => self.start_media(&agreed),
                None => {
                    self.calls.switch.hang_up(self.caller.handle, Some("SIP;cause=488".into())).await;
                    return self.session.handle(Instant::now(), Event::CallerLost);
                }
            }
        }
        self.session.handle(Instant::now(), Event::Confirmed);
    }

    async fn agent_event(&mut self, (leg, event): (LegId, Option<LegEvent>)) {
        let event = match event {
            Some(LegEvent::Ringing) => Event::AgentRinging { leg },
            Some(LegEvent::Answered { sdp }) => self.agent_answered(leg, sdp.as_deref()).await,
            Some(LegEvent::Offer { sdp }) => return self.agent_offer(leg, sdp).await,
            Some(LegEvent::Confirmed { .. } | LegEvent::Info { .. }) => return,
            Some(LegEvent::Failed { status }) => {
                self.drop_agent(leg).await;
                Event::AgentFailed { leg, sip_code: status }
            }
            Some(LegEvent::HungUp { .. }) => {
                self.drop_agent(leg).await;
                Event::AgentHungUp { leg }
            }
            Some(LegEvent::Lost) | None => {
                let answered = self.agent(leg).is_some_and(|agent| agent.agreed.is_some());
                self.drop_agent(leg).await;
                if answered { Event::AgentLost { leg } } else { Event::AgentFailed { leg, sip_code: 487 } }
            }
        };
        self.session.handle(Instant::now(), event);
    }

    fn media_event(&mut self, event: MediaEvent) {
        let now = Instant::now();
        let event = match event {
            MediaEvent::CallerSilent(silent) => Event::SilentFor(silent),
            MediaEvent::Bridge(BridgeEvent::PromptFinished { id }) => {
                Event::PlayFinished { play: gateway_call::PlayId(id) }
            }
            MediaEvent::Bridge(BridgeEvent::Digit { leg: Leg::Caller, digit }) => Event::Digit(digit.digit),
            MediaEvent::Bridge(BridgeEvent::VoiceActivity { leg: Leg::Caller, speaking: true }) => {
                Event::SpeechHeard
            }
            MediaEvent::Bridge(BridgeEvent::ReceiveTimeout { leg: Leg::Caller }) => {
                // Nothing came for so long: the peer is gone without a BYE.
                Event::CallerLost
            }
            MediaEvent::Bridge(_) => return,
        };
        if event == Event::CallerLost {
            let (switch, handle) = (self.calls.switch.clone(), self.caller.handle);
            tokio::spawn(async move { switch.hang_up(handle, None).await });
        }
        self.session.handle(now, event);
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

    async fn answer(&mut self) {
        if let Some(agreed) = self.agreed.take() {
            self.start_media(&agreed);
        }
        if let Err(error) = self.calls.switch.answer(self.caller.handle, self.caller.sdp.clone()).await {
            // Mostly a caller who gave up at this very moment: their event is already on its way.
            tracing::debug!(%error, "A call could not be answered.");
        }
    }

    fn start_media(&mut self, agreed: &Negotiated) {
        let Some(ports) = self.ports.take() else { return };
        let path = self.calls.recorder.path(self.record.record_id, self.record.created_at);
        let stream = leg::stream(&self.calls.media, agreed);
        self.media = Some(media::start(
            self.calls.media.clone(),
            ports,
            stream,
            self.calls.recorder.clone(),
            self.record.record_id,
            path,
        ));
    }

    async fn media(&self, command: MediaCommand) {
        if let Some(media) = &self.media {
            media.send(command).await;
        }
    }

    async fn play(&mut self, id: u64, prompt: &PromptId) {
        match self.calls.prompts.prompt(prompt.as_str()) {
            Some(prompt) if self.media.is_some() => {
                self.media(MediaCommand::Play { prompt, id, repeat: false }).await;
            }
            _ => self.session.handle(Instant::now(), Event::PlayFailed { play: gateway_call::PlayId(id) }),
        }
    }

    async fn play_tone(&mut self, id: u64, tone: Tone) {
        let (prompt, repeat) = match tone {
            Tone::RingBack => (self.calls.prompts.ring_back(), true),
            Tone::Beep => (self.calls.prompts.beep(), false),
        };
        self.media(MediaCommand::Play { prompt, id, repeat }).await;
        if tone == Tone::Beep {
            self.media(MediaCommand::Listen).await;
        }
    }

    async fn ring_agent(&mut self, agent: &AgentId, leg: LegId) {
        let failed = |driver: &mut Self, sip_code| {
            driver.session.handle(Instant::now(), Event::AgentFailed { leg, sip_code });
        };
        let Ok(ports) = self.calls.ports.bind() else {
            tracing::error!("No RTP port is free for an agent's phone.");
            return failed(self, 503);
        };
        let mut description = LocalDescription::new(leg::session_id());
        let offer = description.offer(
            self.calls.media_address,
            ports.port,
            Direction::SendRecv,
            &Capabilities::default(),
        );
        let shown = self.presented.as_ref().map(|number| number.reveal().clone());
        let invitation = AgentInvitation {
            user: agent.as_str().to_owned(),
            caller_display: None,
            caller_user: shown.unwrap_or_else(|| "anonymous".into()),
            sdp: offer,
            headers: vec![("X-Record-No".into(), self.record.record_no.clone())],
        };
        match self.calls.switch.invite(invitation).await {
            Ok((handle, events)) => {
                let port = ports.port;
                let ports = Some(ports);
                self.agents.push(AgentLeg { leg, handle, events, description, port, ports, agreed: None });
            }
            Err(error) => {
                tracing::warn!(agent = %agent, %error, "An agent's phone could not be rung.");
                failed(self, 503);
            }
        }
    }

    fn agent(&mut self, leg: LegId) -> Option<&mut AgentLeg> {
        self.agents.iter_mut().find(|agent| agent.leg == leg)
    }

    /// Picked up. Its sound is taken up when the session bridges it, not before: the notice may still play.
    async fn agent_answered(&mut self, leg: LegId, sdp: Option<&str>) -> Event {
        let answer = sdp.and_then(|sdp| SessionDescription::parse(sdp).ok());
        let Some(agent) = self.agent(leg) else { return Event::AgentFailed { leg, sip_code: 487 } };
        agent.agreed = answer.and_then(|answer| agent.description.accept_answer(&answer).ok());
        if agent.agreed.is_some() {
            return Event::AgentAnswered { leg };
        }
        let handle = agent.handle;
        self.drop_agent(leg).await;
        self.calls.switch.hang_up(handle, Some("SIP;cause=488".into())).await;
        Event::AgentFailed { leg, sip_code: 488 }
    }

    async fn bridge(&mut self, leg: LegId) {
        let media = self.calls.media.clone();
        if let Some(agent) = self.agent(leg)
            && let (Some(agreed), Some(ports)) = (&agent.agreed, agent.ports.take())
        {
            let stream = Box::new(leg::stream(&media, agreed));
            self.bridged = Some(leg);
            self.media(MediaCommand::SetAgent { ports, stream }).await;
        }
        self.media(MediaCommand::Bridge(true)).await;
    }

    async fn hang_up_agent(&mut self, leg: LegId) {
        let Some(handle) = self.agent(leg).map(|agent| agent.handle) else { return };
        self.calls.switch.hang_up(handle, None).await;
    }

    async fn drop_agent(&mut self, leg: LegId) {
        self.agents.retain(|agent| agent.leg != leg);
        if self.bridged == Some(leg) {
            self.bridged = None;
            self.media(MediaCommand::DropAgent).await;
        }
    }

    async fn hang_up_caller(&mut self, q850: u8) {
        if !self.caller.gone {
            self.calls.switch.hang_up(self.caller.handle, Some(format!("Q.850;cause={q850}"))).await;
        }
    }

    async fn caller_offer(&mut self, sdp: Option<String>) {
        let address = self.calls.media_address;
        let answered = answer_offer(
            &self.calls,
            self.caller.handle,
            &mut self.caller.description,
            address,
            self.caller.port,
            sdp,
        );
        if let Some(agreed) = answered.await {
            let change =
                Box::new(move |stream: &mut gateway_media::Stream, now| leg::change(stream, now, &agreed));
            self.media(MediaCommand::Change(Leg::Caller, change)).await;
        }
    }

    async fn agent_offer(&mut self, leg: LegId, sdp: Option<String>) {
        let calls = self.calls.clone();
        let Some(agent) = self.agent(leg) else { return };
        let answered =
            answer_offer(&calls, agent.handle, &mut agent.description, calls.media_address, agent.port, sdp)
                .await;
        let Some(agreed) = answered else { return };
        agent.agreed = Some(agreed.clone());
        if self.bridged == Some(leg) {
            let change =
                Box::new(move |stream: &mut gateway_media::Stream, now| leg::change(stream, now, &agreed));
            self.media(MediaCommand::Change(Leg::Agent, change)).await;
        }
    }

    // === the end ===

    async fn finish(mut self, summary: Summary) {
        let hung_up = Instant::now();
        self.fill(&summary);
        self.calls.middle.call_ended(&self.record).await;
        metrics::histogram!("jiesu_hangup_to_draft_seconds").record(hung_up.elapsed().as_secs_f64());
        metrics::counter!("jiesu_calls_total", "outcome" => summary.outcome.as_str(), "lane" => summary.lane.as_str())
            .increment(1);
        let recording = self.close_recording().await;
        if let Some(finished) = &recording {
            self.attach(finished);
        }
        tracing::info!(
            call.id = %summary.call, record.id = %self.record.record_id, outcome = summary.outcome.as_str(),
            talk_ms = summary.talk_ms, wait_ms = summary.wait_ms, "A call ended.",
        );
        let path = recording.as_ref().map(|finished| finished.path.as_path());
        let hold = *self.calls.speech_ready.borrow() && self.ending != Ending::Now;
        self.calls.middle.call_complete(self.record, path, hold).await;
    }

    fn fill(&mut self, summary: &Summary) {
        let invited_at = self.record.created_at;
        if let Some(call) = &mut self.record.call {
            summary.fill(call, invited_at);
        }
        let mut ext = self.record.ext.take().unwrap_or_default();
        if let Some(notice) = &summary.notice {
            let version = self.calls.prompts.version(notice.prompt.as_str()).unwrap_or_default();
            let id = format!("{}@{version}", notice.prompt.as_str());
            let played_at = invited_at.plus_ms(milliseconds(notice.started_after));
            let entry =
                serde_json::json!({ "id": id, "played_at": played_at, "completed": notice.completed });
            ext.insert(compose::EXT_NOTICE.into(), entry);
            self.record.privacy.notice = Some(id);
        }
        if let Some(message) = &summary.voice_message {
            let entry = serde_json::json!({
                "from_ms": message.from_ms, "to_ms": message.to_ms, "speech": message.speech,
            });
            ext.insert(compose::EXT_VOICE_MESSAGE.into(), entry);
        }
        self.record.ext = Some(ext).filter(|ext| !ext.is_empty());
        compose::assess(&mut self.record);
        self.record.state = record::State::Final;
        self.record.updated_at = self.calls.middle.now();
    }

    async fn close_recording(&mut self) -> Option<Finished> {
        let media = self.media.take()?;
        media.finish().await;
        if !self.recorded {
            return None;
        }
        let path = self.calls.recorder.path(self.record.record_id, self.record.created_at);
        self.calls.recorder.finish(self.record.record_id, &path).await
    }

    fn attach(&mut self, finished: &Finished) {
        self.record.attachments.get_or_insert_default().push(compose::recording(finished));
    }
}

async fn answer_offer(
    calls: &Calls,
    handle: CallHandle,
    description: &mut LocalDescription,
    address: std::net::IpAddr,
    port: u16,
    sdp: Option<String>,
) -> Option<Negotiated> {
    let capabilities = Capabilities::default();
    let Some(sdp) = sdp else {
        // They ask for our offer; the answer would come in the ACK. What stands is offered again.
        let offer = description.offer(address, port, Direction::SendRecv, &capabilities);
        calls.switch.answer_offer(handle, offer).await;
        return None;
    };
    let answered = SessionDescription::parse(&sdp)
        .and_then(|offer| description.answer(&offer, address, port, Direction::SendRecv, &capabilities));
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

/// The next event of whichever phone has one.
async fn next_leg_event(agents: &mut [AgentLeg]) -> (LegId, Option<LegEvent>) {
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

async fn next_media_event(media: &mut Option<MediaHandle>) -> Option<MediaEvent> {
    match media {
        Some(media) => media.events.recv().await,
        None => std::future::pending().await,
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
