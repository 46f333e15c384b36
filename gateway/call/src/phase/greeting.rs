//! The recording notice plays. For a citizen the wait begins here. The hall is joined when it has ended; where
//! `ring_during_notice` says so already now, and then an agent may even pick up, but is heard only after it.

use std::time::Instant;

use record::Outcome;

use super::{Phase, Ringing, Talking, VoiceMessage, Waiting};
use crate::context::{Context, Playing};
use crate::event::Event;
use crate::id::LegId;
use crate::leg::AgentLeg;
use crate::session::Next;
use crate::summary::Notice;

#[derive(Debug)]
pub(crate) struct Greeting {
    notice: Playing,
    leg: Option<AgentLeg>,
    turned_away: bool,
}

impl Greeting {
    pub fn enter(context: &mut Context, now: Instant) -> Next {
        context.ledger.queued = Some(now);
        let join = context.params.join();
        let Some(prompt) = context.config.notice.prompt() else {
            context.tell_hall(join);
            return Waiting::enter(context, now);
        };
        let started_after = context.after(now);
        context.ledger.notice = Some(Notice { prompt: prompt.clone(), started_after, completed: false });
        let notice = context.play(now, prompt);
        if context.config.ring_during_notice {
            context.tell_hall(join);
        }
        Next::Phase(Phase::Greeting(Self { notice, leg: None, turned_away: false }))
    }

    pub fn on_event(mut self, context: &mut Context, now: Instant, event: &Event) -> Next {
        if self.notice.ended_by(event) {
            if matches!(event, Event::PlayFinished { .. })
                && let Some(notice) = &mut context.ledger.notice
            {
                notice.completed = true;
            }
            return self.proceed(context, now);
        }
        match event {
            Event::AgentOffered { agent } if self.leg.is_none() && !self.turned_away => {
                self.leg = Some(context.ring(now, agent.clone()));
            }
            Event::TurnedAway(_) => self.turned_away = true,
            other => self.leg = self.leg.and_then(|leg| leg.on_event(context, other)),
        }
        Next::Phase(Phase::Greeting(self))
    }

    pub fn on_timeout(mut self, context: &mut Context, now: Instant) -> Next {
        self.leg = self.leg.and_then(|leg| leg.on_timeout(context, now));
        if self.notice.deadline <= now {
            return self.proceed(context, now);
        }
        Next::Phase(Phase::Greeting(self))
    }

    fn proceed(self, context: &mut Context, now: Instant) -> Next {
        match self.leg {
            Some(leg) if leg.is_answered() => Talking::enter(context, now, leg),
            Some(leg) => Ringing::during_greeting(context, now, leg),
            None if self.turned_away => VoiceMessage::enter(context, now),
            None => {
                if !context.config.ring_during_notice {
                    context.tell_hall(context.params.join());
                }
                Waiting::enter(context, now)
            }
        }
    }

    pub fn abandon(self, context: &mut Context, now: Instant) -> Outcome {
        context.leave_queue(now);
        match self.leg {
            Some(leg) => {
                leg.abandon(context);
                Outcome::AbandonedRing
            }
            None => Outcome::AbandonedQueue,
        }
    }

    pub fn deadline(&self) -> Instant {
        let ring = self.leg.as_ref().and_then(AgentLeg::deadline);
        ring.map_or(self.notice.deadline, |ring| ring.min(self.notice.deadline))
    }

    pub fn leg(&self) -> Option<LegId> {
        self.leg.as_ref().map(|leg| leg.leg)
    }
}
