//! Replaces: which call a new one takes the place of, as a header field and inside a Refer-To.
//!
//! [RFC 3891 §6.1](https://www.rfc-editor.org/rfc/rfc3891#section-6.1); escaping in a URI:
//! [RFC 3261 §19.1.1](https://www.rfc-editor.org/rfc/rfc3261#section-19.1.1). What may be replaced is decided in
//! `endpoint/replaces.rs`.

use crate::{fields, identity};

/// The value of a Replaces header, read. The tags are named as the side sees them that is to give the call up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replaces {
    pub(crate) call_id: String,
    pub(crate) to_tag: String,
    pub(crate) from_tag: String,
    pub(crate) early_only: bool,
}

impl Replaces {
    /// `None` without a Call-ID or one of the tags.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (call_id, parameters) = text.split_once(';')?;
        let call_id = call_id.trim();
        if call_id.is_empty() || call_id.contains([' ', '\t', ',']) {
            return None;
        }
        Some(Self {
            call_id: call_id.to_owned(),
            to_tag: fields::parameter(parameters, "to-tag").filter(|tag| !tag.is_empty())?.to_owned(),
            from_tag: fields::parameter(parameters, "from-tag").filter(|tag| !tag.is_empty())?.to_owned(),
            early_only: fields::parameter(parameters, "early-only").is_some(),
        })
    }
}

/// A Refer-To URI without its headers, and the Replaces among them, unescaped.
pub(crate) fn split_target(uri: &str) -> (&str, Option<String>) {
    // A user part may hold '?', so the headers begin at the first one after '@'.
    let from = uri.find('@').unwrap_or(0);
    let Some(at) = uri.get(from..).and_then(|rest| rest.find('?')).map(|at| from + at) else {
        return (uri, None);
    };
    let headers = uri.get(at + 1..).unwrap_or_default();
    let replaces = headers.split('&').find_map(|header| {
        let (name, value) = header.split_once('=')?;
        name.eq_ignore_ascii_case("Replaces").then(|| identity::percent_decoded(value))
    });
    (uri.get(..at).unwrap_or_default(), replaces)
}

/// A value for the headers of a URI: everything that is not plainly allowed is percent-encoded.
pub(crate) fn escape_header(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 16);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let text = "98732@sip.example.com ;from-tag=r33th4x0r ; to-tag=ff87ff;early-only";
        let read = Replaces::parse(text).unwrap();
        assert_eq!((read.call_id.as_str(), read.to_tag.as_str()), ("98732@sip.example.com", "ff87ff"));
        assert!(read.early_only);
        let uri = format!("sip:a?b@192.0.2.1;x=y?Subject=1&replaces={}", escape_header(text));
        let (target, replaces) = split_target(&uri);
        assert_eq!(target, "sip:a?b@192.0.2.1;x=y");
        assert_eq!(replaces.as_deref(), Some(text));
        assert_eq!(split_target("sip:192.0.2.1"), ("sip:192.0.2.1", None));
    }

    #[test]
    fn what_lacks_a_tag_is_nothing() {
        for bad in ["", "a", "a;to-tag=1", "a;from-tag=1", ";to-tag=1;from-tag=2", "a;to-tag=;from-tag=2"] {
            assert_eq!(Replaces::parse(bad), None, "{bad}");
        }
    }
}
