//! The port: what the API needs to know of the gateway.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use record::{Record, Uuid};

use crate::call::{CallOut, CallRefusal, CallWish};

/// Answers the API's questions. Implemented by the gateway over the running parts.
pub trait Desk: Send + Sync {
    /// Records in order of acceptance after `after`, each revision its own entry, at most `limit`.
    fn records(&self, after: u64, channel: Option<String>, limit: usize) -> DeskFuture<'_, RecordPage>;

    /// One record; the newest revision when none is named.
    fn record(&self, record_id: Uuid, revision: Option<u32>) -> DeskFuture<'_, Option<Record>>;

    /// One record by the number told to the citizen.
    fn record_by_number(&self, record_no: String) -> DeskFuture<'_, Option<Record>>;

    /// A record, in whatever view, as a CloudEvent 1.0 (structured JSON).
    fn cloud_event(&self, record: &Record) -> Option<serde_json::Value>;

    /// The file behind `attachments[index]`.
    fn attachment(&self, record: Record, index: usize) -> DeskFuture<'_, Option<AttachmentFile>>;

    /// Calls in progress with a number above `after`, the oldest first, at most `limit`; each as JSON.
    fn calls(&self, after: u64, limit: usize) -> DeskFuture<'_, Vec<serde_json::Value>>;

    /// One call in progress.
    fn call(&self, id: u64) -> DeskFuture<'_, Option<serde_json::Value>>;

    /// The call that agent is in charge of.
    fn call_of(&self, agent: String) -> DeskFuture<'_, Option<u64>>;

    /// Wants something of a call.
    fn wish(&self, id: u64, wish: CallWish) -> DeskFuture<'_, Result<(), CallRefusal>>;

    /// Makes a call; the call as JSON.
    fn dial(&self, wanted: CallOut) -> DeskFuture<'_, Result<serde_json::Value, CallRefusal>>;

    /// Callers waiting and agents by state, as JSON.
    fn queues(&self) -> DeskFuture<'_, serde_json::Value>;

    /// Where each sink stands, as JSON.
    fn sinks(&self) -> serde_json::Value;
}

/// The answer of a [`Desk`] question.
pub type DeskFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, DeskError>> + Send + 'a>>;

/// A page of records.
#[derive(Clone, Debug, Default)]
pub struct RecordPage {
    /// The records, sealed.
    pub records: Vec<Record>,
    /// What to give as `after` for the next page; `None` when this was the last for now.
    pub next: Option<u64>,
}

/// A file to send.
#[derive(Clone, Debug)]
pub struct AttachmentFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its media type.
    pub media_type: String,
}

/// The gateway cannot answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeskError;
