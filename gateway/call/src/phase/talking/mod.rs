//! Somebody talks with the caller: an agent, or the phone a number belongs to; with whoever is consulted,
//! invited, handed the caller, or supervises.
//!
//! ```text
//!            ┌──────────── Direct ───────────┐
//!     Inviting → Conference    Consulting    Transferring → Recalling
//! ```
//! Every state but `Direct` ends in `Direct` or in the end of the call. What the caller hears follows from
//! the state (`sound.rs`), and the recording is touched by none of this.

mod second;
mod sound;
mod watchers;
mod wishes;

use std::time::Instant;

use record::{Outcome, TransferKind};

use self::second::release;
pub(crate) use self::second::{Party, Progress, Second};
use self::sound::{Hold, Sound};
use self::watchers::Watchers;
use super::{Phase, Waiting};
use crate::action::Action;
use crate::command::TransferNote;
use crate::context::Context;
use crate::ending::Ending;
use crate::event::Event;
use crate::hall::{HallEvent, RingFailure};
use crate::id::LegId;
use crate::leg::RungLeg;
use crate::role::Role;
use crate::session::{Consultation, Next};
use crate::target::Target;

#[derive(Debug)]
pub(crate) struct Talking {
    talk: Talk,
    hold: Hold,
    sound: Sound,
    watchers: Watchers,
}

/// | state | the caller hears | ends by |
/// |---|---|---|
/// | `Direct` | the agent | hang-up |
/// | `Inviting` | the agent | the third party's answer or refusal, `ring_time` |
/// | `Consulting` | the hold tone | conference, transfer, resume, either's hang-up |
/// | `Conference` | both | either's hang-up |
/// | `Transferring` | ring-back | the target's answer or refusal, `ring_time` |
/// | `Recalling` | ring-back | the agent's answer or refusal, `ring_time` |
#[derive(Debug)]
enum Talk {
    Direct {
        agent: Party,
    },
    Inviting {
        agent: Party,
        third: Second,
        note: Pending,
    },
    Consulting {
        agent: Party,
        third: Second,
        note: Pending,
    },
    Conference {
        agent: Party,
        third: Party,
    },
    Transferring {
        from: From,
        to: Second,
        note: Pending,
    },
    /// A transfer failed and the agent had hung up: the agent is rung again.
    Recalling {
        leg: RungLeg,
    },
}

/// Who hands the caller over.
#[derive(Debug)]
enum From {
    /// Still there, apart from the caller, until it is done.
    There(Party),
    /// Hung up already; the hall holds the agent until it is done.
    Gone(Target),
}

/// A hand-over or three-way call that is being tried.
#[derive(Debug)]
struct Pending {
    asked: Instant,
    kind: TransferKind,
    /// Asked for by this phone's REFER, which wants to be told how it goes (RFC 3515).
    refer: Option<LegId>,
}

impl Talking {
    pub fn enter(context: &mut Context, now: Instant, leg: RungLeg) -> Next {
        let RungLeg { leg, target, .. } = leg;
        let agent = target.agent().cloned();
        let next = Self::with(context, now, Party { leg, target });
        if let Some(agent) = agent {
            context.tell_hall(HallEvent::Talking { call: context.params.call, agent });
        }
        next
    }

    /// With somebody whom the hall knows to talk already.
    pub fn with(context: &mut Context, now: Instant, agent: Party) -> Next {
        let Party { leg, target } = agent;
        context.ledger.answered.get_or_insert(now);
        if context.ledger.agent.is_none() {
            context.ledger.agent = target.agent().cloned();
        }
        context.act(Action::StopPlaying);
        context.act(Action::Bridge { leg });
        Next::Phase(Phase::Talking(Box::new(Self {
            talk: Talk::Direct { agent: Party { leg, target } },
            hold: Hold::default(),
            sound: Sound::Together,
            watchers: Watchers::default(),
        })))
    }

