//! How workers take durable jobs: wait, claim one, finish or try again later.

use std::time::Duration;

use outbox::{Job, Outbox};
use record::Timestamp;
use tokio::sync::watch;

use crate::intake::Middle;

/// Attempts before a job that can still succeed is only tried once an hour.
pub const MAX_ATTEMPTS: u32 = 12;
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The next due job of a kind; `None` when stopped.
pub async fn next(
    outbox: &Outbox,
    kind: &str,
    lease: Duration,
    stopped: &mut watch::Receiver<bool>,
) -> Option<Job> {
    let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
    loop {
        let now = crate::clock();
        // An outbox that cannot write now is asked again; its health is told by /readyz.
        let claimed = outbox.claim_jobs(kind, now.unix_ms(), 1, lease_ms).await;
        if let Some(job) = claimed.ok().and_then(|jobs| jobs.into_iter().next()) {
            return Some(job);
        }
        let due = outbox.reader().next_job_due(kind).await.ok().flatten();
        let pause = due.map_or(LONGEST_PAUSE, |due| until(now, due)).max(Duration::from_millis(100));
        let wake = tokio::time::Instant::now() + pause;
        tokio::select! {
            () = outbox.wait_for_job(kind) => {}
            () = tokio::time::sleep_until(wake) => {}
            _ = stopped.wait_for(|stop| *stop) => return None,
        }
    }
}

/// Removes a job that is done. Should the store not take it, the job comes back and is found done.
pub async fn finish(outbox: &Outbox, id: i64) {
    if let Err(error) = outbox.finish_job(id).await {
        tracing::warn!(%error, job.id = id, "A finished job could not be removed.");
    }
}

/// Gives a job back for later: 5 s, doubling, at most an hour.
pub async fn retry(middle: &Middle, job: &Job, class: &str) {
    let pause = Duration::from_secs(5).saturating_mul(1 << job.attempts.min(MAX_ATTEMPTS)).min(LONGEST_PAUSE);
    let due = middle.now().plus_ms(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
    if let Err(error) = middle.outbox().retry_job(job.id, due.unix_ms(), class).await {
        tracing::warn!(%error, job.id = job.id, "A job could not be given back; its lease will.");
    }
}

fn until(now: Timestamp, due_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(due_ms.saturating_sub(now.unix_ms())).unwrap_or(0))
}
