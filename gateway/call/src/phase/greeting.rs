//! The recording notice plays, then the number's own prompt. For a citizen the wait begins here. The hall is
//! joined when they have ended; where `ring_during_notice` says so already now, and then an agent may even pick
//! up, but is heard only after them.

use std::time::Instant;

use record::Outcome;

use super::{Dialling, Holding, Phase, Ringing, Talking, VoiceMessage, Waiting};
use crate::context::{Context, Playing};
use crate::ending::Ending;
use crate::event::Event;
use crate::flow::Then;
use crate::id::LegId;
use crate::leg::RungLeg;
use crate::prompt::PromptId;
use crate::session::Next;
use crate::summary::Notice;

#[derive(Debug)]
pub(crate) struct Greeting {
    step: Step,
    leg: Option<RungLeg>,
    turned_away: bool,
}

/// What plays.
#[derive(Debug)]
enum Step {
    Notice(Playing),
    Prompt(Playing),
}

impl Greeting {
    pub fn enter(context: &mut Context, now: Instant) -> Next {
        if context.flow().then == Then::Queue {
            context.ledger.queued = Some(now);
        }
        let early = context.config.ring_during_notice && context.flow().then == Then::Queue;
        let Some(step) = Step::first(context, now) else { return follow(context, now) };
        if early {
            context.tell_hall(context.params.join());
        }
        Next::Phase(Phase::Greeting(Self { step, leg: None, turned_away: false }))
    }

    pub fn on_event(mut self, context: &mut Context, now: Instant, event: &Event) -> Next {
        if self.step.playing().ended_by(event) {
            self.step.note_end(context, matches!(event, Event::PlayFinished { .. }));
            return self.proceed(context, now);
        }
        match event {
            // Nobody was asked for: set that agent free at once.
            Event::AgentOffered { .. } if context.flow().then != Then::Queue => context.leave_queue(now),
            Event::AgentOffered { agent } if self.leg.is_none() && !self.turned_away => {
                self.leg = Some(context.ring(now, agent.clone().into()));
            }
            Event::TurnedAway(_) => self.turned_away = true,
            other => self.leg = self.leg.and_then(|leg| leg.on_event(context, other)),
        }
        Next::Phase(Phase::Greeting(self))
    }

    pub fn on_timeout(mut self, context: &mut Context, now: Instant) -> Next {
        self.leg = self.leg.and_then(|leg| leg.on_timeout(context, now));
        if self.step.playing().deadline <= now {
            return self.proceed(context, now);
        }
        Next::Phase(Phase::Greeting(self))
    }

    fn proceed(self, context: &mut Context, now: Instant) -> Next {
        if let (Step::Notice(_), Some(prompt)) = (&self.step, context.flow().prompt.clone()) {
            let step = Step::Prompt(context.play(now, prompt));
            return Next::Phase(Phase::Greeting(Self { step, ..self }));
        }
        match self.leg {
            Some(leg) if leg.is_answered() => Talking::enter(context, now, leg),
            Some(leg) => Ringing::during_greeting(context, now, leg),
            None if self.turned_away => VoiceMessage::enter(context, now),
            None if context.config.ring_during_notice && context.flow().then == Then::Queue => {
                Waiting::enter(context, now)
            }
            None => follow(context, now),
        }
    }

    pub fn abandon(self, context: &mut Context, now: Instant) -> Outcome {
        match &context.flow().then {
            Then::Queue => context.leave_queue(now),
            // Who hung up in the middle of an announcement was served as far as they wanted.
            Then::HangUp => return Outcome::Overflow,
            _ => {}
        }
        match self.leg {
            Some(leg) => {
                leg.abandon(context);
                Outcome::AbandonedRing
            }
            None => Outcome::AbandonedQueue,
        }
    }

    pub fn deadline(&self) -> Instant {
        let playing = self.step.playing().deadline;
        let ring = self.leg.as_ref().and_then(RungLeg::deadline);
        ring.map_or(playing, |ring| ring.min(playing))
    }

    pub fn leg(&self) -> Option<LegId> {
        self.leg.as_ref().map(|leg| leg.leg)
    }
}

impl Step {
    fn first(context: &mut Context, now: Instant) -> Option<Self> {
        if let Some(prompt) = context.flow().notice.clone() {
            return Some(Self::notice(context, now, prompt));
        }
        let prompt = context.flow().prompt.clone()?;
        Some(Self::Prompt(context.play(now, prompt)))
    }

    fn notice(context: &mut Context, now: Instant, prompt: PromptId) -> Self {
        let started_after = context.after(now);
        context.ledger.notice = Some(Notice { prompt: prompt.clone(), started_after, completed: false });
        Self::Notice(context.play(now, prompt))
    }

    const fn playing(&self) -> Playing {
        match self {
            Self::Notice(playing) | Self::Prompt(playing) => *playing,
        }
    }

    fn note_end(&self, context: &mut Context, heard: bool) {
        if let (Self::Notice(_), true, Some(notice)) = (self, heard, &mut context.ledger.notice) {
            notice.completed = true;
        }
    }
}

/// What the number's flow wants after notice and prompt.
fn follow(context: &mut Context, now: Instant) -> Next {
    match context.flow().then.clone() {
        Then::Queue => {
            context.tell_hall(context.params.join());
            Waiting::enter(context, now)
        }
        Then::HangUp => Next::End(Outcome::Overflow, Ending::FlowDone),
        Then::Echo => Holding::echo(context),
        Then::Hold => Holding::hold(),
        Then::VoiceMessage => VoiceMessage::enter(context, now),
        Then::Dial(address) => Dialling::enter(context, now, address),
    }
}
