//! The parsed text: only the lines telephony decides by, in the order they came.
//!
//! Lines we have no use for (`i=`, `u=`, `e=`, `p=`, `b=`, `r=`, `z=`, `k=` and unknown letters) are not kept.

use std::fmt;
use std::net::IpAddr;

use super::Direction;

/// A whole session description (RFC 8866 §5).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SessionDescription {
    /// `o=`; `None` when the sender left it out.
    pub origin: Option<Origin>,
    /// `s=`; `-` when empty or left out.
    pub session_name: String,
    /// `c=` at session level.
    pub connection: Option<Address>,
    /// The first `t=`: start and stop in NTP seconds; `None` when left out or unreadable.
    pub timing: Option<(u64, u64)>,
    /// `a=` lines at session level.
    pub attributes: Vec<Attribute>,
    /// `m=` sections in order.
    pub media: Vec<MediaDescription>,
}

/// The `o=` line. Numbers are kept as text: some senders exceed 64 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    /// User name; some phones put their number or a phrase with spaces here.
    pub username: String,
    /// Session id.
    pub session_id: String,
    /// Version; a sender raises it with every change (RFC 3264 §8).
    pub version: String,
    /// Address of the host that made the description; says nothing about media.
    pub address: Address,
}

/// One `m=` section.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaDescription {
    /// `audio`, `video`, `image` and so on, as written.
    pub kind: String,
    /// Port; 0 means refused or disabled.
    pub port: u16,
    /// `RTP/AVP` and so on, as written.
    pub protocol: String,
    /// Formats as written; payload types for RTP.
    pub formats: Vec<String>,
    /// `c=` of this section.
    pub connection: Option<Address>,
    /// `a=` lines of this section.
    pub attributes: Vec<Attribute>,
}

/// One `a=` line.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The part before the first colon.
    pub name: String,
    /// The part after it; `None` for a flag.
    pub value: Option<String>,
}

/// The address of a `c=` or `o=` line; a multicast suffix (`/ttl/count`) is dropped.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A literal address. The declared `IP4`/`IP6` is not trusted, the text is.
    Ip(IpAddr),
    /// Anything else. We do not resolve names for media.
    Name(String),
}

impl SessionDescription {
    /// Where the media of `media` is wanted: its own `c=`, else that of the session (RFC 8866 §5.7).
    pub fn address_of<'a>(&'a self, media: &'a MediaDescription) -> Option<&'a Address> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    /// The written direction of `media`: its own attribute, else the session's, else `sendrecv`.
    pub fn direction_of(&self, media: &MediaDescription) -> Direction {
        let last = |attributes: &[Attribute]| {
            attributes.iter().rev().find_map(|attribute| Direction::from_attribute(&attribute.name))
        };
        last(&media.attributes).or_else(|| last(&self.attributes)).unwrap_or_default()
    }
}

impl MediaDescription {
    /// The value of the first attribute of this name in this section.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes_named(name).next()
    }

    /// Whether this section has an attribute of this name, with a value or as a flag.
    pub fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// The values of all attributes of this name in this section.
    pub fn attributes_named<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.attributes
            .iter()
            .filter(move |attribute| attribute.name.eq_ignore_ascii_case(name))
            .filter_map(|attribute| attribute.value.as_deref())
    }
}

impl Attribute {
    /// An attribute without value.
    pub fn flag(name: impl Into<String>) -> Self {
        Self { name: name.into(), value: None }
    }

    /// `name:value`.
    pub fn valued(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Some(value.into()) }
    }
}

// A description may hold a caller's number (o=, s=) and address, so Debug shows its shape only.
impl fmt::Debug for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionDescription")
            .field("attributes", &self.attributes.len())
            .field("media", &self.media)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").finish_non_exhaustive()
    }
}

impl fmt::Debug for MediaDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaDescription")
            .field("port", &self.port)
            .field("formats", &self.formats.len())
            .field("attributes", &self.attributes.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attribute")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip(IpAddr::V4(_)) => "Ip(v4)",
            Self::Ip(IpAddr::V6(_)) => "Ip(v6)",
            Self::Name(_) => "Name",
        })
    }
}
