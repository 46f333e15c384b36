//! The log lines and metrics of this crate. Never a number, a reason or a cell of the file.

use record::{Decision, ListEffect, Verdict};
use tracing::{error, info, warn};

use crate::error::ListsError;
use crate::import::LoadReport;

/// Tell the metrics exporter what our metrics mean; call once at start-up.
pub fn describe_metrics() {
    metrics::describe_gauge!("jiesu_lists_entries", "Entries in force or to come, by list.");
    metrics::describe_counter!("jiesu_lists_decisions_total", "Callers checked, by the strongest effect.");
    metrics::describe_counter!("jiesu_lists_reload_total", "Reloads of the list file, by result.");
}

/// How many warnings of one load are logged one by one.
const LOGGED_WARNINGS: usize = 10;

pub(crate) fn loaded(report: &LoadReport) {
    for (list, count) in &report.by_list {
        metrics::gauge!("jiesu_lists_entries", "list" => list.as_str()).set(*count as f64);
    }
    metrics::counter!("jiesu_lists_reload_total", "result" => "loaded").increment(1);
    info!(
        lists.policy = report.policy,
        lists.entries = report.entries(),
        lists.warnings = report.warnings_total,
        "The caller lists are in force."
    );
    for warning in report.warnings.iter().take(LOGGED_WARNINGS) {
        warn!(line = warning.line, "A list entry is worth a look: {}.", warning.message);
    }
}

pub(crate) fn refused(error: &ListsError) {
    metrics::counter!("jiesu_lists_reload_total", "result" => "refused").increment(1);
    error!(error = %error, "The list file was refused whole; the lists before it stay in force.");
}

pub(crate) fn decided(verdict: &Verdict) {
    let has = |effect| verdict.entries.iter().any(|entry| entry.effect == effect);
    // One literal per label: the keys are static and nothing is allocated.
    if verdict.decision == Decision::Refuse {
        metrics::counter!("jiesu_lists_decisions_total", "effect" => "reject").increment(1);
    } else if has(ListEffect::Priority) {
        metrics::counter!("jiesu_lists_decisions_total", "effect" => "priority").increment(1);
    } else if has(ListEffect::Annotate) {
        metrics::counter!("jiesu_lists_decisions_total", "effect" => "annotate").increment(1);
    } else {
        metrics::counter!("jiesu_lists_decisions_total", "effect" => "none").increment(1);
    }
}
