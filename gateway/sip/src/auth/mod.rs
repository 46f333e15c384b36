//! Digest authentication for SIP, both ends: [RFC 3261 §22](https://www.rfc-editor.org/rfc/rfc3261#section-22),
//! [RFC 7616](https://www.rfc-editor.org/rfc/rfc7616), [RFC 8760](https://www.rfc-editor.org/rfc/rfc8760).
//!
//! [`Challenge`] and [`Credentials`] are the two header values, [`verify`] and [`answer`] the two ends.
//! [`NonceKey`] issues nonces that need no memory to be recognised; [`ReplayGuard`] remembers, within a bound,
//! which request counts were used, and only for those who proved a secret.
//!
//! Spoken: MD5 and SHA-256, `qop=auth` or none. Refused by name: `-sess`, `auth-int`, `userhash`, other hashes.

mod challenge;
mod credentials;
mod digest;
mod nonce;
mod parameters;
mod replay;

pub use challenge::{Challenge, answer, challenges};
pub use credentials::Credentials;
pub use digest::{Algorithm, Secret, ha1_hex, verify};
pub use nonce::{Freshness, NonceKey};
pub use replay::ReplayGuard;

/// Why a header could not be read or a proof did not hold.
///
/// No variant holds a value of the header: names and numbers stay out of logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not a digest header at all (`Basic`, `Bearer` …); the other end must use Digest.
    #[error("authentication scheme is not Digest")]
    NotDigest,
    /// The header breaks the grammar, repeats a parameter or exceeds our limits.
    #[error("digest header is malformed: {0}")]
    Malformed(&'static str),
    /// A parameter without which nothing can be computed.
    #[error("digest header has no {0}")]
    Missing(&'static str),
    /// A variant we deliberately do not speak.
    #[error("digest variant is not supported: {0}")]
    Unsupported(&'static str),
    /// Our secret is stored as a hash for the other algorithm.
    #[error("no secret stored for this digest algorithm")]
    NoSecret,
    /// The proof is wrong: other password, other method, or a tampered header.
    #[error("digest response does not match")]
    Mismatch,
    /// The same nonce and count were used before; challenge anew with `stale=true`.
    #[error("nonce count was used before")]
    Replayed,
    /// The nonce is too old to be followed further; challenge anew with `stale=true`.
    #[error("nonce is stale")]
    Stale,
}
