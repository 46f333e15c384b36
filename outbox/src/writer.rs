//! The one writer: a thread that takes whatever waits, applies it in one transaction and makes it durable
//! with one fsync (group commit).
//!
//! A request that is wrong is undone alone (savepoint). When the transaction itself fails, each request is
//! tried alone, so that one bad request cannot fail its neighbours. A panic is caught, rolled back and
//! answered with [`OutboxError::Internal`]; the thread goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::chain::Chain;
use crate::config::Limits;
use crate::error::OutboxError;
use crate::events;
use crate::shared::Shared;

/// Most requests in one transaction: bounds how long the first one waits for the last.
const LARGEST_BATCH: usize = 256;

/// What the writer's queue holds.
pub(crate) enum Command {
    /// Apply and answer.
    Write(Box<dyn Operation>),
    /// Finish what waits, copy the WAL back, answer, end.
    Close(oneshot::Sender<()>),
}

/// Whether an operation brings new work into the store; such are refused when the disk runs low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new call, message or revision.
    Intake,
    /// Completing or delivering what is there; may use the reserve.
    Progress,
}

/// One request, type-erased. It may be applied more than once (after a failed transaction), and only the
/// last application counts.
pub(crate) trait Operation: Send {
    fn purpose(&self) -> Purpose;
    /// `Err` is a failure of the store; a wrong request is remembered inside.
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), OutboxError>;
    /// Answers the caller.
    fn finish(self: Box<Self>, failure: Option<OutboxError>);
}

/// A request with the channel its answer goes to.
pub(crate) struct Request<F, T> {
    pub purpose: Purpose,
    pub run: F,
    pub outcome: Option<Result<T, OutboxError>>,
    pub reply: oneshot::Sender<Result<T, OutboxError>>,
}

impl<F, T> Operation for Request<F, T>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, OutboxError> + Send,
    T: Send,
{
    fn purpose(&self) -> Purpose {
        self.purpose
    }

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), OutboxError> {
        let (chain, appended, jobs) = (tx.chain.clone(), tx.effects.appended.len(), tx.effects.jobs.len());
        tx.sql.prepare_cached("SAVEPOINT request")?.execute([])?;
        let outcome = (self.run)(tx);
        match &outcome {
            Err(error) if error.is_store_failure() => return Err(error.clone()),
            Err(_) => {
                tx.sql.prepare_cached("ROLLBACK TO request")?.execute([])?;
                *tx.chain = chain;
                tx.effects.appended.truncate(appended);
                tx.effects.jobs.truncate(jobs);
            }
            Ok(_) => {}
        }
        tx.sql.prepare_cached("RELEASE request")?.execute([])?;
        self.outcome = Some(outcome);
        Ok(())
    }

    fn finish(self: Box<Self>, failure: Option<OutboxError>) {
        let answer = match failure {
            Some(error) => Err(error),
            None => self.outcome.unwrap_or(Err(OutboxError::Internal)),
        };
        // The caller may have gone; the work is durable all the same.
        let _ = self.reply.send(answer);
    }
}

/// What a request sees of the running transaction.
pub(crate) struct Tx<'a> {
    pub sql: &'a Connection,
    pub chain: &'a mut Chain,
    pub effects: &'a mut Effects,
    pub context: &'a Context,
}

/// What the world is told once the transaction is durable.
#[derive(Default)]
pub(crate) struct Effects {
    /// Channel codes of appended revisions.
    pub appended: Vec<String>,
    /// Kinds of jobs that became due.
    pub jobs: Vec<String>,
}

/// What does not change while the store is open.
pub(crate) struct Context {
    pub folder: PathBuf,
    pub node: String,
    pub jurisdiction: String,
    pub max_item_bytes: usize,
}

impl Context {
    /// Refuses a text that is larger than the store takes.
    pub fn check_size(&self, text: String) -> Result<String, OutboxError> {
        if text.len() > self.max_item_bytes {
            return Err(OutboxError::TooLarge { bytes: text.len(), limit: self.max_item_bytes });
        }
        Ok(text)
    }
}

/// The state of the writer thread.
pub(crate) struct Writer {
    pub sql: Connection,
    /// The end of the chain; `None` after a failed transaction, then read again.
    pub chain: Option<Chain>,
    pub context: Context,
    pub shared: Arc<Shared>,
    pub queue: mpsc::Receiver<Command>,
    pub limits: Option<Limits>,
    /// Held as long as the thread lives: keeps other processes out.
    pub _lock: std::fs::File,
}

