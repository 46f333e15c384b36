//! One call from INVITE to summary, as a machine without a clock: [`Event`]s in, [`Action`]s out.
//!
//! ```text
//! Answering → Greeting → Waiting ⇄ Ringing → Talking → Ended
//!                 │          └───────┴→ VoiceMessage ───↑     (a caller may hang up anywhere)
//! ```
//! This file only sees to what holds in every phase: legs that are no longer current, the caller who is
//! gone, the longest call, the process that ends. What a phase does is in `phase/`.

use std::sync::Arc;
use std::time::Instant;

use record::{Lane, Outcome};

use crate::action::Action;
use crate::command::{Command, CommandRefused};
use crate::config::CallConfig;
use crate::context::Context;
use crate::ending::Ending;
use crate::event::Event;
use crate::flow::Flow;
use crate::hall::HallEvent;
use crate::id::{AgentId, CallId, LegId, Skill};
use crate::phase::{Ended, Phase};

pub use crate::phase::PhaseName;

/// What a call starts with. Whoever gets here was admitted by the lists.
#[derive(Clone, Debug)]
pub struct SessionParams {
    /// The call's number in this process.
    pub call: CallId,
    /// The lane of the verdict.
    pub lane: Lane,
    /// What the agent must be able to do; empty for any agent.
    pub skills: Vec<Skill>,
    /// Limits and prompts, as they stand when the call comes in.
    pub config: Arc<CallConfig>,
    /// What the dialled number does: [`CallConfig::flow`].
    pub flow: Flow,
}

/// How far a consultation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consultation {
    /// The party is being called.
    Called,
    /// The party is there.
    There,
}

/// A call. See the module; the shell's loop is in the crate's documentation.
#[derive(Debug)]
pub struct Session {
    context: Context,
    phase: Phase,
}

impl Session {
    /// A call whose INVITE came at `now`. The first action is [`Action::Answer`]; a shell that wants a
    /// durable draft first writes it before it performs that action.
    pub fn new(params: SessionParams, now: Instant) -> Self {
        let mut context = Context::new(params, now);
        let phase = Phase::answering(&mut context, now);
        Self { context, phase }
    }

    /// A call that begins here: `agent`'s phone rings first, then [`Action::Dial`] calls the other side, whose
    /// leg is the caller's from then on: `Confirmed` when it answers, `AnswerFailed` when it does not.
    pub fn outbound(params: SessionParams, agent: AgentId, now: Instant) -> Self {
        let mut context = Context::new(params, now);
        let phase = Phase::calling_out(&mut context, now, agent);
        Self { context, phase }
    }

    /// Which call this is.
    pub fn call(&self) -> CallId {
        self.context.params.call
    }

    /// Where the call stands, for the wallboard.
    pub fn phase(&self) -> PhaseName {
        self.phase.name()
    }

    /// How far a consultation has come, while there is one; a three-way call that came of it counts as one.
    pub fn consultation(&self) -> Option<Consultation> {
        match &self.phase {
            Phase::Talking(talking) => talking.consultation(),
            _ => None,
        }
    }

    /// Takes note of an event; any event in any phase. Then poll actions and read the timeout again.
    pub fn handle(&mut self, now: Instant, event: Event) {
        if self.is_about_another_leg(&event) {
            self.settle_other_leg(&event);
            return self.finish_when_settled();
        }
        match event {
            Event::SpeechHeard => {
                self.context.speaking = true;
                self.context.ledger.first_speech.get_or_insert(now);
            }
            Event::SilentFor(_) => self.context.speaking = false,
            Event::TurnedAway(why) => {
                self.context.ledger.turned_away.get_or_insert(why);
            }
            Event::Drain => self.context.draining = true,
            Event::CallerHungUp { q850 } => return self.end(now, Ending::CallerHungUp { q850 }),
            Event::CallerLost => return self.end(now, Ending::CallerLost),
            Event::AnswerFailed { sip_code } if self.context.ledger.confirmed.is_none() => {
                return self.end(now, Ending::AnswerFailed { sip_code });
            }
            Event::Shutdown => {
                self.end(now, Ending::Shutdown);
                // The process does not wait for a phone to confirm its silence.
                return self.phase.finish(&mut self.context);
            }
            // Nobody talks with the caller: there is nothing to hand over.
            Event::Referred { leg, .. } | Event::ReferredToConsulted { leg }
                if !matches!(self.phase, Phase::Talking(_)) =>
            {
                return self.context.act(Action::RefuseRefer { leg, status: 486 });
            }
            _ => {}
        }
        self.step(now, |phase, context| phase.on_event(context, now, &event));
    }

