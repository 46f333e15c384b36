//! The arithmetic of RFC 7616 §3.4: A1, A2, the response, and its comparison in constant time.

use std::fmt;

use md5::Md5;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{AuthError, Credentials};

/// The hashes we speak (RFC 8760 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// What every phone knows; also what a header without `algorithm` means.
    Md5,
    /// To be offered first.
    Sha256,
}

impl Algorithm {
    /// The name in headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    pub(super) fn read(name: Option<&str>) -> Result<Self, AuthError> {
        let Some(name) = name else { return Ok(Self::Md5) };
        let known = [Self::Md5, Self::Sha256];
        if let Some(algorithm) = known.into_iter().find(|known| name.eq_ignore_ascii_case(known.as_str())) {
            return Ok(algorithm);
        }
        let session = name.len() > 5 && name.to_ascii_lowercase().ends_with("-sess");
        Err(AuthError::Unsupported(if session { "a -sess algorithm" } else { "algorithm" }))
    }

    fn hash_hex(self, parts: &[&[u8]]) -> String {
        fn run<D: Digest>(parts: &[&[u8]]) -> String {
            let mut hash = D::new();
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    hash.update(b":");
                }
                hash.update(part);
            }
            hex::encode(hash.finalize())
        }
        match self {
            Self::Md5 => run::<Md5>(parts),
            Self::Sha256 => run::<Sha256>(parts),
        }
    }
}

/// What we share with the other end. Debug shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password.
    Plain(String),
    /// `H(user:realm:password)` in hex, per algorithm: a stored account need not hold the password, but is
    /// bound to one user name and realm.
    Ha1 {
        /// For MD5, 32 hex digits.
        md5: Option<String>,
        /// For SHA-256, 64 hex digits.
        sha256: Option<String>,
    },
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain([redacted])",
            Self::Ha1 { .. } => "Ha1([redacted])",
        })
    }
}

impl Secret {
    /// Whether this secret can be used with `algorithm`.
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm) {
            (Self::Plain(_), _) => true,
            (Self::Ha1 { md5, .. }, Algorithm::Md5) => md5.is_some(),
            (Self::Ha1 { sha256, .. }, Algorithm::Sha256) => sha256.is_some(),
        }
    }

    fn ha1_hex(&self, algorithm: Algorithm, username: &str, realm: &str) -> Result<String, AuthError> {
        match (self, algorithm) {
            (Self::Plain(password), _) => Ok(ha1_hex(algorithm, username, realm, password)),
            (Self::Ha1 { md5: Some(stored), .. }, Algorithm::Md5)
            | (Self::Ha1 { sha256: Some(stored), .. }, Algorithm::Sha256) => {
                Ok(stored.trim().to_ascii_lowercase())
            }
            (Self::Ha1 { .. }, _) => Err(AuthError::NoSecret),
        }
    }
}

/// `H(username:realm:password)` in lower-case hex, the form of [`Secret::Ha1`].
pub fn ha1_hex(algorithm: Algorithm, username: &str, realm: &str, password: &str) -> String {
    algorithm.hash_hex(&[username.as_bytes(), realm.as_bytes(), password.as_bytes()])
}

/// Everything the response is computed from, apart from the secret.
pub(super) struct Question<'a> {
    pub algorithm: Algorithm,
    pub username: &'a str,
    pub realm: &'a str,
    pub nonce: &'a str,
    pub uri: &'a str,
    pub method: &'a str,
    /// `nc` as written and `cnonce`, with `qop=auth`.
    pub counted: Option<(&'a str, &'a str)>,
}

impl Question<'_> {
    pub(super) fn response_hex(&self, secret: &Secret) -> Result<String, AuthError> {
        let ha1 = secret.ha1_hex(self.algorithm, self.username, self.realm)?;
        let ha2 = self.algorithm.hash_hex(&[self.method.as_bytes(), self.uri.as_bytes()]);
        let (ha1, ha2, nonce) = (ha1.as_bytes(), ha2.as_bytes(), self.nonce.as_bytes());
        Ok(match self.counted {
            Some((nc, cnonce)) => {
                self.algorithm.hash_hex(&[ha1, nonce, nc.as_bytes(), cnonce.as_bytes(), b"auth", ha2])
            }
            None => self.algorithm.hash_hex(&[ha1, nonce, ha2]),
        })
    }
}

/// Checks the proof in `credentials` for a request with `method`, in constant time.
///
/// It does not look at the nonce's age ([`super::NonceKey::check`]), its count ([`super::ReplayGuard`]), nor at
/// whether realm, user name and URI are the expected ones: the caller does, with the public fields.
///
/// # Errors
/// [`AuthError::Mismatch`] for a wrong proof, [`AuthError::NoSecret`] if only the other algorithm's hash is
/// stored.
pub fn verify(credentials: &Credentials, method: &str, secret: &Secret) -> Result<(), AuthError> {
    let question = Question {
        algorithm: credentials.algorithm,
        username: &credentials.username,
        realm: &credentials.realm,
        nonce: &credentials.nonce,
        uri: &credentials.uri,
        method,
        counted: credentials.counted.as_ref().map(|counted| (counted.nc.as_str(), counted.cnonce.as_str())),
    };
    let expected = question.response_hex(secret)?;
    let given = credentials.response.to_ascii_lowercase();
    if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) { Ok(()) } else { Err(AuthError::Mismatch) }
}
