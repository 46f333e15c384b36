//! Which INVITEs were shed under pressure, so that a repeat hears what the first one heard: the gate may have
//! opened in between, and a call must not be refused and taken at once.
//!
//! Two generations of keys, sixteen bytes a shed call. A key is forgotten after one to two of 64*T1, in which
//! its sender gives up (RFC 3261 §17.1.1.2), or when both generations are full.

use std::{
    collections::HashSet,
    hash::BuildHasherDefault,
    time::{Duration, Instant},
};

use crate::keys::{Key, Spread};

/// So many keys a generation: 32 s at 4,000 shed calls a second.
const MAX_KEYS: usize = 131_072;

#[derive(Debug, Default)]
pub(crate) struct Shed {
    young: HashSet<Key, BuildHasherDefault<Spread>>,
    old: HashSet<Key, BuildHasherDefault<Spread>>,
    turned: Option<Instant>,
}

impl Shed {
    pub(crate) fn remember(&mut self, now: Instant, life: Duration, key: Key) {
        self.turn(now, life);
        if self.young.len() >= MAX_KEYS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key);
    }

    pub(crate) fn remembers(&mut self, now: Instant, life: Duration, key: Key) -> bool {
        self.turn(now, life);
        self.young.contains(&key) || self.old.contains(&key)
    }

    fn turn(&mut self, now: Instant, life: Duration) {
        let age = self.turned.map(|turned| now.saturating_duration_since(turned));
        if age.is_some_and(|age| age < life) {
            return;
        }
        let young = std::mem::take(&mut self.young);
        // Nobody looked for twice its life: what was young is old as well.
        self.old = if age.is_some_and(|age| age < life * 2) { young } else { HashSet::default() };
        self.turned = Some(now);
    }
}
