//! Announcements: sound held in memory once for all calls, and the player of one call.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    MediaError,
    frame::{FRAME_SAMPLES, SAMPLE_RATE, Samples},
    resample,
    wav::Audio,
};

/// Prompts waiting at once in one call.
pub const MAX_QUEUED: usize = 32;

/// Sound at 8 kHz mono; cloning shares it.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt(Arc<[i16]>);

impl std::fmt::Debug for Prompt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Prompt").field("samples", &self.0.len()).finish()
    }
}

impl Prompt {
    /// From samples at 8 kHz.
    #[must_use]
    pub fn new(samples: impl Into<Arc<[i16]>>) -> Self {
        Self(samples.into())
    }

    /// From a 16-bit WAV file of any rate `resample.rs` converts; channels are averaged.
    ///
    /// # Errors
    /// [`MediaError::Wav`] or [`MediaError::Rate`]: the file is for the operator to replace.
    pub fn from_wav(file: &[u8]) -> Result<Self, MediaError> {
        let audio = Audio::read(file)?;
        let mono = audio.mono();
        if audio.rate == SAMPLE_RATE {
            return Ok(Self::new(mono));
        }
        resample::convert(&mono, audio.rate, SAMPLE_RATE).map(Self::new)
    }

    /// Its samples.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.0
    }

    /// How long it sounds.
    #[must_use]
    pub fn duration(&self) -> std::time::Duration {
        crate::frame::duration_of(self.0.len() as u64)
    }
}

#[derive(Debug, Clone)]
struct Item {
    prompt: Prompt,
    id: u64,
    repeat: bool,
}

/// Plays prompts one after the other, sample by sample without a seam.
#[derive(Debug)]
pub struct Player {
    queue: VecDeque<Item>,
    /// Next sample of the first prompt.
    position: usize,
    /// Silence still owed before it, in samples.
    pause: usize,
    /// Silence between two prompts and between repetitions, in samples.
    gap: usize,
    finished: VecDeque<u64>,
}

impl Player {
    /// An idle player which leaves `gap` samples of silence between prompts and between repetitions.
    #[must_use]
    pub fn new(gap: usize) -> Self {
        Self {
            queue: VecDeque::with_capacity(MAX_QUEUED),
            position: 0,
            pause: 0,
            gap,
            finished: VecDeque::with_capacity(MAX_QUEUED),
        }
    }

    /// Queues a prompt. A repeated one plays until `stop`, or until another is queued and its round ends.
    ///
    /// # Errors
    /// [`MediaError::PromptQueueFull`].
    pub fn play(&mut self, prompt: Prompt, id: u64, repeat: bool) -> Result<(), MediaError> {
        // Ends not yet polled count too, so that neither list can outgrow its room.
        if self.queue.len() + self.finished.len() >= MAX_QUEUED {
            return Err(MediaError::PromptQueueFull);
        }
        self.queue.push_back(Item { prompt, id, repeat });
        Ok(())
    }

    /// Silence at once. Prompts cut off are not told as finished; ends already reached still are.
    pub fn stop(&mut self) {
        self.queue.clear();
        self.position = 0;
        self.pause = 0;
    }

    /// Whether anything plays or waits.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Fills the next frame; false (and silence) when nothing plays.
    pub fn next_frame(&mut self, out: &mut Samples) -> bool {
        let was_playing = self.is_playing();
        let mut filled = 0;
        out.fill(0);
        while filled < FRAME_SAMPLES
            && let Some(item) = self.queue.front()
        {
            let silence = self.pause.min(FRAME_SAMPLES - filled);
            self.pause -= silence;
            filled += silence;
            let rest = item.prompt.samples().get(self.position..).unwrap_or_default();
            let room = out.get_mut(filled..).unwrap_or_default();
            let count = rest.len().min(room.len());
            room.iter_mut().zip(rest).for_each(|(slot, &sample)| *slot = sample);
            self.position += count;
            filled += count;
            if count == rest.len() && self.pause == 0 {
                self.end_round();
            }
        }
        was_playing
    }

    /// The id of the next prompt that has played to its end.
    pub fn poll_finished(&mut self) -> Option<u64> {
        self.finished.pop_front()
    }

    /// The prompt in front has come to its end.
    fn end_round(&mut self) {
        self.position = 0;
        self.pause = self.gap;
        let Some(item) = self.queue.front() else { return };
        // An empty prompt repeated would never let a frame end.
        let again = item.repeat && self.queue.len() == 1 && !item.prompt.samples().is_empty();
        if !again && let Some(item) = self.queue.pop_front() {
            self.finished.push_back(item.id);
        }
        if self.queue.is_empty() {
            self.pause = 0;
        }
    }
}
