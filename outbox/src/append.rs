//! Appending a revision: it gets its number and its place in the chain, completes its draft and becomes
//! visible to sinks and readers, all in one transaction with the jobs that come with it.

use record::{Record, channel_code};
use rusqlite::OptionalExtension;

use crate::error::OutboxError;
use crate::job::NewJob;
use crate::number;
use crate::writer::Tx;

impl Tx<'_> {
    /// Appends `record` as the next revision and queues `jobs`.
    pub fn append(&mut self, record: &Record, jobs: &[NewJob]) -> Result<Record, OutboxError> {
        if channel_code::digits(&record.channel.code).is_none() {
            return Err(OutboxError::UnknownChannel);
        }
        let newest = self.newest(record)?;
        let expected = newest.as_ref().map_or(0, |(revision, _)| *revision) + 1;
        if record.revision != expected {
            return Err(OutboxError::Revision { expected, got: record.revision });
        }
        let mut sealed = record.clone();
        sealed.record_no = match newest {
            Some((_, number)) => number,
            None => match self.draft_number(record)? {
                Some(number) => number,
                None => number::allocate(self, record)?,
            },
        };
        let text = self.context.check_size(self.chain.seal(&mut sealed, &self.context.node)?)?;
        self.sql
            .prepare_cached(
                "INSERT INTO records (seq, record_id, revision, record_no, channel, created_at_ms, state, \
                 outcome, digest, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute((
                i64::try_from(sealed.integrity.seq).map_err(|_| OutboxError::Internal)?,
                sealed.record_id.as_bytes(),
                sealed.revision,
                &sealed.record_no,
                &sealed.channel.code,
                sealed.created_at.unix_ms(),
                sealed.state.as_str(),
                sealed.call.as_ref().map(|call| call.outcome.as_str()),
                &sealed.integrity.digest,
                text,
            ))?;
        self.sql
            .prepare_cached("DELETE FROM drafts WHERE record_id = ?1")?
            .execute([sealed.record_id.as_bytes()])?;
        self.effects.appended.push(sealed.channel.code.clone());
        self.queue_jobs(jobs)?;
        Ok(sealed)
    }

    /// Newest revision and number of the record, when it has any.
    pub fn newest(&self, record: &Record) -> Result<Option<(u32, String)>, OutboxError> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT revision, record_no FROM records WHERE record_id = ?1 ORDER BY revision DESC LIMIT 1",
            )?
            .query_row([record.record_id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    }
}