    /// Grants a wish of the desk, or says why not.
    ///
    /// # Errors
    /// [`CommandRefused`]; the call goes on as it was.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), CommandRefused> {
        if self.phase.is_ended() {
            return Err(CommandRefused::NotTalking);
        }
        if command == Command::HangUp {
            self.end(now, Ending::Desk);
            return Ok(());
        }
        match &mut self.phase {
            Phase::Talking(talking) => talking.command(&mut self.context, now, command),
            _ => Err(CommandRefused::NotTalking),
        }
    }

    /// Acts on every deadline up to `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.too_long_at().is_some_and(|at| at <= now) {
            return self.end(now, Ending::TooLong);
        }
        self.step(now, |phase, context| phase.on_timeout(context, now));
    }

    /// The next thing to do. After [`Action::Finished`] there is none any more.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.context.poll_action()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None` once finished.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.too_long_at(), self.phase.deadline(&self.context)].into_iter().flatten().min()
    }

    /// The call is over and handed in.
    pub fn is_finished(&self) -> bool {
        self.phase.is_finished()
    }

    fn too_long_at(&self) -> Option<Instant> {
        (!self.phase.is_ended()).then(|| self.context.started + self.context.config.max_call)
    }

    fn step(&mut self, now: Instant, next: impl FnOnce(Phase, &mut Context) -> Next) {
        match next(std::mem::take(&mut self.phase), &mut self.context) {
            Next::Phase(phase) => self.phase = phase,
            Next::End(outcome, ending) => self.close(now, outcome, ending),
        }
    }

    fn end(&mut self, now: Instant, ending: Ending) {
        if self.phase.is_ended() {
            return;
        }
        let outcome = std::mem::take(&mut self.phase).abandon(&mut self.context, now);
        let outcome = match (ending, outcome) {
            // "Abandoned" is the caller's doing; when it was ours the call failed.
            (
                Ending::TooLong
                | Ending::Desk
                | Ending::Shutdown
                | Ending::NeverConfirmed
                | Ending::AnswerFailed { .. },
                Outcome::AbandonedQueue | Outcome::AbandonedRing,
            ) => Outcome::Failed,
            (_, outcome) => outcome,
        };
        self.close(now, outcome, ending);
    }

    fn close(&mut self, now: Instant, outcome: Outcome, ending: Ending) {
        self.context.stop_recording();
        if !ending.is_by_caller() {
            self.context.act(Action::HangUpCaller { q850: ending.q850() });
        }
        // Who was served and then waited in vain for another was served all the same.
        let outcome = if self.context.ledger.answered.is_some() { Outcome::Answered } else { outcome };
        let summary = self.context.summary(now, outcome, ending);
        self.phase = Phase::Ended(Ended::new(summary, now));
        self.finish_when_settled();
    }

    fn finish_when_settled(&mut self) {
        if self.context.is_settled() {
            self.phase.finish(&mut self.context);
        }
    }

    fn is_about_another_leg(&self, event: &Event) -> bool {
        leg_of(event).is_some_and(|leg| !self.phase.owns(leg))
    }

    /// A cancelled phone that answers all the same is hung up, whenever that happens: nobody talks to a
    /// caller who has left, and no caller gets two agents.
    fn settle_other_leg(&mut self, event: &Event) {
        if self.is_finished() {
            return;
        }
        match event {
            Event::LegAnswered { leg } => {
                self.context.act(Action::HangUp { leg: *leg });
                self.context.settle(*leg);
            }
            Event::LegFailed { leg, .. } | Event::LegHungUp { leg } | Event::LegLost { leg } => {
                self.context.settle(*leg);
            }
            // Whoever asks is no part of the call any more.
            Event::Referred { leg, .. } | Event::ReferredToConsulted { leg } => {
                self.context.act(Action::RefuseRefer { leg: *leg, status: 481 });
            }
            _ => {}
        }
    }
}

/// What a phase hands on: the next phase, or the end of the call.
pub(crate) enum Next {
    Phase(Phase),
    End(Outcome, Ending),
}

fn leg_of(event: &Event) -> Option<LegId> {
    match event {
        Event::LegRinging { leg }
        | Event::LegAnswered { leg }
        | Event::LegFailed { leg, .. }
        | Event::LegHungUp { leg }
        | Event::LegHeld { leg, .. }
        | Event::Referred { leg, .. }
        | Event::ReferredToConsulted { leg }
        | Event::LegLost { leg } => Some(*leg),
        _ => None,
    }
}

impl SessionParams {
    /// The caller's entry into the queue.
    pub(crate) fn join(&self) -> HallEvent {
        HallEvent::Join { call: self.call, lane: self.lane, skills: self.skills.clone() }
    }
}
