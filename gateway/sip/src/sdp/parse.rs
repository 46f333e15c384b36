//! Text to [`SessionDescription`], forgiving where carriers and border controllers err.
//!
//! Forgiven: bare LF, blank lines, missing `o=`, `s=`, `t=`, unknown letters, any order of session lines,
//! spaces around names, NUL at the end of what a C library wrote, an `o=` user name with spaces, a wrong `IP4`/`IP6`. Not forgiven: a missing or foreign
//! `v=`, a line that is not `letter=value`, an `m=` line that cannot be read.

use std::str::FromStr;

use super::description::{Address, Attribute, MediaDescription, Origin, SessionDescription};
use super::{MAX_ATTRIBUTES, MAX_DESCRIPTION_BYTES, MAX_FORMATS, MAX_MEDIA_LINES, SdpError};

impl SessionDescription {
    /// Reads a description.
    ///
    /// # Errors
    /// [`SdpError`] with status 400: too long, too many lines, or malformed.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        if text.len() > MAX_DESCRIPTION_BYTES {
            return Err(SdpError::TooLong);
        }
        let mut description = Self { session_name: "-".to_owned(), ..Self::default() };
        let mut version_seen = false;
        for (index, raw) in text.split('\n').enumerate() {
            let line = raw.trim_end_matches(['\r', ' ', '\t', '\x0c', '\0']);
            if line.is_empty() {
                continue;
            }
            let at = index + 1;
            let malformed = |what| SdpError::Malformed { line: at, what };
            let (letter, value) = line.split_once('=').ok_or(malformed("expected letter=value"))?;
            if letter.len() != 1 {
                return Err(malformed("expected one letter before ="));
            }
            if !version_seen {
                if letter != "v" || value.trim() != "0" {
                    return Err(malformed("expected v=0"));
                }
                version_seen = true;
                continue;
            }
            description.read_line(letter, value).map_err(|fault| match fault {
                Fault::Grammar(what) => malformed(what),
                Fault::Limit(what) => SdpError::TooMany { what },
            })?;
        }
        if version_seen { Ok(description) } else { Err(SdpError::Missing { what: "v= line" }) }
    }

    fn read_line(&mut self, letter: &str, value: &str) -> Result<(), Fault> {
        match letter {
            "m" => {
                if self.media.len() >= MAX_MEDIA_LINES {
                    return Err(Fault::Limit("media lines"));
                }
                self.media.push(media_line(value)?);
            }
            "c" => {
                let slot = match self.media.last_mut() {
                    Some(media) => &mut media.connection,
                    None => &mut self.connection,
                };
                // Several c= lines in one section mean layered multicast, which telephony has not.
                if slot.is_none() {
                    *slot = Some(connection_line(value)?);
                }
            }
            "a" => {
                let slot = match self.media.last_mut() {
                    Some(media) => &mut media.attributes,
                    None => &mut self.attributes,
                };
                if let Some(attribute) = attribute_line(value) {
                    if slot.len() >= MAX_ATTRIBUTES {
                        return Err(Fault::Limit("attributes"));
                    }
                    slot.push(attribute);
                }
            }
            "o" if self.media.is_empty() => self.origin = Some(origin_line(value)?),
            "s" if self.media.is_empty() && !value.is_empty() => self.session_name = value.to_owned(),
            "t" if self.timing.is_none() => self.timing = timing_line(value),
            "v" => return Err(Fault::Grammar("a second v= line")),
            _ => {}
        }
        Ok(())
    }
}

enum Fault {
    Grammar(&'static str),
    Limit(&'static str),
}

fn media_line(value: &str) -> Result<MediaDescription, Fault> {
    let mut words = value.split_ascii_whitespace();
    let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next()) else {
        return Err(Fault::Grammar("expected m=media port protocol formats"));
    };
    // "49170/2" asks for two port pairs; telephony uses the first.
    let port = port.split('/').next().unwrap_or_default();
    let port = u16::from_str(port).map_err(|_| Fault::Grammar("port is not a number below 65536"))?;
    let mut formats = Vec::new();
    for format in words {
        if formats.len() >= MAX_FORMATS {
            return Err(Fault::Limit("formats"));
        }
        formats.push(format.to_owned());
    }
    if formats.is_empty() {
        return Err(Fault::Grammar("media line without formats"));
    }
    Ok(MediaDescription {
        kind: kind.to_owned(),
        port,
        protocol: protocol.to_owned(),
        formats,
        connection: None,
        attributes: Vec::new(),
    })
}

fn connection_line(value: &str) -> Result<Address, Fault> {
    let mut words = value.split_ascii_whitespace();
    let (Some(_), Some(_), Some(address)) = (words.next(), words.next(), words.next()) else {
        return Err(Fault::Grammar("expected c=IN IP4|IP6 address"));
    };
    address_word(address).ok_or(Fault::Grammar("empty address"))
}

/// Reads one address word; shared with `a=rtcp:`.
pub(super) fn address_word(word: &str) -> Option<Address> {
    let word = word.split('/').next().unwrap_or_default().trim_end_matches('\0');
    if word.is_empty() {
        return None;
    }
    Some(word.parse().map_or_else(|_| Address::Name(word.to_owned()), Address::Ip))
}

fn origin_line(value: &str) -> Result<Origin, Fault> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    // From the right, because phones exist that write their model name, with spaces, as user name.
    let [username @ .., session_id, version, _network, _family, address] = words.as_slice() else {
        return Err(Fault::Grammar("expected o=user id version IN IP4|IP6 address"));
    };
    if username.is_empty() {
        return Err(Fault::Grammar("expected o=user id version IN IP4|IP6 address"));
    }
    Ok(Origin {
        username: username.join(" "),
        session_id: (*session_id).to_owned(),
        version: (*version).to_owned(),
        address: address_word(address).ok_or(Fault::Grammar("empty address"))?,
    })
}

fn timing_line(value: &str) -> Option<(u64, u64)> {
    let mut words = value.split_ascii_whitespace().map(u64::from_str);
    Some((words.next()?.ok()?, words.next()?.ok()?))
}

fn attribute_line(value: &str) -> Option<Attribute> {
    let (name, value) = match value.split_once(':') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (value, None),
    };
    let name = name.trim_matches(|character: char| character == '\0' || character.is_whitespace());
    if name.is_empty() {
        return None;
    }
    Some(Attribute { name: name.to_owned(), value })
}
