//! A further party of a call: wanted, rung, there. One sub-machine for whoever is consulted, invited, handed
//! the caller, or supervises. An agent is claimed from the hall first, so that nobody is rung twice.

use std::time::{Duration, Instant};

use crate::action::Action;
use crate::context::Context;
use crate::event::Event;
use crate::hall::{HallEvent, RingFailure};
use crate::id::{AgentId, LegId};
use crate::leg::RungLeg;
use crate::target::Target;

/// The hall answers within one turn of its loop.
const CLAIM: Duration = Duration::from_secs(2);

/// | state | ends by |
/// |---|---|
/// | `Claiming` | the hall's word; two seconds |
/// | `Ringing` | an answer or refusal; `ring_time` |
/// | `There` | hang-up |
#[derive(Debug)]
pub(crate) enum Second {
    Claiming { agent: AgentId, until: Instant },
    Ringing(RungLeg),
    There(Party),
}

/// Someone in the call.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub leg: LegId,
    pub target: Target,
}

/// What an event did to a second party.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Nothing that others need to know.
    Same(Second),
    /// The phone rings (180): worth telling whoever asked for it.
    Alerting(Second),
    /// Just picked up.
    Answered(Party),
    /// Came to nothing.
    Failed(Target, RingFailure),
    /// Was there and hung up.
    Left,
}

impl Second {
    pub fn call(context: &mut Context, now: Instant, target: Target) -> Self {
        match target {
            Target::Agent(agent) => {
                context.tell_hall(HallEvent::Claim { call: context.params.call, agent: agent.clone() });
                Self::Claiming { agent, until: now + CLAIM }
            }
            other => Self::Ringing(context.ring(now, other)),
        }
    }

    pub fn target(&self) -> Target {
        match self {
            Self::Claiming { agent, .. } => Target::Agent(agent.clone()),
            Self::Ringing(leg) => leg.target.clone(),
            Self::There(party) => party.target.clone(),
        }
    }

    pub fn is_there(&self) -> bool {
        matches!(self, Self::There(_))
    }

    pub fn owns(&self, leg: LegId) -> bool {
        match self {
            Self::Claiming { .. } => false,
            Self::Ringing(rung) => rung.leg == leg,
            Self::There(party) => party.leg == leg,
        }
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Progress {
        match (self, event) {
            (Self::Claiming { agent, .. }, Event::AgentOffered { agent: offered }) if agent == *offered => {
                Progress::Same(Self::Ringing(context.ring(now, agent.into())))
            }
            (Self::Claiming { agent, .. }, Event::AgentBusy { agent: busy }) if agent == *busy => {
                Progress::Failed(agent.into(), RingFailure::Busy)
            }
            (Self::Ringing(rung), event) => {
                let (leg, target) = (rung.leg, rung.target.clone());
                let alerting = matches!(event, Event::LegRinging { leg: ringing } if *ringing == leg);
                match rung.on_event(context, event) {
                    Some(rung) if rung.is_answered() => {
                        if let Target::Agent(agent) = &target {
                            let (call, agent) = (context.params.call, agent.clone());
                            context.tell_hall(HallEvent::Talking { call, agent });
                        }
                        Progress::Answered(Party { leg, target })
                    }
                    Some(rung) if alerting => Progress::Alerting(Self::Ringing(rung)),
                    Some(rung) => Progress::Same(Self::Ringing(rung)),
                    None => Progress::Failed(target, failure_of(event)),
                }
            }
            (Self::There(party), Event::LegHungUp { leg } | Event::LegFailed { leg, .. })
                if *leg == party.leg =>
            {
                party.left(context);
                Progress::Left
            }
            (Self::There(party), Event::LegLost { leg }) if *leg == party.leg => {
                party.hang_up(context);
                Progress::Left
            }
            (other, _) => Progress::Same(other),
        }
    }

    pub fn on_timeout(self, context: &mut Context, now: Instant) -> Progress {
        match self {
            Self::Claiming { agent, until } if until <= now => {
                context.tell_hall(HallEvent::Unclaim { call: context.params.call, agent: agent.clone() });
                Progress::Failed(agent.into(), RingFailure::Unreachable)
            }
            Self::Ringing(rung) => {
                let target = rung.target.clone();
                match rung.on_timeout(context, now) {
                    Some(rung) => Progress::Same(Self::Ringing(rung)),
                    None => Progress::Failed(target, RingFailure::NoAnswer),
                }
            }
            other => Progress::Same(other),
        }
    }

    /// Nobody wants this party any more.
    pub fn drop_it(self, context: &mut Context) {
        match self {
            Self::Claiming { agent, .. } => {
                context.tell_hall(HallEvent::Unclaim { call: context.params.call, agent });
            }
            Self::Ringing(rung) => {
                if let Some(agent) = rung.target.agent().cloned() {
                    context.tell_hall(HallEvent::Unclaim { call: context.params.call, agent });
                }
                rung.abandon(context);
            }
            Self::There(party) => party.hang_up(context),
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Claiming { until, .. } => Some(*until),
            Self::Ringing(rung) => rung.deadline(),
            Self::There(_) => None,
        }
    }
}

impl Party {
    /// Ends the leg.
    pub fn hang_up(self, context: &mut Context) {
        context.act(Action::HangUp { leg: self.leg });
        self.left(context);
    }

    /// The leg has ended.
    pub fn left(self, context: &mut Context) {
        release(context, self.target);
    }
}

/// An agent's wrap-up begins.
pub(crate) fn release(context: &mut Context, target: Target) {
    if let Target::Agent(agent) = target {
        context.tell_hall(HallEvent::Released { call: context.params.call, agent });
    }
}

fn failure_of(event: &Event) -> RingFailure {
    match event {
        Event::LegFailed { sip_code, .. } => RingFailure::of_sip_code(*sip_code),
        Event::LegHungUp { .. } => RingFailure::Declined,
        _ => RingFailure::Unreachable,
    }
}
