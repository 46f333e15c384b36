//! The API's view of the running gateway: implements `console::Desk`.

use std::sync::Arc;

use console::{AttachmentFile, Desk, DeskError, DeskFuture, RecordPage};
use outbox::OutboxError;
use record::{Record, Uuid};
use serde_json::{Value, json};

use crate::attach;
use crate::calls::Calls;

/// Over the calls and their store.
pub struct RunningDesk {
    calls: Arc<Calls>,
}

impl RunningDesk {
    /// Over these calls.
    pub fn new(calls: Arc<Calls>) -> Self {
        Self { calls }
    }
}

fn unavailable(error: OutboxError) -> DeskError {
    tracing::warn!(%error, "The store could not answer the API.");
    DeskError
}

impl Desk for RunningDesk {
    fn records(&self, after: u64, channel: Option<String>, limit: usize) -> DeskFuture<'_, RecordPage> {
        Box::pin(async move {
            let page = self.calls.middle.outbox().list(after, channel, limit).await.map_err(unavailable)?;
            let records = page.records.iter().map(|stored| stored.record()).collect::<Result<_, _>>();
            Ok(RecordPage { records: records.map_err(unavailable)?, next: page.next })
        })
    }

    fn record(&self, record_id: Uuid, revision: Option<u32>) -> DeskFuture<'_, Option<Record>> {
        Box::pin(async move {
            let stored = self.calls.middle.outbox().get(record_id, revision).await.map_err(unavailable)?;
            stored.map(|stored| stored.record()).transpose().map_err(unavailable)
        })
    }

    fn record_by_number(&self, record_no: String) -> DeskFuture<'_, Option<Record>> {
        Box::pin(async move {
            let stored = self.calls.middle.outbox().get_by_number(&record_no).await.map_err(unavailable)?;
            stored.map(|stored| stored.record()).transpose().map_err(unavailable)
        })
    }

    fn cloud_event(&self, record: &Record) -> Option<Value> {
        outbox::cloud_event(serde_json::to_value(record).ok()?)
    }

    fn attachment(&self, record: Record, index: usize) -> DeskFuture<'_, Option<AttachmentFile>> {
        let attachment = record.attachments.and_then(|attachments| attachments.into_iter().nth(index));
        let file = attachment.and_then(|attachment| {
            let path = attach::file_path(&attachment.uri)?;
            Some(AttachmentFile { path, media_type: attachment.media_type })
        });
        Box::pin(async move { Ok(file) })
    }

    fn queues(&self) -> DeskFuture<'_, Value> {
        Box::pin(async move {
            let hall = self.calls.hub.snapshot().await.ok_or(DeskError)?;
            let waiting: serde_json::Map<String, Value> = hall
                .waiting
                .iter()
                .map(|(lane, count)| (lane.as_str().to_owned(), (*count).into()))
                .collect();
            Ok(json!({
                "calls": self.calls.active(),
                "waiting": waiting,
                "longest_wait_ms": u64::try_from(hall.longest_wait.as_millis()).unwrap_or(u64::MAX),
                "agents": {
                    "free": hall.agents_free, "paused": hall.agents_paused, "ringing": hall.agents_ringing,
                    "talking": hall.agents_talking, "wrap_up": hall.agents_wrap_up,
                    "aside": hall.agents_aside.values().sum::<usize>(),
                },
            }))
        })
    }

    fn sinks(&self) -> Value {
        let sinks = self.calls.middle.outbox().sinks();
        sinks
            .iter()
            .map(|sink| {
                json!({
                    "name": sink.name, "cursor": sink.cursor, "sequence": sink.sequence, "lag": sink.lag,
                    "parked": sink.parked, "failing": sink.last_error.map(|failure| failure.reason),
                })
            })
            .collect()
    }
}
