//! A recording file when its call is over, or when a crash left it: true header, true length, fsync, digest.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use gateway_media::recording::ogg;
use gateway_media::{RecordingCheck, RecordingFormat, RecordingWriter, wav};
use sha2::{Digest as _, Sha512};

/// Bytes of a WAV a millisecond: 8 kHz, two channels, 16 bits.
const BYTES_PER_MS: u64 = 32;
/// Bytes read at once.
const PIECE: usize = 256 * 1024;

/// A finished recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub format: RecordingFormat,
    /// Its size, header included.
    pub bytes: u64,
    /// `sha512-` and base64url, as a vCon's content_hash.
    pub digest: String,
    /// Its length.
    pub duration: Duration,
    /// What went into it; unknown of a file that a crash left.
    pub check: Option<RecordingCheck>,
    /// Pieces the disk did not take.
    pub failures: u64,
}

/// The format of a recording, by its name.
pub fn format_of(path: &Path) -> RecordingFormat {
    if path.extension().is_some_and(|extension| extension == RecordingFormat::OggOpus.extension()) {
        RecordingFormat::OggOpus
    } else {
        RecordingFormat::Wav
    }
}

/// Closes a file that was written to its end.
pub fn complete(path: &Path, check: RecordingCheck, failures: u64) -> std::io::Result<Finished> {
    let file = open(path)?;
    let format = format_of(path);
    if let Some(header) = RecordingWriter::header(format, &check) {
        file.write_all_at(&header, 0)?;
    }
    let (bytes, digest) = seal(file)?;
    let duration = check.duration;
    Ok(Finished { path: path.to_owned(), format, bytes, digest, duration, check: Some(check), failures })
}

/// Makes what a crash left playable as far as it goes.
pub fn repair(path: &Path) -> std::io::Result<Finished> {
    let mut file = open(path)?;
    let format = format_of(path);
    let duration = match format {
        RecordingFormat::Wav => {
            let header = wav::repair(file.metadata()?.len());
            let [.., d0, d1, d2, d3] = header;
            let data = u32::from_le_bytes([d0, d1, d2, d3]);
            file.set_len(header.len() as u64 + u64::from(data))?;
            file.write_all_at(&header, 0)?;
            Duration::from_millis(u64::from(data) / BYTES_PER_MS)
        }
        RecordingFormat::OggOpus => {
            let mut scan = ogg::Scan::default();
            pieces(&mut file, |piece| scan.read(piece))?;
            let Some(repair) = scan.finish() else {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::InvalidData,
                    "not even the headers are whole",
                ));
            };
            file.set_len(repair.length)?;
            file.write_all_at(&repair.last_page, repair.last_page_at)?;
            repair.duration()
        }
    };
    let (bytes, digest) = seal(file)?;
    Ok(Finished { path: path.to_owned(), format, bytes, digest, duration, check: None, failures: 0 })
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// To the disk for good. Returns size and digest of what is there.
fn seal(mut file: File) -> std::io::Result<(u64, String)> {
    file.sync_all()?;
    let mut hash = Sha512::new();
    let bytes = pieces(&mut file, |piece| hash.update(piece))?;
    let digest = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash.finalize());
    Ok((bytes, format!("sha512-{digest}")))
}

/// Reads a file from its beginning to its end; returns its size.
fn pieces(file: &mut File, mut take: impl FnMut(&[u8])) -> std::io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0u8; PIECE];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(bytes),
            read => {
                bytes += read as u64;
                take(&buffer[..read]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_media::RecordingBlock;

    use super::*;

    #[test]
    fn a_file_cut_by_a_crash_is_repaired_to_its_last_whole_sample() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut bytes = wav::wav_header(0).to_vec();
        bytes.extend([7u8; 3203]);
        std::fs::write(&path, &bytes).unwrap();
        let repaired = repair(&path).unwrap();
        assert_eq!((repaired.duration.as_millis(), repaired.bytes), (100, 44 + 3200));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 44 + 3200);
    }

    #[test]
    fn an_opus_file_cut_by_a_crash_plays_to_its_last_whole_page() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ogg");
        let mut bytes = Vec::new();
        let mut writer = RecordingWriter::new(RecordingFormat::OggOpus, 7);
        for number in 0..20 {
            let block = RecordingBlock { at: number * 4_000, paused: 0, pcm: &[0u8; 16_000] };
            writer.append(block, &mut |piece| bytes.extend_from_slice(piece));
        }
        std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        let repaired = repair(&path).unwrap();
        assert!((5..10).contains(&repaired.duration.as_secs()), "{:?}", repaired.duration);
        assert!(repaired.bytes < bytes.len() as u64);
        // Nothing but the beginning of a header is nothing to play.
        std::fs::write(&path, &bytes[..20]).unwrap();
        assert!(repair(&path).is_err());
    }
}
