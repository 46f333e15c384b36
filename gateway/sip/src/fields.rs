//! Header values read by us: lists, parameters, addresses, URIs, Via and CSeq.
//!
//! `rsip` 0.4 cuts a parameter at ':', knows no `tel:` and has a closed list of methods, so these are taken
//! apart here, in one place, without copying. All readers are total: any text gives a value or `None`.
//! Grammar: [RFC 3261 §25](https://www.rfc-editor.org/rfc/rfc3261#section-25).

use std::net::{IpAddr, SocketAddr};

/// The most list members (Vias, Contacts, Routes) read of one field.
pub const MAX_LIST: usize = 64;

/// RFC 3261 `token`.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}

/// Content-Length: digits only, and no more than fit a `usize`.
pub fn content_length(text: &str) -> Option<usize> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse().ok() }
}

/// A number of seconds (Expires); too large a number is the largest.
pub fn seconds(text: &str) -> Option<u32> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

/// Splits at commas outside quotes and angle brackets; at most [`MAX_LIST`] members, empty ones left out.
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    split_outside(text, b',').take(MAX_LIST).map(str::trim).filter(|member| !member.is_empty())
}

fn split_outside(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        match position_outside(current, separator) {
            Some(at) => {
                rest = current.get(at + 1..);
                current.get(..at)
            }
            None => {
                rest = None;
                Some(current)
            }
        }
    })
}

/// Where `wanted` first stands outside of `"…"` and `<…>`.
fn position_outside(text: &str, wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted {
            match byte {
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if byte == wanted && !bracketed {
            return Some(at);
        } else {
            match byte {
                b'"' => quoted = true,
                b'<' => bracketed = true,
                b'>' => bracketed = false,
                _ => {}
            }
        }
    }
    None
}

/// The value of `;name=value`, or `Some("")` for a bare `;name`; quotes around the value are taken off.
pub fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    split_outside(parameters, b';').find_map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        let plain = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        key.trim().eq_ignore_ascii_case(name).then_some(plain)
    })
}

/// `"Display" <uri>;parameters` (From, To, Contact, Route, Record-Route).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddress<'a> {
    display: &'a str,
    /// The URI without its angle brackets.
    pub uri: &'a str,
    parameters: &'a str,
}

impl<'a> NameAddress<'a> {
    /// Reads one address; without angle brackets everything after ';' belongs to the header (RFC 3261 §20.10).
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (display, uri, parameters) = match position_outside(text, b'<') {
            Some(open) => {
                let (display, rest) = (text.get(..open)?, text.get(open + 1..)?);
                let (uri, parameters) = rest.split_once('>')?;
                (display.trim(), uri.trim(), parameters)
            }
            None => match text.split_once(';') {
                Some((uri, parameters)) => ("", uri.trim(), parameters),
                None => ("", text, ""),
            },
        };
        let (scheme, rest) = uri.split_once(':')?;
        // '?' belongs within brackets, for without them nobody knows what it is part of (RFC 3261 §20.10).
        let open_question = uri.contains('?') && position_outside(text, b'<').is_none();
        let sound =
            is_token(scheme) && !rest.is_empty() && !open_question && !uri.contains([' ', '\t', '<', '"']);
        sound.then_some(Self { display, uri, parameters })
    }

    /// The display name with quotes and escapes taken off.
    pub fn display_name(&self) -> Option<String> {
        let name = match self.display.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(quoted) => unescape(quoted),
            None => self.display.trim_matches('"').to_owned(),
        };
        (!name.is_empty()).then_some(name)
    }

    /// A header parameter (`tag`, `expires`).
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        parameter(self.parameters, name)
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

/// `"…"` with what must be escaped escaped and control characters left out.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}

/// A user part for a `sip:` URI: everything that is not plainly allowed is percent-encoded.
pub fn escape_user(user: &str) -> String {
    let mut out = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A `sip:` or `sips:` URI, taken apart without copying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// The user part as it came (may hold `;phone-context=`, escapes), if any.
    pub user: Option<&'a str>,
    /// The host; an IPv6 address keeps its brackets.
    pub host: &'a str,
    /// The port, if written.
    pub port: Option<u16>,
    parameters: &'a str,
}

impl<'a> SipUri<'a> {
    /// `None` for other schemes (`tel:`) and for malformed text.
    pub fn parse(uri: &'a str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
            return None;
        }
        // '@' may stand in URI headers too, but those come after '?', and a user may hold '?' and ';'.
        let (user, rest) = match rest.find('@') {
            Some(at) => (rest.get(..at), rest.get(at + 1..)?),
            None => (None, rest),
        };
        let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
        let (address, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = host_and_port(address)?;
        Some(Self { user, host, port, parameters })
    }

    /// A URI parameter (`transport`, `lr`, `maddr`).
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        parameter(self.parameters, name)
    }

    /// Where a request to this URI goes, if the host is a literal address (names are not resolved here).
    pub fn socket_address(&self) -> Option<SocketAddr> {
        literal(self.host).map(|ip| SocketAddr::new(ip, self.port.unwrap_or(5060)))
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
pub fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.trim();
    let (host, port) = if text.starts_with('[') {
        let end = text.find(']')? + 1;
        (text.get(..end)?, text.get(end..)?.trim())
    } else {
        let end = text.find(':').unwrap_or(text.len());
        (text.get(..end)?.trim_end(), text.get(end..)?.trim())
    };
    let sound = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:%".contains(&byte));
    if !sound {
        return None;
    }
    match port.strip_prefix(':') {
        Some(digits) => digits.trim().parse().ok().filter(|port| *port != 0).map(|port| (host, Some(port))),
        None if port.is_empty() => Some((host, None)),
        None => None,
    }
}

/// The address of a host that is one, brackets allowed.
pub fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// `SIP/2.0/UDP host:port;branch=…`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, … as it came.
    pub transport: &'a str,
    /// The sent-by host.
    pub host: &'a str,
    /// The sent-by port, if written.
    pub port: Option<u16>,
    parameters: &'a str,
}

impl<'a> Via<'a> {
    /// Reads one Via member. White space around the slashes is legal (RFC 4475 §3.1.1.1), and a version that is
    /// not ours must still be read to be answered with 505 (§3.1.2.16).
    pub fn parse(text: &'a str) -> Option<Self> {
        let (protocol, rest) = text.split_once('/')?;
        let (version, rest) = rest.split_once('/')?;
        if !protocol.trim().eq_ignore_ascii_case("SIP") || !is_token(version.trim()) {
            return None;
        }
        let rest = rest.trim_start();
        let (transport, rest) = rest.split_once([' ', '\t'])?;
        let (sent_by, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = host_and_port(sent_by)?;
        is_token(transport).then_some(Self { transport, host, port, parameters })
    }

    /// A Via parameter (`branch`, `rport`, `received`).
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        parameter(self.parameters, name)
    }

    /// The branch; empty when missing.
    pub fn branch(&self) -> &'a str {
        self.parameter("branch").unwrap_or_default()
    }
}

/// `number METHOD`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Below 2^31 (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method as it stands.
    pub method: &'a str,
}

impl<'a> CSeq<'a> {
    /// Reads the field; an overlong number is `None`.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (number, method) = text.trim().split_once([' ', '\t'])?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: u32 = number.parse().ok().filter(|number| *number < 1 << 31)?;
        let method = method.trim();
        is_token(method).then_some(Self { number, method })
    }
}
