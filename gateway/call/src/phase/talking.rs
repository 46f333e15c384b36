//! Caller and agent (or the phone a number belongs to) hear each other. When either hangs up, both legs end.

use std::time::Instant;

use record::Outcome;

use super::Phase;
use crate::action::Action;
use crate::context::Context;
use crate::ending::Ending;
use crate::event::Event;
use crate::hall::HallEvent;
use crate::id::LegId;
use crate::leg::RungLeg;
use crate::session::Next;
use crate::target::Target;

#[derive(Debug)]
pub(crate) struct Talking {
    leg: LegId,
    target: Target,
}

impl Talking {
    pub fn enter(context: &mut Context, now: Instant, leg: RungLeg) -> Next {
        let RungLeg { leg, target, .. } = leg;
        context.ledger.answered = Some(now);
        context.ledger.agent = target.agent().cloned();
        context.act(Action::StopPlaying);
        context.act(Action::Bridge { leg });
        if let Target::Agent(agent) = &target {
            context.tell_hall(HallEvent::Talking { call: context.params.call, agent: agent.clone() });
        }
        Next::Phase(Phase::Talking(Self { leg, target }))
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Next {
        match event {
            Event::LegHungUp { .. } => {
                context.act(Action::Unbridge);
                self.release(context);
                Next::End(Outcome::Answered, Ending::AgentHungUp)
            }
            Event::LegLost { .. } | Event::LegFailed { .. } => {
                self.abandon(context);
                Next::End(Outcome::Answered, Ending::AgentLost)
            }
            // The hall offers somebody although this caller is served: set that agent free at once.
            Event::AgentOffered { .. } => {
                context.leave_queue(now);
                Next::Phase(Phase::Talking(self))
            }
            _ => Next::Phase(Phase::Talking(self)),
        }
    }

    pub fn abandon(self, context: &mut Context) -> Outcome {
        context.act(Action::Unbridge);
        context.act(Action::HangUp { leg: self.leg });
        self.release(context);
        Outcome::Answered
    }

    pub fn leg(&self) -> LegId {
        self.leg
    }

    fn release(self, context: &mut Context) {
        if let Target::Agent(agent) = self.target {
            context.tell_hall(HallEvent::Released { call: context.params.call, agent });
        }
    }
}
