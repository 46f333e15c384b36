//! The calls in progress as the desk sees them: who is there, and how a wish reaches the call it is about.
//!
//! The directory holds nothing of a call but the way to its task; a call that does not answer in time is told
//! as absent rather than waited for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_call::{CallId, Command, CommandRefused};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::second_line::{NOT_IN_A_CALL, NewLine, TEMPORARILY_UNAVAILABLE};

/// Wishes waiting for one call; beyond it the desk is told to come again.
const QUEUE: usize = 8;
/// A call's task answers within one turn of its loop, an fsync at worst.
const PATIENCE: Duration = Duration::from_secs(2);

/// Something the desk wants to know of a call, or wants it to do.
pub enum Wish {
    /// The call as JSON.
    Describe(oneshot::Sender<Value>),
    /// Do this.
    Command(Command, oneshot::Sender<Result<(), CommandRefused>>),
    /// The agent's phone calls somebody else meanwhile; or the SIP status to refuse that with.
    SecondLine(Box<NewLine>, oneshot::Sender<Result<(), u16>>),
}

/// A call's end of it.
pub type Wishes = mpsc::Receiver<Wish>;

/// Why a wish came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishFailed {
    /// There is no such call, or it ended meanwhile.
    #[error("there is no such call")]
    NoSuchCall,
    /// The call has too much to do.
    #[error("the call does not answer now")]
    Busy,
    /// The call cannot do that now.
    #[error(transparent)]
    Refused(#[from] CommandRefused),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Directory {
    calls: Mutex<BTreeMap<CallId, mpsc::Sender<Wish>>>,
}

impl Directory {
    /// A call begins.
    pub fn enter(&self, call: CallId) -> Wishes {
        let (sender, wishes) = mpsc::channel(QUEUE);
        self.lock().insert(call, sender);
        wishes
    }

    /// A call has ended.
    pub fn leave(&self, call: CallId) {
        self.lock().remove(&call);
    }

    /// Calls in progress from the oldest on, at most `limit`, after the call numbered `after`.
    pub async fn list(&self, after: u64, limit: usize) -> Vec<Value> {
        let calls: Vec<CallId> =
            self.lock().range(CallId(after.saturating_add(1))..).take(limit).map(|(call, _)| *call).collect();
        let mut described = Vec::with_capacity(calls.len());
        for call in calls {
            described.extend(self.describe(call).await);
        }
        described
    }

    /// One call.
    pub async fn describe(&self, call: CallId) -> Option<Value> {
        let (reply, described) = oneshot::channel();
        self.sender(call)?.try_send(Wish::Describe(reply)).ok()?;
        tokio::time::timeout(PATIENCE, described).await.ok()?.ok()
    }

    /// Wants something of a call.
    pub async fn command(&self, call: CallId, command: Command) -> Result<(), WishFailed> {
        let (reply, granted) = oneshot::channel();
        let sender = self.sender(call).ok_or(WishFailed::NoSuchCall)?;
        sender.try_send(Wish::Command(command, reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WishFailed::Busy,
            mpsc::error::TrySendError::Closed(_) => WishFailed::NoSuchCall,
        })?;
        let granted = tokio::time::timeout(PATIENCE, granted).await.map_err(|_| WishFailed::Busy)?;
        Ok(granted.map_err(|_| WishFailed::NoSuchCall)??)
    }

    /// Hands a call to a further party, made by a phone that talks in `call`, to that call.
    ///
    /// # Errors
    /// The SIP status to refuse it with.
    pub async fn second_line(&self, call: CallId, line: NewLine) -> Result<(), u16> {
        let (reply, taken) = oneshot::channel();
        let sender = self.sender(call).ok_or(NOT_IN_A_CALL)?;
        sender.try_send(Wish::SecondLine(Box::new(line), reply)).map_err(|_| TEMPORARILY_UNAVAILABLE)?;
        // A call that takes it late refuses or answers the phone by itself.
        taken.await.unwrap_or(Err(NOT_IN_A_CALL))
    }

    fn sender(&self, call: CallId) -> Option<mpsc::Sender<Wish>> {
        self.lock().get(&call).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CallId, mpsc::Sender<Wish>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
