//! Log and metrics of the process. What may stand in them: `docs/logging.md`.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Histogram buckets in seconds, from an fsync to a slow platform.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogForm {
    /// For a person at a terminal.
    Text,
    /// One JSON object a line, for a collector.
    Json,
    /// Only warnings and errors, for commands that print results.
    Quiet,
}

/// Starts the log on standard error. `JIESU_LOG` sets the filter, e.g. `info,gateway_sip=debug`.
pub fn start_log(form: LogForm) {
    // The decoder of prompts tells every stream it opens.
    let default =
        if form == LogForm::Quiet { "warn" } else { "info,symphonia=warn,symphonia_format_ogg=warn" };
    let filter = EnvFilter::try_from_env("JIESU_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr);
    quiet_panics();
    // A second start (tests) leaves the first log in place.
    let _ = match form {
        LogForm::Json => builder.json().try_init(),
        LogForm::Text | LogForm::Quiet => builder.try_init(),
    };
}

/// A panic's text may quote what a citizen sent: only the place is logged, and counted.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        metrics::counter!("jiesu_panics_total").increment(1);
        tracing::error!(place, "A task panicked; the gateway goes on.");
    }));
}

/// The process's metrics, made once; later calls return the same.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new();
            let builder = match builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS) {
                Ok(builder) => builder,
                Err(_) => PrometheusBuilder::new(),
            };
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            // Another recorder can only be a test's; its figures then stay there.
            let _ = metrics::set_global_recorder(recorder);
            handle
        })
        .clone()
}
