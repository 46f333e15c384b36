//! Finds the session description in a body: plain, or one part of a multipart (SIP-I trunks put ISUP beside it).
//!
//! Sources: [RFC 3261 §7.4](https://www.rfc-editor.org/rfc/rfc3261#section-7.4),
//! [RFC 5621](https://www.rfc-editor.org/rfc/rfc5621). The description itself is read in [`crate::sdp`].

use crate::{fields, message::Message};

/// The body is of a type we cannot read: 415.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported;

/// At most so many parts are looked at.
const MAX_PARTS: usize = 16;

/// The description, `None` if there is no body (or a multipart without one).
pub(crate) fn session_description(message: &Message) -> Result<Option<String>, Unsupported> {
    if message.body.is_empty() {
        return Ok(None);
    }
    if message.value("Content-Encoding").is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity"))
    {
        return Err(Unsupported);
    }
    let content_type = message.value("Content-Type").unwrap_or_default();
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let kind = kind.trim().to_ascii_lowercase();
    if kind == "application/sdp" || (kind.is_empty() && message.body.starts_with(b"v=0")) {
        return Ok(Some(String::from_utf8_lossy(&message.body).into_owned()));
    }
    if !kind.starts_with("multipart/") {
        return Err(Unsupported);
    }
    let boundary = fields::parameter(parameters, "boundary")
        .filter(|boundary| !boundary.is_empty())
        .ok_or(Unsupported)?;
    // ISUP parts are binary; only the SDP part is kept, so the lossy text cannot harm it.
    let text = String::from_utf8_lossy(&message.body);
    let delimiter = format!("--{boundary}");
    Ok(text.split(delimiter.as_str()).skip(1).take(MAX_PARTS).find_map(part_description))
}

fn part_description(part: &str) -> Option<String> {
    let part = part.strip_prefix("\r\n").or_else(|| part.strip_prefix('\n'))?;
    let (head, body) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n"))?;
    let is_sdp = head.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
        let kind = value.split(';').next().unwrap_or_default().trim();
        (name.trim().eq_ignore_ascii_case("content-type") || name.trim().eq_ignore_ascii_case("c"))
            && kind.eq_ignore_ascii_case("application/sdp")
    });
    is_sdp.then(|| body.to_owned())
}
