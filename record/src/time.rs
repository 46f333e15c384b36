//! Points in time as the record writes them: RFC 3339 with an offset.
//!
//! The text of a timestamp takes part in the digest, so a parsed one keeps its offset and its number of
//! fraction digits and writes itself back unchanged. New ones are China Standard Time with milliseconds.

use std::fmt;
use std::str::FromStr;

use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// China Standard Time, seconds east of UTC.
const CHINA_STANDARD_TIME_SECONDS: i32 = 8 * 3600;

/// A point in time with the offset and precision it was written with. Compares by the instant alone.
#[derive(Clone, Copy)]
pub struct Timestamp {
    unix_ms: i64,
    offset_seconds: i32,
    fraction_digits: u8,
    utc_as_z: bool,
}

/// A text that is not an RFC 3339 date-time with an offset, or lies outside the years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 date-time with offset and at most millisecond precision")]
pub struct TimestampError;

impl Timestamp {
    /// From milliseconds since 1970-01-01T00:00:00Z, written in China Standard Time with milliseconds.
    /// Values outside the years 1970 to 9999 are clamped: they can only come from a broken clock.
    pub fn from_unix_ms(unix_ms: i64) -> Self {
        const YEAR_9999_MS: i64 = 253_370_764_800_000;
        Self {
            unix_ms: unix_ms.clamp(0, YEAR_9999_MS),
            offset_seconds: CHINA_STANDARD_TIME_SECONDS,
            fraction_digits: 3,
            utc_as_z: false,
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_ms(self) -> i64 {
        self.unix_ms
    }

    /// The moment `milliseconds` later (or earlier, when negative).
    pub fn plus_ms(self, milliseconds: i64) -> Self {
        Self::from_unix_ms(self.unix_ms.saturating_add(milliseconds))
    }

    /// The calendar day in China Standard Time as `YYYYMMDD`: the day of a `record_no`.
    pub fn china_day(self) -> String {
        let date = civil(self.unix_ms, CHINA_STANDARD_TIME_SECONDS).date();
        format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
    }
}

fn civil(unix_ms: i64, offset_seconds: i32) -> jiff::civil::DateTime {
    let offset = Offset::from_seconds(offset_seconds).unwrap_or(Offset::UTC);
    offset.to_datetime(jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default())
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = civil(self.unix_ms, self.offset_seconds);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            t.year(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )?;
        match self.fraction_digits {
            0 => {}
            1 => write!(f, ".{}", t.millisecond() / 100)?,
            2 => write!(f, ".{:02}", t.millisecond() / 10)?,
            _ => write!(f, ".{:03}", t.millisecond())?,
        }
        if self.utc_as_z {
            return f.write_str("Z");
        }
        let sign = if self.offset_seconds < 0 { '-' } else { '+' };
        let minutes = self.offset_seconds.unsigned_abs() / 60;
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        if !text.is_ascii() || text.len() < 20 || text.len() > 29 {
            return Err(TimestampError);
        }
        let (date_time, utc_as_z, offset_seconds) = match text.strip_suffix('Z') {
            Some(rest) => (rest, true, 0),
            None => {
                let (rest, offset) = text.split_at(text.len() - 6);
                let (sign, hours, minutes) = (offset.get(..1), offset.get(1..3), offset.get(4..6));
                let digits = |s: Option<&str>| s.and_then(|s| s.parse::<i32>().ok()).ok_or(TimestampError);
                let seconds = digits(hours)? * 3600 + digits(minutes)? * 60;
                if offset.get(3..4) != Some(":") || seconds > 18 * 3600 {
                    return Err(TimestampError);
                }
                match sign {
                    Some("+") => (rest, false, seconds),
                    Some("-") => (rest, false, -seconds),
                    _ => return Err(TimestampError),
                }
            }
        };
        let fraction_digits = date_time.split_once('.').map_or(0, |(_, f)| f.len());
        if fraction_digits > 3 || date_time.get(10..11) != Some("T") {
            return Err(TimestampError);
        }
        let civil: jiff::civil::DateTime = date_time.parse().map_err(|_| TimestampError)?;
        let offset = Offset::from_seconds(offset_seconds).map_err(|_| TimestampError)?;
        let unix_ms = offset.to_timestamp(civil).map_err(|_| TimestampError)?.as_millisecond();
        if unix_ms < 0 {
            return Err(TimestampError);
        }
        Ok(Self { unix_ms, offset_seconds, fraction_digits: fraction_digits as u8, utc_as_z })
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.unix_ms == other.unix_ms
    }
}
impl Eq for Timestamp {}
impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.unix_ms.cmp(&other.unix_ms)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_reading_and_writing() {
        for text in [
            "2025-01-11T09:14:05.120+08:00",
            "2025-01-09T18:00:00+08:00",
            "2025-01-09T10:00:00Z",
            "2025-01-09T10:00:00.5-03:30",
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            "2025-01-11",
            "2025-01-11T09:14:05",
            "2025-01-11T09:14:05.1234567+08:00",
            "2025-13-11T09:14:05+08:00",
            "2025-01-11 09:14:05+08:00",
            "2025-01-11T09:14:05+0800",
            "二〇二五年一月十一日上午",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_day_of_a_record_changes_at_midnight_in_hohhot() {
        let before: Timestamp = "2025-01-10T15:59:59.999Z".parse().unwrap();
        assert_eq!(before.china_day(), "20250110");
        assert_eq!(before.plus_ms(1).china_day(), "20250111");
    }
}
