//! Durable jobs: what has to happen later and must survive a crash (transcription, fetching media).
//!
//! A worker claims, works, then finishes or retries. A claim is a lease: when the worker dies the job comes
//! back after the lease, or at once when the process is started again. So a job runs at least once.

use serde_json::Value;

use crate::error::OutboxError;
use crate::writer::Tx;

/// Work to be queued.
#[derive(Clone)]
pub struct NewJob {
    /// What sort of work, e.g. `transcribe`; a word of our own code.
    pub kind: String,
    /// Unique per kind among the jobs not yet finished; a second one with the same key is not queued.
    pub key: Option<String>,
    /// What the worker needs.
    pub payload: Value,
    /// Not before this, milliseconds since 1970 (UTC).
    pub due_at_ms: i64,
}

impl std::fmt::Debug for NewJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewJob({}, <redacted>)", self.kind)
    }
}

/// Claimed work.
#[derive(Clone, PartialEq)]
pub struct Job {
    /// For finishing or retrying it.
    pub id: i64,
    /// What sort of work.
    pub kind: String,
    /// Its key, when it has one.
    pub key: Option<String>,
    /// What the worker needs.
    pub payload: Value,
    /// How often it was claimed, this time included.
    pub attempts: u32,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Job({}, {}, attempt {}, <redacted>)", self.id, self.kind, self.attempts)
    }
}

impl Tx<'_> {
    pub fn queue_jobs(&mut self, jobs: &[NewJob]) -> Result<(), OutboxError> {
        for job in jobs {
            self.sql
                .prepare_cached(
                    "INSERT INTO jobs (kind, job_key, payload, due_at_ms) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (kind, job_key) DO NOTHING",
                )?
                .execute((&job.kind, &job.key, job.payload.to_string(), job.due_at_ms))?;
            self.effects.jobs.push(job.kind.clone());
        }
        Ok(())
    }

    pub fn claim_jobs(
        &self,
        kind: &str,
        now_ms: i64,
        limit: usize,
        lease_ms: i64,
    ) -> Result<Vec<Job>, OutboxError> {
        let mut select = self.sql.prepare_cached(
            "SELECT id, job_key, payload, attempts FROM jobs \
             WHERE kind = ?1 AND due_at_ms <= ?2 AND leased_until_ms <= ?2 ORDER BY due_at_ms, id LIMIT ?3",
        )?;
        let rows = select.query_map((kind, now_ms, i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
            let payload: String = row.get(2)?;
            Ok(Job {
                id: row.get(0)?,
                kind: kind.to_owned(),
                key: row.get(1)?,
                // We wrote it; a payload that no longer reads shows to its worker as null.
                payload: serde_json::from_str(&payload).unwrap_or(Value::Null),
                attempts: row.get::<_, u32>(3)?.saturating_add(1),
            })
        })?;
        let jobs = rows.collect::<Result<Vec<_>, _>>()?;
        let mut lease = self
            .sql
            .prepare_cached("UPDATE jobs SET leased_until_ms = ?2, attempts = attempts + 1 WHERE id = ?1")?;
        for job in &jobs {
            lease.execute((job.id, now_ms.saturating_add(lease_ms)))?;
        }
        Ok(jobs)
    }

    pub fn finish_job(&self, id: i64) -> Result<(), OutboxError> {
        self.sql.prepare_cached("DELETE FROM jobs WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    pub fn retry_job(&mut self, id: i64, due_at_ms: i64, error_class: &str) -> Result<(), OutboxError> {
        let kinds = self
            .sql
            .prepare_cached(
                "UPDATE jobs SET due_at_ms = ?2, leased_until_ms = 0, error_class = ?3 WHERE id = ?1 RETURNING kind",
            )?
            .query_map((id, due_at_ms, error_class), |row| row.get(0))?
            .collect::<Result<Vec<String>, _>>()?;
        self.effects.jobs.extend(kinds);
        Ok(())
    }
}
