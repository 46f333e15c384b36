//! Keys we press towards a far end: as telephone events ([RFC 4733](https://www.rfc-editor.org/rfc/rfc4733))
//! where they were agreed on, else as tones in the sound. For calls of ours that meet a menu.

use std::collections::VecDeque;
use std::f32::consts::TAU;

use crate::{
    dtmf::event_of,
    frame::{FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Samples},
};

/// Keys waiting; more are refused.
pub const MAX_WAITING: usize = 64;
/// The end is said three times, for packets get lost (RFC 4733 2.5.1.4).
const ENDS: u32 = 3;
/// Frames of quiet between two keys (60 ms with the repeated ends; Q.24 wants 40).
const GAP: u32 = 3;
/// Level of an event, in -dBm0, and the peak of a tone of that level.
const VOLUME: u8 = 10;
const PEAK: f32 = 5_000.0;
/// Shortest and longest press, in frames (60 ms; 2 s).
const SHORTEST: u32 = 3;
const LONGEST: u32 = 100;

/// What a frame of a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFrame {
    /// A telephone event packet.
    Event {
        /// Its payload.
        payload: [u8; 4],
        /// First packet of this key.
        first: bool,
        /// Frames since the key went down, before this one: the timestamp is that much back.
        age: u32,
    },
    /// Sound to be sent instead of any other.
    Tone(Samples),
    /// Nothing: the pause after a key.
    Pause,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    event: u8,
    frames: u32,
}

/// Keys of one stream.
#[derive(Debug, Clone, Default)]
pub struct KeySender {
    waiting: VecDeque<Key>,
    /// The key that is down, and frames since.
    pressed: Option<(Key, u32)>,
}

impl KeySender {
    /// Queues a key, to be held for `duration_ms` (60 to 2000). False when it is no key, or too many wait.
    pub fn press(&mut self, digit: char, duration_ms: u32) -> bool {
        let Some(event) = event_of(digit) else { return false };
        if self.waiting.len() >= MAX_WAITING {
            return false;
        }
        self.waiting.push_back(Key { event, frames: (duration_ms / 20).clamp(SHORTEST, LONGEST) });
        true
    }

    /// Whether nothing is being pressed or waits to be.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pressed.is_none() && self.waiting.is_empty()
    }

    /// What this frame is to be; none when no key is pressed. `ticks_per_ms` is the clock of the event's
    /// duration; none means tones.
    pub fn next_frame(&mut self, ticks_per_ms: Option<u32>) -> Option<KeyFrame> {
        let (key, age) = match self.pressed.take() {
            Some(pressed) => pressed,
            None => (self.waiting.pop_front()?, 0),
        };
        let after = age.saturating_sub(key.frames - 1);
        let frame = match ticks_per_ms {
            Some(ticks) if after < ENDS => {
                let duration = (age + 1).min(key.frames) * 20 * ticks;
                let [high, low] = u16::try_from(duration).unwrap_or(u16::MAX).to_be_bytes();
                let end = if age + 1 >= key.frames { 0x80 } else { 0 };
                KeyFrame::Event { payload: [key.event, end | VOLUME, high, low], first: age == 0, age }
            }
            None if age < key.frames => KeyFrame::Tone(tone(key.event, age)),
            _ => KeyFrame::Pause,
        };
        if after < ENDS + GAP - 1 {
            self.pressed = Some((key, age + 1));
        }
        Some(frame)
    }
}

/// Frame `age` of a key's two tones.
fn tone(event: u8, age: u32) -> Samples {
    const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
    const HIGH: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
    // Row and column of events 0 to 15: 0-9, *, #, A-D.
    const PLACES: [(usize, usize); 16] = [
        (3, 1),
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
        (2, 0),
        (2, 1),
        (2, 2),
        (3, 0),
        (3, 2),
        (0, 3),
        (1, 3),
        (2, 3),
        (3, 3),
    ];
    let (row, column) = PLACES.get(usize::from(event)).copied().unwrap_or((0, 0));
    let mut samples = SILENCE;
    for (index, sample) in samples.iter_mut().enumerate() {
        let at = (age as usize * FRAME_SAMPLES + index) as f32 / SAMPLE_RATE as f32;
        let sum = (TAU * LOW[row] * at).sin() + (TAU * HIGH[column] * at).sin();
        *sample = (PEAK * sum) as i16;
    }
    samples
}
