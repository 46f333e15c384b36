//! `"Display" <uri>;name=value`: the form of every header read here (RFC 3261 §20.10).

use std::fmt;

use super::text::{find_outside, percent_decoded, split, unquoted};
use super::{MAX_PARAMETERS, MAX_VALUE_BYTES, Uri};

/// A parameter of a URI or header, the name in lower case, the value unquoted, `None` for a flag.
#[derive(Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The name in lower case.
    pub name: String,
    /// The value as written, without quotes.
    pub value: Option<String>,
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parameter")
    }
}

/// One identity: a name and where it is reached. `Debug` shows neither name nor number.
#[derive(Clone, PartialEq, Eq)]
pub struct UriIdentity {
    /// The display name, if any.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// Header parameters (`tag`, `index`, `reason` …).
    pub parameters: Vec<Parameter>,
}

impl UriIdentity {
    /// Reads one entry, with or without angle brackets.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_VALUE_BYTES {
            return None;
        }
        let text = text.trim();
        let Some(open) = find_outside(text, b'<') else { return Self::parse_bare(text) };
        let display = unquoted(text.get(..open)?);
        let (uri, rest) = text.get(open + 1..)?.split_once('>')?;
        Some(Self {
            display: Some(display).filter(|display| !display.is_empty()),
            uri: Uri::parse(uri)?,
            parameters: parameters(rest),
        })
    }

    /// RFC 3261 §20: without brackets the parameters belong to the header; a tel number keeps its context.
    fn parse_bare(text: &str) -> Option<Self> {
        let mut uri = Uri::parse(text)?;
        let parameters = std::mem::take(&mut uri.parameters);
        Some(Self { display: None, uri, parameters })
    }

    /// The user part or number; `None` if empty.
    pub fn user(&self) -> Option<&str> {
        self.uri.user.as_deref()
    }

    /// A header parameter's value, empty for a flag.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.parameters, name)
    }

    /// Whether this is one of the ways to say that there is no identity: RFC 3323 §4.1.1.3, the
    /// `unavailable@unknown.invalid` of 3GPP interworking, and what carriers write instead.
    pub fn is_withheld(&self) -> bool {
        let Some(user) = self.user() else { return true };
        let words = ["anonymous", "unavailable", "restricted", "withheld", "private", "unknown", "0"];
        let invalid_host = || {
            let host = self.uri.host.as_deref().unwrap_or_default();
            host.eq_ignore_ascii_case("anonymous.invalid") || host.eq_ignore_ascii_case("unknown.invalid")
        };
        words.iter().any(|word| user.eq_ignore_ascii_case(word)) || invalid_host()
    }
}

impl fmt::Debug for UriIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UriIdentity").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// Reads `;name=value;flag`; a value may hold any character but an unquoted semicolon.
pub(super) fn parameters(text: &str) -> Vec<Parameter> {
    split(text, b';')
        .take(MAX_PARAMETERS)
        .filter_map(|parameter| {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (name, Some(unquoted(value))),
                None => (parameter, None),
            };
            let name = percent_decoded(name.trim()).to_ascii_lowercase();
            (!name.is_empty()).then_some(Parameter { name, value })
        })
        .collect()
}

pub(super) fn find<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a str> {
    let found = parameters.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name));
    found.map(|parameter| parameter.value.as_deref().unwrap_or_default())
}
