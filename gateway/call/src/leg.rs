//! A leg of ours before its party and the caller hear each other: it rings, or was picked up and waits.

use std::time::Instant;

use crate::action::Action;
use crate::context::Context;
use crate::event::Event;
use crate::hall::{HallEvent, RingFailure};
use crate::id::LegId;
use crate::target::Target;

/// A phone that rings, or was picked up and waits, say for the end of the notice.
#[derive(Debug)]
pub(crate) struct RungLeg {
    pub leg: LegId,
    pub target: Target,
    /// `None` once picked up.
    ring_until: Option<Instant>,
}

impl RungLeg {
    pub fn ringing(leg: LegId, target: Target, until: Instant) -> Self {
        Self { leg, target, ring_until: Some(until) }
    }

    pub fn is_answered(&self) -> bool {
        self.ring_until.is_none()
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.ring_until
    }

    /// The leg after the event, or `None` when it came to nothing; hall and phone know by then.
    pub fn on_event(mut self, context: &mut Context, event: &Event) -> Option<Self> {
        match event {
            Event::LegAnswered { leg } if *leg == self.leg => {
                self.ring_until = None;
                Some(self)
            }
            Event::LegFailed { leg, sip_code } if *leg == self.leg => {
                self.fail(context, RingFailure::of_sip_code(*sip_code))
            }
            Event::LegHungUp { leg } if *leg == self.leg => self.fail(context, RingFailure::Declined),
            Event::LegLost { leg } if *leg == self.leg => {
                context.act(Action::HangUp { leg: self.leg });
                self.fail(context, RingFailure::Unreachable)
            }
            // A phone that was picked up is there, whatever its registration says.
            Event::AgentWithdrawn { agent } if self.target.agent() == Some(agent) && !self.is_answered() => {
                context.cancel(self.leg, self.target);
                None
            }
            _ => Some(self),
        }
    }

    /// The leg after `now`, or `None` when it rang out.
    pub fn on_timeout(self, context: &mut Context, now: Instant) -> Option<Self> {
        match self.ring_until {
            Some(until) if until <= now => {
                context.cancel(self.leg, self.target.clone());
                self.fail(context, RingFailure::NoAnswer)
            }
            _ => Some(self),
        }
    }

    /// The caller is gone: the phone must fall silent, and the agent is not to blame.
    pub fn abandon(self, context: &mut Context) {
        if self.is_answered() {
            context.act(Action::HangUp { leg: self.leg });
            if let Target::Agent(agent) = self.target {
                context.tell_hall(HallEvent::Cleared { call: context.params.call, agent });
            }
        } else {
            context.cancel(self.leg, self.target);
        }
    }

    fn fail(self, context: &mut Context, failure: RingFailure) -> Option<Self> {
        if let Target::Agent(agent) = self.target {
            context.tell_hall(HallEvent::RingFailed { call: context.params.call, agent, failure });
        }
        None
    }
}
