//! In the queue, with nobody's phone ringing.

use std::time::Instant;

use record::Outcome;

use super::{Phase, Ringing, VoiceMessage};
use crate::context::Context;
use crate::event::Event;
use crate::session::Next;
use crate::waiting_sound::WaitingSound;

#[derive(Debug)]
pub(crate) struct Waiting {
    sound: WaitingSound,
    until: Instant,
}

impl Waiting {
    /// Begins to wait, after the notice.
    pub fn enter(context: &mut Context, now: Instant) -> Next {
        let until = wait_until(context, now);
        if until <= now || context.draining {
            return VoiceMessage::enter(context, now);
        }
        let sound = WaitingSound::start(context, now);
        Next::Phase(Phase::Waiting(Self { sound, until }))
    }

    /// Waits again, because a phone was rung in vain. The sound goes on.
    pub fn again(context: &mut Context, now: Instant, sound: WaitingSound) -> Next {
        let until = wait_until(context, now);
        if until <= now || context.draining {
            return VoiceMessage::enter(context, now);
        }
        Next::Phase(Phase::Waiting(Self { sound, until }))
    }

    /// Waits again after having been served: a transfer failed and the agent does not take the caller back.
    pub fn anew(context: &mut Context, now: Instant) -> Next {
        context.ledger.queued.get_or_insert(now);
        context.tell_hall(context.params.join());
        if context.draining {
            return VoiceMessage::enter(context, now);
        }
        let until = now + context.config.max_wait;
        let sound = WaitingSound::start(context, now);
        Next::Phase(Phase::Waiting(Self { sound, until }))
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Next {
        let sound = self.sound.on_event(context, now, event);
        match event {
            Event::AgentOffered { agent } => {
                let leg = context.ring(now, agent.clone().into());
                Ringing::enter(sound, leg)
            }
            Event::TurnedAway(_) | Event::Drain => VoiceMessage::enter(context, now),
            _ => Next::Phase(Phase::Waiting(Self { sound, ..self })),
        }
    }

    pub fn on_timeout(self, context: &mut Context, now: Instant) -> Next {
        if self.until <= now {
            return VoiceMessage::enter(context, now);
        }
        let sound = self.sound.on_timeout(context, now);
        Next::Phase(Phase::Waiting(Self { sound, ..self }))
    }

    pub fn abandon(self, context: &mut Context, now: Instant) -> Outcome {
        context.leave_queue(now);
        Outcome::AbandonedQueue
    }

    pub fn deadline(&self) -> Instant {
        self.until.min(self.sound.deadline())
    }
}

fn wait_until(context: &Context, now: Instant) -> Instant {
    context.ledger.queued.unwrap_or(now) + context.config.max_wait
}
