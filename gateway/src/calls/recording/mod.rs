//! Recording files: a thread that appends every call's sound, so that a slow disk delays files and never
//! calls.
//!
//! Each block of half a second knows its place in the file. What the bounded queue did not take, or the disk
//! did not, is a hole there: it reads as silence, the length stays true, and the hole is told as a gap.
//! Reading order: `track` is a call's end, `writer` the thread, `file` what is done when a call is over,
//! `verdict` whether the call was recorded, `orphans` what no record speaks of.

mod file;
mod orphans;
mod track;
mod verdict;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use gateway_media::RecordingFormat;
use record::{Timestamp, Uuid};
use tokio::sync::{Semaphore, oneshot};

pub use self::file::{Finished, repair};
use self::track::Spare;
pub use self::track::Track;
pub use self::verdict::verify;
pub use self::writer::create_file;
use self::writer::{Closed, Job, note_failure};

/// Blocks of about half a second waiting for the disk, over all calls: 128 MiB at most.
const QUEUE: usize = 8192;
/// Files completed (fsync, digest) at the same time.
const COMPLETING: usize = 2;

/// How calls hand over their sound.
#[derive(Clone, Debug)]
pub struct Recorder {
    folder: PathBuf,
    format: RecordingFormat,
    jobs: SyncSender<Job>,
    spare: Arc<Spare>,
    completing: Arc<Semaphore>,
}

impl Recorder {
    /// Starts the thread; files go to `folder/YYYYMMDD/<record_id>.wav` (or `.ogg`).
    pub fn start(folder: PathBuf, format: RecordingFormat) -> std::io::Result<Self> {
        Self::on(folder, format, create_file)
    }

    /// The same on another disk: `create` makes the empty file of a recording, open for writing.
    pub fn on(
        folder: PathBuf,
        format: RecordingFormat,
        create: impl Fn(&Path) -> std::io::Result<File> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let spare = Arc::new(Spare::default());
        std::thread::Builder::new().name("recorder".into()).spawn({
            let spare = spare.clone();
            move || writer::run(&queue, &spare, format, &create)
        })?;
        Ok(Self { folder, format, jobs, spare, completing: Arc::new(Semaphore::new(COMPLETING)) })
    }

    /// Where a call's recording lies.
    pub fn path(&self, record_id: Uuid, created_at: Timestamp) -> PathBuf {
        self.path_in(record_id, created_at, self.format)
    }

    /// Where a call's recording was left, in whatever format the configuration then said.
    pub fn left_behind(&self, record_id: Uuid, created_at: Timestamp) -> Option<PathBuf> {
        [RecordingFormat::Wav, RecordingFormat::OggOpus]
            .map(|format| self.path_in(record_id, created_at, format))
            .into_iter()
            .find(|path| path.exists())
    }

    fn path_in(&self, record_id: Uuid, created_at: Timestamp, format: RecordingFormat) -> PathBuf {
        self.folder.join(created_at.china_day()).join(format!("{record_id}.{}", format.extension()))
    }

    /// A call's end. The file is made with its first block.
    pub fn track(&self, call: Uuid, path: &Path) -> Track {
        Track::new(call, path, self.jobs.clone(), self.spare.clone())
    }

    /// Closes the file: header, fsync, digest. `None` when nothing was recorded or the disk failed.
    pub async fn finish(&self, call: Uuid, path: &Path) -> Option<Finished> {
        let (done, closed) = oneshot::channel();
        let jobs = self.jobs.clone();
        let job = Job::Finish { call, done };
        // The queue may be full behind a slow disk: wait for it off the runtime.
        tokio::task::spawn_blocking(move || jobs.send(job).is_ok()).await.ok()?;
        let Closed { check, failures } = closed.await.ok().flatten()?;
        let path = path.to_owned();
        // Reading a long file again to digest it must not keep the thread from writing the others.
        let _permit = self.completing.acquire().await.ok()?;
        let finished =
            tokio::task::spawn_blocking(move || file::complete(&path, check, failures)).await.ok()?;
        note_failure(finished)
    }

    /// Repairs recordings that a crash left and no record speaks of. Returns how many there were.
    pub async fn repair_orphans(&self) -> usize {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || orphans::repair_all(&folder)).await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine as _;
    use gateway_media::RecordingBlock;
    use gateway_media::recording::Gap;
    use sha2::{Digest as _, Sha512};

    use super::*;

    /// Half a second of `value`, as the `number`th.
    fn append(track: &mut Track, number: u64, value: u8) {
        track.append(RecordingBlock { at: number * 4_000, paused: 0, pcm: &[value; 16_000] });
    }

    fn gap(from_ms: u64, until_ms: u64) -> Gap {
        Gap { from: Duration::from_millis(from_ms), until: Duration::from_millis(until_ms) }
    }

    fn started() -> (tempfile::TempDir, Recorder, Uuid, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::start(folder.path().into(), RecordingFormat::Wav).unwrap();
        let call = Uuid::now_v7();
        let path = recorder.path(call, Timestamp::from_unix_ms(1_764_000_000_000));
        (folder, recorder, call, path)
    }

