//! A call that begins here: a call-back, a follow-up visit (回访), a department. The agent's phone rings first,
//! then the far one, so that nobody picks up and hears silence. There is no notice and no queue: an agent is there
//! from the first word.

use std::time::Instant;

use record::Outcome;

use super::talking::{Party, Progress, Second};
use super::{Phase, Talking};
use crate::action::Action;
use crate::context::Context;
use crate::ending::Ending;
use crate::event::Event;
use crate::hall::HallEvent;
use crate::id::{AgentId, LegId};
use crate::session::Next;

/// | state | ends by |
/// |---|---|
/// | `Agent` | the agent's answer or refusal; `ring_time` |
/// | `Far` | the far phone's answer or refusal; `max_wait` |
#[derive(Debug)]
pub(crate) enum CallingOut {
    Agent(Second),
    Far { agent: Party, until: Instant },
}

impl CallingOut {
    pub fn enter(context: &mut Context, now: Instant, agent: AgentId) -> Self {
        Self::Agent(Second::call(context, now, agent.into()))
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Next {
        match self {
            Self::Agent(second) => {
                let progress = second.on_event(context, now, event);
                Self::proceed(context, now, progress)
            }
            Self::Far { agent, until } => match event {
                Event::Confirmed => {
                    context.ledger.confirmed = Some(now);
                    if context.flow().record {
                        context.start_recording(now);
                    }
                    Talking::with(context, now, agent)
                }
                Event::LegHungUp { leg } | Event::LegFailed { leg, .. } if *leg == agent.leg => {
                    agent.left(context);
                    Next::End(Outcome::Failed, Ending::AgentHungUp)
                }
                Event::LegLost { leg } if *leg == agent.leg => {
                    agent.hang_up(context);
                    Next::End(Outcome::Failed, Ending::AgentLost)
                }
                // Offered although nobody was asked for: set that agent free at once.
                Event::AgentOffered { agent: other } => {
                    let call = context.params.call;
                    context.tell_hall(HallEvent::Unclaim { call, agent: other.clone() });
                    Next::Phase(Phase::CallingOut(Self::Far { agent, until }))
                }
                _ => Next::Phase(Phase::CallingOut(Self::Far { agent, until })),
            },
        }
    }

    pub fn on_timeout(self, context: &mut Context, now: Instant) -> Next {
        match self {
            Self::Agent(second) => {
                let progress = second.on_timeout(context, now);
                Self::proceed(context, now, progress)
            }
            Self::Far { agent, until } if until <= now => {
                agent.hang_up(context);
                Next::End(Outcome::Failed, Ending::NobodyReached)
            }
            far @ Self::Far { .. } => Next::Phase(Phase::CallingOut(far)),
        }
    }

    fn proceed(context: &mut Context, now: Instant, progress: Progress) -> Next {
        Next::Phase(Phase::CallingOut(match progress {
            Progress::Same(second) | Progress::Alerting(second) => Self::Agent(second),
            Progress::Answered(agent) => {
                if context.ledger.agent.is_none() {
                    context.ledger.agent = agent.target.agent().cloned();
                }
                context.act(Action::Dial { leg: agent.leg });
                Self::Far { agent, until: now + context.config.max_wait }
            }
            Progress::Failed(..) | Progress::Left => {
                return Next::End(Outcome::Failed, Ending::AgentNotReached);
            }
        }))
    }

    /// The far party hung up or refused, or the call ends for another reason.
    pub fn abandon(self, context: &mut Context) -> Outcome {
        match self {
            Self::Agent(second) => second.drop_it(context),
            Self::Far { agent, .. } => agent.hang_up(context),
        }
        Outcome::Failed
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Agent(second) => second.deadline(),
            Self::Far { until, .. } => Some(*until),
        }
    }

    pub fn owns(&self, leg: LegId) -> bool {
        match self {
            Self::Agent(second) => second.owns(leg),
            Self::Far { agent, .. } => agent.leg == leg,
        }
    }
}
