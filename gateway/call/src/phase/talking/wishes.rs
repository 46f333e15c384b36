//! What the desk and the agent's phone want of a running conversation. A wish is granted whole or refused
//! with a reason, and then the call goes on as it was.

use std::time::Instant;

use record::TransferKind;

use super::second::{Party, Second};
use super::sound::Hold;
use super::{From, Pending, Talk, Talking};
use crate::action::Action;
use crate::command::{Command, CommandRefused};
use crate::context::Context;
use crate::id::LegId;
use crate::session::Next;
use crate::target::Target;

/// Busy here (RFC 3261 §21.4.24): another hand-over is in progress.
const BUSY_HERE: u16 = 486;
/// Call does not exist (RFC 3261 §21.4.19): nobody is consulted any more.
const NO_SUCH_CALL: u16 = 481;

impl Talking {
    /// Grants a wish, or says why not. [`Command::HangUp`] is the session's own.
    pub fn command(
        &mut self,
        context: &mut Context,
        now: Instant,
        command: Command,
    ) -> Result<(), CommandRefused> {
        match command {
            Command::Hold => {
                self.hold.by_desk = true;
                Ok(())
            }
            Command::Resume => self.resume(context),
            Command::Consult { target } => {
                let agent = self.free_agent(&target)?;
                let third = Second::call(context, now, target);
                self.talk = Talk::Consulting { agent, third, note: pending(now, TransferKind::Attended) };
                Ok(())
            }
            Command::Conference { target: Some(target) } => {
                let agent = self.free_agent(&target)?;
                let kind = kind_of(&target, TransferKind::ThreeWay);
                let third = Second::call(context, now, target);
                self.talk = Talk::Inviting { agent, third, note: pending(now, kind) };
                Ok(())
            }
            Command::Conference { target: None } => self.join_consulted(context),
            Command::Transfer { target: Some(target) } => {
                let agent = self.free_agent(&target)?;
                let note = pending(now, kind_of(&target, TransferKind::Blind));
                let to = Second::call(context, now, target);
                self.talk = Talk::Transferring { from: From::There(agent), to, note };
                Ok(())
            }
            Command::Transfer { target: None } => self.complete(context),
            Command::Supervise { target, watch } => {
                if self.has(&target) {
                    return Err(CommandRefused::InThisCall);
                }
                self.watchers.supervise(context, now, target, watch)
            }
            Command::HangUp => Ok(()),
        }?;
        self.arrange_sound(context, now);
        Ok(())
    }

    /// The agent's phone sent REFER: a blind transfer. Whoever is not in charge may not hand over.
    pub(super) fn referred(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        leg: LegId,
        target: Target,
    ) -> Next {
        let granted = self.agent_leg() == Some(leg)
            && self.command(context, now, Command::Transfer { target: Some(target) }).is_ok();
        if !granted {
            context.act(Action::RefuseRefer { leg, status: BUSY_HERE });
            return self.go_on(context, now);
        }
        context.act(Action::AcceptRefer { leg });
        if let Talk::Transferring { note, .. } = &mut self.talk {
            note.refer = Some(leg);
            note.tell(context, 100, false);
        }
        self.go_on(context, now)
    }

    /// The agent's phone sent REFER with Replaces, naming its call to whom it consults: an attended transfer, or
    /// one without waiting for the answer.
    pub(super) fn referred_to_consulted(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        leg: LegId,
    ) -> Next {
        if self.agent_leg() != Some(leg) || self.consultation().is_none() {
            context.act(Action::RefuseRefer { leg, status: NO_SUCH_CALL });
            return self.go_on(context, now);
        }
        context.act(Action::AcceptRefer { leg });
        // Told before its leg is hung up, so that the phone knows why.
        match &mut self.talk {
            Talk::Consulting { third, note, .. } if !third.is_there() => note.refer = Some(leg),
            _ => context.act(Action::NotifyRefer { leg, status: 200, last: true }),
        }
        // There is a consultation: it cannot be refused.
        let completed = self.complete(context);
        debug_assert!(completed.is_ok());
        self.go_on(context, now)
    }

