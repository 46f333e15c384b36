//! Keys of the tables: names from the network as keyed 128-bit hashes, our own numbers as they are.
//!
//! A transaction or dialog is found by texts its peer chose. Instead of the texts, tables hold SipHash-1-3-128
//! of them under a secret key: nobody outside can make two that meet, and by chance two of 10^9 meet once in
//! 10^20 runs. A key is 16 bytes however long a branch is, and looking it up builds no text.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// The hash of what names something.
pub(crate) type Key = u128;

/// A table by [`Key`] or by a number we count up ourselves.
pub(crate) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// Makes keys; the secret follows from the endpoint's seed.
#[derive(Clone)]
pub(crate) struct Keys {
    secret: SipHasher13,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(secret)")
    }
}

impl Keys {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let mut key = [0; 16];
        key.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
        Self { secret: SipHasher13::new_with_key(&key) }
    }

    /// Begins a key of that kind; keys of different kinds never meet.
    pub(crate) fn begin(&self, kind: u8) -> KeyMaker {
        let mut hasher = self.secret;
        hasher.write_u8(kind);
        KeyMaker { hasher }
    }
}

/// A key in the making. The order of parts counts.
pub(crate) struct KeyMaker {
    hasher: SipHasher13,
}

impl KeyMaker {
    /// A text; where it ends counts.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.hasher.write(text.as_bytes());
        self.hasher.write_u8(0xff);
        self
    }

    /// A text whose case does not count (host names).
    pub(crate) fn caseless(mut self, text: &str) -> Self {
        let mut lower = [0; 32];
        for part in text.as_bytes().chunks(lower.len()) {
            if let Some(lower) = lower.get_mut(..part.len()) {
                lower.copy_from_slice(part);
                lower.make_ascii_lowercase();
                self.hasher.write(lower);
            }
        }
        self.hasher.write_u8(0xff);
        self
    }

    pub(crate) fn number(mut self, number: u32) -> Self {
        self.hasher.write_u32(number);
        self
    }

    pub(crate) fn finish(self) -> Key {
        self.hasher.finish128().as_u128()
    }
}

/// Hashes what needs no secret any more: keys are hashes already, and numbers of ours are nobody's choice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread(u64);

/// An odd number without pattern (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(SPREAD).rotate_left(26);
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_boundaries_and_secrets_tell_keys_apart_but_case_of_hosts_does_not() {
        let (keys, others) = (Keys::new(&[1; 32]), Keys::new(&[2; 32]));
        let key = |keys: &Keys, kind, a, b| keys.begin(kind).text(a).caseless(b).number(1).finish();
        let plain = key(&keys, 1, "ab", "host");
        assert_eq!(plain, key(&keys, 1, "ab", "HOST"));
        for other in [
            key(&keys, 2, "ab", "host"),
            key(&keys, 1, "a", "bhost"),
            key(&keys, 1, "AB", "host"),
            key(&others, 1, "ab", "host"),
        ] {
            assert_ne!(plain, other);
        }
        let long = "A-Host-Name-That-Is-Longer-Than-One-Piece.example";
        assert_eq!(
            keys.begin(1).caseless(long).finish(),
            keys.begin(1).caseless(&long.to_lowercase()).finish()
        );
    }
}
