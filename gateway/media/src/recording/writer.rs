//! One recording file being written, in either format.

use super::{
    check::{Meter, RecordingCheck},
    ogg_opus::OggOpus,
};
use crate::{
    RecordingBlock, RecordingFormat,
    recorder::{BLOCK_BYTES, BYTES_PER_INSTANT},
    wav,
};

/// Silence for a hole, block by block.
static SILENCE: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

/// Turns blocks into a file. Everything it gives to `write` is to be appended, in order; only
/// [`Self::header`] goes to the beginning of a finished WAV.
pub struct RecordingWriter {
    format: Format,
    meter: Meter,
    /// Instants written so far.
    position: u64,
    paused: u64,
    bytes: u64,
}

enum Format {
    Wav,
    OggOpus(Box<OggOpus>),
}

impl RecordingWriter {
    /// A file yet without a byte. `serial` is a random number, which tells Ogg streams apart.
    #[must_use]
    pub fn new(format: RecordingFormat, serial: u32) -> Self {
        let format = match format {
            RecordingFormat::Wav => Format::Wav,
            RecordingFormat::OggOpus => Format::OggOpus(Box::new(OggOpus::new(serial))),
        };
        Self { format, meter: Meter::default(), position: 0, paused: 0, bytes: 0 }
    }

    /// Writes a block in its place: what is missing before it is silence. A block from before that place
    /// comes too late and is left out.
    pub fn append(&mut self, block: RecordingBlock<'_>, write: &mut dyn FnMut(&[u8])) {
        self.begin(write);
        self.paused = self.paused.max(block.paused);
        if block.at < self.position {
            return;
        }
        self.fill(block.at, write);
        self.meter.hear(block.pcm);
        self.put(block.pcm, write);
    }

    /// Ends the file after so many instants in all ([`crate::Recorder::position`]): what is missing there is
    /// silence as well. Then tells what is in it.
    pub fn finish(mut self, instants: u64, write: &mut dyn FnMut(&[u8])) -> RecordingCheck {
        self.begin(write);
        self.fill(instants, write);
        let Self { format, bytes, .. } = &mut self;
        if let Format::OggOpus(opus) = format {
            opus.finish(&mut counted(bytes, write));
        }
        self.meter.verdict(self.position, self.bytes, self.paused)
    }

    /// The true header for the beginning of a finished file, where the format has such.
    #[must_use]
    pub fn header(format: RecordingFormat, check: &RecordingCheck) -> Option<[u8; wav::HEADER_LENGTH]> {
        match format {
            RecordingFormat::Wav => Some(wav::repair(check.bytes)),
            RecordingFormat::OggOpus => None,
        }
    }

    fn begin(&mut self, write: &mut dyn FnMut(&[u8])) {
        if self.bytes > 0 {
            return;
        }
        let mut write = counted(&mut self.bytes, write);
        match &mut self.format {
            Format::Wav => write(&wav::wav_header(0)),
            Format::OggOpus(opus) => opus.begin(&mut write),
        }
    }

    /// Silence up to an instant, which is a gap.
    fn fill(&mut self, until: u64, write: &mut dyn FnMut(&[u8])) {
        if until <= self.position {
            return;
        }
        self.meter.lose(self.position, until);
        while self.position < until {
            let bytes = (until - self.position).saturating_mul(BYTES_PER_INSTANT as u64);
            let bytes = usize::try_from(bytes).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
            self.put(SILENCE.get(..bytes).unwrap_or(&SILENCE), write);
        }
    }

    fn put(&mut self, pcm: &[u8], write: &mut dyn FnMut(&[u8])) {
        self.position += (pcm.len() / BYTES_PER_INSTANT) as u64;
        let mut write = counted(&mut self.bytes, write);
        match &mut self.format {
            Format::Wav => write(pcm),
            Format::OggOpus(opus) => opus.append(pcm, &mut write),
        }
    }
}

/// `write`, counting.
fn counted<'a>(bytes: &'a mut u64, write: &'a mut dyn FnMut(&[u8])) -> impl FnMut(&[u8]) + 'a {
    move |piece| {
        *bytes += piece.len() as u64;
        write(piece);
    }
}