impl Writer {
    /// Works until closed or until every handle is gone; what was queued by then is still done.
    pub fn run(mut self) {
        let mut closing = Vec::new();
        let mut batch = Vec::new();
        while let Some(command) = self.queue.blocking_recv() {
            let mut next = Some(command);
            while let Some(command) = next.take() {
                match command {
                    Command::Write(operation) => batch.push(operation),
                    Command::Close(reply) => {
                        self.queue.close();
                        closing.push(reply);
                    }
                }
                if batch.len() < LARGEST_BATCH {
                    next = self.queue.try_recv().ok();
                }
            }
            self.write(std::mem::take(&mut batch));
        }
        // Best effort: the WAL is replayed at the next opening anyway.
        let _ = self.sql.pragma_update(None, "wal_checkpoint", "TRUNCATE");
        drop(self);
        for reply in closing {
            let _ = reply.send(());
        }
    }

    fn write(&mut self, batch: Vec<Box<dyn Operation>>) {
        let space = self.space();
        let (mut accepted, refused): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|o| space.is_ok() || o.purpose() == Purpose::Progress);
        let mut result = self.attempt(&mut accepted);
        let mut failures = vec![result.clone().err(); accepted.len()];
        if result.is_err() && accepted.len() > 1 {
            let alone = |operation| self.attempt(std::slice::from_mut(operation)).err();
            failures = accepted.iter_mut().map(alone).collect();
            result = failures.iter().flatten().next().map_or(Ok(()), |error| Err(error.clone()));
        }
        // Before the answers: whoever was refused finds the health saying why.
        self.shared.health.observe(space.clone().and(result));
        for operation in refused {
            operation.finish(space.clone().err());
        }
        for (operation, failure) in accepted.into_iter().zip(failures) {
            operation.finish(failure);
        }
    }

    /// One transaction over all of `operations`: all durable, or none.
    fn attempt(&mut self, operations: &mut [Box<dyn Operation>]) -> Result<(), OutboxError> {
        if operations.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| self.transact(operations)));
        let result = result.unwrap_or_else(|_| {
            events::writer_panicked();
            Err(OutboxError::Internal)
        });
        match result {
            Ok((effects, head)) => {
                events::committed(begun.elapsed(), operations.len(), &effects.appended);
                self.shared.publish(&effects, head);
                Ok(())
            }
            Err(error) => {
                self.chain = None;
                if !self.sql.is_autocommit() && self.sql.execute_batch("ROLLBACK").is_err() {
                    events::rollback_failed();
                }
                Err(error)
            }
        }
    }

    fn transact(&mut self, operations: &mut [Box<dyn Operation>]) -> Result<(Effects, u64), OutboxError> {
        self.apply_limits()?;
        self.sql.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut chain = match self.chain.take() {
            Some(chain) => chain,
            None => Chain::load(&self.sql)?,
        };
        let mut effects = Effects::default();
        for operation in operations {
            let mut tx =
                Tx { sql: &self.sql, chain: &mut chain, effects: &mut effects, context: &self.context };
            operation.apply(&mut tx)?;
        }
        self.sql.prepare_cached("COMMIT")?.execute([])?;
        let head = chain.seq;
        self.chain = Some(chain);
        Ok((effects, head))
    }

    fn apply_limits(&mut self) -> Result<(), OutboxError> {
        let limits = self.shared.limits();
        if self.limits == Some(limits) {
            return Ok(());
        }
        let page_bytes: i64 = self.sql.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = match limits.max_bytes {
            Some(bytes) => (bytes / page_bytes.max(512).unsigned_abs()).clamp(1, 0xffff_fffe),
            None => 0xffff_fffe,
        };
        // The pragma answers with the limit now in force.
        self.sql.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        self.limits = Some(limits);
        Ok(())
    }

    /// Refuses when the disk has less than the reserve left.
    fn space(&self) -> Result<(), OutboxError> {
        let disk = rustix::fs::statvfs(&self.context.folder)
            .map_err(|_| OutboxError::StoreUnavailable { reason: "io" })?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < self.shared.limits().min_free_bytes {
            return Err(OutboxError::StoreUnavailable { reason: "disk_low" });
        }
        Ok(())
    }
}