    #[tokio::test]
    async fn a_file_is_whole_and_its_digest_is_that_of_the_bytes_on_disk() {
        let (_folder, recorder, call, path) = started();
        let mut track = recorder.track(call, &path);
        for number in 0..4 {
            append(&mut track, number, 1);
        }
        let finished = recorder.finish(call, &path).await.unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(finished.duration.as_millis(), 2_000);
        assert_eq!(finished.bytes, bytes.len() as u64);
        assert_eq!(finished.check.unwrap().gaps, []);
        assert_eq!(&bytes[40..44], 64_000u32.to_le_bytes());
        let digest = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha512::digest(&bytes));
        assert_eq!(finished.digest, format!("sha512-{digest}"));
    }

    #[tokio::test]
    async fn a_call_without_sound_leaves_no_file() {
        let (_folder, recorder, call, path) = started();
        drop(recorder.track(call, &path));
        assert_eq!(recorder.finish(call, &path).await, None);
        assert!(!path.exists());
    }

    /// What a call's share of the queue does not take is a gap, and no other call's.
    #[tokio::test]
    async fn a_stalled_disk_never_makes_a_call_wait() {
        let folder = tempfile::tempdir().unwrap();
        let (disk_is_back, stalled) = sync_channel::<()>(0);
        let stalled = std::sync::Mutex::new(stalled);
        let recorder = Recorder::on(folder.path().into(), RecordingFormat::Wav, move |path| {
            let _ = stalled.lock().map(|stalled| stalled.recv());
            create_file(path)
        })
        .unwrap();
        let call = Uuid::now_v7();
        let path = recorder.path(call, Timestamp::from_unix_ms(0));
        let mut other = recorder.track(Uuid::now_v7(), &path.with_extension("other"));
        append(&mut other, 0, 1);
        // Ten minutes of sound find no taker and no wait.
        let mut track = recorder.track(call, &path);
        for number in 0..1_200 {
            append(&mut track, number, 2);
        }
        drop(disk_is_back);
        let finished = recorder.finish(call, &path).await.unwrap();
        assert_eq!(finished.duration.as_millis(), 600_000, "the length stays true");
        let heard_ms = track::WAITING_AT_MOST as u64 * 500;
        assert_eq!(finished.check.unwrap().gaps, [gap(heard_ms, 600_000)]);
        let bytes = std::fs::read(&path).unwrap();
        let heard = bytes.iter().skip(44).take_while(|&&byte| byte == 2).count();
        assert_eq!(heard as u64, heard_ms * 32);
        assert!(bytes[44 + heard..].iter().all(|&byte| byte == 0), "a gap is silence");
    }

    #[tokio::test]
    async fn a_disk_that_is_full_for_a_while_costs_that_while_only() {
        let folder = tempfile::tempdir().unwrap();
        let room_after = std::sync::atomic::AtomicUsize::new(3);
        let recorder = Recorder::on(folder.path().into(), RecordingFormat::Wav, move |path| {
            use std::sync::atomic::Ordering::SeqCst;
            let full = room_after.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
            if full { Err(std::io::ErrorKind::StorageFull.into()) } else { create_file(path) }
        })
        .unwrap();
        let call = Uuid::now_v7();
        let path = recorder.path(call, Timestamp::from_unix_ms(0));
        let mut track = recorder.track(call, &path);
        for number in 0..4 {
            append(&mut track, number, 5);
        }
        let finished = recorder.finish(call, &path).await.unwrap();
        assert_eq!((finished.duration.as_millis(), finished.failures), (2_000, 3));
        assert_eq!(finished.check.unwrap().gaps, [gap(0, 1_500)]);
    }

    #[tokio::test]
    async fn a_gap_in_the_middle_keeps_what_follows_in_its_place() {
        let (_folder, recorder, call, path) = started();
        let mut track = recorder.track(call, &path);
        append(&mut track, 0, 1);
        append(&mut track, 3, 3);
        let finished = recorder.finish(call, &path).await.unwrap();
        assert_eq!(finished.duration.as_millis(), 2_000);
        assert_eq!(finished.check.unwrap().gaps, [gap(500, 1_500)]);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 44 + 64_000);
        assert!(bytes[44..16_044].iter().all(|&byte| byte == 1));
        assert!(bytes[16_044..48_044].iter().all(|&byte| byte == 0));
        assert!(bytes[48_044..].iter().all(|&byte| byte == 3));
    }

    #[tokio::test]
    async fn a_second_recording_of_a_call_follows_the_first() {
        let (_folder, recorder, call, path) = started();
        let mut track = recorder.track(call, &path);
        append(&mut track, 0, 1);
        track.begin();
        append(&mut track, 0, 3);
        let finished = recorder.finish(call, &path).await.unwrap();
        assert_eq!((finished.duration.as_millis(), finished.bytes), (1_000, 44 + 32_000));
        assert!(std::fs::read(&path).unwrap()[16_044..].iter().all(|&byte| byte == 3));
    }

    #[tokio::test]
    async fn opus_is_a_fifth_and_plays_as_long() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::start(folder.path().into(), RecordingFormat::OggOpus).unwrap();
        let call = Uuid::now_v7();
        let path = recorder.path(call, Timestamp::from_unix_ms(0));
        let mut track = recorder.track(call, &path);
        for number in 0..20 {
            append(&mut track, number, 1);
        }
        let finished = recorder.finish(call, &path).await.unwrap();
        assert_eq!(recorder.left_behind(call, Timestamp::from_unix_ms(0)), Some(path.clone()));
        assert_eq!((finished.format, finished.duration.as_millis()), (RecordingFormat::OggOpus, 10_000));
        assert_eq!(finished.bytes, std::fs::metadata(&path).unwrap().len());
        assert!(finished.bytes < 320_000 / 5, "{}", finished.bytes);
    }
}
