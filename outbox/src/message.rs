//! The message path: raw message, dedupe key, record and jobs in one transaction.
//!
//! The unique index on (channel, account, key) is the durable guard; a platform that delivers twice, or to
//! two connections at once, gets the first delivery's record back.

use record::Record;
use record::Uuid;
use rusqlite::OptionalExtension;

use crate::clock;
use crate::error::OutboxError;
use crate::job::NewJob;
use crate::writer::Tx;

/// What makes a message the same message.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DedupeKey {
    /// Channel code.
    pub channel: String,
    /// The account's name in the configuration.
    pub account: String,
    /// Unique per (channel, account); often made of platform ids, so not for logs.
    pub key: String,
}

impl std::fmt::Debug for DedupeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DedupeKey({}, {}, <redacted>)", self.channel, self.account)
    }
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Seen before: nothing was written, the ids are the first delivery's.
    pub duplicate: bool,
    /// The record it became; `None` when only kept.
    pub record_id: Option<Uuid>,
    /// Its number.
    pub record_no: Option<String>,
}

impl Tx<'_> {
    /// Keeps a message unless it is kept already.
    pub fn accept(
        &mut self,
        key: &DedupeKey,
        raw: &[u8],
        record: Option<&Record>,
        jobs: &[NewJob],
    ) -> Result<Accepted, OutboxError> {
        let known = self
            .sql
            .prepare_cached(
                "SELECT record_id, record_no FROM messages WHERE channel = ?1 AND account = ?2 AND dedupe_key = ?3",
            )?
            .query_row((&key.channel, &key.account, &key.key), |row| {
                Ok((row.get::<_, Option<[u8; 16]>>(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((record_id, record_no)) = known {
            return Ok(Accepted { duplicate: true, record_id: record_id.map(Uuid::from_bytes), record_no });
        }
        let record = match record {
            Some(record) => Some(self.append(record, jobs)?),
            None => {
                self.queue_jobs(jobs)?;
                None
            }
        };
        let accepted = Accepted {
            duplicate: false,
            record_id: record.as_ref().map(|r| r.record_id),
            record_no: record.map(|r| r.record_no),
        };
        self.sql
            .prepare_cached(
                "INSERT INTO messages (channel, account, dedupe_key, received_at_ms, record_id, record_no, raw) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                &key.channel,
                &key.account,
                &key.key,
                clock::now_ms(),
                accepted.record_id.as_ref().map(|id| id.as_bytes()),
                &accepted.record_no,
                raw,
            ))?;
        Ok(accepted)
    }
}
