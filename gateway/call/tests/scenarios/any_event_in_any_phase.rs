//! Any event may come in any phase, in any order, at any time: a session never panics, ends in exactly one
//! summary, and wants nothing after it.

use std::sync::Arc;
use std::time::Instant;

use gateway_call::*;
use proptest::prelude::*;
use record::{EndBy, Lane, Outcome};

use crate::floor::{ms, origin};

#[derive(Clone, Debug)]
enum Step {
    Event(Event),
    /// The end of the playback last asked for.
    PlayEnds,
    /// An event about the leg last asked for.
    CurrentLeg(u8),
    Pass(u64),
    Command(Command),
    /// To the next deadline.
    Timeout,
}

fn step() -> impl Strategy<Value = Step> {
    let leg = (0u32..4).prop_map(LegId);
    let agent = prop_oneof![Just(AgentId::from("a")), Just(AgentId::from("b"))];
    let busy = agent.clone();
    let event = prop_oneof![
        3 => Just(Event::Confirmed),
        1 => (0u64..5).prop_map(|play| Event::PlayFinished { play: PlayId(play) }),
        1 => (0u64..5).prop_map(|play| Event::PlayFailed { play: PlayId(play) }),
        1 => prop_oneof![Just('#'), Just('1'), any::<char>()].prop_map(Event::Digit),
        1 => Just(Event::SpeechHeard),
        1 => (0u64..100_000).prop_map(|value| Event::SilentFor(ms(value))),
        1 => Just(Event::SilentFor(std::time::Duration::MAX)),
        4 => agent.clone().prop_map(|agent| Event::AgentOffered { agent }),
        1 => agent.prop_map(|agent| Event::AgentWithdrawn { agent }),
        1 => prop_oneof![Just(TurnedAway::Full), Just(TurnedAway::NobodyThere), Just(TurnedAway::Overdue)]
            .prop_map(Event::TurnedAway),
        1 => leg.clone().prop_map(|leg| Event::LegRinging { leg }),
        1 => leg.clone().prop_map(|leg| Event::LegAnswered { leg }),
        1 => (leg.clone(), any::<u16>()).prop_map(|(leg, sip_code)| Event::LegFailed { leg, sip_code }),
        1 => leg.clone().prop_map(|leg| Event::LegHungUp { leg }),
        1 => (leg.clone(), any::<bool>()).prop_map(|(leg, held)| Event::LegHeld { leg, held }),
        2 => (leg.clone(), target()).prop_map(|(leg, target)| Event::Referred { leg, target }),
        2 => leg.clone().prop_map(|leg| Event::ReferredToConsulted { leg }),
        1 => busy.prop_map(|agent| Event::AgentBusy { agent }),
        1 => leg.prop_map(|leg| Event::LegLost { leg }),
        1 => any::<u16>().prop_map(|sip_code| Event::AnswerFailed { sip_code }),
        1 => Just(Event::Drain),
    ];
    let end = prop_oneof![
        any::<Option<u8>>().prop_map(|q850| Event::CallerHungUp { q850 }),
        Just(Event::CallerLost),
        Just(Event::Shutdown),
    ];
    prop_oneof![
        20 => event.prop_map(Step::Event),
        1 => end.prop_map(Step::Event),
        8 => Just(Step::PlayEnds),
        8 => (0u8..5).prop_map(Step::CurrentLeg),
        4 => (0u64..40_000).prop_map(Step::Pass),
        8 => command().prop_map(Step::Command),
        3 => Just(Step::Timeout),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        Just(Target::Agent("a".into())),
        Just(Target::Agent("b".into())),
        Just(Target::Phone("sip:600@192.0.2.9".into())),
        Just(Target::Trunk { trunk: None, number: record::Pii::new("110".into()) }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => Just(Command::Hold),
        3 => Just(Command::Resume),
        4 => target().prop_map(|target| Command::Consult { target }),
        4 => prop::option::of(target()).prop_map(|target| Command::Conference { target }),
        4 => prop::option::of(target()).prop_map(|target| Command::Transfer { target }),
        2 => (target(), prop_oneof![Just(Watch::Listen), Just(Watch::Whisper), Just(Watch::Barge)])
            .prop_map(|(target, watch)| Command::Supervise { target, watch }),
    ]
}

/// Performs nothing, and keeps the books a shell would keep.
struct Watcher {
    session: Session,
    now: Instant,
    finished: Option<Summary>,
    play: PlayId,
    leg: LegId,
    /// Legs rung and not cancelled, hung up or reported gone.
    open_legs: Vec<(LegId, Target)>,
    /// The caller hears the others.
    bridged: bool,
    /// A prompt or a tone was the last thing asked for.
    playing: bool,
    recording: bool,
    /// The number is recorded at all.
    record: bool,
}

impl Watcher {
    fn handle(&mut self, event: Event) {
        if let Event::LegFailed { leg, .. } | Event::LegHungUp { leg } = &event {
            self.open_legs.retain(|(open, _)| open != leg);
        }
        self.session.handle(self.now, event);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.session.poll_action() {
            assert!(self.finished.is_none(), "{action:?} after the summary");
            match action {
                Action::Play { play, .. } | Action::PlayTone { play, .. } => {
                    self.play = play;
                    self.playing = true;
                }
                Action::StopPlaying => self.playing = false,
                Action::Ring { leg, target } => {
                    let talking = self.session.phase() == PhaseName::Talking;
                    assert!(talking || self.open_legs.is_empty(), "two phones ring for the queue");
                    assert!(self.open_legs.len() < 4, "agent, third and two supervisors are the most");
                    let twice = self.open_legs.iter().any(|(_, open)| *open == target);
                    assert!(target.agent().is_none() || !twice, "an agent has two legs");
                    self.leg = leg;
                    self.open_legs.push((leg, target));
                }
                Action::Cancel { leg } | Action::HangUp { leg } => {
                    self.open_legs.retain(|(open, _)| *open != leg);
                }
                Action::Bridge { leg } => {
                    assert!(!std::mem::replace(&mut self.bridged, true));
                    assert!(self.open_legs.iter().any(|(open, _)| *open == leg), "in charge, and not there");
                }
                Action::Enter { leg, .. } => {
                    assert!(self.open_legs.iter().any(|(open, _)| *open == leg), "heard, and not there");
                }
                Action::Unbridge => assert!(std::mem::replace(&mut self.bridged, false)),
                Action::StartRecording => assert!(!std::mem::replace(&mut self.recording, true)),
                Action::StopRecording => assert!(std::mem::replace(&mut self.recording, false)),
                Action::Finished(summary) => {
                    assert!(self.open_legs.is_empty(), "an agent is left with nobody");
                    assert!(!self.recording && !self.bridged);
                    self.finished = Some(*summary);
                }
                _ => {}
            }
        }
        if self.session.phase() == PhaseName::Talking {
            assert!(self.bridged != self.playing, "the caller hears the others or a tone, never nothing");
            assert_eq!(self.recording, self.record, "the recording goes on, whoever talks");
        }
        assert_eq!(self.finished.is_some(), self.session.is_finished());
        if self.finished.is_none() {
            assert!(self.session.poll_timeout().is_some(), "everything has a deadline");
        } else {
            assert_eq!(self.session.poll_timeout(), None);
        }
    }

    fn timeout(&mut self) {
        if let Some(at) = self.session.poll_timeout() {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            self.drain();
            assert!(self.session.poll_timeout().is_none_or(|next| next > self.now));
        }
    }

    fn step(&mut self, step: Step) {
        let leg = self.leg;
        match step {
            Step::Event(event) => self.handle(event),
            Step::Command(command) => {
                let _ = self.session.command(self.now, command);
                self.drain();
            }
            Step::PlayEnds => self.handle(Event::PlayFinished { play: self.play }),
            Step::CurrentLeg(0) => self.handle(Event::LegFailed { leg, sip_code: 486 }),
            Step::CurrentLeg(1) => self.handle(Event::LegHungUp { leg }),
            Step::CurrentLeg(2) => self.handle(Event::LegRinging { leg }),
            Step::CurrentLeg(_) => self.handle(Event::LegAnswered { leg }),
            Step::Pass(span_ms) => {
                let end = self.now + ms(span_ms);
                while self.session.poll_timeout().is_some_and(|at| at <= end) {
                    self.timeout();
                }
                self.now = end;
            }
            Step::Timeout => self.timeout(),
        }
    }
}

fn check_summary(summary: &Summary) {
    let talked = summary.answered_after.is_some();
    assert_eq!(summary.outcome == Outcome::Answered, talked);
    assert_eq!(summary.talk_ms.is_some(), talked);
    assert!(talked || summary.agent.is_none());
    assert_eq!(summary.queued_after.is_some(), summary.wait_ms.is_some());
    if let Some(message) = summary.voice_message {
        assert!(message.from_ms <= message.to_ms);
        // Who was served and then got nobody else may still leave a message.
        assert_eq!(summary.outcome, if talked { Outcome::Answered } else { Outcome::Overflow });
    }
    if matches!(summary.outcome, Outcome::AbandonedQueue | Outcome::AbandonedRing) {
        assert!(matches!(summary.end_by, EndBy::Caller | EndBy::Network));
    }
    assert!(summary.ended_after >= summary.answered_after.unwrap_or_default());
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![
        4 => Just(Then::Queue),
        1 => Just(Then::HangUp),
        1 => Just(Then::Echo),
        1 => Just(Then::Hold),
        1 => Just(Then::VoiceMessage),
        2 => Just(Then::Dial("sip:600@192.0.2.9".into())),
    ]
}

fn params(config: CallConfig, then: Then) -> SessionParams {
    let flow = Flow { prompt: Some(PromptId::new("opening_hours")), then, ..Flow::default_of(&config) };
    let (call, config) = (CallId(1), Arc::new(config));
    SessionParams { call, lane: Lane::Standard, skills: Vec::new(), config, flow }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_summary_and_nothing_after_it(
        steps in prop::collection::vec(step(), 0..60),
        after in prop::collection::vec(step(), 0..10),
        notice in any::<bool>(),
        then in then(),
        ring in any::<bool>(),
    ) {
        let notice_config = config::NoticeConfig::Switch(notice);
        let config = CallConfig { notice: notice_config, ring_during_notice: ring, ..CallConfig::default() };
        let now = origin();
        let params = params(config, then);
        let mut watcher = Watcher {
            record: params.flow.record, session: Session::new(params, now), now, finished: None,
            play: PlayId(0), leg: LegId(0), open_legs: Vec::new(), bridged: false, playing: false,
            recording: false,
        };
        watcher.drain();
        for step in steps {
            watcher.step(step);
        }
        watcher.handle(Event::CallerHungUp { q850: None });
        watcher.step(Step::Pass(5_000));
        check_summary(watcher.finished.as_ref().expect("a summary five seconds after the hang-up"));
        for step in after {
            watcher.step(step);
        }
    }

    /// Nobody needs to hang up: left alone with deadlines only, every call ends.
    #[test]
    fn every_call_ends_by_itself(steps in prop::collection::vec(step(), 0..60), then in then()) {
        let now = origin();
        let params = params(CallConfig::default(), then);
        let mut watcher = Watcher {
            record: params.flow.record, session: Session::new(params, now), now, finished: None,
            play: PlayId(0), leg: LegId(0), open_legs: Vec::new(), bridged: false, playing: false,
            recording: false,
        };
        watcher.drain();
        for step in steps {
            watcher.step(step);
        }
        for _ in 0..2_000 {
            watcher.timeout();
        }
        check_summary(watcher.finished.as_ref().expect("a summary without any further event"));
    }
}
