//! Keyed hashes of identities, for joining records without showing who it is.
//!
//! There are only about 10^10 mobile numbers, so an unkeyed hash could be reversed by trying them all.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The node's secret for identity hashes (`node.identity_key`).
#[derive(Clone)]
pub struct IdentityKey(Vec<u8>);

impl IdentityKey {
    /// Takes the secret bytes.
    pub fn new(secret: impl Into<Vec<u8>>) -> Self {
        Self(secret.into())
    }

    /// `hmac-sha256:` and 64 hex digits over `kind`, a colon and `value`. `kind` keeps a telephone number
    /// and a platform id that look alike apart: `phone`, `name`, `email`, or a channel's provider.
    pub fn key(&self, kind: &str, value: &str) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(kind.as_bytes());
        mac.update(b":");
        mac.update(value.as_bytes());
        format!("hmac-sha256:{}", hex::encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityKey(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use super::IdentityKey;

    #[test]
    fn kinds_and_keys_separate() {
        let key = IdentityKey::new(*b"one");
        assert_eq!(key.key("phone", "+8613912345678"), key.key("phone", "+8613912345678"));
        assert_ne!(key.key("phone", "1"), key.key("qqbot", "1"));
        assert_ne!(key.key("phone", "1"), IdentityKey::new(*b"two").key("phone", "1"));
        assert!(key.key("phone", "1").starts_with("hmac-sha256:"));
        assert_eq!(key.key("phone", "1").len(), "hmac-sha256:".len() + 64);
    }
}
