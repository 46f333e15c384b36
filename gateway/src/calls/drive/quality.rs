//! How good a call sounded, leg by leg, for the record and the metrics. Whole numbers only: a record is hashed in
//! its canonical form ([RFC 8785](https://www.rfc-editor.org/rfc/rfc8785)), where fractions invite trouble.

use std::time::Duration;

use gateway_media::{Leg, StreamStats};
use serde_json::{Value, json};

use super::Driver;
use crate::calls::media::Figures;
use crate::compose;

impl Driver {
    /// Writes what was measured into the record, legs that ended first before those that ended with the call.
    pub(super) fn note_quality(&mut self, figures: &Figures) {
        let legs: Vec<Value> = figures.streams.iter().map(|(leg, stats)| describe(*leg, stats)).collect();
        for (leg, stats) in &figures.streams {
            if let Some(opinion) = stats.opinion {
                metrics::histogram!("jiesu_call_opinion_score", "leg" => word(*leg))
                    .record(f64::from(opinion));
            }
        }
        if !legs.is_empty() {
            self.record.ext.get_or_insert_default().insert(compose::EXT_QUALITY.into(), legs.into());
        }
    }
}

fn word(leg: Leg) -> &'static str {
    if leg == Leg::CALLER { "caller" } else { "other" }
}

fn describe(leg: Leg, stats: &StreamStats) -> Value {
    let mut told = json!({
        "leg": word(leg),
        "received": stats.packets_received,
        "lost": stats.packets_lost,
        "late": stats.packets_late,
        "sent": stats.packets_sent,
        "jitter_us": microseconds(stats.jitter),
        "concealed_ms": u64::try_from(stats.concealed.as_millis()).unwrap_or(u64::MAX),
    });
    // What was never measured is left out rather than told as 0.
    let measured = [
        ("codec", stats.codec.map(|codec| codec.name().into())),
        ("round_trip_us", stats.round_trip.map(|time| microseconds(time).into())),
        ("far_lost_permille", stats.remote_fraction_lost.map(|share| rounded(share * 1_000.0).into())),
        ("mos_x100", stats.opinion.map(|score| rounded(score * 100.0).into())),
        ("far_mos_x100", stats.remote_opinion.map(|score| rounded(score * 100.0).into())),
    ];
    for (name, value) in measured {
        if let Some(value) = value {
            told[name] = value;
        }
    }
    told
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Saturates; nothing measured is negative.
fn rounded(value: f32) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use gateway_media::Codec;

    use super::*;

    #[test]
    fn a_record_holds_no_fraction_and_nothing_that_was_not_measured() {
        let stats = StreamStats {
            codec: Some(Codec::Pcma),
            packets_received: 500,
            packets_lost: 5,
            jitter: Duration::from_nanos(1_234_567),
            opinion: Some(4.3756),
            ..StreamStats::default()
        };
        let told = describe(Leg::CALLER, &stats);
        assert_eq!(
            told,
            json!({
                "leg": "caller", "codec": "PCMA", "received": 500, "lost": 5, "late": 0, "sent": 0,
                "jitter_us": 1_234, "concealed_ms": 0, "mos_x100": 438,
            })
        );
        let far = StreamStats { remote_fraction_lost: Some(0.0125), ..stats };
        assert_eq!(describe(Leg::AGENT, &far)["far_lost_permille"], 13);
        assert_eq!(describe(Leg::AGENT, &far)["leg"], "other");
    }
}
