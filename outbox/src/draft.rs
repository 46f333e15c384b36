//! A call's record while the call runs: durable before the citizen hears the greeting, completed by the
//! first revision, and still there after a crash for the gateway to complete.

use record::Record;
use rusqlite::OptionalExtension;

use crate::error::OutboxError;
use crate::number;
use crate::writer::Tx;

/// A record that is being made. `record_no` and `integrity` are filled by the store.
#[derive(Clone, Debug)]
pub struct NewDraft {
    /// The record as far as it is known.
    pub record: Record,
}

impl Tx<'_> {
    /// Opens a draft and gives it its number. Opening the same record again keeps its number.
    pub fn open_draft(&self, record: &Record) -> Result<Record, OutboxError> {
        if let Some((revision, _)) = self.newest(record)? {
            return Err(OutboxError::Revision { expected: revision + 1, got: record.revision });
        }
        let mut draft = record.clone();
        draft.record_no = match self.draft_number(record)? {
            Some(number) => number,
            None => number::allocate(self, record)?,
        };
        let text =
            self.context.check_size(serde_json::to_string(&draft).map_err(|_| OutboxError::NotCanonical)?)?;
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO drafts (record_id, record_no, record) VALUES (?1, ?2, ?3)",
            )?
            .execute((draft.record_id.as_bytes(), &draft.record_no, text))?;
        Ok(draft)
    }

    /// Replaces an open draft, keeping its number.
    pub fn update_draft(&self, record: &Record) -> Result<(), OutboxError> {
        let mut draft = record.clone();
        draft.record_no = self.draft_number(record)?.ok_or(OutboxError::UnknownDraft)?;
        let text =
            self.context.check_size(serde_json::to_string(&draft).map_err(|_| OutboxError::NotCanonical)?)?;
        self.sql
            .prepare_cached("UPDATE drafts SET record = ?2 WHERE record_id = ?1")?
            .execute((draft.record_id.as_bytes(), text))?;
        Ok(())
    }

    /// The number of the open draft of this record.
    pub fn draft_number(&self, record: &Record) -> Result<Option<String>, OutboxError> {
        Ok(self
            .sql
            .prepare_cached("SELECT record_no FROM drafts WHERE record_id = ?1")?
            .query_row([record.record_id.as_bytes()], |row| row.get(0))
            .optional()?)
    }
}
