//! Recordings that a crash left and no draft speaks of: the draft was lost with the disk's last second, or
//! never written because the disk was full. They are made playable and told; which call they belong to, their
//! name (the record's id) says.
//!
//! Looked for at start, before the first call, among the newest days only: older ones were seen at earlier
//! starts.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use gateway_media::{RecordingFormat, wav};

use super::file;

/// Days looked at: a crash over a weekend is found on Monday.
const DAYS: usize = 4;

/// Repairs what was never closed. Returns how many there were.
pub fn repair_all(folder: &Path) -> usize {
    let mut days = entries(folder);
    days.sort_unstable();
    let unclosed = days.iter().rev().take(DAYS).flat_map(|day| entries(day)).filter(|path| is_unclosed(path));
    let mut count = 0;
    for path in unclosed {
        count += 1;
        if let Err(error) = file::repair(&path) {
            tracing::error!(%error, path = %path.display(), "A recording without a record could not be repaired.");
        }
    }
    if count > 0 {
        metrics::counter!("jiesu_recording_orphans_total").increment(count as u64);
        tracing::warn!(count, "Recordings were found that no record speaks of; they are playable now.");
    }
    count
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Whether a recording was never closed: a WAV's header then says that there is nothing, an Ogg's last page
/// does not say that it is the last.
fn is_unclosed(path: &Path) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("wav") => {}
        Some("ogg") => {
            return file::format_of(path) == RecordingFormat::OggOpus && !ends_with_last_page(path);
        }
        _ => return false,
    }
    let mut header = [0; wav::HEADER_LENGTH];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header == wav::wav_header(0) && length(path) > header.len() as u64
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Largest Ogg page: header, 255 segments and what they hold (RFC 3533 section 6).
const LARGEST_PAGE: u64 = 65_307;
/// Header flag of the last page of a stream.
const LAST_PAGE: u8 = 4;

fn ends_with_last_page(path: &Path) -> bool {
    use std::os::unix::fs::FileExt as _;
    let length = length(path);
    let mut tail = vec![0; usize::try_from(length.min(LARGEST_PAGE)).unwrap_or(0)];
    let at = length.saturating_sub(tail.len() as u64);
    if File::open(path).and_then(|file| file.read_exact_at(&mut tail, at)).is_err() {
        return true;
    }
    let last = tail.windows(6).rev().find(|bytes| bytes.starts_with(b"OggS"));
    last.is_some_and(|page| page.get(5).is_some_and(|flags| flags & LAST_PAGE != 0))
}

#[cfg(test)]
mod tests {
    use gateway_media::{RecordingBlock, RecordingWriter};

    use super::*;

    fn write(path: &Path, format: RecordingFormat, closed: bool) {
        let mut bytes = Vec::new();
        let mut writer = RecordingWriter::new(format, 7);
        for number in 0..20 {
            let block = RecordingBlock { at: number * 4_000, paused: 0, pcm: &[1u8; 16_000] };
            writer.append(block, &mut |piece| bytes.extend_from_slice(piece));
        }
        if closed {
            let check = writer.finish(80_000, &mut |piece| bytes.extend_from_slice(piece));
            if let Some(header) = RecordingWriter::header(format, &check) {
                bytes[..header.len()].copy_from_slice(&header);
            }
        }
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn only_what_was_never_closed_is_repaired_and_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("20261124/closed.wav"), RecordingFormat::Wav, true);
        write(&at("20261124/closed.ogg"), RecordingFormat::OggOpus, true);
        write(&at("20261125/cut.wav"), RecordingFormat::Wav, false);
        write(&at("20261125/cut.ogg"), RecordingFormat::OggOpus, false);
        let before = std::fs::read(at("20261124/closed.ogg")).unwrap();
        assert_eq!(repair_all(folder.path()), 2);
        assert_eq!(repair_all(folder.path()), 0);
        assert_eq!(std::fs::read(at("20261124/closed.ogg")).unwrap(), before);
        let repaired = std::fs::read(at("20261125/cut.wav")).unwrap();
        assert_eq!(repaired[40..44], 320_000u32.to_le_bytes());
    }

    #[test]
    fn a_folder_that_does_not_exist_yet_holds_no_orphans() {
        assert_eq!(repair_all(Path::new("/nowhere/at/all")), 0);
    }
}
