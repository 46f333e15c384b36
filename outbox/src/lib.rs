//! The durable store: nothing that was acknowledged is ever lost, and every sink gets all of it.
//!
//! Invariants, each held by a test:
//! 1. What returned `Ok` is on disk: it survives `kill -9` and, with `synchronous=FULL`, a power cut.
//! 2. `seq` is dense from 1 and each record names the digest of the one before: the chain of the node.
//! 3. `record_no` is dense per day and channel; a record keeps its number through all revisions.
//! 4. Of one (channel, account, key) there is one message and one record, however often it is delivered.
//! 5. Revisions of a record are 1, 2, 3, …; a revision never changes once it is there.
//! 6. Each sink sees every revision, in order of `seq`, at least once, under its own dense sequence; what it
//!    refuses for good is parked and stays visible. No sink waits for another.
//! 7. A failing disk refuses work, it does not corrupt it: an operation is durable or did not happen. The
//!    store heals without a restart.
//!
//! Reading order: [`Outbox`] (the door), `writer` (group commit), `append`, `message`, `draft`, `job` (what
//! can be written), [`Reader`], [`Dispatcher`] and [`sinks`].

mod append;
mod chain;
mod clock;
mod config;
mod cursor;
mod delivery;
mod dispatch;
mod draft;
mod error;
mod events;
mod job;
mod message;
mod number;
mod reader;
pub mod retry;
mod schema;
mod shared;
pub mod sinks;
mod status;
mod writer;

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use record::{Record, Uuid};
use rustix::fs::{FlockOperation, flock};
use tokio::sync::{mpsc, oneshot};

pub use chain::FIRST_PREVIOUS;
pub use config::{Limits, OutboxConfig};
pub use delivery::{DATA_SCHEMA, Delivery, EVENT_TYPE_PREFIX, Format, cloud_event};
pub use dispatch::{Dispatcher, Route};
pub use draft::NewDraft;
pub use error::OutboxError;
pub use job::{Job, NewJob};
pub use message::{Accepted, DedupeKey};
pub use reader::{ChainReport, LARGEST_PAGE, Page, Reader, Stored};
pub use retry::ErrorClass;
pub use sinks::{Sink, SinkConfig, SinkError};
pub use status::{Health, Parked, SinkFailure, SinkStatus};

use crate::chain::Chain;
use crate::cursor::Cursor;
use crate::shared::Shared;
use crate::writer::{Command, Context, Purpose, Request, Tx, Writer};

/// Bytes that may still be written to the file system of `folder`; `None` when it cannot be told.
pub fn free_bytes(folder: &std::path::Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// A handle to the store; cheap to clone. When the last one goes the writer finishes what is queued.
#[derive(Clone)]
pub struct Outbox {
    reader: Reader,
    max_item_bytes: usize,
    // Last, so that the writer ends after everything else here is gone.
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // It catches its panics; were there one, the log had it.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbox({:?})", self.health())
    }
}