    fn resume(&mut self, context: &mut Context) -> Result<(), CommandRefused> {
        let was_held = self.hold.by_desk;
        self.hold = Hold { by_desk: false, ..self.hold };
        let (agent, third, note) = match self.take_talk() {
            Talk::Inviting { agent, third, note } | Talk::Consulting { agent, third, note } => {
                (agent, third, note)
            }
            Talk::Transferring { from: From::There(agent), to, note } => {
                note.tell(context, 487, true);
                (agent, to, note)
            }
            other => {
                self.talk = other;
                return if was_held { Ok(()) } else { Err(CommandRefused::NothingToDo) };
            }
        };
        if note.kind != TransferKind::Attended {
            note.close(context, third.target(), "called_off");
        }
        third.drop_it(context);
        self.talk = Talk::Direct { agent };
        Ok(())
    }

    fn join_consulted(&mut self, context: &mut Context) -> Result<(), CommandRefused> {
        match self.take_talk() {
            Talk::Consulting { agent, third: Second::There(third), note } => {
                let note = Pending { kind: TransferKind::ThreeWay, ..note };
                note.close(context, third.target.clone(), "completed");
                self.hold = Hold::default();
                self.talk = Talk::Conference { agent, third };
                Ok(())
            }
            other => {
                self.talk = other;
                Err(CommandRefused::NothingToDo)
            }
        }
    }

    /// The consulted party gets the caller, answered or still ringing.
    fn complete(&mut self, context: &mut Context) -> Result<(), CommandRefused> {
        self.talk = match self.take_talk() {
            Talk::Consulting { agent, third: Second::There(third), note } => {
                note.close(context, third.target.clone(), "completed");
                agent.hang_up(context);
                self.hold = Hold::default();
                Self::hand_over(context, third)
            }
            Talk::Consulting { agent, third, note } => {
                Talk::Transferring { from: From::There(agent), to: third, note }
            }
            Talk::Conference { agent, third } => {
                agent.hang_up(context);
                self.hold = Hold::default();
                Self::hand_over(context, third)
            }
            other => {
                self.talk = other;
                return Err(CommandRefused::NothingToDo);
            }
        };
        Ok(())
    }

    /// The agent, when nobody else is in the call or being called.
    fn free_agent(&mut self, target: &Target) -> Result<Party, CommandRefused> {
        if self.has(target) || self.watchers.has(target) {
            return Err(CommandRefused::InThisCall);
        }
        match &self.talk {
            Talk::Direct { agent } => Ok(agent.clone()),
            Talk::Recalling { .. } => Err(CommandRefused::NotTalking),
            _ => Err(CommandRefused::Busy),
        }
    }

    fn has(&self, target: &Target) -> bool {
        match &self.talk {
            Talk::Direct { agent } => agent.target == *target,
            Talk::Inviting { agent, third, .. } | Talk::Consulting { agent, third, .. } => {
                agent.target == *target || third.target() == *target
            }
            Talk::Conference { agent, third } => agent.target == *target || third.target == *target,
            Talk::Transferring { from, to, .. } => from.target() == target || to.target() == *target,
            Talk::Recalling { leg } => leg.target == *target,
        }
    }

    /// For a transition that needs the state by value; whoever takes it puts the next one in its place.
    pub(super) fn take_talk(&mut self) -> Talk {
        std::mem::replace(
            &mut self.talk,
            Talk::Direct { agent: Party { leg: NO_LEG, target: Target::Phone(String::new()) } },
        )
    }
}

/// Never rung: legs are numbered from 1.
const NO_LEG: LegId = LegId(0);

impl From {
    const fn target(&self) -> &Target {
        match self {
            Self::There(party) => &party.target,
            Self::Gone(target) => target,
        }
    }
}

fn kind_of(target: &Target, otherwise: TransferKind) -> TransferKind {
    if target.is_emergency() { TransferKind::Emergency } else { otherwise }
}

const fn pending(asked: Instant, kind: TransferKind) -> Pending {
    Pending { asked, kind, refer: None }
}
