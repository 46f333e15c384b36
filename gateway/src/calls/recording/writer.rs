//! The thread that writes: each block to its place in its call's file. It alone waits for the disk.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use gateway_media::{RecordingBlock, RecordingCheck, RecordingFormat, RecordingWriter};
use record::Uuid;
use tokio::sync::oneshot;

use super::track::{Spare, State};

/// What is to be done.
#[derive(Debug)]
pub enum Job {
    /// A block of a call.
    Append {
        /// Whose.
        call: Uuid,
        /// Its file.
        path: Arc<Path>,
        /// What its track knows.
        state: Arc<State>,
        /// Its place, in instants.
        at: u64,
        /// Instants paused so far.
        paused: u64,
        /// The sound.
        pcm: Vec<u8>,
    },
    /// No block of this call follows.
    Finish {
        /// Which.
        call: Uuid,
        /// Told what is in the file; none when the call has none.
        done: oneshot::Sender<Option<Closed>>,
    },
}

/// What a call's file should hold.
#[derive(Debug)]
pub struct Closed {
    /// What went into it.
    pub check: RecordingCheck,
    /// Pieces the disk did not take.
    pub failures: u64,
}

/// Makes the empty file of a recording, open for writing.
pub type Create = dyn Fn(&Path) -> std::io::Result<File> + Send;

/// Works until every track and the recorder are gone.
pub fn run(queue: &Receiver<Job>, spare: &Spare, format: RecordingFormat, create: &Create) {
    let mut recordings: HashMap<Uuid, Recording> = HashMap::new();
    while let Ok(job) = queue.recv() {
        match job {
            Job::Append { call, path, state, at, paused, pcm } => {
                let recording = recordings.entry(call).or_insert_with(|| Recording::new(state, format));
                recording.append(create, &path, RecordingBlock { at, paused, pcm: &pcm });
                recording.state.waiting.fetch_sub(1, Ordering::Relaxed);
                spare.give(pcm);
            }
            Job::Finish { call, done } => {
                // A call whose task is gone does not ask.
                let _ = done.send(recordings.remove(&call).and_then(Recording::close));
            }
        }
    }
}

struct Recording {
    state: Arc<State>,
    writer: RecordingWriter,
    file: Option<Place>,
    failures: u64,
}

/// A file and how far it is written.
struct Place {
    file: File,
    offset: u64,
}

impl Recording {
    fn new(state: Arc<State>, format: RecordingFormat) -> Self {
        Self { state, writer: RecordingWriter::new(format, rand::random()), file: None, failures: 0 }
    }

    /// A failure loses this block, the next is tried again: a full disk may be given room.
    fn append(&mut self, create: &Create, path: &Path, block: RecordingBlock<'_>) {
        if self.file.is_none() {
            match create(path) {
                Ok(file) => self.file = Some(Place { file, offset: 0 }),
                Err(error) => return fail(&mut self.failures, error),
            }
        }
        let (failures, Some(place)) = (&mut self.failures, &mut self.file) else { return };
        self.writer.append(block, &mut |piece| place.write(piece, failures));
    }

    fn close(self) -> Option<Closed> {
        let Self { state, writer, file, mut failures } = self;
        let mut place = file?;
        let instants = state.instants.load(Ordering::Relaxed);
        let check = writer.finish(instants, &mut |piece| place.write(piece, &mut failures));
        if !check.gaps.is_empty() {
            metrics::counter!("jiesu_recording_gaps_total").increment(check.gaps.len() as u64);
        }
        Some(Closed { check, failures })
    }
}

impl Place {
    /// What the disk does not take leaves its place empty, so that the rest stays where it belongs.
    fn write(&mut self, piece: &[u8], failures: &mut u64) {
        if let Err(error) = self.file.write_all_at(piece, self.offset) {
            fail(failures, error);
        }
        self.offset += piece.len() as u64;
    }
}

/// The first failure of a recording is logged, all are counted.
fn fail(failures: &mut u64, error: std::io::Error) {
    *failures += 1;
    if *failures == 1 {
        note_failure::<()>(Err(error));
    }
}

/// Makes a recording's file and its folder.
pub fn create_file(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Counts and logs a failure of the disk.
pub fn note_failure<T>(result: std::io::Result<T>) -> Option<T> {
    result
        .inspect_err(|error| {
            metrics::counter!("jiesu_recording_failures_total").increment(1);
            tracing::error!(%error, "A recording could not be written.");
        })
        .ok()
}
