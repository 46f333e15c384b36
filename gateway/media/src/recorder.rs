//! One call's recording on its way to the file: left the caller, right whom the caller hears; 8 kHz,
//! 16 bits, interleaved, tick by tick.
//!
//! Both channels are written in one step, so they cannot part. Sound comes out in blocks that know their
//! place: what was skipped, or not polled in time, is a jump between two of them, and whoever writes the
//! file fills it with silence ([`crate::RecordingWriter`]). While paused (a bank card is read out) the
//! timeline goes on in silence and what is said is nowhere.

use std::{collections::VecDeque, time::Duration};

use crate::frame::{FRAME_SAMPLES, SILENCE, Samples, duration_of};

/// Bytes of one instant: two channels of 16 bits.
pub const BYTES_PER_INSTANT: usize = 4;
/// Ticks in one full block (500 ms).
pub const BLOCK_TICKS: usize = 25;
/// Bytes in one full block.
pub const BLOCK_BYTES: usize = BLOCK_TICKS * TICK_BYTES;
const TICK_BYTES: usize = FRAME_SAMPLES * BYTES_PER_INSTANT;
/// Blocks held at once, one lent out and the one being filled included. Two are enough while every tick is
/// followed by polling; the others are made only when many ticks are caught up at once.
const MAX_BLOCKS: usize = 4;
/// Pauses told one by one; beyond, the last is drawn out.
const MAX_PAUSES: usize = 64;

/// A piece of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingBlock<'a> {
    /// Instants (of 1/8000 s) before it. More than the blocks so far held: the difference was lost.
    pub at: u64,
    /// Instants since the beginning that passed while paused.
    pub paused: u64,
    /// Little-endian samples, left and right in turn.
    pub pcm: &'a [u8],
}

/// Why nothing is kept for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PauseReason {
    /// Something is said that must not be stored: a card number, a password.
    SensitiveData,
    /// The citizen asked for confidentiality (GB/T 33358).
    Confidential,
    /// The call-taker or a supervisor switched it off for another reason.
    Requested,
}

/// A stretch without sound on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// From the beginning of the recording.
    pub from: Duration,
    /// Until then; none while it lasts.
    pub until: Option<Duration>,
    /// Why.
    pub reason: PauseReason,
}

#[derive(Debug, Default)]
struct Block {
    at: u64,
    paused: u64,
    pcm: Vec<u8>,
}

/// One running recording.
#[derive(Debug, Default)]
pub struct Recorder {
    filling: Block,
    full: VecDeque<Block>,
    lent: Option<Block>,
    spare: Vec<Vec<u8>>,
    /// Blocks made so far.
    made: usize,
    /// Instants since the beginning.
    position: u64,
    paused: u64,
    pauses: Vec<Pause>,
    is_paused: bool,
    finished: bool,
    dropped: u64,
}

impl Recorder {
    /// An empty recording.
    #[must_use]
    pub fn new() -> Self {
        Self { full: VecDeque::with_capacity(MAX_BLOCKS), ..Self::default() }
    }

    /// Takes 20 ms of both channels.
    pub fn push(&mut self, left: &Samples, right: &Samples) {
        if self.finished {
            return;
        }
        let (left, right) = if self.is_paused { (&SILENCE, &SILENCE) } else { (left, right) };
        if self.has_room() {
            let mut bytes = [0; TICK_BYTES];
            for (slot, (&left, &right)) in bytes.as_chunks_mut().0.iter_mut().zip(left.iter().zip(right)) {
                let both = u32::from(left.cast_unsigned()) | u32::from(right.cast_unsigned()) << 16;
                *slot = both.to_le_bytes();
            }
            self.filling.pcm.extend_from_slice(&bytes);
        } else {
            self.dropped += FRAME_SAMPLES as u64;
        }
        self.advance(1);
        if self.filling.pcm.len() >= BLOCK_BYTES {
            self.complete();
        }
    }

    /// The call stood still for so many ticks: nothing was heard, and the next block says so by its place.
    pub fn skip(&mut self, ticks: u32) {
        if !self.finished && ticks > 0 {
            self.complete();
            self.advance(ticks);
        }
    }

    /// From now on silence, until [`Self::resume`]. False when it is paused already: the first reason counts.
    pub fn pause(&mut self, reason: PauseReason) -> bool {
        if self.is_paused || self.finished {
            return false;
        }
        self.is_paused = true;
        let from = self.duration();
        if self.pauses.len() < MAX_PAUSES {
            self.pauses.push(Pause { from, until: None, reason });
        } else if let Some(last) = self.pauses.last_mut() {
            last.until = None;
        }
        true
    }

    /// Goes on recording. Tells the pause that ended, if there was one.
    pub fn resume(&mut self) -> Option<Pause> {
        if !std::mem::take(&mut self.is_paused) {
            return None;
        }
        let until = self.duration();
        let last = self.pauses.last_mut()?;
        last.until = Some(until);
        Some(*last)
    }

    /// Ends the recording here. Tells the pause that ended with it, if there was one.
    pub fn finish(&mut self) -> Option<Pause> {
        let pause = self.resume();
        if !std::mem::replace(&mut self.finished, true) {
            self.complete();
        }
        pause
    }

    /// The next block to write; none until half a second is complete, or for good after the last.
    pub fn poll_block(&mut self) -> Option<RecordingBlock<'_>> {
        if let Some(Block { mut pcm, .. }) = self.lent.take() {
            pcm.clear();
            self.spare.push(pcm);
        }
        self.lent = self.full.pop_front();
        let Block { at, paused, pcm } = self.lent.as_ref()?;
        Some(RecordingBlock { at: *at, paused: *paused, pcm })
    }

    /// Instants since the beginning: after the end, the length of the file.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How long it is so far.
    #[must_use]
    pub fn duration(&self) -> Duration {
        duration_of(self.position)
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether it has ended and every block was polled.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.finished && self.full.is_empty()
    }

    /// Whether it is paused now.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Every pause so far, in order.
    #[must_use]
    pub fn pauses(&self) -> &[Pause] {
        &self.pauses
    }

    /// Instants lost because blocks were not polled.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Room for a tick in the block being filled, or in a new one.
    fn has_room(&mut self) -> bool {
        if self.filling.pcm.capacity() == 0 {
            match self.spare.pop() {
                Some(pcm) => self.filling.pcm = pcm,
                None if self.made < MAX_BLOCKS => {
                    self.made += 1;
                    self.filling.pcm = Vec::with_capacity(BLOCK_BYTES);
                }
                None => return false,
            }
        }
        if self.filling.pcm.is_empty() {
            self.filling.at = self.position;
        }
        true
    }

    fn advance(&mut self, ticks: u32) {
        let instants = u64::from(ticks) * FRAME_SAMPLES as u64;
        self.position += instants;
        if self.is_paused {
            self.paused += instants;
        }
    }

    /// The block being filled is as long as it gets.
    fn complete(&mut self) {
        if !self.filling.pcm.is_empty() {
            self.filling.paused = self.paused;
            self.full.push_back(std::mem::take(&mut self.filling));
        }
    }
}
