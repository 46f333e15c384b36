//! The headers that say who calls, and which of them to believe.

use super::text::{entries, split};
use super::{MAX_ENTRIES, MAX_VALUE_BYTES, UriIdentity};

/// The raw values of the headers, one element for each header line.
#[derive(Clone, Copy, Default)]
pub struct RawIdentity<'a> {
    /// `P-Asserted-Identity`
    pub asserted: &'a [&'a str],
    /// `P-Preferred-Identity`
    pub preferred: &'a [&'a str],
    /// `From`
    pub from: Option<&'a str>,
    /// `Privacy`
    pub privacy: &'a [&'a str],
    /// `Remote-Party-ID`
    pub remote_party: &'a [&'a str],
}

/// What the headers say, believed or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityHeaders {
    /// What a network vouches for; only as good as the peer it came from.
    pub asserted: Vec<UriIdentity>,
    /// What the caller's device would like to be known by.
    pub preferred: Vec<UriIdentity>,
    /// What the caller's device wrote.
    pub from: Option<UriIdentity>,
    /// An older relative of P-Asserted-Identity; kept as an extra, never decided by.
    pub remote_party: Vec<RemoteParty>,
    /// What the caller asked to be kept private.
    pub privacy: Vec<PrivacyToken>,
}

/// One `Remote-Party-ID` (draft-ietf-sip-privacy-04).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteParty {
    /// The identity.
    pub identity: UriIdentity,
    /// `screen=yes`: a network checked it.
    pub screened: bool,
    /// `privacy=` other than `off`.
    pub restricted: bool,
}

/// One value of `Privacy` (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrivacyToken {
    /// Nothing is to be hidden.
    None,
    /// Hide the asserted identity.
    Id,
    /// Hide what the device wrote.
    User,
    /// Hide what headers reveal.
    Header,
    /// Hide the media address.
    Session,
    /// Hide the history of diversions.
    History,
    /// Refuse the call rather than reveal.
    Critical,
    /// Anything else.
    Other,
}

/// How far an identity can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityTrust {
    /// Only From: anyone can write anything there.
    FromOnly,
    /// Preferred by the device, checked by no one.
    PreferredUnverified,
    /// Asserted by a peer that is trusted to do so.
    NetworkAsserted,
}

impl IdentityHeaders {
    /// Reads the headers; what cannot be read is left out.
    pub fn read(raw: &RawIdentity<'_>) -> Self {
        Self {
            asserted: identities(raw.asserted),
            preferred: identities(raw.preferred),
            from: raw.from.and_then(UriIdentity::parse),
            remote_party: identities(raw.remote_party).into_iter().map(RemoteParty::of).collect(),
            privacy: PrivacyToken::read(raw.privacy),
        }
    }

    /// Forgets what only a trusted peer may say: to be called for every other peer (RFC 3325 §5).
    #[must_use]
    pub fn without_assertions(self) -> Self {
        Self { asserted: Vec::new(), remote_party: Vec::new(), ..self }
    }

    /// Whether the caller asked not to be shown (RFC 3323 §4.2): the number serves lists and callbacks, and
    /// stays hidden from the agent.
    pub fn presentation_restricted(&self) -> bool {
        let hiding = [PrivacyToken::Id, PrivacyToken::User, PrivacyToken::Header, PrivacyToken::Critical];
        self.privacy.iter().any(|token| hiding.contains(token))
            || self.remote_party.iter().any(|party| party.restricted)
    }

    /// The identity to act on, with how far to trust it; `trusted_peer` says whether assertions count.
    ///
    /// Of several, one that is a telephone number is preferred. `None` if every identity is withheld.
    pub fn best(&self, trusted_peer: bool) -> Option<(&UriIdentity, IdentityTrust)> {
        let asserted = if trusted_peer { self.asserted.as_slice() } else { &[] };
        pick(asserted)
            .map(|identity| (identity, IdentityTrust::NetworkAsserted))
            .or_else(|| pick(&self.preferred).map(|found| (found, IdentityTrust::PreferredUnverified)))
            .or_else(|| pick(self.from.as_slice()).map(|found| (found, IdentityTrust::FromOnly)))
    }
}

impl RemoteParty {
    fn of(identity: UriIdentity) -> Self {
        let screened = identity.parameter("screen").is_some_and(|value| value.eq_ignore_ascii_case("yes"));
        let restricted =
            identity.parameter("privacy").is_some_and(|value| !value.eq_ignore_ascii_case("off"));
        Self { identity, screened, restricted }
    }
}

impl PrivacyToken {
    /// Reads the values of all `Privacy` headers.
    pub fn read(values: &[&str]) -> Vec<Self> {
        values
            .iter()
            .filter(|value| value.len() <= MAX_VALUE_BYTES)
            // The grammar says semicolons; some switches write commas.
            .flat_map(|value| split(value, b';').flat_map(|part| split(part, b',')))
            .take(MAX_ENTRIES)
            .map(Self::of)
            .collect()
    }

    fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "none" => Self::None,
            "id" => Self::Id,
            "user" => Self::User,
            "header" => Self::Header,
            "session" => Self::Session,
            "history" => Self::History,
            "critical" => Self::Critical,
            _ => Self::Other,
        }
    }
}

fn identities(values: &[&str]) -> Vec<UriIdentity> {
    entries(values).filter_map(UriIdentity::parse).collect()
}

fn pick(identities: &[UriIdentity]) -> Option<&UriIdentity> {
    let mut known = identities.iter().filter(|identity| !identity.is_withheld());
    let first = known.clone().next();
    known.find(|identity| identity.uri.is_phone()).or(first)
}
