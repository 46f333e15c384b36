//! Durations as people write them: `"500ms"`, `"30s"`, `"2m"`, `"4h"`, `"1h30m"`. For
//! `#[serde(with = "gateway_call::duration")]`.

use std::time::Duration;

use serde::{Deserializer, Serializer};

/// A text that is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a duration: write a whole number and a unit, such as \"500ms\", \"30s\", \"2m\", \"4h\"")]
pub struct DurationError;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads one or more number-unit pairs. Units: `ms`, `s`, `m`, `h`, `d`. A bare number has no unit and is
/// refused, because nobody remembers whether it meant seconds.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    let mut total_ms = 0u64;
    if rest.is_empty() {
        return Err(DurationError);
    }
    while !rest.is_empty() {
        let digits_end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError)?;
        let (digits, after) = rest.split_at(digits_end);
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let number: u64 = digits.parse().map_err(|_| DurationError)?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError)?;
        total_ms = number
            .checked_mul(*factor)
            .and_then(|part_ms| total_ms.checked_add(part_ms))
            .ok_or(DurationError)?;
        rest = next;
    }
    Ok(Duration::from_millis(total_ms))
}

/// Writes the duration with the largest unit that divides it, to the millisecond.
pub fn format(duration: Duration) -> String {
    let total_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if total_ms == 0 {
        return "0s".to_owned();
    }
    let (unit, factor) =
        UNITS.iter().rev().find(|(_, factor)| total_ms.is_multiple_of(*factor)).copied().unwrap_or(("ms", 1));
    format!("{}{unit}", total_ms / factor)
}

/// For serde: the text of [`parse`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct Text;
    impl serde::de::Visitor<'_> for Text {
        type Value = Duration;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a duration such as \"30s\"")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
            parse(text).map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text)
}

/// For serde: the text of [`format()`].
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}
