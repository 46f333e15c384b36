//! Reading what is stored, on connections of its own: a reader never waits for the writer, nor it for him.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use record::canonical::record_digest;
use record::{Record, Uuid};
use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::chain::FIRST_PREVIOUS;
use crate::error::OutboxError;
use crate::events;
use crate::schema;
use crate::status::Parked;

/// Reads at the same time; the rest waits its turn.
const CONNECTIONS: usize = 4;
/// Most records a page.
pub const LARGEST_PAGE: usize = 1000;
/// A page ends early when its records have this many bytes together.
const PAGE_BYTES: usize = 16 << 20;

const COLUMNS: &str = "seq, record_id, revision, record_no, state, digest, record";

/// One revision as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// Place in the order of acceptance, dense from 1; equals `integrity.seq`.
    pub seq: u64,
    /// `record_id`.
    pub record_id: Uuid,
    /// `revision`.
    pub revision: u32,
    /// `record_no`.
    pub record_no: String,
    /// `state`.
    pub state: String,
    /// `integrity.digest`.
    pub digest: String,
    /// The record in the `sealed` view, canonical JSON (RFC 8785).
    pub json: String,
}

impl Stored {
    /// The record as a JSON value.
    pub fn value(&self) -> Result<Value, OutboxError> {
        serde_json::from_str(&self.json).map_err(|_| OutboxError::StoreUnavailable { reason: "corrupt" })
    }

    /// The record as its type.
    pub fn record(&self) -> Result<Record, OutboxError> {
        serde_json::from_str(&self.json).map_err(|_| OutboxError::StoreUnavailable { reason: "corrupt" })
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            record_id: Uuid::from_bytes(row.get(1)?),
            revision: row.get(2)?,
            record_no: row.get(3)?,
            state: row.get(4)?,
            digest: row.get(5)?,
            json: row.get(6)?,
        })
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stored({} {}.{}, <redacted>)", self.seq, self.record_id, self.revision)
    }
}

/// A stretch of records in order of acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The records.
    pub records: Vec<Stored>,
    /// Where the next page begins (`after`); `None` when this one reached the end.
    pub next: Option<u64>,
}

/// What a walk over the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainReport {
    /// Every link holds.
    Whole {
        /// How many records, from 1 to this `seq`.
        records: u64,
    },
    /// The first record that does not hold.
    Broken {
        /// Its place.
        seq: u64,
        /// `gap`, `previous`, `digest`, `columns` or `unreadable`.
        what: &'static str,
    },
}

/// Reads a store; cheap to clone. Also serves tools while another process writes.
#[derive(Clone)]
pub struct Reader {
    path: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Reader {
    /// A reader of the store at `path`, which must exist.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OutboxError> {
        let path = path.into();
        let first = schema::open_reader(&path)?;
        Ok(Self {
            path: Arc::new(path),
            idle: Arc::new(Mutex::new(vec![first])),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| OutboxError::Closed)?;
        let (path, idle) = (self.path.clone(), self.idle.clone());
        let work = move || {
            let _permit = permit;
            let pooled = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let sql = match pooled {
                Some(sql) => sql,
                None => schema::open_reader(&path)?,
            };
            let result = query(&sql);
            // A connection that failed is not kept.
            if result.is_ok() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(sql);
            }
            Ok(result?)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(OutboxError::Internal))
    }

