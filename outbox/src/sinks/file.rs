//! One JSON object a line, appended, flushed and fsynced.
//!
//! After a crash the last line may be half written: it is cut off, and the record is offered again. Records
//! that were written but not yet counted are found by looking at the tail of the file. A file that was moved
//! away (log rotation) is noticed and made anew.

use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use record::View;
use record::units::size;
use serde::Deserialize;
use serde_json::Value;

use super::{Sink, SinkError};
use crate::delivery::{Delivery, Format};

/// Lines in one delivery, and so the most that can be written but not counted.
pub(super) const BATCH_RECORDS: usize = 128;

/// How much of the file is read at once when looking at its tail, bytes.
const CHUNK: u64 = 64 << 10;

/// `kind = "file"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// Name of the sink.
    pub name: String,
    /// The file; missing folders are made. Mode 0600.
    pub path: PathBuf,
    /// `record` (default), `cloudevent` or `vcon`.
    #[serde(default)]
    pub format: Format,
    /// What may be seen; default `sealed`.
    #[serde(default = "super::file::sealed")]
    pub view: View,
    /// Longest line; a longer record is parked. Default `"8MiB"`.
    #[serde(default = "super::file::longest_line", with = "size")]
    pub max_line: u64,
}

pub(super) const fn sealed() -> View {
    View::Sealed
}

pub(super) const fn longest_line() -> u64 {
    8 << 20
}

/// See the module.
pub struct FileSink {
    config: FileConfig,
    /// Taken while a blocking task works with it; a failure leaves `None`, and the next delivery repairs.
    open: Option<Open>,
}

struct Open {
    file: File,
    /// What the tail held when it was opened.
    tail: HashSet<String>,
}

impl FileSink {
    /// A sink that opens its file with the first delivery.
    pub fn new(config: FileConfig) -> Self {
        Self { config, open: None }
    }

    /// The lines of the leading records that can be written.
    fn lines(&self, batch: &[Delivery]) -> Result<Vec<(String, String)>, SinkError> {
        let mut lines = Vec::with_capacity(batch.len());
        for delivery in batch {
            let refusal = match delivery.render(self.config.format) {
                Some(line) if (line.len() as u64) < self.config.max_line => {
                    lines.push((delivery.id.clone(), line));
                    continue;
                }
                Some(_) => SinkError::never("too_large"),
                None => SinkError::never("unreadable"),
            };
            if lines.is_empty() {
                return Err(refusal);
            }
            break;
        }
        Ok(lines)
    }
}

#[async_trait]
impl Sink for FileSink {
    fn name(&self) -> &str {
        &self.config.name
    }

    async fn deliver(&mut self, batch: &[Delivery]) -> Result<usize, SinkError> {
        let lines = self.lines(batch)?;
        let (open, path, count) = (self.open.take(), self.config.path.clone(), lines.len());
        let work = move || write(open, &path, &lines);
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(open)) => {
                self.open = Some(open);
                Ok(count)
            }
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(SinkError::unknown("panicked")),
        }
    }
}

fn classify(error: &io::Error) -> SinkError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SinkError::retry("disk_full"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            SinkError::unknown("permission")
        }
        io::ErrorKind::WouldBlock => SinkError::retry("locked"),
        _ => SinkError::unknown("io"),
    }
}

/// Appends what the file does not hold yet and makes it durable.
fn write(open: Option<Open>, path: &Path, lines: &[(String, String)]) -> io::Result<Open> {
    let mut open = match open {
        Some(open) if is_still(&open.file, path) => open,
        _ => open_and_repair(path)?,
    };
    let mut text = String::new();
    for (id, line) in lines {
        // Found once, it need not be kept: it will not be offered again.
        if !open.tail.remove(id) {
            text.push_str(line);
            text.push('\n');
        }
    }
    open.file.write_all(text.as_bytes())?;
    open.file.sync_data()?;
    Ok(open)
}

/// Whether `path` still names the open file.
fn is_still(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn open_and_repair(path: &Path) -> io::Result<Open> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
    // A write that outlived its deadline may still be under way in another thread.
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
    let (tail, whole) = read_tail(&mut file, BATCH_RECORDS)?;
    file.set_len(whole)?;
    // A new file is durable once its folder is.
    file.sync_all()?;
    File::open(folder)?.sync_all()?;
    Ok(Open { file, tail })
}

/// The ids on the last `count` whole lines, and where the whole lines end.
fn read_tail(file: &mut File, count: usize) -> io::Result<(HashSet<String>, u64)> {
    let length = file.metadata()?.len();
    let (mut start, mut bytes) = (length, Vec::new());
    // One newline more than lines, so that the first line is a whole one.
    while start > 0 && bytes.iter().filter(|b| **b == b'\n').count() <= count {
        let from = start.saturating_sub(CHUNK);
        let mut chunk = vec![0; usize::try_from(start - from).unwrap_or(0)];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut chunk)?;
        chunk.append(&mut bytes);
        (start, bytes) = (from, chunk);
    }
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let lines = bytes.get(..whole).unwrap_or_default();
    let ids = lines.rsplit(|b| *b == b'\n').skip(1).take(count).filter_map(id_of).collect();
    Ok((ids, start + u64::try_from(whole).unwrap_or(0)))
}

/// The id of a line of ours, whatever its format; a line of others has none.
fn id_of(line: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let record = if value.get("specversion").is_some() { value.get("data")? } else { &value };
    Some(format!("{}.{}", record.get("record_id")?.as_str()?, record.get("revision")?.as_u64()?))
}
