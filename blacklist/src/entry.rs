//! One entry as it is kept in memory: small, for there may be a million of them.

use record::{ListEffect, ListName, RepresentativeKind, RepresentativeLevel, Timestamp};

/// Everything about an entry but its subject, which is the key it is found by.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// In force from here, milliseconds since 1970.
    pub valid_from_ms: i64,
    /// In force until just before here.
    pub valid_until_ms: i64,
    /// Line of the file.
    pub line: u32,
    /// Index into the reasons of the file.
    pub reason: Option<u32>,
    /// The case file's mark, which stands in records instead of the number.
    pub reference: Option<Box<str>>,
    pub list: ListName,
    /// The effect asked for.
    pub effect: ListEffect,
    pub representative: Option<(RepresentativeKind, Option<RepresentativeLevel>)>,
}

impl Entry {
    pub fn is_valid(&self, now: Timestamp) -> bool {
        (self.valid_from_ms..self.valid_until_ms).contains(&now.unix_ms())
    }

    /// How records name the entry. Never the number: `lists[]` of a record is seen in every view.
    pub fn name(&self) -> String {
        match &self.reference {
            Some(reference) => reference.to_string(),
            None => format!("line:{}", self.line),
        }
    }
}
