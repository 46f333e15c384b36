//! Caller and agent hear each other. When either hangs up, both legs end.

use std::time::Instant;

use record::Outcome;

use super::Phase;
use crate::action::Action;
use crate::context::Context;
use crate::ending::Ending;
use crate::event::Event;
use crate::hall::HallEvent;
use crate::id::{AgentId, LegId};
use crate::leg::AgentLeg;
use crate::session::Next;

#[derive(Debug)]
pub(crate) struct Talking {
    leg: LegId,
    agent: AgentId,
}

impl Talking {
    pub fn enter(context: &mut Context, now: Instant, leg: AgentLeg) -> Next {
        let AgentLeg { leg, agent, .. } = leg;
        context.ledger.answered = Some(now);
        context.ledger.agent = Some(agent.clone());
        context.act(Action::StopPlaying);
        context.act(Action::Bridge { leg });
        context.tell_hall(HallEvent::Talking { call: context.params.call, agent: agent.clone() });
        Next::Phase(Phase::Talking(Self { leg, agent }))
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Next {
        match event {
            Event::AgentHungUp { .. } => {
                context.act(Action::Unbridge);
                self.release(context);
                Next::End(Outcome::Answered, Ending::AgentHungUp)
            }
            Event::AgentLost { .. } | Event::AgentFailed { .. } => {
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
        context.act(Action::HangUpAgent { leg: self.leg });
        self.release(context);
        Outcome::Answered
    }

    pub fn leg(&self) -> LegId {
        self.leg
    }

    fn release(self, context: &mut Context) {
        context.tell_hall(HallEvent::Released { call: context.params.call, agent: self.agent });
    }
}
