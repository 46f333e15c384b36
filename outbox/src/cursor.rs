//! The sinks' durable side: how far each has come, and what it refused for good.

use crate::clock;
use crate::error::OutboxError;
use crate::writer::Tx;

/// A sink's place: the last record dealt with, and the dense number it was delivered under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// `seq` of the last record delivered or parked.
    pub seq: u64,
    /// The per-sink sequence it had.
    pub sequence: u64,
}

impl Tx<'_> {
    pub fn save_cursor(&self, sink: &str, cursor: Cursor) -> Result<(), OutboxError> {
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO cursors (sink, seq, sequence) VALUES (?1, ?2, ?3)")?
            .execute((sink, signed(cursor.seq)?, signed(cursor.sequence)?))?;
        Ok(())
    }

    /// Parks the record at `cursor` and moves the sink past it, together.
    pub fn park(&self, sink: &str, cursor: Cursor, reason: &str) -> Result<(), OutboxError> {
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO dead_letters (sink, seq, sequence, reason, parked_at_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((sink, signed(cursor.seq)?, signed(cursor.sequence)?, reason, clock::now_ms()))?;
        self.save_cursor(sink, cursor)
    }

    /// Writes and removes something that needs new pages: tells whether intake would be taken.
    pub fn probe(&self) -> Result<(), OutboxError> {
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO probe (id, filler) VALUES (1, zeroblob(65536))")?
            .execute([])?;
        self.sql.prepare_cached("DELETE FROM probe")?.execute([])?;
        Ok(())
    }
}

fn signed(value: u64) -> Result<i64, OutboxError> {
    i64::try_from(value).map_err(|_| OutboxError::Internal)
}
