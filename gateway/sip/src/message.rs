//! One SIP message: start line, header fields in order, body as bytes.
//!
//! The grammar of methods, the version and header lines is `rsip`'s; this is the only file that names it.
//! What `rsip` gets wrong is read here and in [`crate::fields`] instead (`docs/adr/0001-sip-message-grammar.md`):
//! folded lines, compact names, bytes that are not UTF-8, unknown methods, Request-URIs that are no `sip:`.
//! Reading never fails because of one bad header: the fault is kept in [`Message::defect`], so that a known
//! peer can be told 400. Sources: [RFC 3261 §7](https://www.rfc-editor.org/rfc/rfc3261#section-7).

use std::{borrow::Cow, fmt, str::FromStr};

use crate::fields::{self, CSeq, NameAddress, Via};

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
    /// A method of a published RFC that this endpoint does not serve: answered with 405.
    Unserved(String),
    /// A token nobody has registered: answered with 501.
    Unknown(String),
}

impl Method {
    fn parse(token: &str) -> Self {
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

#[derive(Clone, PartialEq, Eq)]
struct Field {
    name: Cow<'static, str>,
    value: String,
}

/// A SIP message. `Debug` shows the start line's kind only, for headers hold citizens' numbers.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: Start,
    fields: Vec<Field>,
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
                write!(f, "Message({}, {} fields)", method.as_str(), self.fields.len())
            }
            Start::Response { status } => write!(f, "Message({status}, {} fields)", self.fields.len()),
        }
    }
}

impl Message {
    /// A request without header fields.
    pub fn request(method: Method, uri: impl Into<String>) -> Self {
        Self {
            start: Start::Request { method, uri: uri.into() },
            fields: Vec::with_capacity(16),
            body: Vec::new(),
            defect: None,
        }
    }

    /// A response without header fields.
    pub fn response(status: u16) -> Self {
        Self {
            start: Start::Response { status },
            fields: Vec::with_capacity(16),
            body: Vec::new(),
            defect: None,
        }
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
        let head = text(head);
        let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let start = parse_start(lines.next().unwrap_or_default(), &mut defect)?;
        let mut fields: Vec<Field> = Vec::with_capacity(16);
        for line in lines {
            if line.is_empty() {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                // A folded line continues the one before it (RFC 3261 §7.3.1).
                match fields.last_mut() {
                    Some(last) => {
                        if !last.value.is_empty() {
                            last.value.push(' ');
                        }
                        last.value.push_str(line.trim());
                    }
                    None => defect = defect.or(Some("a folded line with nothing before it")),
                }
                continue;
            }
            if fields.len() == MAX_FIELDS {
                defect = defect.or(Some("too many header fields"));
                break;
            }
            match parse_field(line) {
                Some(field) => fields.push(field),
                None => defect = defect.or(Some("a line that is no header field")),
            }
        }
        let mut message = Self { start, fields, body: body.unwrap_or_default().to_vec(), defect };
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
        let mut out = String::with_capacity(768 + self.body.len());
        match &self.start {
            Start::Request { method, uri } => {
                out.push_str(method.as_str());
                out.push(' ');
                out.push_str(uri);
                out.push_str(" SIP/2.0\r\n");
            }
            Start::Response { status } => {
                out.push_str(&format!("SIP/2.0 {status} {}\r\n", reason_phrase(*status)));
            }
        }
        for field in self.fields.iter().filter(|field| !field.name.eq_ignore_ascii_case("Content-Length")) {
            out.push_str(&field.name);
            out.push_str(": ");
            out.push_str(&field.value);
            out.push_str("\r\n");
        }
        out.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        let mut bytes = out.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Adds a field at the end. Line ends in `value` become spaces: no header can smuggle another one in.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let mut value = value.into();
        if value.contains(['\r', '\n', '\0']) {
            value = value.replace(['\r', '\n', '\0'], " ");
        }
        self.fields.push(Field { name: name.into(), value });
    }