    pub fn on_event(mut self: Box<Self>, context: &mut Context, now: Instant, event: &Event) -> Next {
        match event {
            Event::LegHeld { leg, held } if self.agent_leg() == Some(*leg) => {
                self.hold.by_phone = *held;
                return self.go_on(context, now);
            }
            Event::Referred { leg, target } => return self.referred(context, now, *leg, target.clone()),
            Event::ReferredToConsulted { leg } => return self.referred_to_consulted(context, now, *leg),
            Event::AgentOffered { agent } | Event::AgentBusy { agent } => {
                let target = Target::Agent(agent.clone());
                if self.watchers.claims(&target) {
                    self.watchers.on_event(context, now, event);
                    return self.go_on(context, now);
                }
                if !self.third_claims(&target) {
                    // Offered although nobody was asked for: set that agent free at once.
                    if matches!(event, Event::AgentOffered { .. }) {
                        context.leave_queue(now);
                        context.tell_hall(HallEvent::Unclaim {
                            call: context.params.call,
                            agent: agent.clone(),
                        });
                    }
                    return self.go_on(context, now);
                }
            }
            _ => {}
        }
        self.watchers.on_event(context, now, event);
        let agent_ended = match event {
            Event::LegHungUp { leg } | Event::LegFailed { leg, .. } => {
                (self.agent_leg() == Some(*leg)).then_some(false)
            }
            Event::LegLost { leg } => (self.agent_leg() == Some(*leg)).then_some(true),
            _ => None,
        };
        if let Some(lost) = agent_ended {
            return self.agent_gone(context, now, lost || matches!(event, Event::LegFailed { .. }));
        }
        self.step(
            context,
            now,
            |second, context| second.on_event(context, now, event),
            |rung, context| rung.on_event(context, event),
        )
    }

    pub fn on_timeout(mut self: Box<Self>, context: &mut Context, now: Instant) -> Next {
        self.watchers.on_timeout(context, now);
        self.step(
            context,
            now,
            |second, context| second.on_timeout(context, now),
            |rung, context| rung.on_timeout(context, now),
        )
    }

    /// The caller is gone, or the call ends for another reason: so do all legs.
    pub fn abandon(mut self, context: &mut Context) -> Outcome {
        if self.sound == Sound::Together {
            context.act(Action::Unbridge);
        }
        self.watchers.drop_all(context);
        match self.talk {
            Talk::Direct { agent } => agent.hang_up(context),
            Talk::Conference { agent, third } => {
                third.hang_up(context);
                agent.hang_up(context);
            }
            Talk::Inviting { agent, third, note } | Talk::Consulting { agent, third, note } => {
                if !third.is_there() {
                    note.close(context, third.target(), "abandoned");
                }
                third.drop_it(context);
                agent.hang_up(context);
            }
            Talk::Transferring { from, to, note } => {
                note.close(context, to.target(), "abandoned");
                note.tell(context, 487, true);
                to.drop_it(context);
                from.hang_up(context);
            }
            Talk::Recalling { leg } => {
                let target = leg.target.clone();
                leg.abandon(context);
                release(context, target);
            }
        }
        Outcome::Answered
    }

    pub fn deadline(&self) -> Option<Instant> {
        let third = match &self.talk {
            Talk::Direct { .. } | Talk::Conference { .. } => None,
            Talk::Inviting { third, .. } | Talk::Consulting { third, .. } => third.deadline(),
            Talk::Transferring { to, .. } => to.deadline(),
            Talk::Recalling { leg } => leg.deadline(),
        };
        [third, self.watchers.deadline()].into_iter().flatten().min()
    }

    /// Whether this leg belongs to the call as it stands.
    pub fn owns(&self, leg: LegId) -> bool {
        self.watchers.owns(leg)
            || match &self.talk {
                Talk::Direct { agent } => agent.leg == leg,
                Talk::Inviting { agent, third, .. } | Talk::Consulting { agent, third, .. } => {
                    agent.leg == leg || third.owns(leg)
                }
                Talk::Conference { agent, third } => agent.leg == leg || third.leg == leg,
                Talk::Transferring { from: From::There(agent), to, .. } => agent.leg == leg || to.owns(leg),
                Talk::Transferring { to, .. } => to.owns(leg),
                Talk::Recalling { leg: rung } => rung.leg == leg,
            }
    }

