//! A hall, its calls and a clock that the test turns. Routes actions and outputs as the shell does and
//! keeps what each call wanted done as short lines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_call::*;
use record::Lane;

pub struct Floor {
    pub hall: Hall,
    pub sessions: BTreeMap<CallId, Session>,
    pub now: Instant,
    pub summaries: BTreeMap<CallId, Summary>,
    config: Arc<CallConfig>,
    origin: Instant,
    lines: BTreeMap<CallId, Vec<String>>,
    playing: BTreeMap<CallId, PlayId>,
    legs: BTreeMap<CallId, LegId>,
    rings: Vec<(CallId, String)>,
}

#[allow(clippy::disallowed_methods)] // an arbitrary origin; only differences to it are ever used
pub fn origin() -> Instant {
    Instant::now()
}

pub fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

pub fn line(action: &Action) -> String {
    match action {
        Action::Answer => "answer".into(),
        Action::Play { prompt, .. } => format!("play {prompt}"),
        Action::PlayTone { tone, .. } => format!("tone {tone:?}"),
        Action::StopPlaying => "stop playing".into(),
        Action::StartRecording => "start recording".into(),
        Action::StopRecording => "stop recording".into(),
        Action::Hall(event) => match event {
            HallEvent::Join { .. } => "hall: join".into(),
            HallEvent::Leave { .. } => "hall: leave".into(),
            HallEvent::Ringing { agent, .. } => format!("hall: ringing {agent}"),
            HallEvent::RingFailed { agent, failure, .. } => {
                format!("hall: {agent} {}", failure.as_str())
            }
            HallEvent::Cleared { agent, .. } => format!("hall: cleared {agent}"),
            HallEvent::Talking { agent, .. } => format!("hall: talking {agent}"),
            HallEvent::Claim { agent, .. } => format!("hall: claim {agent}"),
            HallEvent::Unclaim { agent, .. } => format!("hall: unclaim {agent}"),
            HallEvent::Released { agent, .. } => format!("hall: released {agent}"),
            other => format!("hall: {other:?}"),
        },
        Action::Ring { target, leg } => format!("ring {} leg {}", name(target), leg.0),
        Action::Cancel { leg } => format!("cancel leg {}", leg.0),
        Action::Bridge { leg } => format!("bridge leg {}", leg.0),
        Action::Unbridge => "unbridge".into(),
        Action::Echo => "echo".into(),
        Action::Enter { leg, role } => format!("enter leg {} {role:?}", leg.0),
        Action::AcceptRefer { leg } => format!("accept refer of leg {}", leg.0),
        Action::RefuseRefer { leg, status } => format!("refuse refer of leg {} {status}", leg.0),
        Action::NotifyRefer { leg, status, last } => {
            format!("notify leg {} {status}{}", leg.0, if *last { " last" } else { "" })
        }
        Action::Dial { leg } => format!("dial for leg {}", leg.0),
        Action::HangUp { leg } => format!("hang up leg {}", leg.0),
        Action::HangUpCaller { q850 } => format!("hang up caller {q850}"),
        Action::Finished(_) => "finished".into(),
    }
}

pub fn name(target: &Target) -> String {
    match target {
        Target::Agent(agent) => agent.to_string(),
        Target::Phone(address) => address.clone(),
        Target::Trunk { number, .. } => number.reveal().clone(),
    }
}

/// The defaults, but phones ring while the notice plays: the harder case, and every phase is reached at once.
pub fn impatient() -> CallConfig {
    CallConfig { ring_during_notice: true, ..CallConfig::default() }
}

impl Floor {
    pub fn new() -> Self {
        Self::with(impatient())
    }

    pub fn with(config: CallConfig) -> Self {
        assert_eq!(config.check(), []);
        let config = Arc::new(config);
        let origin = origin();
        Self {
            hall: Hall::new(config.clone(), origin),
            sessions: BTreeMap::new(),
            now: origin,
            summaries: BTreeMap::new(),
            config,
            origin,
            lines: BTreeMap::new(),
            playing: BTreeMap::new(),
            legs: BTreeMap::new(),
            rings: Vec::new(),
        }
    }

    /// Agents whose phones are registered and have nothing to do, the first the longest idle.
    pub fn agents<const N: usize>(names: [&str; N]) -> Self {
        let mut floor = Self::new();
        floor.register(names);
        floor
    }

    pub fn register<const N: usize>(&mut self, names: [&str; N]) {
        for name in names {
            self.hall(HallEvent::AgentRegistered { agent: name.into(), skills: Vec::new() });
            self.pass(ms(1));
        }
    }

    pub fn hall(&mut self, event: HallEvent) {
        self.hall.handle(self.now, event);
        self.pump();
    }

    /// An INVITE, answered and acknowledged: the notice plays.
    pub fn call(&mut self, lane: Lane) -> CallId {
        let call = self.invite(lane);
        self.event(call, Event::Confirmed);
        call
    }

    pub fn invite(&mut self, lane: Lane) -> CallId {
        let call = CallId(self.sessions.len() as u64 + 1);
        let (config, flow) = (self.config.clone(), Flow::default_of(&self.config));
        let params = SessionParams { call, lane, skills: Vec::new(), config, flow };
        self.sessions.insert(call, Session::new(params, self.now));
        self.pump();
        call
    }

