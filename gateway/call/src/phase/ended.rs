//! The call is over. The summary waits for cancelled phones to report, so that one which answers at the last
//! moment is hung up and not left talking to nobody; but never longer than [`LEG_SETTLE`].

use std::time::{Duration, Instant};

use crate::action::Action;
use crate::context::Context;
use crate::summary::Summary;

/// A CANCEL is answered within milliseconds; beyond this the phone is unreachable and the SIP layer, which
/// has longer timers, deals with it.
const LEG_SETTLE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Not handed in yet, and the latest time to do so.
    pending: Option<(Box<Summary>, Instant)>,
}

impl Ended {
    pub fn new(summary: Summary, now: Instant) -> Self {
        Self { pending: Some((Box::new(summary), now + LEG_SETTLE)) }
    }

    pub fn on_timeout(mut self, context: &mut Context, now: Instant) -> Self {
        if self.deadline().is_some_and(|at| at <= now) {
            self.finish(context);
        }
        self
    }

    pub fn finish(&mut self, context: &mut Context) {
        if let Some((summary, _)) = self.pending.take() {
            context.act(Action::Finished(summary));
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.pending.as_ref().map(|(_, at)| *at)
    }

    pub fn is_finished(&self) -> bool {
        self.pending.is_none()
    }
}
