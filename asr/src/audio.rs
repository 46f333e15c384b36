//! Any recording → one [`Audio16k`] a channel.
//!
//! Containers: WAV, Ogg, WebM/Matroska, MP4/M4A, ADTS, FLAC, MP3. Codecs: PCM, A-law, µ-law, Opus, Vorbis, FLAC,
//! MP3, AAC-LC. Files come from citizens and from crashes, so every dimension has a bound, and a file that
//! ends early gives what could be read. Samples are kept as 16 bits (four hours of a call: under 1 GB) and
//! resampled while decoding, so the full-rate recording is never in memory.

use std::fs::File;
use std::io::{Cursor, Read, SeekFrom};
use std::path::Path;
use std::sync::OnceLock;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error as MediaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

use crate::error::AsrError;
use crate::recognizer::CancelFlag;
use crate::resample::Resampler;

/// The rate every engine hears, samples a second.
pub const RATE_HZ: u32 = 16_000;

/// One channel of sound: 16 kHz, 16 bit. `Debug` shows only its length.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Audio16k {
    samples: Vec<i16>,
}

impl Audio16k {
    /// Samples at 16 kHz.
    pub fn new(samples: Vec<i16>) -> Self {
        Self { samples }
    }

    /// The samples.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// Length, milliseconds, rounded down.
    pub fn duration_ms(&self) -> u64 {
        self.samples.len() as u64 * 1000 / u64::from(RATE_HZ)
    }

    /// The samples between two times; times past the end are cut to it.
    pub fn between(&self, from_ms: u64, to_ms: u64) -> &[i16] {
        let at = |ms: u64| {
            let index = ms.saturating_mul(u64::from(RATE_HZ)) / 1000;
            usize::try_from(index).unwrap_or(usize::MAX).min(self.samples.len())
        };
        self.samples.get(at(from_ms)..at(to_ms)).unwrap_or_default()
    }

    /// [`between`](Self::between) as floats of -1..1, which is what engines take.
    pub fn floats_between(&self, from_ms: u64, to_ms: u64) -> Vec<f32> {
        self.between(from_ms, to_ms).iter().map(|&sample| f32::from(sample) / 32_768.0).collect()
    }
}

impl std::fmt::Debug for Audio16k {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Audio16k({} ms)", self.duration_ms())
    }
}

/// Bounds on a file from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest recording, milliseconds. Default 4 hours.
    pub max_duration_ms: u64,
    /// Most channels; a call has two. Default 2.
    pub max_channels: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_duration_ms: 4 * 3_600_000, max_channels: 2 }
    }
}

/// A decoded file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Left first; all of the same length.
    pub channels: Vec<Audio16k>,
    /// The file ended early or had undecodable packets (silent stretches stand for them).
    pub damaged: bool,
}

/// Decodes a file.
///
/// # Errors
/// [`AsrError::Read`], [`AsrError::Unsupported`], [`AsrError::Garbled`], [`AsrError::TooLong`], [`AsrError::Cancelled`].
pub fn decode_path(path: &Path, limits: &Limits, cancel: &CancelFlag) -> Result<Recording, AsrError> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(AsrError::Unsupported("not a regular file"));
    }
    decode(file, RATE_HZ, limits, cancel).map(Recording::from_planes)
}

/// Decodes a file that is already in memory.
///
/// # Errors
/// As [`decode_path`].
pub fn decode_bytes(bytes: &[u8], limits: &Limits, cancel: &CancelFlag) -> Result<Recording, AsrError> {
    decode(Cursor::new(bytes), RATE_HZ, limits, cancel).map(Recording::from_planes)
}

/// Decodes a short sound, a prompt say, to one channel at `rate_hz` (channels are averaged). At most 10 minutes.
///
/// # Errors
/// As [`decode_path`]; [`AsrError::Unsupported`] also for a rate outside 4000..=384000.
pub fn decode_mono(bytes: &[u8], rate_hz: u32) -> Result<Vec<i16>, AsrError> {
    let limits = Limits { max_duration_ms: 600_000, ..Limits::default() };
    let planes = decode(Cursor::new(bytes), rate_hz, &limits, &CancelFlag::new())?;
    let mut channels = planes.channels.into_iter();
    let first = channels.next().unwrap_or_default();
    Ok(channels.fold(first, |sum, channel| {
        let average = |(a, b): (i16, i16)| i16::midpoint(a, b);
        sum.into_iter().zip(channel).map(average).collect()
    }))
}

