//! The caller is connected to nobody, by the number's own wish: an echo test, or a line held open. Ends when
//! the caller hangs up, or at `max_call`.

use std::time::Instant;

use record::Outcome;

use super::Phase;
use crate::action::Action;
use crate::context::Context;
use crate::event::Event;
use crate::session::Next;

#[derive(Debug)]
pub(crate) struct Holding {
    echo: bool,
}

impl Holding {
    pub fn echo(context: &mut Context) -> Next {
        context.act(Action::StopPlaying);
        context.act(Action::Echo);
        Next::Phase(Phase::Holding(Self { echo: true }))
    }

    pub fn hold() -> Next {
        Next::Phase(Phase::Holding(Self { echo: false }))
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Next {
        if matches!(event, Event::AgentOffered { .. }) {
            context.leave_queue(now);
        }
        Next::Phase(Phase::Holding(self))
    }

    /// The caller hung up: the only way it was meant to end.
    pub const fn abandon(self) -> Outcome {
        Outcome::Overflow
    }

    pub const fn is_echo(&self) -> bool {
        self.echo
    }
}
