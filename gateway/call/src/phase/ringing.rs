//! One agent's phone rings. The caller hears what waiting callers hear and keeps the place in the queue
//! until an agent has picked up.

use std::time::Instant;

use record::Outcome;

use super::{Phase, Talking, Waiting};
use crate::context::Context;
use crate::event::Event;
use crate::id::LegId;
use crate::leg::RungLeg;
use crate::session::Next;
use crate::waiting_sound::WaitingSound;

#[derive(Debug)]
pub(crate) struct Ringing {
    sound: WaitingSound,
    leg: RungLeg,
}

impl Ringing {
    pub fn enter(sound: WaitingSound, leg: RungLeg) -> Next {
        Next::Phase(Phase::Ringing(Self { sound, leg }))
    }

    /// The notice is over and a phone rings already.
    pub fn during_greeting(context: &mut Context, now: Instant, leg: RungLeg) -> Next {
        let sound = WaitingSound::start(context, now);
        Self::enter(sound, leg)
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Next {
        let sound = self.sound.on_event(context, now, event);
        match self.leg.on_event(context, event) {
            Some(leg) if leg.is_answered() => Talking::enter(context, now, leg),
            Some(leg) => Self::enter(sound, leg),
            None => Waiting::again(context, now, sound),
        }
    }

    pub fn on_timeout(self, context: &mut Context, now: Instant) -> Next {
        let sound = self.sound.on_timeout(context, now);
        match self.leg.on_timeout(context, now) {
            Some(leg) => Self::enter(sound, leg),
            None => Waiting::again(context, now, sound),
        }
    }

    pub fn abandon(self, context: &mut Context, now: Instant) -> Outcome {
        context.leave_queue(now);
        self.leg.abandon(context);
        Outcome::AbandonedRing
    }

    pub fn deadline(&self) -> Instant {
        let sound = self.sound.deadline();
        self.leg.deadline().map_or(sound, |ring| ring.min(sound))
    }

    pub fn leg(&self) -> LegId {
        self.leg.leg
    }
}
