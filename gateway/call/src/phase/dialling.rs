//! The number belongs to a phone at a fixed SIP address, and it rings. There is no queue in front of it: when
//! it is busy or not answered, the caller may leave a message where the call is recorded, and is hung up
//! otherwise.

use std::time::Instant;

use record::Outcome;

use super::{Phase, Talking, VoiceMessage};
use crate::context::Context;
use crate::ending::Ending;
use crate::event::Event;
use crate::id::LegId;
use crate::leg::RungLeg;
use crate::prompt::Tone;
use crate::session::Next;
use crate::target::Target;

#[derive(Debug)]
pub(crate) struct Dialling {
    leg: RungLeg,
}

impl Dialling {
    pub fn enter(context: &mut Context, now: Instant, address: String) -> Next {
        context.play_tone(now, Tone::RingBack);
        let leg = context.ring(now, Target::Phone(address));
        Next::Phase(Phase::Dialling(Self { leg }))
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Next {
        if matches!(event, Event::AgentOffered { .. }) {
            context.leave_queue(now);
        }
        let leg = self.leg.on_event(context, event);
        Self::proceed(context, now, leg)
    }

    pub fn on_timeout(self, context: &mut Context, now: Instant) -> Next {
        let leg = self.leg.on_timeout(context, now);
        Self::proceed(context, now, leg)
    }

    fn proceed(context: &mut Context, now: Instant, leg: Option<RungLeg>) -> Next {
        match leg {
            Some(leg) if leg.is_answered() => Talking::enter(context, now, leg),
            Some(leg) => Next::Phase(Phase::Dialling(Self { leg })),
            None if context.flow().record && context.flow().intake => VoiceMessage::enter(context, now),
            None => Next::End(Outcome::Failed, Ending::NobodyReached),
        }
    }

    pub fn abandon(self, context: &mut Context) -> Outcome {
        self.leg.abandon(context);
        Outcome::AbandonedRing
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.leg.deadline()
    }

    pub fn leg(&self) -> LegId {
        self.leg.leg
    }
}
