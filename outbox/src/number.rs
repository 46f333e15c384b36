//! `record_no`: jurisdiction, day in China, channel digits, and a number dense per day and channel.

use record::{Record, channel_code};
use rusqlite::OptionalExtension;

use crate::error::OutboxError;
use crate::writer::Tx;

/// Six digits.
const LAST: i64 = 999_999;

/// Takes the next number for `record`. The counter moves in the same transaction, so a number that was
/// given out is on disk, and one that was not is given to the next.
pub(crate) fn allocate(tx: &Tx<'_>, record: &Record) -> Result<String, OutboxError> {
    let channel = channel_code::digits(&record.channel.code).ok_or(OutboxError::UnknownChannel)?;
    let day = record.created_at.china_day();
    let last: Option<i64> = tx
        .sql
        .prepare_cached("SELECT last FROM counters WHERE day = ?1 AND channel = ?2")?
        .query_row((&day, channel), |row| row.get(0))
        .optional()?;
    let next = last.unwrap_or(0) + 1;
    if next > LAST {
        return Err(OutboxError::NumbersExhausted);
    }
    tx.sql
        .prepare_cached("INSERT OR REPLACE INTO counters (day, channel, last) VALUES (?1, ?2, ?3)")?
        .execute((&day, channel, next))?;
    Ok(format!("{}-{day}-{channel}-{next:06}", tx.context.jurisdiction))
}
