//! The value of `WWW-Authenticate` and `Proxy-Authenticate` (RFC 7616 §3.3), and the answer to it.

use std::fmt;

use super::credentials::Counted;
use super::digest::Question;
use super::parameters::{Parameters, quoted};
use super::{Algorithm, AuthError, Credentials, Secret};

/// A request for proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Which accounts are meant.
    pub realm: String,
    /// To be hashed into the answer.
    pub nonce: String,
    /// To be sent back unchanged.
    pub opaque: Option<String>,
    /// The hash to use.
    pub algorithm: Algorithm,
    /// Whether `qop=auth` is offered; without it the older computation of RFC 2069 applies.
    pub qop_auth: bool,
    /// The last nonce was only too old: answer again without asking anyone for a password.
    pub stale: bool,
}

/// The header values of a 401 or 407, one an algorithm, in order of preference (RFC 8760 §2.4).
pub fn challenges<'a>(
    algorithms: &'a [Algorithm],
    realm: &'a str,
    nonce: &'a str,
    stale: bool,
) -> impl Iterator<Item = String> + 'a {
    algorithms.iter().map(move |&algorithm| {
        let (realm, nonce) = (realm.to_owned(), nonce.to_owned());
        Challenge { realm, nonce, opaque: None, algorithm, qop_auth: true, stale }.to_string()
    })
}

impl Challenge {
    /// Reads one header value.
    ///
    /// # Errors
    /// [`AuthError::NotDigest`], [`AuthError::Malformed`], [`AuthError::Missing`], [`AuthError::Unsupported`].
    pub fn parse(header: &str) -> Result<Self, AuthError> {
        let parameters = Parameters::parse(header)?;
        let algorithm = Algorithm::read(parameters.find("algorithm"))?;
        let qop_auth = match parameters.find("qop").map(str::trim) {
            None | Some("") => false,
            Some(list) if list.split(',').any(|word| word.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return Err(AuthError::Unsupported("qop other than auth")),
        };
        Ok(Self {
            realm: parameters.require("realm")?,
            nonce: parameters.require("nonce")?,
            opaque: parameters.owned("opaque"),
            algorithm,
            qop_auth,
            stale: parameters.find("stale").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        })
    }

    /// The first of several header values that we speak and hold a secret for: a server lists them by
    /// preference (RFC 8760 §2.5).
    ///
    /// # Errors
    /// The fault of the first value, or [`AuthError::Missing`] if there are none.
    pub fn first_usable(headers: &[&str], secret: &Secret) -> Result<Self, AuthError> {
        let mut fault = None;
        for header in headers {
            match Self::parse(header) {
                Ok(challenge) if secret.serves(challenge.algorithm) => return Ok(challenge),
                Ok(_) => fault = fault.or(Some(AuthError::NoSecret)),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        Err(fault.unwrap_or(AuthError::Missing("challenge")))
    }
}

/// The header value.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", quoted(&self.realm), quoted(&self.nonce))?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quoted(opaque))?;
        }
        write!(f, ", algorithm={}", self.algorithm.as_str())?;
        if self.qop_auth {
            f.write_str(", qop=\"auth\"")?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        Ok(())
    }
}

/// The credentials that answer `challenge`; their `to_string()` is the header value.
///
/// `cnonce` must be unpredictable and `nonce_count` start at 1 and rise with every use of the same nonce.
///
/// # Errors
/// [`AuthError::NoSecret`] if only the other algorithm's hash is stored.
pub fn answer(
    challenge: &Challenge,
    username: &str,
    secret: &Secret,
    method: &str,
    uri: &str,
    cnonce: &str,
    nonce_count: u32,
) -> Result<Credentials, AuthError> {
    let counted = challenge.qop_auth.then(|| Counted {
        nc: format!("{nonce_count:08x}"),
        number: nonce_count,
        cnonce: cnonce.to_owned(),
    });
    let response = Question {
        algorithm: challenge.algorithm,
        username,
        realm: &challenge.realm,
        nonce: &challenge.nonce,
        uri,
        method,
        counted: counted.as_ref().map(|counted| (counted.nc.as_str(), counted.cnonce.as_str())),
    }
    .response_hex(secret)?;
    Ok(Credentials {
        username: username.to_owned(),
        realm: challenge.realm.clone(),
        nonce: challenge.nonce.clone(),
        uri: uri.to_owned(),
        response,
        algorithm: challenge.algorithm,
        opaque: challenge.opaque.clone(),
        counted,
    })
}
