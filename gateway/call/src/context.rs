//! What every phase of a call shares: the actions to perform, the numbers given out, legs not yet settled,
//! and the ledger of facts the summary is made from.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use record::Outcome;

use crate::action::Action;
use crate::command::TransferNote;
use crate::config::CallConfig;
use crate::ending::Ending;
use crate::event::TurnedAway;
use crate::flow::Flow;
use crate::hall::HallEvent;
use crate::id::{AgentId, LegId, PlayId};
use crate::leg::RungLeg;
use crate::prompt::{PromptId, Tone};
use crate::session::SessionParams;
use crate::summary::{Notice, Summary, VoiceMessage};
use crate::target::Target;

/// A cancelled phone normally reports within milliseconds. More than this many open ones means that the
/// shell does not report; the oldest is forgotten.
const UNSETTLED_LEGS: usize = 8;
/// Transfers of one call in its record at most; further ones happen, but are not written down.
const MAX_TRANSFERS: usize = 32;

/// See the module.
#[derive(Debug)]
pub(crate) struct Context {
    pub params: SessionParams,
    pub config: Arc<CallConfig>,
    pub started: Instant,
    pub draining: bool,
    /// The media layer hears the caller speak right now.
    pub speaking: bool,
    pub ledger: Ledger,
    actions: VecDeque<Action>,
    /// Cancelled legs of which the end is not reported yet.
    unsettled: Vec<(LegId, Target)>,
    next_play: u64,
    next_leg: u32,
}

/// Facts for the summary, each written once.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub confirmed: Option<Instant>,
    pub recording: Option<Instant>,
    pub recording_stopped: bool,
    pub queued: Option<Instant>,
    pub left_queue: Option<Instant>,
    pub answered: Option<Instant>,
    pub agent: Option<AgentId>,
    pub rings: u32,
    pub turned_away: Option<TurnedAway>,
    pub notice: Option<Notice>,
    pub voice_message: Option<VoiceMessage>,
    pub first_speech: Option<Instant>,
    pub transfers: Vec<TransferNote>,
}

/// A prompt or tone that ends by itself, or at the latest at its deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Playing {
    pub play: PlayId,
    pub deadline: Instant,
}

impl Context {
    pub fn new(params: SessionParams, now: Instant) -> Self {
        Self {
            config: params.config.clone(),
            params,
            started: now,
            draining: false,
            speaking: false,
            ledger: Ledger::default(),
            actions: VecDeque::new(),
            unsettled: Vec::new(),
            next_play: 0,
            next_leg: 0,
        }
    }

    /// What this number does.
    pub fn flow(&self) -> &Flow {
        &self.params.flow
    }

    pub fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub fn tell_hall(&mut self, event: HallEvent) {
        self.act(Action::Hall(event));
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn after(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.started)
    }

    pub fn play(&mut self, now: Instant, prompt: PromptId) -> Playing {
        let playing = self.playing(now);
        self.act(Action::Play { play: playing.play, prompt });
        playing
    }

    pub fn play_tone(&mut self, now: Instant, tone: Tone) -> Playing {
        let playing = self.playing(now);
        self.act(Action::PlayTone { play: playing.play, tone });
        playing
    }

    fn playing(&mut self, now: Instant) -> Playing {
        self.next_play += 1;
        Playing { play: PlayId(self.next_play), deadline: now + self.config.prompt_max }
    }

    pub fn ring(&mut self, now: Instant, target: Target) -> RungLeg {
        if let Target::Agent(agent) = &target {
            self.tell_hall(HallEvent::Ringing { call: self.params.call, agent: agent.clone() });
        }
        self.ring_again(now, target)
    }

    /// Rings an agent whom the hall still counts as busy with this very call: it need not be told.
    pub fn ring_again(&mut self, now: Instant, target: Target) -> RungLeg {
        self.next_leg = self.next_leg.saturating_add(1);
        self.ledger.rings = self.ledger.rings.saturating_add(1);
        let leg = LegId(self.next_leg);
        self.act(Action::Ring { target: target.clone(), leg });
        RungLeg::ringing(leg, target, now + self.config.ring_time)
    }

    pub fn note_transfer(&mut self, note: TransferNote) {
        if self.ledger.transfers.len() < MAX_TRANSFERS {
            self.ledger.transfers.push(note);
        }
    }

    /// Cancels a ringing leg and remembers it until it is settled.
    pub fn cancel(&mut self, leg: LegId, target: Target) {
        self.act(Action::Cancel { leg });
        if self.unsettled.len() >= UNSETTLED_LEGS {
            self.unsettled.remove(0);
        }
        self.unsettled.push((leg, target));
    }

    /// The end of a cancelled leg was reported; whether it was one.
    pub fn settle(&mut self, leg: LegId) -> bool {
        let Some(at) = self.unsettled.iter().position(|(open, _)| *open == leg) else { return false };
        if let (_, Target::Agent(agent)) = self.unsettled.remove(at) {
            self.tell_hall(HallEvent::Cleared { call: self.params.call, agent });
        }
        true
    }

    pub fn is_settled(&self) -> bool {
        self.unsettled.is_empty()
    }

    pub fn leave_queue(&mut self, now: Instant) {
        self.ledger.left_queue.get_or_insert(now);
        self.tell_hall(HallEvent::Leave { call: self.params.call });
    }

    pub fn start_recording(&mut self, now: Instant) {
        self.ledger.recording = Some(now);
        self.act(Action::StartRecording);
    }

    pub fn stop_recording(&mut self) {
        if self.ledger.recording.is_some() && !self.ledger.recording_stopped {
            self.ledger.recording_stopped = true;
            self.act(Action::StopRecording);
        }
    }

    /// Milliseconds on the recording timeline.
    pub fn recording_ms(&self, at: Instant) -> u64 {
        let start = self.ledger.recording.unwrap_or(self.started);
        milliseconds(at.saturating_duration_since(start))
    }

    pub fn summary(&self, now: Instant, outcome: Outcome, ending: Ending) -> Summary {
        let ledger = &self.ledger;
        let queue_end = ledger.answered.or(ledger.left_queue).unwrap_or(now);
        let span = |from: Instant, to: Instant| milliseconds(to.saturating_duration_since(from));
        Summary {
            call: self.params.call,
            lane: self.params.lane,
            service_line: self.config.service_line.clone(),
            queue: self.params.flow.queue.clone(),
            flow: self.params.flow.then.as_str(),
            confirmed_after: ledger.confirmed.map(|at| self.after(at)),
            recording_after: ledger.recording.map(|at| self.after(at)),
            queued_after: ledger.queued.map(|at| self.after(at)),
            answered_after: ledger.answered.map(|at| self.after(at)),
            ended_after: self.after(now),
            wait_ms: ledger.queued.map(|from| span(from, queue_end)),
            talk_ms: ledger.answered.map(|from| span(from, now)),
            end_by: ending.end_by(),
            reason: ending.as_str(),
            outcome,
            agent: ledger.agent.clone(),
            rings: ledger.rings,
            turned_away: ledger.turned_away,
            notice: ledger.notice.clone(),
            voice_message: ledger.voice_message,
            transfers: ledger.transfers.clone(),
            first_speech_after: ledger.first_speech.map(|at| self.after(at)),
            sip_code: ending.sip_code(ledger.confirmed.is_some()),
            q850: ending.q850(),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
