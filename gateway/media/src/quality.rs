//! How a call sounds, as a number: the E-model ([ITU-T G.107](https://www.itu.int/rec/T-REC-G.107)) with its
//! default values, and the mean opinion score it predicts.
//!
//! Equipment factors: G.711 as in G.113 with concealment; for G.722 and Opus, which the narrow-band model does
//! not list, values in keeping with published listening tests. Echo, noise and loudness are taken as good.

use std::time::Duration;

use crate::Codec;

/// Rating of a perfect narrow-band line.
const BEST: f64 = 93.2;
/// Packetising and coding at the far end (one frame and look-ahead), in milliseconds.
const SENDER_DELAY_MS: f64 = 25.0;

/// What the rating is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impairments {
    /// The codec.
    pub codec: Codec,
    /// Share of sound that could not be played, 0 to 1.
    pub loss: f64,
    /// Mouth to ear.
    pub delay: Duration,
}

/// One-way delay from what is known: half the round trip, what waits here, and the sender's own.
#[must_use]
pub fn delay(round_trip: Option<Duration>, playout: Duration) -> Duration {
    round_trip.unwrap_or_default() / 2 + playout + Duration::from_secs_f64(SENDER_DELAY_MS / 1_000.0)
}

/// The transmission rating R, 0 to 93.2.
#[must_use]
pub fn rating(of: Impairments) -> f64 {
    // Equipment impairment without loss, and robustness against loss (G.107 7-29, random loss).
    let (equipment, robustness) = match of.codec {
        Codec::Pcma | Codec::Pcmu => (0.0, 25.1),
        Codec::G722 => (0.0, 15.0),
        Codec::Opus => (4.0, 30.0),
    };
    let loss = of.loss.clamp(0.0, 1.0) * 100.0;
    let effective = equipment + (95.0 - equipment) * loss / (loss + robustness);
    (BEST - delay_impairment(of.delay) - effective).clamp(0.0, BEST)
}

/// The mean opinion score of a rating, 1 to 4.4 (G.107 annex B).
#[must_use]
pub fn opinion(rating: f64) -> f64 {
    if rating <= 0.0 {
        return 1.0;
    }
    let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
    score.clamp(1.0, 4.5)
}

/// Idd of G.107 (7-27): nothing up to 100 ms.
fn delay_impairment(delay: Duration) -> f64 {
    let milliseconds = delay.as_secs_f64() * 1_000.0;
    if milliseconds <= 100.0 {
        return 0.0;
    }
    let x = (milliseconds / 100.0).log2();
    let root = |value: f64| (1.0 + value.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}
