//! Diversion: who diverted the call, the most recent on top
//! ([RFC 5806](https://www.rfc-editor.org/rfc/rfc5806)).

use std::fmt;

use super::text::entries;
use super::{Uri, UriIdentity};

/// One `Diversion` entry.
#[derive(Clone, PartialEq, Eq)]
pub struct DiversionEntry {
    /// The user part or number of the one who diverted; `None` if anonymous.
    pub user: Option<String>,
    /// The same as a URI.
    pub uri: Uri,
    /// `reason=` in lower case as written, `unknown` if missing.
    pub reason: String,
    /// How many diversions this entry stands for.
    pub counter: Option<u32>,
    /// `privacy=` is `full` or `uri`: the number may be acted on, not shown.
    pub restricted: bool,
}

impl fmt::Debug for DiversionEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The reason is text from outside and may hold anything, so it is not shown either.
        f.debug_struct("DiversionEntry")
            .field("uri", &self.uri)
            .field("counter", &self.counter)
            .field("restricted", &self.restricted)
            .finish_non_exhaustive()
    }
}

/// Reads the values of all `Diversion` headers, in order: the most recent diversion first.
pub fn read_diversion(values: &[&str]) -> Vec<DiversionEntry> {
    entries(values).filter_map(UriIdentity::parse).map(diversion_entry).collect()
}

fn diversion_entry(entry: UriIdentity) -> DiversionEntry {
    let reason = entry.parameter("reason").map(|reason| reason.trim().to_ascii_lowercase());
    let privacy = entry.parameter("privacy").unwrap_or_default();
    DiversionEntry {
        reason: reason.filter(|reason| !reason.is_empty()).unwrap_or_else(|| "unknown".to_owned()),
        counter: entry.parameter("counter").and_then(|counter| counter.trim().parse().ok()),
        restricted: ["full", "uri"].iter().any(|word| privacy.eq_ignore_ascii_case(word)),
        user: if entry.is_withheld() { None } else { entry.user().map(str::to_owned) },
        uri: entry.uri,
    }
}
