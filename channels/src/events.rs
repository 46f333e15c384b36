//! What the webhook host counts and logs. Labels are channel codes and check names, never content.
//!
//! | metric | labels |
//! |---|---|
//! | `jiesu_channel_refused_total` | `channel`, `reason` (also `panic`, `too_large`, `busy`, `store_unavailable` …) |
//! | `jiesu_channel_accepted_total` | `channel`, `kind` |
//! | `jiesu_channel_duplicates_total` | `channel` |
//! | `jiesu_channel_answer_seconds` | `channel` (histogram, from the request's head to our answer) |

use std::time::Duration;

use record::MessageKind;

/// A request was not taken. `reason` is one of the closed set of check names.
pub fn refused(channel: &'static str, account: &str, reason: &'static str) {
    metrics::counter!("jiesu_channel_refused_total", "channel" => channel, "reason" => reason).increment(1);
    tracing::warn!(channel, account, reason, "A webhook request was refused.");
}

/// A message is durable.
pub fn accepted(channel: &'static str, kind: MessageKind) {
    metrics::counter!("jiesu_channel_accepted_total", "channel" => channel, "kind" => kind.as_str())
        .increment(1);
}

/// A message had been seen before.
pub fn duplicate(channel: &'static str) {
    metrics::counter!("jiesu_channel_duplicates_total", "channel" => channel).increment(1);
}

/// A request was answered.
pub fn answered(channel: &'static str, took: Duration) {
    metrics::histogram!("jiesu_channel_answer_seconds", "channel" => channel).record(took.as_secs_f64());
}

/// An adapter or the intake panicked: a defect of ours that a human should see. The refusal itself is
/// counted by [`refused`] with the reason `panic`.
pub fn panicked(channel: &'static str, account: &str) {
    tracing::error!(channel, account, "An adapter panicked; the request was answered 500.");
}
