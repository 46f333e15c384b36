//! The log lines and metrics of this crate. Never a text, a number or a file name: file names carry call ids.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{info, warn};

use crate::error::AsrError;
use crate::model::ModelStatus;
use crate::pool::Transcript;

/// Tell the metrics exporter what our metrics mean; call once at start-up.
pub fn describe_metrics() {
    metrics::describe_histogram!("jiesu_asr_seconds", "Time one recording took to transcribe, seconds.");
    metrics::describe_counter!("jiesu_asr_audio_seconds_total", "Recorded time transcribed, seconds.");
    metrics::describe_counter!("jiesu_asr_failures_total", "Recordings without a transcript, by reason.");
    metrics::describe_gauge!("jiesu_asr_waiting", "Recordings waiting for a worker.");
    metrics::describe_gauge!("jiesu_asr_ready", "1 while a speech model is loaded.");
}

/// Counts whole seconds of audio without losing the fractions between recordings.
#[derive(Debug, Default)]
pub(crate) struct AudioMeter {
    total_ms: AtomicU64,
}

impl AudioMeter {
    fn add(&self, audio_ms: u64) {
        let before = self.total_ms.fetch_add(audio_ms, Ordering::Relaxed);
        let seconds = before.saturating_add(audio_ms) / 1000 - before / 1000;
        metrics::counter!("jiesu_asr_audio_seconds_total").increment(seconds);
    }
}

pub(crate) fn transcribed(meter: &AudioMeter, transcript: &Transcript) {
    meter.add(transcript.audio_ms);
    metrics::histogram!("jiesu_asr_seconds").record(transcript.took_ms as f64 / 1000.0);
    info!(
        audio_ms = transcript.audio_ms,
        took_ms = transcript.took_ms,
        segments = transcript.segments.len(),
        engine = %transcript.engine,
        "Transcribed a recording."
    );
}

pub(crate) fn failed(error: &AsrError) {
    metrics::counter!("jiesu_asr_failures_total", "reason" => error.reason()).increment(1);
    match error {
        AsrError::Cancelled | AsrError::Stopping | AsrError::Busy { .. } => {}
        _ => warn!(reason = error.reason(), error = %error, "No transcript of a recording."),
    }
}

pub(crate) fn damaged() {
    warn!("A recording is damaged; what could be read of it is transcribed.");
}

pub(crate) fn waiting(jobs: usize) {
    metrics::gauge!("jiesu_asr_waiting").set(jobs as f64);
}

pub(crate) fn model(status: &ModelStatus) {
    let ready = matches!(status, ModelStatus::Ready { .. });
    metrics::gauge!("jiesu_asr_ready").set(if ready { 1.0 } else { 0.0 });
    match status {
        ModelStatus::Ready { name, sha256 } => {
            info!(model = %name, sha256 = %sha256, "Speech model is ready.")
        }
        ModelStatus::Loading => info!("Loading the speech model."),
        ModelStatus::Missing { .. } | ModelStatus::Broken { .. } => {
            warn!(status = %status, "No speech to text: recordings wait until a model is there.");
        }
        ModelStatus::Off => info!("Speech to text is switched off."),
    }
}

/// A new file is of no use while an older model is in service.
pub(crate) fn bad_model(status: &ModelStatus) {
    warn!(status = %status, "The new speech model is unusable; the old one stays in service.");
}

pub(crate) fn unknown_model(name: &str, sha256: &str) {
    warn!(model = name, sha256, "This speech model is not one jiesu was tested with.");
}

pub(crate) fn without_voice_model() {
    warn!("No voice activity model: speech is found by loudness, which lets more noise through.");
}