impl Outbox {
    /// Opens the store, making it when it is not there, and starts its writer thread. Blocks for the time of
    /// SQLite's recovery after a crash.
    pub fn open(config: OutboxConfig) -> Result<Self, OutboxError> {
        config.check()?;
        let io = |_| OutboxError::StoreUnavailable { reason: "io" };
        let folder = config.path.parent().map(ToOwned::to_owned).unwrap_or_default();
        let folder = if folder.as_os_str().is_empty() { ".".into() } else { folder };
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io)?;
        let private = |path: &std::path::Path| -> Result<File, OutboxError> {
            OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(io)
        };
        let lock = private(&config.path.with_extension("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| OutboxError::InUse)?;
        // SQLite gives its own files (WAL, shared memory) the mode of the database.
        drop(private(&config.path)?);
        let sql = schema::open_writer(&config.path, &config.node)?;
        let chain = Chain::load(&sql)?;
        let reader = Reader::open(&config.path)?;
        let shared = Arc::new(Shared::new(config.limits, chain.seq));
        let (queue, commands) = mpsc::channel(config.queue_capacity);
        let writer = Writer {
            sql,
            chain: Some(chain),
            context: Context {
                folder,
                node: config.node,
                jurisdiction: config.jurisdiction,
                max_item_bytes: config.max_item_bytes,
            },
            shared: shared.clone(),
            queue: commands,
            limits: None,
            _lock: lock,
        };
        let thread = std::thread::Builder::new()
            .name("outbox-writer".into())
            .spawn(move || writer.run())
            .map_err(|_| OutboxError::Internal)?;
        let inner = Arc::new(Inner { shared, queue: Some(queue), thread: Some(thread) });
        Ok(Self { reader, max_item_bytes: config.max_item_bytes, inner })
    }

    /// Opens a draft for a record that is being made. Durable, and numbered, when it returns.
    pub async fn open_draft(&self, draft: NewDraft) -> Result<Record, OutboxError> {
        self.write(Purpose::Intake, move |tx| tx.open_draft(&draft.record)).await
    }

    /// Replaces an open draft (at hang-up, say). Durable when it returns; may use the disk's reserve.
    pub async fn update_draft(&self, record: Record) -> Result<(), OutboxError> {
        self.write(Purpose::Progress, move |tx| tx.update_draft(&record)).await
    }

    /// Appends the next revision of a record and queues `jobs`. Fills `record_no` and `integrity`, completes
    /// the draft with the same `record_id`; from now on sinks and readers see it.
    pub async fn append(&self, record: Record, jobs: Vec<NewJob>) -> Result<Record, OutboxError> {
        self.check_jobs(&jobs)?;
        self.write(Purpose::Intake, move |tx| tx.append(&record, &jobs)).await
    }

    /// As [`append`](Self::append), for what completes work that was taken already (a call that was answered, a
    /// transcript, fetched media): it may use the disk's reserve.
    pub async fn complete(&self, record: Record, jobs: Vec<NewJob>) -> Result<Record, OutboxError> {
        self.check_jobs(&jobs)?;
        self.write(Purpose::Progress, move |tx| tx.append(&record, &jobs)).await
    }

    /// Replaces an open draft and queues the jobs it waits for, in one transaction.
    pub async fn hold_draft(&self, record: Record, jobs: Vec<NewJob>) -> Result<(), OutboxError> {
        self.check_jobs(&jobs)?;
        self.write(Purpose::Progress, move |tx| {
            tx.update_draft(&record)?;
            tx.queue_jobs(&jobs)
        })
        .await
    }

    /// Keeps one message: raw bytes, dedupe key, record and jobs in one transaction. A message seen before
    /// writes nothing and answers with the first one's ids.
    pub async fn accept(
        &self,
        key: DedupeKey,
        raw: &[u8],
        record: Option<Record>,
        jobs: Vec<NewJob>,
    ) -> Result<Accepted, OutboxError> {
        self.check_size(raw.len())?;
        self.check_size(key.channel.len() + key.account.len() + key.key.len())?;
        self.check_jobs(&jobs)?;
        let raw = raw.to_vec();
        self.write(Purpose::Intake, move |tx| tx.accept(&key, &raw, record.as_ref(), &jobs)).await
    }

    /// Claims up to `limit` due jobs of a kind for `lease_ms`, oldest first.
    pub async fn claim_jobs(
        &self,
        kind: &str,
        now_ms: i64,
        limit: usize,
        lease_ms: i64,
    ) -> Result<Vec<Job>, OutboxError> {
        let kind = kind.to_owned();
        self.write(Purpose::Progress, move |tx| {
            tx.claim_jobs(&kind, now_ms, limit.min(LARGEST_PAGE), lease_ms)
        })
        .await
    }

    /// Removes a job that is done.
    pub async fn finish_job(&self, id: i64) -> Result<(), OutboxError> {
        self.write(Purpose::Progress, move |tx| tx.finish_job(id)).await
    }

    /// Gives a job back, to be claimed again from `due_at_ms` on.
    pub async fn retry_job(&self, id: i64, due_at_ms: i64, error_class: &str) -> Result<(), OutboxError> {
        let class = error_class.to_owned();
        self.write(Purpose::Progress, move |tx| tx.retry_job(id, due_at_ms, &class)).await
    }

    /// Returns when a job of this kind was queued or given back since the last claim found none. It may
    /// return for nothing; it does not wake for a later `due_at_ms`: ask [`Reader::next_job_due`] for a timer.
    pub async fn wait_for_job(&self, kind: &str) {
        self.inner.shared.job_bell(kind).notified().await;
    }

    /// The reading side.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// See [`Reader::list`].
    pub async fn list(&self, after: u64, channel: Option<String>, limit: usize) -> Result<Page, OutboxError> {
        self.reader.list(after, channel, limit).await
    }

    /// See [`Reader::get`].
    pub async fn get(&self, record_id: Uuid, revision: Option<u32>) -> Result<Option<Stored>, OutboxError> {
        self.reader.get(record_id, revision).await
    }

    /// See [`Reader::get_by_number`].
    pub async fn get_by_number(&self, record_no: &str) -> Result<Option<Stored>, OutboxError> {
        self.reader.get_by_number(record_no.to_owned()).await
    }

    /// See [`Reader::drafts`].
    pub async fn drafts(&self) -> Result<Vec<Record>, OutboxError> {
        self.reader.drafts().await
    }

    /// See [`Reader::draft`].
    pub async fn draft(&self, record_id: Uuid) -> Result<Option<Record>, OutboxError> {
        self.reader.draft(record_id).await
    }

    /// See [`Reader::count_jobs`].
    pub async fn count_jobs(&self, kind: &str) -> Result<u64, OutboxError> {
        self.reader.count_jobs(kind).await
    }

    /// Whether the store can write. While it cannot, each call has the writer probe the disk, so that the
    /// answer turns by itself once space is back.
    pub fn health(&self) -> Health {
        let reason = self.inner.shared.health.reason();
        if reason.is_some() && !self.inner.shared.health.probing.swap(true, Ordering::AcqRel) {
            self.probe();
        }
        let queue = self.inner.queue.as_ref();
        let queue_capacity = queue.map_or(0, mpsc::Sender::max_capacity);
        Health {
            writable: reason.is_none() && queue.is_some_and(|q| !q.is_closed()),
            reason: reason.or_else(|| queue.is_none_or(mpsc::Sender::is_closed).then_some("closed")),
            queue_len: queue_capacity - queue.map_or(0, mpsc::Sender::capacity).min(queue_capacity),
            queue_capacity,
            head: self.head(),
        }
    }

    /// `seq` of the newest durable record.
    pub fn head(&self) -> u64 {
        *self.inner.shared.head.borrow()
    }

    /// A receiver of [`head`](Self::head), for whoever follows the records as they come.
    pub fn follow(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.shared.head.subscribe()
    }

    /// Where each running sink stands, by name.
    pub fn sinks(&self) -> Vec<SinkStatus> {
        let head = self.head();
        let sinks = self.inner.shared.sinks.borrow();
        let now = |s: &SinkStatus| SinkStatus { head, lag: head.saturating_sub(s.cursor), ..s.clone() };
        sinks.values().map(now).collect()
    }

    /// Returns when `accept` holds for the standing of the sink `name`, e.g. `|s| s.cursor >= seq`. For
    /// draining before exit; give it a deadline.
    pub async fn wait_for_sink(&self, name: &str, mut accept: impl FnMut(&SinkStatus) -> bool) {
        let mut sinks = self.inner.shared.sinks.subscribe();
        // The sender lives in `self`, so this cannot end with an error while we wait.
        let _ = sinks.wait_for(|sinks| sinks.get(name).is_some_and(&mut accept)).await;
    }

    /// Changes the limits of a running store.
    pub fn set_limits(&self, limits: Limits) {
        self.inner.shared.set_limits(limits);
    }

    /// Stop the [`Dispatcher`] first. Finishes what is queued, copies the WAL back into the database and ends the writer. Other handles get
    /// [`OutboxError::Closed`] from then on.
    pub async fn close(self) {
        let (reply, done) = oneshot::channel();
        if let Some(queue) = &self.inner.queue
            && queue.send(Command::Close(reply)).await.is_ok()
        {
            let _ = done.await;
        }
    }

    pub(crate) async fn save_cursor(&self, sink: &str, cursor: Cursor) -> Result<(), OutboxError> {
        let sink = sink.to_owned();
        self.write_patiently(move |tx| tx.save_cursor(&sink, cursor)).await
    }

    pub(crate) async fn park(
        &self,
        sink: &str,
        cursor: Cursor,
        reason: &'static str,
    ) -> Result<(), OutboxError> {
        let sink = sink.to_owned();
        self.write_patiently(move |tx| tx.park(&sink, cursor, reason)).await
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    /// Queues and waits for the commit; refuses when the queue is full.
    async fn write<T: Send + 'static>(
        &self,
        purpose: Purpose,
        run: impl FnMut(&mut Tx<'_>) -> Result<T, OutboxError> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let (reply, answer) = oneshot::channel();
        let request = Command::Write(Box::new(Request { purpose, run, outcome: None, reply }));
        let queue = self.inner.queue.as_ref().ok_or(OutboxError::Closed)?;
        queue.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                events::overloaded();
                OutboxError::Overloaded
            }
            mpsc::error::TrySendError::Closed(_) => OutboxError::Closed,
        })?;
        answer.await.unwrap_or(Err(OutboxError::Closed))
    }

    /// For the dispatcher, one operation a sink at a time: waits for room instead of being refused.
    async fn write_patiently<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut Tx<'_>) -> Result<T, OutboxError> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let (reply, answer) = oneshot::channel();
        let request =
            Command::Write(Box::new(Request { purpose: Purpose::Progress, run, outcome: None, reply }));
        let queue = self.inner.queue.as_ref().ok_or(OutboxError::Closed)?;
        queue.send(request).await.map_err(|_| OutboxError::Closed)?;
        answer.await.unwrap_or(Err(OutboxError::Closed))
    }

    fn probe(&self) {
        let (reply, _) = oneshot::channel();
        let run = |tx: &mut Tx<'_>| tx.probe();
        let request = Request { purpose: Purpose::Intake, run, outcome: None, reply };
        if let Some(queue) = &self.inner.queue
            && queue.try_send(Command::Write(Box::new(request))).is_err()
        {
            // The queue is full of other work, which tells as much.
            self.inner.shared.health.probing.store(false, Ordering::Release);
        }
    }

    fn check_size(&self, bytes: usize) -> Result<(), OutboxError> {
        if bytes > self.max_item_bytes {
            return Err(OutboxError::TooLarge { bytes, limit: self.max_item_bytes });
        }
        Ok(())
    }

    fn check_jobs(&self, jobs: &[NewJob]) -> Result<(), OutboxError> {
        let mut bytes = 0;
        for job in jobs {
            bytes += job.payload.to_string().len() + job.kind.len() + job.key.as_ref().map_or(0, String::len);
        }
        self.check_size(bytes)
    }
}

#[cfg(test)]
mod tests;