    /// Records after `after` in order of acceptance, each revision its own row; at most `limit`
    /// (1 to [`LARGEST_PAGE`]) and fewer when they are large.
    pub async fn list(&self, after: u64, channel: Option<String>, limit: usize) -> Result<Page, OutboxError> {
        let limit = limit.clamp(1, LARGEST_PAGE);
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.read(move |sql| {
            let condition = if channel.is_some() { "channel = ?2" } else { "?2 IS NULL" };
            let mut select = sql.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM records WHERE seq > ?1 AND {condition} ORDER BY seq LIMIT ?3"
            ))?;
            let mut rows = select.query((after, channel, i64::try_from(limit + 1).unwrap_or(i64::MAX)))?;
            let (mut records, mut bytes) = (Vec::<Stored>::new(), 0);
            while let Some(row) = rows.next()? {
                let stored = Stored::read(row)?;
                bytes += stored.json.len();
                if records.len() == limit || (bytes > PAGE_BYTES && !records.is_empty()) {
                    let next = records.last().map(|last| last.seq);
                    return Ok(Page { records, next });
                }
                records.push(stored);
            }
            Ok(Page { records, next: None })
        })
        .await
    }

    /// One revision, or the newest.
    pub async fn get(&self, record_id: Uuid, revision: Option<u32>) -> Result<Option<Stored>, OutboxError> {
        self.read(move |sql| {
            sql.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM records WHERE record_id = ?1 AND (?2 IS NULL OR revision = ?2) \
                 ORDER BY revision DESC LIMIT 1"
            ))?
            .query_row((record_id.as_bytes(), revision), Stored::read)
            .optional()
        })
        .await
    }

    /// The newest revision of the record with this number.
    pub async fn get_by_number(&self, record_no: String) -> Result<Option<Stored>, OutboxError> {
        self.read(move |sql| {
            sql.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM records WHERE record_no = ?1 ORDER BY revision DESC LIMIT 1"
            ))?
            .query_row([record_no], Stored::read)
            .optional()
        })
        .await
    }

    /// Drafts that were never completed, oldest number first: calls that run now, and after a crash the
    /// calls that ran then. One that cannot be read is reported and left where it is.
    pub async fn drafts(&self) -> Result<Vec<Record>, OutboxError> {
        let texts = self
            .read(|sql| {
                sql.prepare_cached("SELECT record FROM drafts ORDER BY record_no")?
                    .query_map([], |row| row.get::<_, String>(0))?
                    .collect::<Result<Vec<_>, _>>()
            })
            .await?;
        let read = |text: &String| match serde_json::from_str(text) {
            Ok(record) => Some(record),
            Err(_) => {
                events::draft_unreadable();
                None
            }
        };
        Ok(texts.iter().filter_map(read).collect())
    }

    /// The open draft of a record, if there is one.
    pub async fn draft(&self, record_id: Uuid) -> Result<Option<Record>, OutboxError> {
        let text = self
            .read(move |sql| {
                sql.prepare_cached("SELECT record FROM drafts WHERE record_id = ?1")?
                    .query_row([record_id.as_bytes()], |row| row.get::<_, String>(0))
                    .optional()
            })
            .await?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|_| OutboxError::StoreUnavailable { reason: "corrupt" })
    }

    /// How many jobs of a kind are not finished, claimed ones included.
    pub async fn count_jobs(&self, kind: &str) -> Result<u64, OutboxError> {
        let kind = kind.to_owned();
        self.read(move |sql| {
            sql.prepare_cached("SELECT count(*) FROM jobs WHERE kind = ?1")?
                .query_row([kind], |row| row.get::<_, i64>(0))
        })
        .await
        .map(i64::unsigned_abs)
    }

    /// When the next job of a kind can be claimed, milliseconds since 1970; `None` when there is none.
    pub async fn next_job_due(&self, kind: &str) -> Result<Option<i64>, OutboxError> {
        let kind = kind.to_owned();
        self.read(move |sql| {
            sql.prepare_cached("SELECT min(max(due_at_ms, leased_until_ms)) FROM jobs WHERE kind = ?1")?
                .query_row([kind], |row| row.get(0))
        })
        .await
    }

    /// What a sink refused for good, oldest first, after place `after`.
    pub async fn parked(&self, sink: &str, after: u64, limit: usize) -> Result<Vec<Parked>, OutboxError> {
        let sink = sink.to_owned();
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit.clamp(1, LARGEST_PAGE)).unwrap_or(i64::MAX);
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT d.seq, d.sequence, r.record_id, r.revision, d.reason, d.parked_at_ms \
                 FROM dead_letters d JOIN records r USING (seq) \
                 WHERE d.sink = ?1 AND d.seq > ?2 ORDER BY d.seq LIMIT ?3",
            )?
            .query_map((sink, after, limit), |row| {
                Ok(Parked {
                    seq: row.get::<_, i64>(0)?.unsigned_abs(),
                    sequence: row.get::<_, i64>(1)?.unsigned_abs(),
                    record_id: Uuid::from_bytes(row.get(2)?),
                    revision: row.get(3)?,
                    reason: row.get(4)?,
                    parked_at_ms: row.get(5)?,
                })
            })?
            .collect()
        })
        .await
    }

    /// Where a sink stands: last `seq` dealt with, last delivery sequence, how many are parked.
    pub(crate) async fn cursor(&self, sink: &str) -> Result<(u64, u64, u64), OutboxError> {
        let sink = sink.to_owned();
        self.read(move |sql| {
            let (seq, sequence): (i64, i64) = sql
                .prepare_cached("SELECT seq, sequence FROM cursors WHERE sink = ?1")?
                .query_row([&sink], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?
                .unwrap_or((0, 0));
            let parked: i64 = sql
                .prepare_cached("SELECT count(*) FROM dead_letters WHERE sink = ?1")?
                .query_row([&sink], |row| row.get(0))?;
            Ok((seq.unsigned_abs(), sequence.unsigned_abs(), parked.unsigned_abs()))
        })
        .await
    }

    /// Walks the whole chain: places dense, every record's digest right and naming the one before.
    pub async fn verify_chain(&self) -> Result<ChainReport, OutboxError> {
        let (mut seq, mut previous) = (0, FIRST_PREVIOUS.to_owned());
        loop {
            let page = self.list(seq, None, LARGEST_PAGE).await?;
            for stored in page.records {
                seq += 1;
                if let Err(what) = check_link(&stored, seq, &previous) {
                    return Ok(ChainReport::Broken { seq, what });
                }
                previous = stored.digest;
            }
            if page.next.is_none() {
                return Ok(ChainReport::Whole { records: seq });
            }
        }
    }
}

fn check_link(stored: &Stored, seq: u64, previous: &str) -> Result<(), &'static str> {
    if stored.seq != seq {
        return Err("gap");
    }
    let value = stored.value().map_err(|_| "unreadable")?;
    let integrity = value.get("integrity").ok_or("unreadable")?;
    if integrity.get("previous").and_then(Value::as_str) != Some(previous) {
        return Err("previous");
    }
    if record_digest(&value).ok().as_deref() != integrity.get("digest").and_then(Value::as_str) {
        return Err("digest");
    }
    let record = stored.record().map_err(|_| "unreadable")?;
    let columns_hold = (record.record_id, record.revision, &record.record_no, &record.integrity.digest)
        == (stored.record_id, stored.revision, &stored.record_no, &stored.digest)
        && record.integrity.seq == seq;
    if columns_hold { Ok(()) } else { Err("columns") }
}
