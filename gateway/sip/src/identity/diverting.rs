//! History-Info and Diversion brought to one form ([RFC 7544](https://www.rfc-editor.org/rfc/rfc7544)).
//!
//! A hotline that took over many old lines learns which line was dialled from the *first* diverting party:
//! the lowest index of History-Info, else the bottom Diversion. History-Info wins where both speak.

use std::fmt;

use super::history::TargetKind;
use super::{DiversionEntry, HistoryEntry};

/// One party that sent the call elsewhere. `Debug` does not show the number.
#[derive(Clone, PartialEq, Eq)]
pub struct Diverting {
    /// Its user part or number; `None` if withheld: then the line is unknown, not the next one's.
    pub user: Option<String>,
    /// Why.
    pub reason: DivertReason,
    /// How many diversions this stands for, where said.
    pub counter: Option<u32>,
    /// Which header said so.
    pub source: DivertSource,
    /// The number may be acted on, not shown.
    pub restricted: bool,
}

/// Why a call was diverted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DivertReason {
    /// Always; cause 302.
    Unconditional,
    /// The line was busy; cause 486.
    UserBusy,
    /// Nobody answered; cause 408.
    NoAnswer,
    /// The one called sent it on while it rang; causes 480 and 487.
    Deflection,
    /// The line could not be reached; cause 503.
    Unavailable,
    /// Not said, cause 404, or a reason without cause of its own (time of day, away …).
    Unknown,
}

/// Which header a diversion was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DivertSource {
    /// `History-Info`
    HistoryInfo,
    /// `Diversion`
    Diversion,
}

impl DivertReason {
    /// The word of RFC 5806.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unconditional => "unconditional",
            Self::UserBusy => "user-busy",
            Self::NoAnswer => "no-answer",
            Self::Deflection => "deflection",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }

    /// The reason of a cause (RFC 7544 §7.1); `None` for a cause that is not one of diversion.
    pub fn from_cause(cause: u16) -> Option<Self> {
        Some(match cause {
            302 => Self::Unconditional,
            486 => Self::UserBusy,
            408 => Self::NoAnswer,
            480 | 487 => Self::Deflection,
            503 => Self::Unavailable,
            404 => Self::Unknown,
            _ => return None,
        })
    }

    /// The reason of a word in Diversion; other words are [`DivertReason::Unknown`].
    pub fn from_word(word: &str) -> Self {
        [Self::Unconditional, Self::UserBusy, Self::NoAnswer, Self::Deflection, Self::Unavailable]
            .into_iter()
            .find(|reason| word.eq_ignore_ascii_case(reason.as_str()))
            .unwrap_or(Self::Unknown)
    }
}

impl DivertSource {
    /// The header's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HistoryInfo => "History-Info",
            Self::Diversion => "Diversion",
        }
    }
}

impl fmt::Debug for Diverting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diverting")
            .field("reason", &self.reason)
            .field("counter", &self.counter)
            .field("source", &self.source)
            .field("restricted", &self.restricted)
            .finish_non_exhaustive()
    }
}

/// The party that was called first and sent the call on: for a merged hotline, the old line.
///
/// `None` if the call was not diverted. `diversion` is in header order, as [`super::read_diversion`] gives it.
pub fn first_diverting(history: &[HistoryEntry], diversion: &[DiversionEntry]) -> Option<Diverting> {
    of_history(history).into_iter().next().or_else(|| of_diversion(diversion).next())
}

/// Every diversion both headers tell of, oldest first, those of History-Info before those of Diversion.
pub fn diversions(history: &[HistoryEntry], diversion: &[DiversionEntry]) -> Vec<Diverting> {
    let mut all = of_history(history);
    all.extend(of_diversion(diversion));
    all
}

/// Whether both headers name a first diverting party, and not the same one; worth a line in the log.
pub fn sources_disagree(history: &[HistoryEntry], diversion: &[DiversionEntry]) -> bool {
    let in_history = of_history(history).into_iter().next().and_then(|diverting| diverting.user);
    let in_diversion = of_diversion(diversion).next().and_then(|diverting| diverting.user);
    matches!((in_history, in_diversion), (Some(one), Some(other)) if one != other)
}

fn of_diversion(diversion: &[DiversionEntry]) -> impl Iterator<Item = Diverting> {
    diversion.iter().rev().map(|entry| Diverting {
        user: entry.user.clone(),
        reason: DivertReason::from_word(&entry.reason),
        counter: entry.counter,
        source: DivertSource::Diversion,
        restricted: entry.restricted,
    })
}

fn of_history(history: &[HistoryEntry]) -> Vec<Diverting> {
    let mut in_order: Vec<&HistoryEntry> = history.iter().collect();
    // Entries without index keep their place after those that have one; the sort is stable.
    in_order.sort_by(|one, other| {
        (one.index.is_empty(), &one.index).cmp(&(other.index.is_empty(), &other.index))
    });
    let departures = in_order.iter().enumerate().filter_map(|(place, entry)| {
        let reason = departure(entry, &in_order, place)?;
        Some(Diverting {
            user: entry.user.clone(),
            reason,
            counter: None,
            source: DivertSource::HistoryInfo,
            restricted: entry.user.is_none(),
        })
    });
    departures.collect()
}

/// Why the call left `entry`, if it did: by its own cause, else by what its successors say of how they came to be.
fn departure(entry: &HistoryEntry, in_order: &[&HistoryEntry], place: usize) -> Option<DivertReason> {
    if let Some(reason) = entry.reason_cause.and_then(DivertReason::from_cause) {
        return Some(reason);
    }
    let successors = || {
        let later = in_order.iter().enumerate().skip(place + 1);
        later.filter(|(at, other)| follows(other, *at, entry, place)).map(|(_, other)| *other)
    };
    let said = successors().find_map(|other| other.arrival_cause.and_then(DivertReason::from_cause));
    said.or_else(|| successors().any(|other| is_other_user(entry, other)).then_some(DivertReason::Unknown))
}

/// Whether `other` was derived from `entry`: by the index it names, by its own index, or by standing next.
fn follows(other: &HistoryEntry, at: usize, entry: &HistoryEntry, place: usize) -> bool {
    if entry.index.is_empty() || other.index.is_empty() {
        return at == place + 1;
    }
    match other.target_kind.origin() {
        Some(origin) => origin == entry.index,
        // Some RFC 4244 switches count 1, 2, 3 where they should count 1, 1.1, 1.1.1.
        None if entry.index.len() == 1 && other.index.len() == 1 => at == place + 1,
        None => other.index.split_last().is_some_and(|(_, parent)| parent == entry.index),
    }
}

/// `mp` says so; an RFC 4244 sender says nothing, but then the user parts differ.
fn is_other_user(entry: &HistoryEntry, other: &HistoryEntry) -> bool {
    match other.target_kind {
        TargetKind::Mapped(_) => true,
        TargetKind::RegisteredContact(_) | TargetKind::NoChange(_) => false,
        TargetKind::Unmarked => entry.user != other.user,
    }
}
