//! The unit all parts of this crate exchange: 20 ms of 8 kHz mono sound.

use std::time::{Duration, Instant};

/// Samples per second on every telephone leg ([RFC 3551](https://www.rfc-editor.org/rfc/rfc3551) 4.5.14).
pub const SAMPLE_RATE: u32 = 8_000;
/// Samples in one frame.
pub const FRAME_SAMPLES: usize = 160;
/// Duration of one frame.
pub const FRAME_DURATION: Duration = Duration::from_millis(20);
/// Linear 16-bit samples of one frame.
pub type Samples = [i16; FRAME_SAMPLES];
/// A frame in which nothing sounds.
pub const SILENCE: Samples = [0; FRAME_SAMPLES];

/// Where the samples of a frame come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// At least part of it was received.
    Voice,
    /// Nothing was received in time; the last sound is repeated and faded.
    Concealed,
    /// The far end sends nothing now (silence suppression, a long gap, a digit being pressed).
    Silence,
    /// No sound has been received since the stream began.
    NothingYet,
}

/// 20 ms of received sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Linear samples at 8 kHz.
    pub samples: Samples,
    /// Where they come from.
    pub kind: FrameKind,
}

impl Frame {
    /// A frame without sound.
    #[must_use]
    pub const fn silent(kind: FrameKind) -> Self {
        Self { samples: SILENCE, kind }
    }
}

/// Whole samples between two instants; negative when `later` is the earlier one.
#[must_use]
pub fn samples_between(earlier: Instant, later: Instant) -> i64 {
    let samples = |span: Duration| {
        i64::try_from(span.as_nanos().saturating_mul(u128::from(SAMPLE_RATE)) / 1_000_000_000)
            .unwrap_or(i64::MAX)
    };
    if later >= earlier { samples(later - earlier) } else { -samples(earlier - later) }
}

/// Samples in `milliseconds`.
#[must_use]
pub const fn samples_in(milliseconds: u32) -> i64 {
    milliseconds as i64 * (SAMPLE_RATE as i64 / 1_000)
}

/// The duration of a number of samples.
#[must_use]
pub fn duration_of(samples: u64) -> Duration {
    Duration::from_nanos(samples.saturating_mul(1_000_000_000 / u64::from(SAMPLE_RATE)))
}
