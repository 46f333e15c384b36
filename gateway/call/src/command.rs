//! What a person at the desk may want of a running call: hold, consult, three-way, transfer, supervise.
//! Agents' phones want the same by re-INVITE and REFER; both ways lead to the same moves.

use record::TransferKind;

use crate::role::Watch;
use crate::target::Target;

/// A wish about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Keep the caller apart, with the hold tone.
    Hold,
    /// The caller back: ends a hold, and calls off a consultation, an invitation or a transfer in progress.
    Resume,
    /// Ring someone while the caller is kept apart; agent and called party then talk alone.
    Consult {
        /// Whom.
        target: Target,
    },
    /// Three-way: with the party being consulted, or with someone rung while caller and agent go on talking.
    Conference {
        /// Whom; `None` for the party being consulted.
        target: Option<Target>,
    },
    /// Hand the caller over: to the party being consulted (attended), or to someone rung now (blind). When
    /// that fails the agent gets the caller back.
    Transfer {
        /// To whom; `None` for the party being consulted.
        target: Option<Target>,
    },
    /// Let a supervisor in, or give the one who is there another mode.
    Supervise {
        /// Whose phone.
        target: Target,
        /// How.
        watch: Watch,
    },
    /// End the call.
    HangUp,
}

/// Why a wish was not granted; the call goes on as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefused {
    /// Nobody talks with the caller: there is nothing to hold or to hand over.
    #[error("the caller does not talk with anybody")]
    NotTalking,
    /// A consultation, an invitation or a transfer is in progress.
    #[error("another party is already being called or is in the call")]
    Busy,
    /// There is no consultation to complete, no hold to end.
    #[error("there is nothing of that kind in progress")]
    NothingToDo,
    /// The called party is in this very call.
    #[error("the called party is in this call")]
    InThisCall,
    /// More supervisors than a call takes.
    #[error("no more supervisors fit into a call")]
    TooMany,
}

/// A hand-over or three-way call that was tried, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferNote {
    /// To whom.
    pub target: Target,
    /// When it was asked for, since the INVITE.
    pub after: std::time::Duration,
    /// What it was.
    pub kind: TransferKind,
    /// `completed`, `busy`, `no_answer`, `declined`, `unreachable`, `called_off` or `abandoned`.
    pub result: &'static str,
}
