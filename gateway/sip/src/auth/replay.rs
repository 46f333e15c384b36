//! Which request counts of a nonce were used (RFC 7616 §3.4, `nc`).
//!
//! To be asked *after* [`super::verify`] held: then only those who know a secret take memory, and no one else
//! can use up another's counts. At capacity the nonces issued first are dropped and refused from then on, so
//! forgetting never reopens a replay.

use std::collections::BTreeMap;
use std::fmt;

use super::AuthError;
use super::nonce::{issued_ms, stamp};

/// How far behind the highest count a late request may be: UDP reorders.
const WINDOW: u32 = 64;

/// The counts used, per nonce, within a bound.
pub struct ReplayGuard {
    capacity: usize,
    lifetime_ms: u64,
    used: BTreeMap<String, Counts>,
    /// Nonces up to this stamp were dropped for want of room.
    floor: Option<String>,
}

/// The highest count seen, and a bit for each of the [`WINDOW`] counts up to it (bit 0 = the highest).
#[derive(Clone, Copy)]
enum Counts {
    Once,
    Window { highest: u32, seen: u64 },
}

impl ReplayGuard {
    /// Remembers at most `capacity` nonces (at least one), each for the lifetime of the [`super::NonceKey`].
    pub fn new(capacity: usize, lifetime_ms: u64) -> Self {
        Self { capacity: capacity.max(1), lifetime_ms, used: BTreeMap::new(), floor: None }
    }

    /// How many nonces are remembered.
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// Takes one use of a nonce that [`super::NonceKey::check`] found fresh. Without a count (no `qop`) the
    /// nonce is good once.
    ///
    /// # Errors
    /// [`AuthError::Replayed`] for a count used before or too far behind; [`AuthError::Stale`] for a nonce
    /// issued before those we still remember. Both mean: challenge anew with `stale=true`.
    pub fn accept(&mut self, nonce: &str, count: Option<u32>, now_ms: u64) -> Result<(), AuthError> {
        self.expire(now_ms);
        let stamp = stamp(nonce).ok_or(AuthError::Stale)?;
        if let Some(counts) = self.used.get_mut(stamp) {
            return counts.use_again(count);
        }
        if self.floor.as_deref().is_some_and(|floor| stamp <= floor) {
            return Err(AuthError::Stale);
        }
        let first = match count {
            Some(highest) => Counts::Window { highest, seen: 1 },
            None => Counts::Once,
        };
        self.used.insert(stamp.to_owned(), first);
        while self.used.len() > self.capacity {
            let Some((oldest, _)) = self.used.pop_first() else { break };
            let dropped_itself = oldest == stamp;
            self.floor = Some(oldest);
            if dropped_itself {
                return Err(AuthError::Stale);
            }
        }
        Ok(())
    }

    /// Forgets nonces past their lifetime: those at the front, as the order is that of issue.
    fn expire(&mut self, now_ms: u64) {
        while let Some(oldest) = self.used.first_entry() {
            let alive = issued_ms(oldest.key())
                .is_some_and(|issued| issued > now_ms || now_ms - issued < self.lifetime_ms);
            if alive {
                return;
            }
            oldest.remove();
        }
    }
}

impl Counts {
    fn use_again(&mut self, count: Option<u32>) -> Result<(), AuthError> {
        let (Self::Window { highest, seen }, Some(count)) = (self, count) else {
            return Err(AuthError::Replayed);
        };
        if count > *highest {
            let ahead = count - *highest;
            *seen = if ahead < WINDOW { (*seen << ahead) | 1 } else { 1 };
            *highest = count;
            return Ok(());
        }
        let behind = *highest - count;
        if behind >= WINDOW || *seen & (1 << behind) != 0 {
            return Err(AuthError::Replayed);
        }
        *seen |= 1 << behind;
        Ok(())
    }
}

impl fmt::Debug for ReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayGuard")
            .field("capacity", &self.capacity)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