/// Decoded channels at some rate, before they get a name.
struct Planes {
    channels: Vec<Vec<i16>>,
    damaged: bool,
}

impl Recording {
    fn from_planes(planes: Planes) -> Self {
        let channels = planes.channels.into_iter().map(Audio16k::new).collect();
        Self { channels, damaged: planes.damaged }
    }
}

/// Sample rates a recording may have; beyond them the header is garbage or the resampler's table absurd.
pub(crate) const RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=384_000;

/// The shortest packet of any codec here is 2.5 ms (Opus); allow for empty ones, not for endless ones.
const MAX_PACKETS_A_SECOND: u64 = 1_000;

fn decode<'a>(
    source: impl MediaSource + 'a,
    rate_hz: u32,
    limits: &Limits,
    cancel: &CancelFlag,
) -> Result<Planes, AsrError> {
    if !RATES_HZ.contains(&rate_hz) {
        return Err(AsrError::Unsupported("sample rate"));
    }
    let stream = MediaSourceStream::new(with_whole_header(source)?, Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|error| refusal(error, "not a known recording format"))?;
    let (track, mut decoder) = decoder_of(format.as_ref())?;
    let mut sink = Sink::new(rate_hz, limits);
    let mut packets_left = 1_000 + limits.max_duration_ms.saturating_mul(MAX_PACKETS_A_SECOND) / 1000;

    loop {
        cancel.check()?;
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // A chained stream (another recording glued on), or the file is cut off here: keep what there is.
            Err(_) => {
                sink.damaged = true;
                break;
            }
        };
        packets_left = packets_left.saturating_sub(1);
        if packets_left == 0 {
            return Err(AsrError::TooLong { limit_ms: limits.max_duration_ms });
        }
        if packet.track_id != track {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(buffer) if buffer.is_empty() => {}
            Ok(buffer) => {
                let rate = buffer.spec().rate();
                buffer.copy_to_vecs_planar(&mut sink.scratch);
                sink.accept(rate)?;
            }
            Err(_) => sink.lost_packet()?,
        }
    }
    sink.finish()
}

/// Adds the extension size some exchanges leave out of the header of a G.711 WAV file.
///
/// RFC 2361 wants 18 bytes of format for anything but PCM and Symphonia insists; exchanges that write 16 are common.
fn with_whole_header<'a>(mut source: impl MediaSource + 'a) -> Result<Box<dyn MediaSource + 'a>, AsrError> {
    let mut header = Vec::with_capacity(38);
    source.by_ref().take(36).read_to_end(&mut header)?;
    let short_g711 = header.starts_with(b"RIFF")
        && matches!(header.get(8..22), Some(b"WAVEfmt \x10\0\0\0\x06\0" | b"WAVEfmt \x10\0\0\0\x07\0"))
        && header.len() == 36;
    if !short_g711 {
        source.seek(SeekFrom::Start(0))?;
        return Ok(Box::new(source));
    }
    // The whole (bytes 4..8, little-endian) and the format chunk (16..20) each grow by the two bytes added.
    if let Some((whole, _)) = header.get_mut(4..).and_then(|rest| rest.split_first_chunk_mut::<4>()) {
        *whole = u32::from_le_bytes(*whole).saturating_add(2).to_le_bytes();
    }
    if let Some(format) = header.get_mut(16) {
        *format = 18;
    }
    header.extend([0, 0]);
    Ok(Box::new(ReadOnlySource::new(Cursor::new(header).chain(source))))
}

fn decoder_of(format: &dyn FormatReader) -> Result<(u32, Box<dyn AudioDecoder>), AsrError> {
    let track = format.default_track(TrackType::Audio).ok_or(AsrError::Unsupported("no audio track"))?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or(AsrError::Unsupported("unknown audio codec"))?;
    let decoder = codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|error| refusal(error, "audio codec"))?;
    Ok((track.id, decoder))
}