    pub fn consultation(&self) -> Option<Consultation> {
        match &self.talk {
            Talk::Consulting { third: Second::There(_), .. } | Talk::Conference { .. } => {
                Some(Consultation::There)
            }
            Talk::Consulting { .. } => Some(Consultation::Called),
            Talk::Direct { .. }
            | Talk::Inviting { .. }
            | Talk::Transferring { .. }
            | Talk::Recalling { .. } => None,
        }
    }

    fn agent_leg(&self) -> Option<LegId> {
        match &self.talk {
            Talk::Direct { agent }
            | Talk::Inviting { agent, .. }
            | Talk::Consulting { agent, .. }
            | Talk::Conference { agent, .. }
            | Talk::Transferring { from: From::There(agent), .. } => Some(agent.leg),
            Talk::Transferring { from: From::Gone(_), .. } | Talk::Recalling { .. } => None,
        }
    }

    fn third_claims(&self, target: &Target) -> bool {
        let third = match &self.talk {
            Talk::Inviting { third, .. } | Talk::Consulting { third, .. } => third,
            Talk::Transferring { to, .. } => to,
            Talk::Direct { .. } | Talk::Conference { .. } | Talk::Recalling { .. } => return false,
        };
        matches!(third, Second::Claiming { .. }) && third.target() == *target
    }

    fn go_on(mut self: Box<Self>, context: &mut Context, now: Instant) -> Next {
        self.arrange_sound(context, now);
        Next::Phase(Phase::Talking(self))
    }

    /// The agent's leg has ended. Whoever is called already gets the caller; with nobody else it is the end.
    fn agent_gone(mut self: Box<Self>, context: &mut Context, now: Instant, lost: bool) -> Next {
        let hang_up = |context: &mut Context, leg| {
            if lost {
                context.act(Action::HangUp { leg });
            }
        };
        self.hold = Hold::default();
        match self.talk {
            Talk::Direct { agent } => {
                if self.sound == Sound::Together {
                    context.act(Action::Unbridge);
                }
                hang_up(context, agent.leg);
                agent.left(context);
                self.watchers.drop_all(context);
                return Next::End(
                    Outcome::Answered,
                    if lost { Ending::AgentLost } else { Ending::AgentHungUp },
                );
            }
            Talk::Inviting { agent, third, mut note } | Talk::Consulting { agent, third, mut note } => {
                hang_up(context, agent.leg);
                if note.kind == TransferKind::ThreeWay {
                    note.kind = TransferKind::Attended;
                }
                match third {
                    Second::There(party) => {
                        note.close(context, party.target.clone(), "completed");
                        agent.left(context);
                        self.talk = Self::hand_over(context, party);
                    }
                    // The agent's phone is silent, the person still waits for the outcome.
                    to => self.talk = Talk::Transferring { from: From::Gone(agent.target), to, note },
                }
            }
            Talk::Conference { agent, third } => {
                hang_up(context, agent.leg);
                agent.left(context);
                self.talk = Self::hand_over(context, third);
            }
            Talk::Transferring { from: From::There(agent), to, mut note } => {
                hang_up(context, agent.leg);
                // A phone that has gone is told nothing more.
                note.refer = None;
                self.talk = Talk::Transferring { from: From::Gone(agent.target), to, note };
            }
            Talk::Transferring { from: From::Gone(_), .. } | Talk::Recalling { .. } => {}
        }
        self.go_on(context, now)
    }

    /// The specialist is in charge of the caller from now on.
    fn hand_over(context: &mut Context, party: Party) -> Talk {
        context.act(Action::Enter { leg: party.leg, role: Role::Agent });
        Talk::Direct { agent: party }
    }

