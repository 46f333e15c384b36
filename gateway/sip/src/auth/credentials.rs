//! The value of `Authorization` and `Proxy-Authorization` (RFC 7616 §3.4).

use std::fmt;

use super::parameters::{Parameters, quoted};
use super::{Algorithm, AuthError};

/// The proof a client sends.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who it claims to be.
    pub username: String,
    /// Must be the realm of the challenge; check it.
    pub realm: String,
    /// Must be a nonce of ours; see [`super::NonceKey::check`].
    pub nonce: String,
    /// The request URI as the client saw it; a proxy on the way may have changed the real one.
    pub uri: String,
    /// The proof, hex digits.
    pub response: String,
    /// The hash used.
    pub algorithm: Algorithm,
    /// Echo of the challenge's `opaque`.
    pub opaque: Option<String>,
    pub(super) counted: Option<Counted>,
}

/// What `qop=auth` adds.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub nc: String,
    pub number: u32,
    pub cnonce: String,
}

impl Credentials {
    /// Reads a header value.
    ///
    /// # Errors
    /// [`AuthError::NotDigest`], [`AuthError::Malformed`], [`AuthError::Missing`], [`AuthError::Unsupported`].
    pub fn parse(header: &str) -> Result<Self, AuthError> {
        let parameters = Parameters::parse(header)?;
        let algorithm = Algorithm::read(parameters.find("algorithm"))?;
        if parameters.find("userhash").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Err(AuthError::Unsupported("userhash"));
        }
        if parameters.find("username").is_none() && parameters.find("username*").is_some() {
            return Err(AuthError::Unsupported("username*"));
        }
        let counted = match parameters.find("qop") {
            None => None,
            Some(qop) if qop.trim().eq_ignore_ascii_case("auth") => {
                let nc = parameters.require("nc")?;
                if nc.len() != 8 || !nc.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(AuthError::Malformed("nc is not eight hex digits"));
                }
                let number = u32::from_str_radix(&nc, 16).map_err(|_| AuthError::Malformed("nc"))?;
                Some(Counted { nc, number, cnonce: parameters.require("cnonce")? })
            }
            Some(_) => return Err(AuthError::Unsupported("qop other than auth")),
        };
        Ok(Self {
            username: parameters.require("username")?,
            realm: parameters.require("realm")?,
            nonce: parameters.require("nonce")?,
            uri: parameters.require("uri")?,
            response: parameters.require("response")?,
            algorithm,
            opaque: parameters.owned("opaque"),
            counted,
        })
    }

    /// The request count with `qop=auth`; `None` without, when a nonce is good for one request only.
    pub fn nonce_count(&self) -> Option<u32> {
        self.counted.as_ref().map(|counted| counted.number)
    }
}

/// The header value.
impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Digest username={}, realm={}, nonce={}, uri={}, response={}, algorithm={}",
            quoted(&self.username),
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(&self.uri),
            quoted(&self.response),
            self.algorithm.as_str(),
        )?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quoted(opaque))?;
        }
        if let Some(Counted { nc, cnonce, .. }) = &self.counted {
            write!(f, ", qop=auth, nc={nc}, cnonce={}", quoted(cnonce))?;
        }
        Ok(())
    }
}

/// A user name may be a phone number, and the rest feeds a guess at the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("algorithm", &self.algorithm)
            .field("nonce_count", &self.nonce_count())
            .finish_non_exhaustive()
    }
}
