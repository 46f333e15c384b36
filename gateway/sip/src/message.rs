//! One SIP message: start line, header fields in order, body as bytes.
//!
//! The tables of methods, versions and status codes are `rsip`'s; this is the only file that names it. What
//! `rsip` gets wrong, or does at too high a price, is read here, in `head.rs` and in [`crate::fields`] instead
//! (`docs/adr/0001-sip-message-grammar.md`): header lines, bytes that are not UTF-8, unknown methods,
//! Request-URIs that are no `sip:`.
//! Reading never fails because of one bad header: the fault is kept in [`Message::defect`], so that a known
//! peer can be told 400. Sources: [RFC 3261 §7](https://www.rfc-editor.org/rfc/rfc3261#section-7).

use std::{borrow::Cow, fmt, str::FromStr};

use crate::{
    fields::{self, CSeq, NameAddress, Via},
    head::Head,
};

/// The most header fields a message may have; more is a defect (400), the rest is not read.
pub const MAX_FIELDS: usize = 256;

/// A request method. SIP methods are case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// RFC 3261 §13
    Invite,
    /// RFC 3261 §13
    Ack,
    /// RFC 3261 §15
    Bye,
    /// RFC 3261 §9
    Cancel,
    /// RFC 3261 §11
    Options,
    /// RFC 3261 §10
    Register,
    /// RFC 6086
    Info,
    /// RFC 3311
    Update,
    /// RFC 3262
    Prack,
    /// RFC 3515
    Refer,
    /// RFC 6665
    Notify,
    /// RFC 6665
    Subscribe,
    /// RFC 3428
    Message,
    /// A method of a published RFC that this endpoint does not serve: answered with 405.
    Unserved(String),
    /// A token nobody has registered: answered with 501.
    Unknown(String),
}

impl Method {
    fn parse(token: &str) -> Self {
        // The four of every call come first; the table is slow.
        match token {
            "INVITE" => return Self::Invite,
            "ACK" => return Self::Ack,
            "BYE" => return Self::Bye,
            "OPTIONS" => return Self::Options,
            _ => {}
        }
        // rsip compares without regard to case; a method is case-sensitive (RFC 3261 §7.1).
        match rsip::Method::from_str(token).ok().filter(|known| known.to_string() == token) {
            Some(rsip::Method::Invite) => Self::Invite,
            Some(rsip::Method::Ack) => Self::Ack,
            Some(rsip::Method::Bye) => Self::Bye,
            Some(rsip::Method::Cancel) => Self::Cancel,
            Some(rsip::Method::Options) => Self::Options,
            Some(rsip::Method::Register) => Self::Register,
            Some(rsip::Method::Info) => Self::Info,
            Some(rsip::Method::Update) => Self::Update,
            Some(rsip::Method::PRack) => Self::Prack,
            Some(rsip::Method::Refer) => Self::Refer,
            Some(rsip::Method::Notify) => Self::Notify,
            Some(rsip::Method::Subscribe) => Self::Subscribe,
            Some(rsip::Method::Message) => Self::Message,
            Some(_) => Self::Unserved(token.to_owned()),
            None => Self::Unknown(token.to_owned()),
        }
    }

    /// The token as it stands on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Info => "INFO",
            Self::Update => "UPDATE",
            Self::Prack => "PRACK",
            Self::Refer => "REFER",
            Self::Notify => "NOTIFY",
            Self::Subscribe => "SUBSCRIBE",
            Self::Message => "MESSAGE",
            Self::Unserved(token) | Self::Unknown(token) => token,
        }
    }
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// `METHOD uri SIP/2.0`
    Request {
        /// The method.
        method: Method,
        /// The Request-URI as it came, of any scheme.
        uri: String,
    },
    /// `SIP/2.0 status reason`
    Response {
        /// 100 to 699.
        status: u16,
    },
}

/// Why bytes are no SIP message at all (a message with one bad header still is one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing but line ends.
    #[error("the datagram is empty")]
    Empty,
    /// The first line is neither a request nor a status line.
    #[error("the first line is not a SIP start line")]
    StartLine,
}

/// A SIP message. `Debug` shows the start line's kind only, for headers hold citizens' numbers.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: Start,
    head: Head,
    /// The body, cut to Content-Length where that is shorter.
    pub body: Vec<u8>,
    /// The first fault met while reading: the reason of a 400 (or, for the version, of a 505).
    pub defect: Option<&'static str>,
}

/// The defect of a request whose version is not 2.0 (answered with 505 rather than 400).
pub const DEFECT_VERSION: &str = "SIP version is not 2.0";

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            Start::Request { method, .. } => {
                write!(f, "Message({}, {} fields)", method.as_str(), self.head.len())
            }
            Start::Response { status } => write!(f, "Message({status}, {} fields)", self.head.len()),
        }
    }
}

impl Message {
    /// A request without header fields.
    pub fn request(method: Method, uri: impl Into<String>) -> Self {
        Self {
            start: Start::Request { method, uri: uri.into() },
            head: Head::new(),
            body: Vec::new(),
            defect: None,
        }
    }

