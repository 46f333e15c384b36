//! What a crash left: drafts of calls that were answered and have no record yet.
//!
//! A draft that was never closed belongs to a call that was cut off: its recording is repaired and it
//! becomes a record with outcome `failed`. One that was closed only lacks its recording or transcript.

use record::{EndBy, Outcome, Record, State};

use crate::calls::recording::{self, Recorder};
use crate::intake::Middle;
use crate::{attach, compose};

/// Completes every draft. Run before the first call is taken. Returns how many there were.
pub async fn recover(middle: &Middle, recorder: &Recorder, speech_wanted: bool) -> anyhow::Result<usize> {
    let drafts = middle.outbox().drafts().await?;
    let count = drafts.len();
    for draft in drafts {
        complete(middle, recorder, speech_wanted, draft).await;
    }
    if count > 0 {
        tracing::warn!(count, "Calls were cut off by the last stop; their records are completed now.");
    }
    // What is left now belongs to no draft.
    recorder.repair_orphans().await;
    Ok(count)
}

async fn complete(middle: &Middle, recorder: &Recorder, speech_wanted: bool, mut record: Record) {
    if record.state == State::Provisional {
        let last_known = middle.now();
        if let Some(call) = &mut record.call {
            call.outcome = Outcome::Failed;
            call.end_by = Some(EndBy::Gateway);
            call.ended_at.get_or_insert(last_known);
        }
        compose::assess(&mut record);
    }
    let mut path = recorder.left_behind(record.record_id, record.created_at);
    if let Some(to_repair) = path.clone().filter(|_| record.attachments.is_none()) {
        match tokio::task::spawn_blocking(move || recording::repair(&to_repair)).await {
            Ok(Ok(finished)) => record.attachments = Some(vec![attach::recording(&finished)]),
            Ok(Err(error)) => {
                tracing::error!(%error, record.id = %record.record_id, "The recording of a call that was cut off could not be repaired.");
                path = None;
            }
            Err(_) => path = None,
        }
    }
    middle.call_complete(record, path.as_deref().filter(|_| speech_wanted), false).await;
}
