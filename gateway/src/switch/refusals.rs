//! The log of what was not served: the rule and the value that failed it, a few lines and then a sum, so that ten
//! thousand packets a second of a scanner are ten thousand counts and not ten thousand lines.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A window of the log.
const WINDOW: Duration = Duration::from_secs(10);
/// Lines of one rule in a window.
const LINES: u32 = 3;

/// What was told of each rule lately. The rules are fixed words, so the table is bounded.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    rules: BTreeMap<&'static str, Rule>,
}

#[derive(Debug)]
struct Rule {
    since: Instant,
    told: u32,
    silent: u64,
}

/// What to do with one refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Write a line, and how many were left out before it.
    Line { left_out: u64 },
    /// Only count.
    Count,
}

impl Refusals {
    /// Counts and, if it is time, writes a line.
    pub(super) fn note(&mut self, now: Instant, remote: SocketAddr, rule: &'static str, value: Option<&str>) {
        metrics::counter!("jiesu_sip_refused_total", "rule" => rule).increment(1);
        if let Telling::Line { left_out } = self.telling(now, rule) {
            let value = value.unwrap_or("-");
            tracing::warn!(peer = %remote, rule, value, left_out, "A SIP message was not served.");
        }
    }

    fn telling(&mut self, now: Instant, rule: &'static str) -> Telling {
        let state = self.rules.entry(rule).or_insert(Rule { since: now, told: 0, silent: 0 });
        if now >= state.since + WINDOW {
            (state.since, state.told) = (now, 0);
        }
        if state.told >= LINES {
            state.silent += 1;
            return Telling::Count;
        }
        state.told += 1;
        Telling::Line { left_out: std::mem::take(&mut state.silent) }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // one Instant::now a test, as the origin of virtual time
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_three_lines_and_a_sum() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        let lines =
            (0..10_000).filter(|_| refusals.telling(start, "unknown-source") != Telling::Count).count();
        assert_eq!(lines, 3);
        assert_eq!(
            refusals.telling(start, "malformed"),
            Telling::Line { left_out: 0 },
            "another rule is heard"
        );
        assert_eq!(refusals.telling(start + WINDOW, "unknown-source"), Telling::Line { left_out: 9_997 });
    }
}
