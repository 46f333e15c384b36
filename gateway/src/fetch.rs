//! Fetches what citizens attached: photos, voice messages, video. Durable jobs, after the platform has its
//! answer; each file that arrives amends its record.

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use channels::{Channels, Class, FetchedMedia};
use outbox::Job;
use record::{AttachmentKind, Record, State, Uuid};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::intake::{JOB_FETCH_MEDIA, Middle};
use crate::{attach, jobs};

/// A claimed job comes back after this, should the worker be lost.
const LEASE: Duration = Duration::from_secs(10 * 60);

#[derive(Deserialize)]
struct Payload {
    record_id: Uuid,
    channel: String,
    account: String,
    kind: AttachmentKind,
    reference: BTreeMap<String, String>,
}

/// Works until `stopped`; files go to `folder/YYYYMMDD/`.
pub async fn work(
    middle: Middle,
    channels: Arc<Channels>,
    folder: PathBuf,
    mut stopped: watch::Receiver<bool>,
) {
    while let Some(job) = jobs::next(middle.outbox(), JOB_FETCH_MEDIA, LEASE, &mut stopped).await {
        run(&middle, &channels, &folder, job).await;
    }
}

async fn run(middle: &Middle, channels: &Channels, folder: &Path, job: Job) {
    let Ok(payload) = serde_json::from_value::<Payload>(job.payload.clone()) else {
        tracing::error!(job.id = job.id, "A media job cannot be read and is dropped.");
        return jobs::finish(middle.outbox(), job.id).await;
    };
    let Some(source) = channels.media(&payload.channel, &payload.account) else {
        // The account has no credentials for fetching (yet): the record names what waits.
        tracing::warn!(record.id = %payload.record_id, channel = %payload.channel, "Media cannot be fetched: the account is not configured to.");
        return jobs::retry(middle, &job, "not-configured").await;
    };
    let fetched = match source.fetch(&payload.reference).await {
        Ok(fetched) => fetched,
        Err(error) => {
            let code = payload.channel.clone();
            metrics::counter!("jiesu_media_fetch_failed_total", "channel" => code, "reason" => error.reason)
                .increment(1);
            if error.class == Class::Never {
                tracing::warn!(record.id = %payload.record_id, %error, "Media cannot be fetched.");
                return jobs::finish(middle.outbox(), job.id).await;
            }
            return jobs::retry(middle, &job, error.reason).await;
        }
    };
    match keep(middle, folder, &payload, &fetched).await {
        Ok(()) => jobs::finish(middle.outbox(), job.id).await,
        Err(error) => {
            tracing::warn!(record.id = %payload.record_id, %error, "Fetched media could not be kept; it is tried again.");
            jobs::retry(middle, &job, "store").await;
        }
    }
}

async fn keep(
    middle: &Middle,
    folder: &Path,
    payload: &Payload,
    fetched: &FetchedMedia,
) -> anyhow::Result<()> {
    let stored = middle.outbox().get(payload.record_id, None).await?;
    let Some(stored) = stored else { anyhow::bail!("its record is not there") };
    let mut record: Record = stored.record()?;
    let digest = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(&fetched.bytes));
    let digest = format!("sha256-{digest}");
    let index = record.attachments.as_ref().map_or(0, Vec::len);
    if record.attachments.iter().flatten().any(|attachment| attachment.digest == digest) {
        return Ok(());
    }
    let folder = std::path::absolute(folder.join(record.created_at.china_day()))?;
    let path = folder.join(format!("{}-{index}", record.record_id));
    let (bytes, to) = (fetched.bytes.clone(), path.clone());
    tokio::task::spawn_blocking(move || write(&folder, &to, &bytes)).await??;
    let attachment =
        attach::fetched_media(payload.kind, &fetched.media_type, fetched.bytes.len() as u64, digest, &path);
    record.attachments.get_or_insert_default().push(attachment);
    if let Some(message) = record.messages.as_mut().and_then(|messages| messages.first_mut()) {
        message.attachment.get_or_insert(index as i64);
    }
    attach::media_arrived(&mut record, &payload.reference);
    record.revision += 1;
    record.state = State::Amended;
    record.updated_at = middle.now();
    middle.outbox().complete(record, Vec::new()).await?;
    Ok(())
}

fn write(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    std::fs::create_dir_all(folder)?;
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
