//! The phone's SIP messages, written and read as text
//! ([RFC 3261 §7](https://www.rfc-editor.org/rfc/rfc3261#section-7)).
//!
//! Written by hand and not with `gateway-sip`, so that a fault both ends would share still shows.

use std::fmt::Write as _;

/// Compact names a peer may use, and what they stand for.
const COMPACT: [(&str, &str); 7] = [
    ("v", "Via"),
    ("f", "From"),
    ("t", "To"),
    ("i", "Call-ID"),
    ("m", "Contact"),
    ("l", "Content-Length"),
    ("c", "Content-Type"),
];
/// Header lines read of one message; the rest is left out.
const MAX_HEADERS: usize = 128;

/// A request or a response. `Debug` shows its first word only: the headers hold numbers.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: String,
    headers: Vec<(String, String)>,
    /// The body; SDP is text.
    pub body: String,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({})", self.method().unwrap_or_else(|| self.start.get(8..11).unwrap_or_default()))
    }
}

impl Message {
    /// A request without headers.
    pub fn request(method: &str, uri: &str) -> Self {
        Self { start: format!("{method} {uri} SIP/2.0"), headers: Vec::new(), body: String::new() }
    }

    /// A response with what a response takes over from its request (RFC 3261 §8.2.6.2). `tag` goes into To
    /// where the request had none.
    pub fn response(request: &Self, status: u16, reason: &str, tag: &str) -> Self {
        let start = format!("SIP/2.0 {status} {reason}");
        let mut response = Self { start, headers: Vec::new(), body: String::new() };
        for (name, value) in &request.headers {
            if ["Via", "From", "Call-ID", "CSeq", "Record-Route"].contains(&name.as_str()) {
                response = response.with(name, value);
            }
        }
        let to = request.value("To").unwrap_or_default();
        if request.tag("To").is_some() || status == 100 {
            return response.with("To", to);
        }
        response.with("To", &format!("{to};tag={tag}"))
    }

    /// Adds a header. Line ends in the value become spaces.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.replace(['\r', '\n'], " ")));
        self
    }

    /// Adds a session description.
    #[must_use]
    pub fn with_sdp(self, sdp: &str) -> Self {
        let mut message = self.with("Content-Type", "application/sdp");
        message.body = sdp.to_owned();
        message
    }

    /// Reads a datagram; `None` when it is no SIP (a keep-alive, say).
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        if !start.starts_with("SIP/2.0 ") && !start.ends_with(" SIP/2.0") {
            return None;
        }
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines.take(MAX_HEADERS) {
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut()?;
                value.push(' ');
                value.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((long_name(name.trim()), value.trim().to_owned()));
        }
        Some(Self { start, headers, body: body.to_owned() })
    }

    /// The bytes for the wire, with a right Content-Length.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "Content-Length") {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        text.into_bytes()
    }

    /// The first header of that name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// All headers of that name.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&str> {
        let first = self.start.split(' ').next()?;
        (first != "SIP/2.0").then_some(first)
    }

    /// The Request-URI.
    pub fn uri(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Call-ID; empty when missing.
    pub fn call_id(&self) -> &str {
        self.value("Call-ID").unwrap_or_default()
    }

    /// The branch of the topmost Via; empty when missing.
    pub fn branch(&self) -> &str {
        let via = self.value("Via").and_then(|via| via.split(',').next()).unwrap_or_default();
        parameter(via, "branch").unwrap_or_default()
    }

    /// Number and method of CSeq.
    pub fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self.value("CSeq")?.split_once(' ')?;
        Some((number.trim().parse().ok()?, method.trim()))
    }

    /// The tag of From or To.
    pub fn tag(&self, name: &str) -> Option<&str> {
        let value = self.value(name)?;
        parameter(value.rsplit_once('>').map_or(value, |(_, after)| after), "tag")
    }

    /// The URI of From, To or Contact.
    pub fn address(&self, name: &str) -> Option<&str> {
        let value = self.value(name)?;
        match value.split_once('<') {
            Some((_, rest)) => rest.split_once('>').map(|(uri, _)| uri),
            None => value.split(';').next(),
        }
    }
}

/// The user part of a `sip:` URI; empty when there is none.
pub fn user_of(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    rest.split_once('@').map_or("", |(user, _)| user)
}

fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn long_name(name: &str) -> String {
    let known = COMPACT.iter().find(|(compact, _)| name.eq_ignore_ascii_case(compact));
    known.map_or(name, |(_, long)| long).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:1001@127.0.0.1:6000 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bKa\r\n\
        Via: SIP/2.0/UDP 10.0.0.1\r\nf: \"a;tag=no\" <sip:1@b;x=1>;tag=left\r\nTo: <sip:1001@jiesu>\r\n\
        i: c1\r\nCSeq: 7 INVITE\r\nContact:\r\n <sip:127.0.0.1:5060>\r\nContent-Length: 3\r\n\r\nv=0";

    #[test]
    fn a_request_is_read_with_compact_names_and_folded_lines() {
        let invite = Message::parse(INVITE.as_bytes()).unwrap();
        assert_eq!((invite.method(), invite.uri()), (Some("INVITE"), "sip:1001@127.0.0.1:6000"));
        assert_eq!(
            (invite.branch(), invite.call_id(), invite.cseq()),
            ("z9hG4bKa", "c1", Some((7, "INVITE")))
        );
        assert_eq!((invite.tag("From"), invite.tag("To")), (Some("left"), None));
        assert_eq!(invite.address("Contact"), Some("sip:127.0.0.1:5060"));
        assert_eq!(user_of(invite.uri()), "1001");
        assert_eq!(invite.body, "v=0");
        assert_eq!(invite.status(), None);
    }

    #[test]
    fn a_response_takes_over_every_via_and_adds_its_tag_once() {
        let invite = Message::parse(INVITE.as_bytes()).unwrap();
        let ringing = Message::response(&invite, 180, "Ringing", "right");
        let ringing = Message::parse(&ringing.to_bytes()).unwrap();
        assert_eq!((ringing.status(), ringing.method()), (Some(180), None));
        assert_eq!(ringing.values("Via").count(), 2);
        assert_eq!(ringing.tag("To"), Some("right"));
        let again = Message::response(&ringing, 200, "OK", "other");
        assert_eq!(again.tag("To"), Some("right"));
    }

    #[test]
    fn content_length_is_that_of_the_bytes_and_no_header_smuggles_another() {
        let sent = Message::request("INFO", "sip:a@b").with("Subject", "x\r\nEvil: 1").with_sdp("好");
        let text = String::from_utf8(sent.to_bytes()).unwrap();
        assert!(text.ends_with("Content-Length: 3\r\n\r\n好"), "{text}");
        assert!(!text.contains("\r\nEvil"), "{text}");
    }

    #[test]
    fn what_is_no_sip_is_no_message() {
        for text in [
            "",
            "\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "SIP/2.0 200 OK\r\nVia\r\n\r\n",
            "x SIP/2.0\r\n a\r\n\r\n",
        ] {
            assert!(Message::parse(text.as_bytes()).is_none(), "{text:?}");
        }
    }
}
