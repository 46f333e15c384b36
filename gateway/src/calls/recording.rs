//! The recorder: one thread that appends every call's sound to its file, so that a slow disk delays files
//! and never calls. The queue in front of it is bounded; what does not fit is counted. Every block knows its
//! place, so a hole is silence of its own length.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use base64::Engine as _;
use gateway_media::{RecordingBlock, wav};
use record::{Timestamp, Uuid};
use sha2::{Digest as _, Sha512};
use tokio::sync::oneshot;

/// Blocks of about half a second waiting for the disk, over all calls.
const QUEUE: usize = 8192;
/// Bytes a millisecond: 8 kHz, two channels, 16 bits.
const BYTES_PER_MS: u64 = 32;

/// A finished recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The file.
    pub path: PathBuf,
    /// Its size, header included.
    pub bytes: u64,
    /// `sha512-` and base64url, as a vCon's content_hash.
    pub digest: String,
    /// Its length.
    pub duration_ms: u64,
}

enum Job {
    Append { call: Uuid, path: PathBuf, at: u64, block: Vec<u8> },
    Finish { call: Uuid, path: PathBuf, done: oneshot::Sender<Option<Finished>> },
}

/// How calls hand over their sound.
#[derive(Clone, Debug)]
pub struct Recorder {
    folder: PathBuf,
    jobs: SyncSender<Job>,
}

impl Recorder {
    /// Starts the thread; files go to `folder/YYYYMMDD/<record_id>.wav`.
    pub fn start(folder: PathBuf) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        std::thread::Builder::new().name("recorder".into()).spawn(move || run(&queue))?;
        Ok(Self { folder, jobs })
    }

    /// Where a call's recording lies.
    pub fn path(&self, record_id: Uuid, created_at: Timestamp) -> PathBuf {
        self.folder.join(created_at.china_day()).join(format!("{record_id}.wav"))
    }

    /// Writes a block to its place. Never waits.
    pub fn append(&self, call: Uuid, path: &Path, block: RecordingBlock<'_>) {
        let job = Job::Append { call, path: path.into(), at: block.at, block: block.pcm.to_vec() };
        if let Err(TrySendError::Full(_)) = self.jobs.try_send(job) {
            metrics::counter!("jiesu_recording_blocks_lost_total").increment(1);
        }
    }

    /// Closes the file: header, fsync, digest. `None` when nothing was recorded or the disk failed.
    pub async fn finish(&self, call: Uuid, path: &Path) -> Option<Finished> {
        let (done, finished) = oneshot::channel();
        let jobs = self.jobs.clone();
        let job = Job::Finish { call, path: path.into(), done };
        // The queue may be full behind a slow disk: wait for it off the runtime.
        tokio::task::spawn_blocking(move || jobs.send(job).is_ok()).await.ok()?;
        finished.await.ok().flatten()
    }
}

fn run(queue: &Receiver<Job>) {
    let mut files: HashMap<Uuid, Option<File>> = HashMap::new();
    while let Ok(job) = queue.recv() {
        match job {
            Job::Append { call, path, at, block } => {
                let file = files.entry(call).or_insert_with(|| note_failure(create(&path)));
                let place = wav::HEADER_LENGTH as u64 + at * u64::from(wav::BYTES_PER_INSTANT);
                let written = file.as_mut().map(|file| file.write_all_at(&block, place));
                if let Some(Err(error)) = written {
                    note_failure::<()>(Err(error));
                    // What is on disk stays; the rest of this call is not recorded.
                    files.insert(call, None);
                }
            }
            Job::Finish { call, path, done } => {
                let closed = files.remove(&call).is_some().then(|| complete(&path));
                let _ = done.send(closed.and_then(note_failure));
            }
        }
    }
}

fn note_failure<T>(result: std::io::Result<T>) -> Option<T> {
    result
        .inspect_err(|error| {
            metrics::counter!("jiesu_recording_failures_total").increment(1);
            tracing::error!(%error, "A recording could not be written.");
        })
        .ok()
}

fn create(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&wav::wav_header(0))?;
    Ok(file)
}

/// Writes the true header of a file, whether it was closed in order or left by a crash, and measures it.
pub fn complete(path: &Path) -> std::io::Result<Finished> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let header = wav::repair(length);
    let data = (length.saturating_sub(header.len() as u64) / u64::from(wav::BYTES_PER_INSTANT))
        * u64::from(wav::BYTES_PER_INSTANT);
    let whole = header.len() as u64 + data;
    file.set_len(whole)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header)?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha512::new();
    let mut buffer = vec![0u8; 256 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    Ok(Finished {
        path: path.to_owned(),
        bytes: whole,
        digest: format!(
            "sha512-{}",
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash.finalize())
        ),
        duration_ms: data / BYTES_PER_MS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_whole_and_its_digest_is_that_of_the_bytes_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::start(folder.path().into()).unwrap();
        let call = Uuid::now_v7();
        let path = recorder.path(call, Timestamp::from_unix_ms(1_764_000_000_000));
        for number in 0..4 {
            let block = RecordingBlock { at: number * 4_000, paused: 0, pcm: &[1u8; 16_000] };
            recorder.append(call, &path, block);
        }
        let finished = recorder.finish(call, &path).await.unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(finished.duration_ms, 2_000);
        assert_eq!(finished.bytes, bytes.len() as u64);
        assert_eq!(&bytes[40..44], 64_000u32.to_le_bytes());
        let digest = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha512::digest(&bytes));
        assert_eq!(finished.digest, format!("sha512-{digest}"));
    }

    #[test]
    fn a_file_cut_by_a_crash_is_repaired_to_its_last_whole_sample() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut bytes = wav::wav_header(0).to_vec();
        bytes.extend([7u8; 3203]);
        std::fs::write(&path, &bytes).unwrap();
        let finished = complete(&path).unwrap();
        assert_eq!(finished.duration_ms, 100);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 44 + 3200);
    }

    #[tokio::test]
    async fn a_call_without_sound_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::start(folder.path().into()).unwrap();
        let call = Uuid::now_v7();
        let path = recorder.path(call, Timestamp::from_unix_ms(0));
        assert_eq!(recorder.finish(call, &path).await, None);
        assert!(!path.exists());
    }
}