fn codecs() -> &'static CodecRegistry {
    static CODECS: OnceLock<CodecRegistry> = OnceLock::new();
    CODECS.get_or_init(|| {
        let mut registry = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut registry);
        registry.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
        registry
    })
}

/// What a failed probe says about the file. Reading past the end is the file's fault, not the disk's.
fn refusal(error: MediaError, otherwise: &'static str) -> AsrError {
    match error {
        MediaError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            AsrError::Garbled("ends within its header")
        }
        MediaError::IoError(error) => AsrError::Read(error),
        MediaError::Unsupported(_) => AsrError::Unsupported(otherwise),
        MediaError::DecodeError(what) | MediaError::LimitError(what) => AsrError::Garbled(what),
        _ => AsrError::Unsupported(otherwise),
    }
}

/// Collects decoded packets, resampling as they come.
struct Sink {
    rate_hz: u32,
    limits: Limits,
    /// Samples a channel at `rate_hz` that `max_duration_ms` allows.
    max_samples: usize,
    source_rate_hz: u32,
    last_frames: usize,
    resamplers: Vec<Resampler>,
    channels: Vec<Vec<i16>>,
    scratch: Vec<Vec<f32>>,
    damaged: bool,
}

impl Sink {
    fn new(rate_hz: u32, limits: &Limits) -> Self {
        let max_samples = limits.max_duration_ms.saturating_mul(u64::from(rate_hz)) / 1000;
        Self {
            rate_hz,
            limits: *limits,
            max_samples: usize::try_from(max_samples).unwrap_or(usize::MAX),
            source_rate_hz: 0,
            last_frames: 0,
            resamplers: Vec::new(),
            channels: Vec::new(),
            scratch: Vec::new(),
            damaged: false,
        }
    }

    /// Takes what lies in `scratch`.
    fn accept(&mut self, source_rate_hz: u32) -> Result<(), AsrError> {
        let count = self.scratch.len();
        if count == 0 || count > self.limits.max_channels {
            return Err(AsrError::Unsupported("more channels than speakers"));
        }
        if self.channels.is_empty() {
            self.channels.resize_with(count, Vec::new);
        } else if self.channels.len() != count {
            return Err(AsrError::Garbled("the number of channels changes"));
        }
        if self.source_rate_hz != source_rate_hz {
            if !RATES_HZ.contains(&source_rate_hz) {
                return Err(AsrError::Unsupported("sample rate"));
            }
            self.flush();
            self.source_rate_hz = source_rate_hz;
            self.resamplers = (0..count).map(|_| Resampler::new(source_rate_hz, self.rate_hz)).collect();
        }
        self.last_frames = self.scratch.first().map_or(0, Vec::len);
        for ((plane, resampler), channel) in
            self.scratch.iter().zip(&mut self.resamplers).zip(&mut self.channels)
        {
            resampler.push(plane, channel);
            if channel.len() > self.max_samples {
                return Err(AsrError::TooLong { limit_ms: self.limits.max_duration_ms });
            }
        }
        Ok(())
    }

    /// Silence in place of a packet that cannot be decoded, so that later speech keeps its time.
    fn lost_packet(&mut self) -> Result<(), AsrError> {
        self.damaged = true;
        if self.channels.is_empty() {
            return Ok(());
        }
        self.scratch.resize_with(self.channels.len(), Vec::new);
        for plane in &mut self.scratch {
            plane.clear();
            plane.resize(self.last_frames, 0.0);
        }
        self.accept(self.source_rate_hz)
    }

    fn flush(&mut self) {
        for (resampler, channel) in self.resamplers.iter_mut().zip(&mut self.channels) {
            resampler.finish(channel);
        }
    }

    fn finish(mut self) -> Result<Planes, AsrError> {
        self.flush();
        if self.channels.iter().all(Vec::is_empty) && self.damaged {
            return Err(AsrError::Garbled("nothing in it can be decoded"));
        }
        Ok(Planes { channels: self.channels, damaged: self.damaged })
    }
}
