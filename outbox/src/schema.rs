//! The tables, and how a connection to them is opened.
//!
//! WAL with `synchronous=FULL`: a commit that returned survives a power cut
//! (<https://www.sqlite.org/pragma.html#pragma_synchronous>).

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::OutboxError;

/// The format this version writes, kept in `user_version`.
const FORMAT: i64 = 1;

const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE records (
  seq INTEGER PRIMARY KEY,
  record_id BLOB NOT NULL,
  revision INTEGER NOT NULL,
  record_no TEXT NOT NULL,
  channel TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  outcome TEXT,
  digest TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_revision ON records (record_id, revision);
CREATE INDEX records_channel ON records (channel, seq);
CREATE INDEX records_number ON records (record_no, revision);
CREATE TABLE drafts (
  record_id BLOB PRIMARY KEY,
  record_no TEXT NOT NULL UNIQUE,
  record TEXT NOT NULL
) STRICT;
CREATE TABLE counters (
  day TEXT NOT NULL,
  channel TEXT NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (day, channel)
) STRICT, WITHOUT ROWID;
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  dedupe_key TEXT NOT NULL,
  received_at_ms INTEGER NOT NULL,
  record_id BLOB,
  record_no TEXT,
  raw BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_key ON messages (channel, account, dedupe_key);
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  job_key TEXT,
  payload TEXT NOT NULL,
  due_at_ms INTEGER NOT NULL,
  leased_until_ms INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  error_class TEXT
) STRICT;
CREATE UNIQUE INDEX jobs_key ON jobs (kind, job_key);
CREATE INDEX jobs_due ON jobs (kind, due_at_ms);
CREATE TABLE cursors (
  sink TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letters (
  sink TEXT NOT NULL,
  seq INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  reason TEXT NOT NULL,
  parked_at_ms INTEGER NOT NULL,
  PRIMARY KEY (sink, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE probe (id INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
";

/// Opens (and makes, when new) the store for its one writer.
pub(crate) fn open_writer(path: &Path, node: &str) -> Result<Connection, OutboxError> {
    let mut sql = Connection::open(path)?;
    sql.busy_timeout(Duration::from_secs(5))?;
    sql.set_prepared_statement_cache_capacity(64);
    let mode: String = sql.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OutboxError::Config(
            "node.data_dir: this file system cannot hold a WAL; use a local disk".into(),
        ));
    }
    sql.pragma_update(None, "synchronous", "FULL")?;
    // A full WAL is copied back every 4 MiB or so; the file is cut back so that a burst does not keep space.
    sql.pragma_update(None, "journal_size_limit", 16 << 20)?;
    let found: i64 = sql.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > FORMAT {
        return Err(OutboxError::NewerFormat { found, known: FORMAT });
    }
    let setup = sql.transaction()?;
    if found == 0 {
        setup.execute_batch(TABLES)?;
        setup.execute("INSERT INTO meta (name, value) VALUES ('node', ?1)", [node])?;
        setup.pragma_update(None, "user_version", FORMAT)?;
    }
    // Whoever held a lease died with the process.
    setup.execute("UPDATE jobs SET leased_until_ms = 0 WHERE leased_until_ms <> 0", [])?;
    setup.commit()?;
    let owner: String = sql.query_row("SELECT value FROM meta WHERE name = 'node'", [], |row| row.get(0))?;
    if owner != node {
        return Err(OutboxError::Config(format!(
            "node.name: this store belongs to the chain of node \"{owner}\", not \"{node}\""
        )));
    }
    Ok(sql)
}

/// Opens a connection that can only read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, OutboxError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = Connection::open_with_flags(path, flags)?;
    sql.busy_timeout(Duration::from_secs(5))?;
    sql.set_prepared_statement_cache_capacity(16);
    sql.pragma_update(None, "query_only", true)?;
    Ok(sql)
}