    /// A call to a number with a flow of its own, answered and acknowledged.
    pub fn dial(&mut self, number: &str) -> CallId {
        let call = CallId(self.sessions.len() as u64 + 1);
        let (config, flow) = (self.config.clone(), self.config.flow(number, None));
        let params = SessionParams { call, lane: Lane::Standard, skills: Vec::new(), config, flow };
        self.sessions.insert(call, Session::new(params, self.now));
        self.pump();
        self.event(call, Event::Confirmed);
        call
    }

    /// A call that begins here.
    pub fn call_out(&mut self, agent: &str) -> CallId {
        let call = CallId(self.sessions.len() as u64 + 1);
        let (config, flow) = (self.config.clone(), Flow::default_of(&self.config));
        let params = SessionParams { call, lane: Lane::Standard, skills: Vec::new(), config, flow };
        self.sessions.insert(call, Session::outbound(params, agent.into(), self.now));
        self.pump();
        call
    }

    /// A call whose notice was heard.
    pub fn greeted(&mut self, lane: Lane) -> CallId {
        let call = self.call(lane);
        self.prompt_ends(call);
        call
    }

    /// A call that talks with an agent.
    pub fn talking(&mut self, lane: Lane) -> CallId {
        let call = self.greeted(lane);
        self.agent_answers(call);
        assert_eq!(self.phase(call), PhaseName::Talking);
        call
    }

    pub fn event(&mut self, call: CallId, event: Event) {
        let now = self.now;
        self.sessions.get_mut(&call).expect("the call exists").handle(now, event);
        self.pump();
    }

    /// A wish of the desk.
    pub fn command(&mut self, call: CallId, command: Command) -> Result<(), CommandRefused> {
        let now = self.now;
        let granted = self.sessions.get_mut(&call).expect("the call exists").command(now, command);
        self.pump();
        granted
    }

    pub fn prompt_ends(&mut self, call: CallId) {
        let play = self.playing[&call];
        self.event(call, Event::PlayFinished { play });
    }

    pub fn leg(&self, call: CallId) -> LegId {
        self.legs[&call]
    }

    pub fn agent_answers(&mut self, call: CallId) {
        let leg = self.leg(call);
        self.event(call, Event::LegAnswered { leg });
    }

    pub fn agent_fails(&mut self, call: CallId, sip_code: u16) {
        let leg = self.leg(call);
        self.event(call, Event::LegFailed { leg, sip_code });
    }

    pub fn hang_up(&mut self, call: CallId) {
        self.event(call, Event::CallerHungUp { q850: None });
    }

    /// Lets time pass and acts on every deadline at its moment.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let sessions = self.sessions.values().filter_map(Session::poll_timeout);
            let Some(next) = sessions.chain(self.hall.poll_timeout()).min().filter(|next| *next <= end)
            else {
                break;
            };
            self.now = self.now.max(next);
            let now = self.now;
            for session in self.sessions.values_mut() {
                if session.poll_timeout().is_some_and(|at| at <= now) {
                    session.handle_timeout(now);
                    assert!(session.poll_timeout().is_none_or(|at| at > now), "a timer that does not end");
                }
            }
            if self.hall.poll_timeout().is_some_and(|at| at <= now) {
                self.hall.handle_timeout(now);
                assert!(self.hall.poll_timeout().is_none_or(|at| at > now), "a timer that does not end");
            }
            self.pump();
        }
        self.now = end;
    }

    /// What the call wanted done since last asked.
    pub fn take(&mut self, call: CallId) -> Vec<String> {
        self.lines.remove(&call).unwrap_or_default()
    }

    /// The same without what it told the hall.
    pub fn done(&mut self, call: CallId) -> Vec<String> {
        self.take(call).into_iter().filter(|line| !line.starts_with("hall: ")).collect()
    }

    pub fn phase(&self, call: CallId) -> PhaseName {
        self.sessions[&call].phase()
    }

    pub fn consultation(&self, call: CallId) -> Option<Consultation> {
        self.sessions[&call].consultation()
    }

    pub fn summary(&self, call: CallId) -> &Summary {
        &self.summaries[&call]
    }

    /// Who was rung for whom since last asked.
    pub fn rings(&mut self) -> Vec<(CallId, String)> {
        std::mem::take(&mut self.rings)
    }

    pub fn elapsed_ms(&self) -> u64 {
        self.now.duration_since(self.origin).as_millis() as u64
    }

    fn pump(&mut self) {
        loop {
            let mut moved = false;
            let now = self.now;
            for (call, session) in &mut self.sessions {
                while let Some(action) = session.poll_action() {
                    moved = true;
                    assert!(!self.summaries.contains_key(call), "{action:?} after the summary");
                    self.lines.entry(*call).or_default().push(line(&action));
                    match action {
                        Action::Play { play, .. } | Action::PlayTone { play, .. } => {
                            self.playing.insert(*call, play);
                        }
                        Action::Ring { target, leg } => {
                            self.legs.insert(*call, leg);
                            self.rings.push((*call, name(&target)));
                        }
                        Action::Hall(event) => self.hall.handle(now, event),
                        Action::Finished(summary) => {
                            self.summaries.insert(*call, *summary);
                        }
                        _ => {}
                    }
                }
            }
            while let Some(output) = self.hall.poll_output() {
                moved = true;
                if let Some(session) = self.sessions.get_mut(&output.call()) {
                    session.handle(now, output.into());
                }
            }
            self.hall.check_invariants().expect("the books agree");
            if !moved {
                return;
            }
        }
    }
}
