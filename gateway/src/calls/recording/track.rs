//! A call's end of its recording: hands blocks over and never waits.

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex};

use gateway_media::RecordingBlock;
use gateway_media::wav::BYTES_PER_INSTANT;
use record::Uuid;

use super::writer::Job;

/// Blocks of one call waiting for the disk (32 s, 1 MiB), so that one call cannot take the whole queue.
pub const WAITING_AT_MOST: usize = 64;
/// Used blocks kept to be used again.
const SPARE: usize = 256;

/// The call's end.
#[derive(Debug)]
pub struct Track {
    call: Uuid,
    path: Arc<Path>,
    jobs: SyncSender<Job>,
    spare: Arc<Spare>,
    state: Arc<State>,
    /// Where the recording that runs began: a call may record more than once into its file.
    began: u64,
}

/// What both ends know.
#[derive(Debug, Default)]
pub struct State {
    /// Instants the call has made, lost ones included.
    pub instants: AtomicU64,
    /// Blocks waiting.
    pub waiting: AtomicUsize,
}

impl Track {
    pub(super) fn new(call: Uuid, path: &Path, jobs: SyncSender<Job>, spare: Arc<Spare>) -> Self {
        Self { call, path: path.into(), jobs, spare, state: Arc::default(), began: 0 }
    }

    /// Takes a block to its place. Never waits: what the queue does not take is a gap.
    pub fn append(&mut self, block: RecordingBlock<'_>) {
        let at = self.began + block.at;
        self.reach(block.at + block.pcm.len() as u64 / u64::from(BYTES_PER_INSTANT));
        if self.state.waiting.load(Ordering::Relaxed) >= WAITING_AT_MOST {
            return lost();
        }
        let mut pcm = self.spare.take();
        pcm.extend_from_slice(block.pcm);
        self.state.waiting.fetch_add(1, Ordering::Relaxed);
        let (path, state) = (self.path.clone(), self.state.clone());
        let job = Job::Append { call: self.call, path, state, at, paused: block.paused, pcm };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.jobs.try_send(job) {
            self.state.waiting.fetch_sub(1, Ordering::Relaxed);
            lost();
        }
    }

    /// The recording is so many instants long, whether or not their blocks came.
    pub fn reach(&mut self, position: u64) {
        self.state.instants.fetch_max(self.began + position, Ordering::Relaxed);
    }

    /// Another recording of the call begins, where the one before ended.
    pub fn begin(&mut self) {
        self.began = self.state.instants.load(Ordering::Relaxed);
    }
}

fn lost() {
    metrics::counter!("jiesu_recording_blocks_lost_total").increment(1);
}

/// Blocks to be used again. Nobody waits for it: who finds it taken makes a new block.
#[derive(Debug, Default)]
pub struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    fn take(&self) -> Vec<u8> {
        self.0.try_lock().ok().and_then(|mut blocks| blocks.pop()).unwrap_or_default()
    }

    pub(super) fn give(&self, mut block: Vec<u8>) {
        block.clear();
        if let Ok(mut blocks) = self.0.try_lock()
            && blocks.len() < SPARE
        {
            blocks.push(block);
        }
    }
}
