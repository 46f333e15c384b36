//! Recordings become text: durable jobs, one worker a core that is given to it, never in a call's way.
//!
//! While no model is there the jobs wait; when it appears they are done, and records that went out without
//! a transcript are amended.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use asr::{Input, Job as SpeechJob, ModelStatus, Pool, RetryClass};
use outbox::{Job, OutboxError};
use record::{Lane, Speaker, Uuid};
use serde::Deserialize;
use tokio::sync::watch;

use crate::intake::{JOB_TRANSCRIBE, Middle};
use crate::jobs;

/// A claimed job comes back after this, should the worker be lost.
const LEASE: Duration = Duration::from_secs(30 * 60);
/// A held record goes out without its transcript after this.
pub const HOLD_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Left is the caller, right the agent: the channel says who spoke, nobody guesses.
const SPEAKERS: [Speaker; 2] = [Speaker::Reporter, Speaker::Agent];

#[derive(Deserialize)]
struct Payload {
    record_id: Uuid,
    path: PathBuf,
}

/// Follows whether speech recognition can take work.
pub fn readiness(pool: &Pool) -> watch::Receiver<bool> {
    let mut status = pool.status_changes();
    let ready = |status: &ModelStatus| matches!(status, ModelStatus::Ready { .. });
    let (sender, receiver) = watch::channel(ready(&status.borrow()));
    tokio::spawn(async move {
        while status.changed().await.is_ok() {
            let now = ready(&status.borrow_and_update());
            sender.send_if_modified(|before| std::mem::replace(before, now) != now);
        }
    });
    receiver
}

/// Works until `stopped`. Takes jobs only while the model is ready.
pub async fn work(
    middle: Middle,
    pool: Arc<Pool>,
    mut ready: watch::Receiver<bool>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            gone = ready.wait_for(|ready| *ready) => if gone.is_err() { return },
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let Some(job) = jobs::next(middle.outbox(), JOB_TRANSCRIBE, LEASE, &mut stopped).await else {
            return;
        };
        tokio::select! {
            () = run(&middle, &pool, job) => {}
            // The lease is given up at the next start; the job is done then.
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

async fn run(middle: &Middle, pool: &Pool, job: Job) {
    let Ok(payload) = serde_json::from_value::<Payload>(job.payload.clone()) else {
        tracing::error!(job.id = job.id, "A transcription job cannot be read and is dropped.");
        return jobs::finish(middle.outbox(), job.id).await;
    };
    let speech = SpeechJob {
        input: Input::Path(payload.path),
        speakers: SPEAKERS.to_vec(),
        lane: Lane::Standard,
        language: None,
    };
    let (segments, engine) = match pool.transcribe(speech).await {
        Ok(transcript) => (transcript.segments, transcript.engine),
        Err(error) if error.class() == RetryClass::Never => {
            tracing::warn!(record.id = %payload.record_id, %error, "A recording cannot be transcribed.");
            (Vec::new(), String::new())
        }
        Err(error) => {
            tracing::warn!(record.id = %payload.record_id, %error, "A transcription failed and is tried again.");
            return jobs::retry(middle, &job, "asr").await;
        }
    };
    match middle.transcribed(payload.record_id, segments, &engine).await {
        Ok(()) => jobs::finish(middle.outbox(), job.id).await,
        Err(OutboxError::UnknownDraft) if job.attempts > jobs::MAX_ATTEMPTS => {
            tracing::error!(record.id = %payload.record_id, "A transcript's record does not exist.");
            jobs::finish(middle.outbox(), job.id).await;
        }
        Err(error) => {
            tracing::warn!(record.id = %payload.record_id, %error, "A transcript could not be stored and is tried again.");
            jobs::retry(middle, &job, "store").await;
        }
    }
}