    /// The first field of that (long) name, case ignored.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.as_str())
    }

    /// All fields of that (long) name in order, as they came: a field may still hold a comma-separated list.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.as_str())
    }

    /// All fields of that name with lists taken apart (for Via, Route, Contact, Require …).
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values(name).flat_map(fields::split_list)
    }

    /// Rewrites the first list member of the first field of that name.
    pub(crate) fn edit_first(&mut self, name: &str, edit: impl FnOnce(&str) -> String) {
        let Some(field) = self.fields.iter_mut().find(|field| field.name.eq_ignore_ascii_case(name)) else {
            return;
        };
        let Some(first) = fields::split_list(&field.value).next() else { return };
        let after = first.as_ptr() as usize - field.value.as_ptr() as usize + first.len();
        let rest = field.value.get(after..).unwrap_or_default();
        field.value = format!("{}{rest}", edit(first));
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

/// Splits at the empty line; a peer that ends lines with LF alone is understood.
fn split_head(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut from = 0;
    while let Some(step) = bytes.get(from..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n')) {
        let end = from + step + 1;
        let rest = bytes.get(end..).unwrap_or_default();
        for blank in [b"\r\n".as_slice(), b"\n"] {
            if let Some(body) = rest.strip_prefix(blank) {
                return (bytes.get(..end).unwrap_or_default(), Some(body));
            }
        }
        from = end;
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
    if !matches!(rsip::Version::try_from(version.to_ascii_uppercase().as_bytes()), Ok(rsip::Version::V2))
        || version.len() != 7
    {
        *defect = Some(DEFECT_VERSION);
    }
    let uri = uri.trim();
    if uri.is_empty() || uri.contains([' ', '\t', '<', '>', '"']) {
        *defect = defect.or(Some("the Request-URI is malformed"));
    }
    Ok(Start::Request { method: Method::parse(method), uri: uri.to_owned() })
}

/// A header line through rsip's tokenizer, after its one gap: white space before the colon.
fn parse_field(line: &str) -> Option<Field> {
    let tokens = match rsip::headers::header::Tokenizer::tokenize(line.as_bytes()) {
        Ok((_, tokens)) => (std::str::from_utf8(tokens.name).ok()?, std::str::from_utf8(tokens.value).ok()?),
        Err(_) => line.split_once(':').map(|(name, value)| (name.trim_end(), value))?,
    };
    let (name, value) = tokens;
    if !fields::is_token(name) {
        return None;
    }
    Some(Field { name: long_name(name), value: value.trim().to_owned() })
}

/// Compact forms (RFC 3261 §7.3.3 and the IANA registry) and the usual names without an allocation.
fn long_name(name: &str) -> Cow<'static, str> {
    const LONG: [(&str, &str); 14] = [
        ("v", "Via"),
        ("f", "From"),
        ("t", "To"),
        ("i", "Call-ID"),
        ("m", "Contact"),
        ("l", "Content-Length"),
        ("c", "Content-Type"),
        ("e", "Content-Encoding"),
        ("k", "Supported"),
        ("s", "Subject"),
        ("o", "Event"),
        ("r", "Refer-To"),
        ("x", "Session-Expires"),
        ("b", "Referred-By"),
    ];
    const USUAL: [&str; 14] = [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Content-Length",
        "Content-Type",
        "Max-Forwards",
        "User-Agent",
        "Supported",
        "Allow",
        "Record-Route",
        "P-Asserted-Identity",
    ];
    if name.len() == 1
        && let Some((_, long)) = LONG.iter().find(|(short, _)| short.eq_ignore_ascii_case(name))
    {
        return Cow::Borrowed(long);
    }
    match USUAL.iter().find(|usual| usual.eq_ignore_ascii_case(name)) {
        Some(usual) => Cow::Borrowed(usual),
        None => Cow::Owned(name.to_owned()),
    }
}

/// The reason phrase; rsip's own names are Rust identifiers, so they are taken apart at the capitals.
fn reason_phrase(status: u16) -> Cow<'static, str> {
    match status {
        100 => "Trying".into(),
        200 => "OK".into(),
        400 => "Bad Request".into(),
        415 => "Unsupported Media Type".into(),
        416 => "Unsupported URI Scheme".into(),
        481 => "Call/Transaction Does Not Exist".into(),
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
