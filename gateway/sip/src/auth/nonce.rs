//! Nonces that carry their own proof of origin and age, so that a challenge costs no memory.
//!
//! Form: 16 hex digits time, 16 hex digits serial number, 32 hex digits of an HMAC-SHA-256 over both.
//! Fixed width makes text order the order of issue, which [`super::ReplayGuard`] relies on.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

const STAMP_DIGITS: usize = 32;
const NONCE_DIGITS: usize = 64;

/// How long a nonce is taken, unless [`NonceKey::with_lifetime_ms`] says otherwise.
const DEFAULT_LIFETIME_MS: u64 = 5 * 60 * 1000;

/// What [`NonceKey::check`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Ours and young enough.
    Fresh,
    /// Ours but too old (or from before a clock was set back): challenge anew with `stale=true`.
    Stale,
    /// Not ours; challenge anew without `stale`.
    Forged,
}

/// Issues and recognises nonces.
///
/// The key must be new for each process if the clock is monotonic, as times would otherwise recur.
pub struct NonceKey {
    key: [u8; 32],
    lifetime_ms: u64,
    serial: u64,
}

impl NonceKey {
    /// With nonces that live five minutes.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, lifetime_ms: DEFAULT_LIFETIME_MS, serial: 0 }
    }

    /// Changes how long nonces are taken, in milliseconds.
    #[must_use]
    pub fn with_lifetime_ms(self, lifetime_ms: u64) -> Self {
        Self { lifetime_ms, ..self }
    }

    /// How long nonces are taken, in milliseconds; the lifetime a [`super::ReplayGuard`] needs.
    pub fn lifetime_ms(&self) -> u64 {
        self.lifetime_ms
    }

    /// A nonce no one was given before. `now_ms` is any clock that [`Self::check`] is also given.
    pub fn issue(&mut self, now_ms: u64) -> String {
        let stamp = format!("{now_ms:016x}{:016x}", self.serial);
        self.serial = self.serial.wrapping_add(1);
        let seal = self.seal(&stamp);
        stamp + &seal
    }

    /// Tells whether `nonce` is ours and how old. Only the exact text issued is taken, so that one nonce has one
    /// spelling.
    pub fn check(&self, nonce: &str, now_ms: u64) -> Freshness {
        let Some((stamp, seal)) = nonce.split_at_checked(STAMP_DIGITS) else { return Freshness::Forged };
        if !bool::from(self.seal(stamp).as_bytes().ct_eq(seal.as_bytes())) {
            return Freshness::Forged;
        }
        match issued_ms(nonce) {
            Some(issued) if issued <= now_ms && now_ms - issued < self.lifetime_ms => Freshness::Fresh,
            Some(_) => Freshness::Stale,
            None => Freshness::Forged,
        }
    }

    fn seal(&self, stamp: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of every length");
        mac.update(stamp.as_bytes());
        let mut seal = hex::encode(mac.finalize().into_bytes());
        seal.truncate(NONCE_DIGITS - STAMP_DIGITS);
        seal
    }
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonceKey").field("lifetime_ms", &self.lifetime_ms).finish_non_exhaustive()
    }
}

/// The time in a nonce of ours.
pub(super) fn issued_ms(nonce: &str) -> Option<u64> {
    u64::from_str_radix(nonce.get(..16)?, 16).ok()
}

/// The part of a nonce that names it, and orders it by issue.
pub(super) fn stamp(nonce: &str) -> Option<&str> {
    nonce.get(..STAMP_DIGITS)
}
