//! Supervisors of a call: they come and go and change their mode; nothing they do ends the call or touches
//! another leg.

use std::time::Instant;

use super::second::{Party, Progress, Second};
use crate::action::Action;
use crate::command::CommandRefused;
use crate::context::Context;
use crate::event::Event;
use crate::id::LegId;
use crate::role::{Role, Watch};
use crate::target::Target;

/// Supervisors of one call at most: one on duty and one who trains.
const MOST: usize = 2;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Vec<Watcher>);

#[derive(Debug)]
struct Watcher {
    second: Second,
    watch: Watch,
}

impl Watchers {
    /// Lets one in, or changes the mode of the one who is there.
    pub fn supervise(
        &mut self,
        context: &mut Context,
        now: Instant,
        target: Target,
        watch: Watch,
    ) -> Result<(), CommandRefused> {
        if let Some(known) = self.0.iter_mut().find(|watcher| watcher.second.target() == target) {
            if known.watch != watch {
                known.watch = watch;
                if let Second::There(party) = &known.second {
                    context.act(Action::Enter { leg: party.leg, role: Role::Supervisor(watch) });
                }
            }
            return Ok(());
        }
        if self.0.len() >= MOST {
            return Err(CommandRefused::TooMany);
        }
        let second = Second::call(context, now, target);
        self.0.push(Watcher { second, watch });
        Ok(())
    }

    pub fn on_event(&mut self, context: &mut Context, now: Instant, event: &Event) {
        self.step(context, |second, context| second.on_event(context, now, event));
    }

    pub fn on_timeout(&mut self, context: &mut Context, now: Instant) {
        self.step(context, |second, context| second.on_timeout(context, now));
    }

    pub fn drop_all(&mut self, context: &mut Context) {
        for watcher in self.0.drain(..) {
            watcher.second.drop_it(context);
        }
    }

    pub fn owns(&self, leg: LegId) -> bool {
        self.0.iter().any(|watcher| watcher.second.owns(leg))
    }

    /// Waits for the hall's word about this agent.
    pub fn claims(&self, target: &Target) -> bool {
        self.0.iter().any(|watcher| {
            matches!(watcher.second, Second::Claiming { .. }) && watcher.second.target() == *target
        })
    }

    pub fn has(&self, target: &Target) -> bool {
        self.0.iter().any(|watcher| watcher.second.target() == *target)
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(|watcher| watcher.second.deadline()).min()
    }

    fn step(&mut self, context: &mut Context, next: impl Fn(Second, &mut Context) -> Progress) {
        for Watcher { second, watch } in std::mem::take(&mut self.0) {
            let second = match next(second, context) {
                Progress::Same(second) | Progress::Alerting(second) => second,
                Progress::Answered(party) => enter(context, party, watch),
                Progress::Failed(..) | Progress::Left => continue,
            };
            self.0.push(Watcher { second, watch });
        }
    }
}

fn enter(context: &mut Context, party: Party, watch: Watch) -> Second {
    context.act(Action::Enter { leg: party.leg, role: Role::Supervisor(watch) });
    Second::There(party)
}
