//! What the store says: each event is one log line, one metric, or both. Nothing here takes a record, so
//! nothing of a citizen can reach a log or a label.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tracing::{error, info, warn};

use crate::retry::ErrorClass;

pub(crate) fn committed(took: Duration, operations: usize, appended: &[String]) {
    histogram!("jiesu_outbox_commit_seconds").record(took);
    histogram!("jiesu_outbox_commit_operations").record(u32::try_from(operations).unwrap_or(u32::MAX));
    let mut by_channel = BTreeMap::<&str, u64>::new();
    for channel in appended {
        *by_channel.entry(channel).or_default() += 1;
    }
    for (channel, count) in by_channel {
        counter!("jiesu_outbox_appended_total", "channel" => channel.to_owned()).increment(count);
    }
}

pub(crate) fn health_changed(reason: Option<&'static str>) {
    gauge!("jiesu_outbox_writable").set(if reason.is_none() { 1.0 } else { 0.0 });
    match reason {
        Some(reason) => error!(reason, "The store cannot write: {reason}. New intake is refused."),
        None => info!("The store writes again."),
    }
}

pub(crate) fn overloaded() {
    counter!("jiesu_outbox_overloaded_total").increment(1);
}

pub(crate) fn writer_panicked() {
    counter!("jiesu_outbox_panics_total").increment(1);
    error!("A write panicked; it was rolled back and the writer goes on.");
}

pub(crate) fn draft_unreadable() {
    error!("A stored draft cannot be read; it stays in the store.");
}

pub(crate) fn rollback_failed() {
    error!("A failed write could not be rolled back.");
}

pub(crate) fn delivered(sink: &str, count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    counter!("jiesu_sink_delivered_total", "sink" => sink.to_owned()).increment(count);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 records are out of reach")]
pub(crate) fn sink_lag(sink: &str, lag: u64, parked: u64) {
    gauge!("jiesu_sink_lag", "sink" => sink.to_owned()).set(lag as f64);
    gauge!("jiesu_sink_parked", "sink" => sink.to_owned()).set(parked as f64);
}

pub(crate) fn sink_failed(
    sink: &str,
    class: ErrorClass,
    reason: &'static str,
    attempts: u32,
    delay: Duration,
) {
    counter!("jiesu_sink_retries_total", "sink" => sink.to_owned(), "reason" => reason).increment(1);
    let retry_ms = delay.as_millis();
    // The first failure is news; the rest of a long outage is in the metric.
    if attempts == 1 {
        warn!(sink, class = class.as_str(), reason, retry_ms, "Sink {sink} does not take records: {reason}.");
    }
}

pub(crate) fn sink_recovered(sink: &str, attempts: u32) {
    info!(sink, attempts, "Sink {sink} takes records again.");
}

pub(crate) fn parked(sink: &str, seq: u64, reason: &'static str) {
    counter!("jiesu_sink_parked_total", "sink" => sink.to_owned(), "reason" => reason).increment(1);
    error!(sink, seq, reason, "Sink {sink} refused record {seq} for good: {reason}. It is parked.");
}
