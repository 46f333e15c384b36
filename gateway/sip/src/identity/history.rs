//! History-Info: the targets a call was sent to, oldest first
//! ([RFC 7044](https://www.rfc-editor.org/rfc/rfc7044), and the older RFC 4244 without `rc`, `mp`, `np`).
//!
//! Two causes exist and are kept apart. The Reason *embedded* in an entry's URI says how the call fared at that
//! target; the URI *parameter* `cause` ([RFC 4458](https://www.rfc-editor.org/rfc/rfc4458)) says why the call
//! was sent on to it, so it speaks of the entry before.

use std::fmt;

use super::reason::{cause_of, read_reasons};
use super::text::entries;
use super::{PrivacyToken, Uri, UriIdentity};

const MAX_INDEX_DEPTH: usize = 32;

/// One `History-Info` entry.
#[derive(Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The user part or number of the target; `None` if it is withheld.
    pub user: Option<String>,
    /// The target; `None` if it is withheld.
    pub uri: Option<Uri>,
    /// `index=1.1` as numbers; empty if missing or unreadable.
    pub index: Vec<u32>,
    /// Cause of the Reason embedded in the URI: how the call fared here. The SIP one, if several.
    pub reason_cause: Option<u16>,
    /// URI parameter `cause`: why the call was sent here.
    pub arrival_cause: Option<u16>,
    /// How this target came to be chosen.
    pub target_kind: TargetKind,
}

/// How a target was found from an earlier one; the index named is that earlier entry (RFC 7044 §5.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TargetKind {
    /// Not said: the first target, or an RFC 4244 sender.
    #[default]
    Unmarked,
    /// `mp`: another user; the sign of a diversion.
    Mapped(Vec<u32>),
    /// `rc`: a registered contact of the same user.
    RegisteredContact(Vec<u32>),
    /// `np`: no change of the target.
    NoChange(Vec<u32>),
}

impl TargetKind {
    /// The index named, if any.
    pub fn origin(&self) -> Option<&[u32]> {
        match self {
            Self::Unmarked => None,
            Self::Mapped(index) | Self::RegisteredContact(index) | Self::NoChange(index) => {
                Some(index.as_slice()).filter(|index| !index.is_empty())
            }
        }
    }
}

impl fmt::Debug for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryEntry")
            .field("uri", &self.uri)
            .field("index", &self.index)
            .field("reason_cause", &self.reason_cause)
            .field("arrival_cause", &self.arrival_cause)
            .field("target_kind", &self.target_kind)
            .finish_non_exhaustive()
    }
}

/// Reads the values of all `History-Info` headers, in order. `privacy` is the message's own `Privacy`: with
/// `history` in it, or in an entry, or with an anonymous URI, the entry stays but its number is withheld.
pub fn read_history(values: &[&str], privacy: &[PrivacyToken]) -> Vec<HistoryEntry> {
    let all_withheld = privacy.contains(&PrivacyToken::History);
    entries(values).filter_map(UriIdentity::parse).map(|entry| history_entry(entry, all_withheld)).collect()
}

fn history_entry(entry: UriIdentity, all_withheld: bool) -> HistoryEntry {
    let uri = &entry.uri;
    let of_entry: Vec<&str> = uri.headers_named("privacy").collect();
    let withheld =
        all_withheld || entry.is_withheld() || PrivacyToken::read(&of_entry).contains(&PrivacyToken::History);
    let embedded: Vec<&str> = uri.headers_named("reason").collect();
    let reasons = read_reasons(&embedded);
    let reason_cause = cause_of(&reasons, "SIP");
    let arrival_cause = uri
        .parameter("cause")
        // Without angle brackets the parameter lands beside the header's own.
        .or_else(|| entry.parameter("cause"))
        .and_then(|cause| cause.trim().parse().ok());
    let target_kind = if let Some(origin) = entry.parameter("mp") {
        TargetKind::Mapped(index(origin))
    } else if let Some(origin) = entry.parameter("rc") {
        TargetKind::RegisteredContact(index(origin))
    } else if let Some(origin) = entry.parameter("np") {
        TargetKind::NoChange(index(origin))
    } else {
        TargetKind::Unmarked
    };
    let index = entry.parameter("index").map(index).unwrap_or_default();
    let uri = (!withheld).then_some(entry.uri);
    HistoryEntry {
        user: uri.as_ref().and_then(|uri| uri.user.clone()),
        uri,
        index,
        reason_cause,
        arrival_cause,
        target_kind,
    }
}

fn index(text: &str) -> Vec<u32> {
    let numbers: Option<Vec<u32>> =
        text.trim().split('.').take(MAX_INDEX_DEPTH + 1).map(|number| number.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() <= MAX_INDEX_DEPTH).unwrap_or_default()
}