    fn step(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        second: impl FnOnce(Second, &mut Context) -> Progress,
        recalled: impl FnOnce(RungLeg, &mut Context) -> Option<RungLeg>,
    ) -> Next {
        self.talk = match self.take_talk() {
            Talk::Direct { agent } => Talk::Direct { agent },
            Talk::Inviting { agent, third, note } => match second(third, context) {
                Progress::Same(third) | Progress::Alerting(third) => Talk::Inviting { agent, third, note },
                Progress::Answered(third) => {
                    note.close(context, third.target.clone(), "completed");
                    context.act(Action::Enter { leg: third.leg, role: Role::Specialist });
                    Talk::Conference { agent, third }
                }
                Progress::Failed(target, why) => {
                    note.close(context, target, why.as_str());
                    Talk::Direct { agent }
                }
                Progress::Left => Talk::Direct { agent },
            },
            Talk::Consulting { agent, third, note } => match second(third, context) {
                Progress::Same(third) | Progress::Alerting(third) => Talk::Consulting { agent, third, note },
                Progress::Answered(third) => {
                    context.act(Action::Enter { leg: third.leg, role: Role::Specialist });
                    Talk::Consulting { agent, third: Second::There(third), note }
                }
                // A consultation that came to nothing handed nobody over: no note.
                Progress::Failed(..) | Progress::Left => Talk::Direct { agent },
            },
            Talk::Conference { agent, third } => match second(Second::There(third), context) {
                Progress::Same(Second::There(third)) | Progress::Answered(third) => {
                    Talk::Conference { agent, third }
                }
                _ => Talk::Direct { agent },
            },
            Talk::Transferring { from, to, note } => match second(to, context) {
                Progress::Same(to) => Talk::Transferring { from, to, note },
                Progress::Alerting(to) => {
                    note.tell(context, 180, false);
                    Talk::Transferring { from, to, note }
                }
                Progress::Answered(party) => {
                    note.close(context, party.target.clone(), "completed");
                    note.tell(context, 200, true);
                    from.hang_up(context);
                    self.hold = Hold::default();
                    self.sound = Sound::Together;
                    context.act(Action::StopPlaying);
                    context.act(Action::Bridge { leg: party.leg });
                    Talk::Direct { agent: party }
                }
                Progress::Failed(target, why) => {
                    note.close(context, target, why.as_str());
                    note.tell(context, status_of(why), true);
                    match from {
                        From::There(agent) => Talk::Direct { agent },
                        From::Gone(target) => Talk::Recalling { leg: context.ring_again(now, target) },
                    }
                }
                Progress::Left => return self.nobody_left(context, now, from),
            },
            Talk::Recalling { leg } => {
                let target = leg.target.clone();
                match recalled(leg, context) {
                    Some(leg) if leg.is_answered() => {
                        self.hold = Hold::default();
                        self.sound = Sound::Together;
                        context.act(Action::StopPlaying);
                        context.act(Action::Bridge { leg: leg.leg });
                        Talk::Direct { agent: Party { leg: leg.leg, target: leg.target } }
                    }
                    Some(leg) => Talk::Recalling { leg },
                    None => return self.nobody_left(context, now, From::Gone(target)),
                }
            }
        };
        self.go_on(context, now)
    }

    /// Neither the target nor the agent takes the caller: back to the queue, as somebody who has waited.
    fn nobody_left(mut self, context: &mut Context, now: Instant, from: From) -> Next {
        self.watchers.drop_all(context);
        from.hang_up(context);
        Waiting::anew(context, now)
    }
}

impl From {
    fn hang_up(self, context: &mut Context) {
        match self {
            Self::There(party) => party.hang_up(context),
            Self::Gone(target) => release(context, target),
        }
    }
}

impl Pending {
    fn close(&self, context: &mut Context, target: Target, result: &'static str) {
        let after = context.after(self.asked);
        context.note_transfer(TransferNote { target, after, kind: self.kind, result });
    }

    fn tell(&self, context: &mut Context, status: u16, last: bool) {
        if let Some(leg) = self.refer {
            context.act(Action::NotifyRefer { leg, status, last });
        }
    }
}

const fn status_of(failure: RingFailure) -> u16 {
    match failure {
        RingFailure::NoAnswer => 480,
        RingFailure::Busy => 486,
        RingFailure::Declined => 603,
        RingFailure::Unreachable => 503,
    }
}