    /// A response without header fields.
    pub fn response(status: u16) -> Self {
        Self { start: Start::Response { status }, head: Head::new(), body: Vec::new(), defect: None }
    }

    /// Reads a whole message: a datagram, or what [`crate::framing`] cut out of a stream.
    ///
    /// # Errors
    /// Only when the first line is not SIP; every other fault is in [`Message::defect`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let bytes = bytes.get(blank..).filter(|rest| !rest.is_empty()).ok_or(ParseError::Empty)?;
        let (head, body) = split_head(bytes);
        let mut defect = body.is_none().then_some("no empty line after the headers");
        // Carriers' gateways put GBK into display names: a replacement character is better than a lost call.
        let text = text(head);
        let mut lines = Lines { text: &text, at: 0 };
        let start = parse_start(lines.next().map_or("", |(_, line)| line), &mut defect)?;
        let mut head = Head::of_text(&text);
        for (at, line) in lines {
            if line.is_empty() {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                if !head.continue_line(line) {
                    defect = defect.or(Some("a folded line with nothing before it"));
                }
                continue;
            }
            if head.len() == MAX_FIELDS {
                defect = defect.or(Some("too many header fields"));
                break;
            }
            if !head.add_line(at, at + line.len()) {
                defect = defect.or(Some("a line that is no header field"));
            }
        }
        let mut message = Self { start, head, body: body.unwrap_or_default().to_vec(), defect };
        message.cut_body();
        Ok(message)
    }

    /// RFC 3261 §18.3: a datagram longer than Content-Length is cut, a shorter one is an error.
    fn cut_body(&mut self) {
        let Some(text) = self.value("Content-Length") else { return };
        match fields::content_length(text) {
            Some(length) if length <= self.body.len() => self.body.truncate(length),
            Some(_) => self.defect = self.defect.or(Some("the body is shorter than Content-Length")),
            None => self.defect = self.defect.or(Some("Content-Length is not a number")),
        }
    }

    /// The bytes for the wire; Content-Length is always written (and always right).
    pub fn to_bytes(&self) -> Vec<u8> {
        let start = match &self.start {
            Start::Request { method, uri } => method.as_str().len() + uri.len(),
            Start::Response { .. } => 40,
        };
        // "Content-Length: " with its digits and two line ends, and what surrounds the parts of a start line.
        let mut out = Vec::with_capacity(start + self.head.written_len() + self.body.len() + 60);
        self.write(&mut out);
        out
    }

    /// Appends the bytes for the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        match &self.start {
            Start::Request { method, uri } => {
                for part in [method.as_str(), " ", uri, " SIP/2.0\r\n"] {
                    out.extend_from_slice(part.as_bytes());
                }
            }
            Start::Response { status } => {
                out.extend_from_slice(b"SIP/2.0 ");
                push_number(out, usize::from(*status));
                out.push(b' ');
                out.extend_from_slice(reason_phrase(*status).as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
        self.head.write(out);
        out.extend_from_slice(b"Content-Length: ");
        push_number(out, self.body.len());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.body);
    }

    /// Adds a field at the end. Line ends in `value` become spaces: no header can smuggle another one in.
    pub fn push(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) {
        self.head.push(name.as_ref(), value.as_ref());
    }

    /// The first field of that (long) name, case ignored.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.head.value(name)
    }

    /// All fields of that (long) name in order, as they came: a field may still hold a comma-separated list.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.head.values(name)
    }

    /// All fields of that name with lists taken apart (for Via, Route, Contact, Require …).
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values(name).flat_map(fields::split_list)
    }

    /// Puts one field of that name in the place of all it has; the order of the others is kept.
    pub(crate) fn set(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) {
        self.head.set(name.as_ref(), value.as_ref());
    }

    /// Rewrites the first list member of the first field of that name.
    pub(crate) fn edit_first(&mut self, name: &str, edit: impl FnOnce(&str) -> Option<String>) {
        let Some(value) = self.head.value(name) else { return };
        let Some(first) = fields::split_list(value).next() else { return };
        let Some(mut edited) = edit(first) else { return };
        let after = first.as_ptr() as usize - value.as_ptr() as usize + first.len();
        edited.push_str(value.get(after..).unwrap_or_default());
        self.head.replace_first(name, &edited);
    }

    /// The method, if this is a request.
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The status, if this is a response.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Response { status } => Some(status),
            Start::Request { .. } => None,
        }
    }

    /// The Request-URI; empty for a response.
    pub fn request_uri(&self) -> &str {
        match &self.start {
            Start::Request { uri, .. } => uri,
            Start::Response { .. } => "",
        }
    }

    /// The Call-ID; empty when missing.
    pub fn call_id(&self) -> &str {
        self.value("Call-ID").unwrap_or_default()
    }

    /// The topmost Via, read.
    pub fn via(&self) -> Option<Via<'_>> {
        Via::parse(self.list("Via").next()?)
    }

    /// The CSeq, read.
    pub fn cseq(&self) -> Option<CSeq<'_>> {
        CSeq::parse(self.value("CSeq")?)
    }

    /// The From field, read.
    pub fn from(&self) -> Option<NameAddress<'_>> {
        NameAddress::parse(self.value("From")?)
    }

    /// The To field, read.
    pub fn to(&self) -> Option<NameAddress<'_>> {
        NameAddress::parse(self.value("To")?)
    }

    /// The From tag; empty when there is none (RFC 2543 peers).
    pub fn from_tag(&self) -> &str {
        self.from().and_then(|from| from.parameter("tag")).unwrap_or_default()
    }

    /// The To tag, if there is one.
    pub fn to_tag(&self) -> Option<&str> {
        self.to().and_then(|to| to.parameter("tag")).filter(|tag| !tag.is_empty())
    }
}

