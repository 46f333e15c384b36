//! Durations and sizes as people write them in the configuration, for `#[serde(with = …)]`.
//!
//! A bare number is refused as a duration, because nobody remembers whether it meant seconds.

/// `"500ms"`, `"30s"`, `"2m"`, `"4h"`, `"1h30m"`, `"7d"`.
pub mod duration {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    /// A text that is not a duration.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    #[error("not a duration: write a whole number and a unit, such as \"500ms\", \"30s\", \"2m\", \"4h\"")]
    pub struct DurationError;

    const UNITS: [(&str, u64); 5] =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

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
        let (unit, factor) = UNITS
            .iter()
            .rev()
            .find(|(_, factor)| total_ms.is_multiple_of(*factor))
            .copied()
            .unwrap_or(("ms", 1));
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
}

/// `"64KiB"`, `"20MiB"`, `"1GiB"`, or a plain number of bytes.
pub mod size {
    use serde::{Deserializer, Serializer};

    /// A text that is not a size.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    #[error("not a size: write a whole number and a unit, such as \"64KiB\", \"20MiB\", \"1GiB\"")]
    pub struct SizeError;

    const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

    /// Reads a number and a unit; the unit may be left out for bytes.
    pub fn parse(text: &str) -> Result<u64, SizeError> {
        let text = text.trim();
        let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(digits_end);
        let unit = if unit.is_empty() { "B" } else { unit.trim() };
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(SizeError)?;
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor)).ok_or(SizeError)
    }

    /// Writes the size with the largest unit that divides it.
    pub fn format(bytes: u64) -> String {
        let exact = UNITS.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
        let (unit, factor) = exact.copied().unwrap_or(("B", 1));
        format!("{}{unit}", bytes / factor)
    }

    /// For serde: the text of [`parse`], or a number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        struct Size;
        impl serde::de::Visitor<'_> for Size {
            type Value = u64;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a size such as \"20MiB\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
                parse(text).map_err(E::custom)
            }
            fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<u64, E> {
                u64::try_from(bytes).map_err(|_| E::custom(SizeError))
            }
            fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<u64, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_any(Size)
    }

    /// For serde: the text of [`format()`].
    pub fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(*bytes))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn sizes_read_back_as_written() {
            for (text, bytes) in
                [("20MiB", 20 << 20), ("1GiB", 1 << 30), ("64KiB", 64 << 10), ("5B", 5), ("0B", 0)]
            {
                assert_eq!((parse(text), format(bytes).as_str()), (Ok(bytes), text));
            }
            assert_eq!(parse("512"), Ok(512));
            for wrong in ["", "MiB", "1.5MiB", "20MB", "-1", "99999999999GiB"] {
                assert_eq!(parse(wrong), Err(SizeError), "{wrong}");
            }
        }
    }
}
