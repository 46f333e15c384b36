//! SIP and tel URIs, as far as a number can be found in them
//! ([RFC 3261 §19.1](https://www.rfc-editor.org/rfc/rfc3261#section-19.1),
//! [RFC 3966](https://www.rfc-editor.org/rfc/rfc3966)).
//!
//! Numbers keep their visual separators; only percent escapes are undone. Carriers put telephone parameters into
//! the user part (`sip:4862423;phone-context=+86471@…`), which is taken apart for numbers and left for names.

use std::fmt;

use super::name_address::{Parameter, find, parameters};
use super::text::percent_decoded;
use super::{MAX_PARAMETERS, MAX_VALUE_BYTES};

/// What kind of URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Anything else; only the text is kept.
    Other,
}

/// A URI taken apart. `Debug` shows the scheme only.
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    /// The kind.
    pub scheme: Scheme,
    /// The user part or telephone number, escapes undone, without password; `None` if empty.
    pub user: Option<String>,
    /// `phone-context`: the area or domain a local number belongs to.
    pub phone_context: Option<String>,
    /// The host in lower case, IPv6 with brackets; `None` for tel.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// URI parameters.
    pub parameters: Vec<Parameter>,
    /// The part after `?`, names in lower case, values with escapes undone.
    pub headers: Vec<(String, String)>,
    /// The URI as it was written.
    pub text: String,
}

impl Uri {
    /// Reads a URI without angle brackets; `None` if it has no scheme or nothing after it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_VALUE_BYTES {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        if scheme.is_empty() || rest.is_empty() || !scheme.bytes().all(is_scheme_byte) {
            return None;
        }
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "sip" => Scheme::Sip,
            "sips" => Scheme::Sips,
            "tel" => Scheme::Tel,
            _ => Scheme::Other,
        };
        let mut uri = Self {
            scheme,
            user: None,
            phone_context: None,
            host: None,
            port: None,
            parameters: Vec::new(),
            headers: Vec::new(),
            text: text.to_owned(),
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => uri.read_sip(rest)?,
            Scheme::Tel => uri.read_tel(rest),
            Scheme::Other => {}
        }
        Some(uri)
    }

    /// A URI parameter's value, empty for a flag.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.parameters, name)
    }

    /// The values of all embedded headers of this name.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// Whether the user part is said to be, or looks like, a telephone number.
    pub fn is_phone(&self) -> bool {
        let says_phone = || self.parameter("user").is_some_and(|value| value.eq_ignore_ascii_case("phone"));
        self.scheme == Scheme::Tel || says_phone() || self.user.as_deref().is_some_and(looks_like_number)
    }

    fn read_sip(&mut self, rest: &str) -> Option<()> {
        // RFC 3261 §25.1: an @ can only end the user part, in which ; and ? may stand.
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        if let Some(userinfo) = userinfo {
            self.read_userinfo(userinfo);
        }
        let (address, rest) = match rest.find([';', '?']) {
            Some(at) => rest.split_at_checked(at)?,
            None => (rest, ""),
        };
        self.read_address(address)?;
        self.read_tail(rest);
        Some(())
    }

    fn read_userinfo(&mut self, userinfo: &str) {
        let (head, telephone_parameters) = match userinfo.split_once(';') {
            Some((head, tail)) => (head, Some(tail)),
            None => (userinfo, None),
        };
        let (number, _password) = head.split_once(':').unwrap_or((head, ""));
        let number = percent_decoded(number);
        if let Some(tail) = telephone_parameters {
            if looks_like_number(&number) {
                let found = parameters(tail);
                // A password may follow the last parameter; neither areas nor domains hold a colon.
                let context = find(&found, "phone-context").and_then(|value| value.split(':').next());
                self.phone_context = context.map(percent_decoded).filter(|context| !context.is_empty());
            } else {
                let (whole, _password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
                self.user = Some(percent_decoded(whole)).filter(|user| !user.is_empty());
                return;
            }
        }
        self.user = Some(number).filter(|user| !user.is_empty());
    }

    fn read_address(&mut self, address: &str) -> Option<()> {
        let address = address.trim();
        let (host, port) = if address.starts_with('[') {
            let (host, after) = address.split_at_checked(address.find(']')? + 1)?;
            (host, after.strip_prefix(':'))
        } else {
            match address.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (address, None),
            }
        };
        if host.is_empty() {
            return None;
        }
        self.host = Some(host.to_ascii_lowercase());
        self.port = port.and_then(|port| port.trim().parse().ok());
        Some(())
    }

    fn read_tel(&mut self, rest: &str) {
        let (number, tail) = match rest.find([';', '?']) {
            Some(at) => rest.split_at_checked(at).unwrap_or((rest, "")),
            None => (rest, ""),
        };
        self.user = Some(percent_decoded(number.trim())).filter(|user| !user.is_empty());
        self.read_tail(tail);
        let context = self.parameter("phone-context").map(percent_decoded);
        self.phone_context = context.filter(|context| !context.is_empty());
    }

    /// `;name=value…?name=value&…`
    fn read_tail(&mut self, tail: &str) {
        let (of_uri, headers) = tail.split_once('?').unwrap_or((tail, ""));
        self.parameters = parameters(of_uri);
        self.headers = headers
            .split('&')
            .filter(|header| !header.is_empty())
            .take(MAX_PARAMETERS)
            .map(|header| {
                let (name, value) = header.split_once('=').unwrap_or((header, ""));
                (percent_decoded(name).trim().to_ascii_lowercase(), percent_decoded(value))
            })
            .collect();
    }
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// Digits, a leading +, keys and visual separators (RFC 3966 §3), with at least one digit or key.
fn looks_like_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.bytes().any(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#'))
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b"*#-.() ".contains(&byte))
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Sip => "sip",
            Scheme::Sips => "sips",
            Scheme::Tel => "tel",
            Scheme::Other => "other",
        };
        // Not even the host: some phones write the number there.
        write!(f, "{scheme}:[redacted]")
    }
}
