//! A sorted table: few bytes per entry, no hashing, look-ups without allocating.

use std::cmp::Ordering;

use crate::entry::Entry;

/// Entries by key; several entries may have the same key.
#[derive(Debug)]
pub(crate) struct Table<K> {
    keys: Vec<K>,
    entries: Vec<Entry>,
}

impl<K: Ord> Table<K> {
    /// Sorts by key; entries of one key keep the order of the file.
    pub fn new(mut rows: Vec<(K, Entry)>) -> Self {
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        let (keys, entries) = rows.into_iter().unzip();
        Self { keys, entries }
    }

    /// Every entry whose key compares equal; `order` says how a key compares to the one sought.
    pub fn find(&self, order: impl Fn(&K) -> Ordering) -> &[Entry] {
        let first = self.keys.partition_point(|key| order(key) == Ordering::Less);
        let rest = self.keys.get(first..).unwrap_or_default();
        let count = rest.partition_point(|key| order(key) == Ordering::Equal);
        self.entries.get(first..first + count).unwrap_or_default()
    }

    /// Runs of entries with the same key.
    pub fn groups(&self) -> impl Iterator<Item = &[Entry]> {
        let mut start = 0;
        self.keys.chunk_by(|a, b| a == b).map(move |run| {
            let group = self.entries.get(start..start + run.len()).unwrap_or_default();
            start += run.len();
            group
        })
    }
}
