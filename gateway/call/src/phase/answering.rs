//! 200 is on its way; the caller's ACK is awaited.

use std::time::Instant;

use record::Outcome;

use super::{Greeting, Phase};
use crate::action::Action;
use crate::context::Context;
use crate::ending::Ending;
use crate::event::Event;
use crate::session::Next;

#[derive(Debug)]
pub(crate) struct Answering {
    until: Instant,
}

impl Answering {
    pub fn enter(context: &mut Context, now: Instant) -> Self {
        context.act(Action::Answer);
        Self { until: now + context.config.confirm_max }
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Next {
        match event {
            Event::Confirmed => {
                context.ledger.confirmed = Some(now);
                if context.flow().record {
                    context.start_recording(now);
                }
                Greeting::enter(context, now)
            }
            _ => Next::Phase(Phase::Answering(self)),
        }
    }

    /// Nobody acknowledges: a broken path (wrong Contact) or a scanner. Nobody heard anything.
    pub fn on_timeout(self, now: Instant) -> Next {
        if self.until <= now {
            return Next::End(Outcome::Failed, Ending::NeverConfirmed);
        }
        Next::Phase(Phase::Answering(self))
    }

    pub fn deadline(&self) -> Instant {
        self.until
    }
}
