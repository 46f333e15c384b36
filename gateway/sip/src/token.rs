//! Tags, branches and Call-IDs: SHA-256 over a secret seed and a counter, so a run can be repeated in a test
//! and nobody outside can guess the next one. A derived token is the same for the same request: the tag of a
//! stateless answer ([RFC 3261 §8.2.7](https://www.rfc-editor.org/rfc/rfc3261#section-8.2.7)).

use sha2::{Digest, Sha256};

#[derive(Clone)]
pub(crate) struct Tokens {
    seed: [u8; 32],
    counter: u64,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(secret)")
    }
}

impl Tokens {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// 80 bits as hex, never given twice.
    pub(crate) fn next(&mut self) -> String {
        self.counter = self.counter.wrapping_add(1);
        self.digest(b"next", &[&self.counter.to_string()])
    }

    /// A number from 0 to `limit` - 1.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        let number = self.next().get(..8).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        number.unwrap_or_default() % limit.max(1)
    }

    /// The same parts give the same token.
    pub(crate) fn derive(&self, parts: &[&str]) -> String {
        self.digest(b"derive", parts)
    }

    /// A key for another purpose, so that no two uses share one.
    pub(crate) fn key(&self, purpose: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(b"key");
        hash.update(purpose.as_bytes());
        hash.finalize().into()
    }

    fn digest(&self, domain: &[u8], parts: &[&str]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(domain);
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        hex::encode(digest.iter().take(10).copied().collect::<Vec<u8>>())
    }
}
