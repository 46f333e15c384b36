//! Recording a call in two channels: left the caller, right the agent; 8 kHz, 16 bits, interleaved.
//!
//! Sound is placed by its instant on the recording's own timeline, so both channels have equal length
//! at every moment and what never came is silence. Blocks come out in file order: appended to the 44
//! bytes of [`wav_header`](crate::wav::wav_header) they are the file, and a digest over the blocks is a
//! digest of the sound that does not depend on when the header was written.

use std::time::Instant;

use crate::{
    frame::samples_between,
    wav::{BYTES_PER_INSTANT, MAX_DATA_BYTES},
};

/// Instants kept before they must be polled (2 s).
pub const WINDOW: usize = 16_000;
/// Instants in one polled block (500 ms).
pub const BLOCK: usize = 4_000;
/// Sound may be pushed this much behind the newest (100 ms).
const HOLD_BACK: u64 = 800;
/// Instants a WAV file can hold.
const LONGEST: u64 = (MAX_DATA_BYTES / BYTES_PER_INSTANT) as u64;

/// Side of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Left: who called.
    Caller,
    /// Right: who answered.
    Agent,
}

/// One running recording.
pub struct Recorder {
    started: Instant,
    /// Ring of instants, silent where nothing was pushed.
    window: Box<[[i16; 2]]>,
    /// First instant not polled yet.
    base: u64,
    /// One after the newest instant pushed.
    newest: u64,
    end: Option<u64>,
    block: Vec<u8>,
    dropped: u64,
}

impl Recorder {
    /// An empty recording whose timeline begins at `started`.
    #[must_use]
    pub fn new(started: Instant) -> Self {
        Self {
            started,
            window: vec![[0; 2]; WINDOW].into_boxed_slice(),
            base: 0,
            newest: 0,
            end: None,
            block: Vec::with_capacity(BLOCK * BYTES_PER_INSTANT as usize),
            dropped: 0,
        }
    }

    /// The place of an instant on the timeline, in samples.
    #[must_use]
    pub fn position(&self, now: Instant) -> u64 {
        u64::try_from(samples_between(self.started, now)).unwrap_or(0)
    }

    /// Places sound at `at` samples from the beginning. What falls before blocks already polled, or more
    /// than the window ahead of them, is dropped and counted: memory stays bounded and time stays true.
    pub fn push(&mut self, channel: Channel, at: u64, sound: &[i16]) {
        if self.end.is_some() {
            return;
        }
        self.newest = self.newest.max(at.saturating_add(sound.len() as u64));
        let side = match channel {
            Channel::Caller => 0,
            Channel::Agent => 1,
        };
        for (offset, &sample) in (0u64..).zip(sound) {
            let at = at.saturating_add(offset);
            if at < self.base || at - self.base >= WINDOW as u64 {
                self.dropped += 1;
            } else if let Some(slot) =
                self.window.get_mut((at % WINDOW as u64) as usize).and_then(|instant| instant.get_mut(side))
            {
                *slot = sample;
            }
        }
    }

    /// Ends the recording at `at` samples: silence is added or sound left out to meet it exactly, except
    /// that blocks already polled stay.
    pub fn finish(&mut self, at: u64) {
        self.end.get_or_insert(at.min(LONGEST).max(self.base));
    }

    /// The next block to append; none until half a second is complete, or for good after the last.
    pub fn poll_block(&mut self) -> Option<&[u8]> {
        let ready = match self.end {
            Some(end) => end.saturating_sub(self.base).min(BLOCK as u64),
            None if self.newest >= self.base + BLOCK as u64 + HOLD_BACK => BLOCK as u64,
            None => 0,
        };
        let ready = ready.min(LONGEST.saturating_sub(self.base));
        if ready == 0 {
            return None;
        }
        self.block.clear();
        for at in self.base..self.base + ready {
            if let Some(instant) = self.window.get_mut((at % WINDOW as u64) as usize) {
                let [left, right] = std::mem::take(instant);
                self.block.extend_from_slice(&left.to_le_bytes());
                self.block.extend_from_slice(&right.to_le_bytes());
            }
        }
        self.base += ready;
        Some(&self.block)
    }

    /// Bytes polled so far: the data length for the header.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        self.base * u64::from(BYTES_PER_INSTANT)
    }

    /// Whether it has ended and every block was polled.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.end.is_some_and(|end| self.base >= end)
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.end.is_some()
    }

    /// Samples which came too late or were not polled in time.
    #[must_use]
    pub fn dropped_samples(&self) -> u64 {
        self.dropped
    }
}