/// Bytes as text. What is not UTF-8 is taken for GBK, of which no more than the length of a character matters:
/// its second byte may look like a backslash, and would take the quote after it along.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let mut out = match std::str::from_utf8(bytes) {
        Ok(text) => return Cow::Borrowed(text),
        Err(_) => String::with_capacity(bytes.len() + 16),
    };
    let mut rest = bytes;
    while let Some(chunk) = rest.utf8_chunks().next() {
        out.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            break;
        }
        out.push(char::REPLACEMENT_CHARACTER);
        let mut used = chunk.valid().len() + chunk.invalid().len();
        if chunk.invalid().len() == 1 && rest.get(used).is_some_and(|byte| (0x40..0x7f).contains(byte)) {
            used += 1;
        }
        rest = rest.get(used..).unwrap_or_default();
    }
    Cow::Owned(out)
}

/// Lines without their ends, each with where it begins.
struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let (start, length) = (self.at, memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len()));
        self.at = start + length + 1;
        let line = rest.get(..length)?;
        Some((start, line.strip_suffix('\r').unwrap_or(line)))
    }
}

/// Splits at the empty line; a peer that ends lines with LF alone is understood.
fn split_head(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    for at in memchr::memchr_iter(b'\n', bytes) {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let body = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"));
        if body.is_some() {
            return (bytes.get(..=at).unwrap_or_default(), body);
        }
    }
    (bytes, None)
}

fn parse_start(line: &str, defect: &mut Option<&'static str>) -> Result<Start, ParseError> {
    if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
        let status: u16 = rest.get(..3).and_then(|code| code.parse().ok()).ok_or(ParseError::StartLine)?;
        let ends = rest.as_bytes().get(3).is_none_or(|byte| *byte == b' ');
        return if ends && (100..700).contains(&status) {
            Ok(Start::Response { status })
        } else {
            Err(ParseError::StartLine)
        };
    }
    let (method, rest) = line.split_once(' ').ok_or(ParseError::StartLine)?;
    let (uri, version) = rest.trim_end().rsplit_once(' ').ok_or(ParseError::StartLine)?;
    if !fields::is_token(method) || !version.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("SIP/")) {
        return Err(ParseError::StartLine);
    }
    let known = version == "SIP/2.0"
        || (version.len() == 7
            && matches!(
                rsip::Version::try_from(version.to_ascii_uppercase().as_bytes()),
                Ok(rsip::Version::V2)
            ));
    if !known {
        *defect = Some(DEFECT_VERSION);
    }
    let uri = uri.trim();
    if uri.is_empty() || uri.contains([' ', '\t', '<', '>', '"']) {
        *defect = defect.or(Some("the Request-URI is malformed"));
    }
    Ok(Start::Request { method: Method::parse(method), uri: uri.to_owned() })
}

fn push_number(out: &mut Vec<u8>, number: usize) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        if let Some(place) = digits.get_mut(at) {
            *place = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// The reason phrase; rsip's own names are Rust identifiers, so they are taken apart at the capitals.
pub(crate) fn reason_phrase(status: u16) -> Cow<'static, str> {
    match status {
        100 => "Trying".into(),
        180 => "Ringing".into(),
        183 => "Session Progress".into(),
        200 => "OK".into(),
        202 => "Accepted".into(),
        400 => "Bad Request".into(),
        415 => "Unsupported Media Type".into(),
        416 => "Unsupported URI Scheme".into(),
        421 => "Extension Required".into(),
        422 => "Session Interval Too Small".into(),
        469 => "Bad Info Package".into(),
        481 => "Call/Transaction Does Not Exist".into(),
        489 => "Bad Event".into(),
        501 => "Not Implemented".into(),
        503 => "Service Unavailable".into(),
        505 => "Version Not Supported".into(),
        other => {
            let named = rsip::StatusCode::from(other).to_string();
            let name = named.split_once(' ').map_or("", |(_, name)| name);
            let mut phrase = String::with_capacity(name.len() + 8);
            for character in name.chars() {
                if character.is_ascii_uppercase() && !phrase.is_empty() {
                    phrase.push(' ');
                }
                phrase.push(character);
            }
            phrase.into()
        }
    }
}
