//! WAV files: the header of our recordings, its repair after a crash, and reading prompts.
//!
//! A recording's header is written first with length zero, blocks are appended, and the header is
//! written again at the end. What a crash cuts has a stale header and whole sound: [`repair`] makes it
//! playable from the file's length alone.

use crate::{MediaError, frame::SAMPLE_RATE};

/// Bytes before the first sample of a recording.
pub const HEADER_LENGTH: usize = 44;
/// Bytes of one instant: two channels of 16 bits.
pub const BYTES_PER_INSTANT: u32 = 4;
/// A RIFF length is 32 bits: a recording ends there, after 37 hours.
pub const MAX_DATA_BYTES: u32 = u32::MAX - 64;
const PCM: u16 = 1;
const EXTENSIBLE: u16 = 0xfffe;

/// Header of an 8 kHz, 16-bit stereo recording with so many bytes of samples.
#[must_use]
pub fn wav_header(data_bytes: u32) -> [u8; HEADER_LENGTH] {
    let data_bytes = data_bytes.min(MAX_DATA_BYTES);
    let mut header = [0; HEADER_LENGTH];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &(data_bytes + 36).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16u32.to_le_bytes(),
        &PCM.to_le_bytes(),
        &2u16.to_le_bytes(),
        &SAMPLE_RATE.to_le_bytes(),
        &(SAMPLE_RATE * BYTES_PER_INSTANT).to_le_bytes(),
        &(BYTES_PER_INSTANT as u16).to_le_bytes(),
        &16u16.to_le_bytes(),
        b"data",
        &data_bytes.to_le_bytes(),
    ];
    for (slot, &byte) in header.iter_mut().zip(fields.into_iter().flatten()) {
        *slot = byte;
    }
    header
}

/// The header a recording of this total length should have. An instant cut in half is left out; the
/// file should be truncated to `HEADER_LENGTH` plus the data length the header names.
#[must_use]
pub fn repair(total_file_length: u64) -> [u8; HEADER_LENGTH] {
    let data = total_file_length.saturating_sub(HEADER_LENGTH as u64).min(u64::from(MAX_DATA_BYTES));
    let data = u32::try_from(data).unwrap_or(MAX_DATA_BYTES);
    wav_header(data - data % BYTES_PER_INSTANT)
}

/// A WAV file's sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Samples per second and channel.
    pub rate: u32,
    /// Channels, interleaved in `samples`.
    pub channels: u16,
    /// Linear samples.
    pub samples: Vec<i16>,
}

impl Audio {
    /// Reads a 16-bit PCM file.
    ///
    /// # Errors
    /// [`MediaError::Wav`] with what is missing.
    pub fn read(file: &[u8]) -> Result<Self, MediaError> {
        let (start, mut rest) = file.split_first_chunk::<12>().ok_or(MediaError::Wav("no riff header"))?;
        if !start.starts_with(b"RIFF") || !start.ends_with(b"WAVE") {
            return Err(MediaError::Wav("no riff header"));
        }
        let mut format = None;
        while let Some((&[i0, i1, i2, i3, l0, l1, l2, l3], after)) = rest.split_first_chunk::<8>() {
            let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
            // A file still being written or cut by a crash says less or more than it has: take what is there.
            let (body, next) = after.split_at_checked(length).unwrap_or((after, &[]));
            match &[i0, i1, i2, i3] {
                b"fmt " => format = Some(read_format(body)?),
                b"data" => {
                    let (rate, channels) = format.ok_or(MediaError::Wav("samples before format"))?;
                    let samples = body.as_chunks().0.iter().map(|&two| i16::from_le_bytes(two)).collect();
                    return Ok(Self { rate, channels, samples });
                }
                _ => {}
            }
            // Chunks begin at even offsets.
            rest = next.get(length % 2..).unwrap_or_default();
        }
        Err(MediaError::Wav("no samples"))
    }

    /// The mean of all channels.
    #[must_use]
    pub fn mono(&self) -> Vec<i16> {
        let channels = usize::from(self.channels.max(1));
        let mean = |instant: &[i16]| {
            let sum: i64 = instant.iter().map(|&sample| i64::from(sample)).sum();
            (sum / channels as i64) as i16
        };
        self.samples.chunks_exact(channels).map(mean).collect()
    }
}

fn read_format(body: &[u8]) -> Result<(u32, u16), MediaError> {
    let (&[k0, k1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1], _) =
        body.split_first_chunk::<16>().ok_or(MediaError::Wav("format is cut short"))?;
    let (kind, bits) = (u16::from_le_bytes([k0, k1]), u16::from_le_bytes([b0, b1]));
    let channels = u16::from_le_bytes([c0, c1]);
    if !matches!(kind, PCM | EXTENSIBLE) || bits != 16 {
        return Err(MediaError::Wav("samples are not 16-bit pcm"));
    }
    if channels == 0 {
        return Err(MediaError::Wav("no channels"));
    }
    Ok((u32::from_le_bytes([r0, r1, r2, r3]), channels))
}
