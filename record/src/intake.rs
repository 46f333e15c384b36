//! The port through which channels hand over what they received.

use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;

use crate::inbound::Inbound;

/// Takes finished messages. Implemented once, by the gateway's middle.
pub trait Intake: Send + Sync {
    /// Checks the lists, makes the record and returns after it is durable (fsync). Only then may the
    /// platform be told that its message arrived. A duplicate is told apart by `Receipt::duplicate`
    /// and is answered to the platform exactly as the first delivery.
    fn accept(&self, inbound: Inbound) -> IntakeFuture<'_>;
}

/// The future of [`Intake::accept`].
pub type IntakeFuture<'a> = Pin<Box<dyn Future<Output = Result<Receipt, IntakeError>> + Send + 'a>>;

/// Proof that a message is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The record it became; `None` when kept without an intake.
    pub record_id: Option<Uuid>,
    /// Its number, as told to the citizen.
    pub record_no: Option<String>,
    /// Whether this delivery had been seen before.
    pub duplicate: bool,
}

/// Why a message could not be taken. The platform is told to try again (503).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// The disk is full or the store cannot write.
    #[error("the store cannot write")]
    StoreUnavailable,
    /// Too much is waiting to be written.
    #[error("too many messages are waiting to be stored")]
    Overloaded,
}
