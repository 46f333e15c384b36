//! [`SessionDescription`] to text, in the order and with the CRLF of RFC 8866 §5.

use std::fmt;
use std::net::IpAddr;

use super::description::{Address, Attribute, SessionDescription};

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=0\r\n")?;
        if let Some(origin) = &self.origin {
            let (username, session_id, version) = (&origin.username, &origin.session_id, &origin.version);
            write!(f, "o={username} {session_id} {version} {}\r\n", origin.address)?;
        }
        write!(f, "s={}\r\n", self.session_name)?;
        if let Some(address) = &self.connection {
            write!(f, "c={address}\r\n")?;
        }
        if let Some((start, stop)) = self.timing {
            write!(f, "t={start} {stop}\r\n")?;
        }
        write_attributes(f, &self.attributes)?;
        for media in &self.media {
            write!(f, "m={} {} {} {}\r\n", media.kind, media.port, media.protocol, media.formats.join(" "))?;
            if let Some(address) = &media.connection {
                write!(f, "c={address}\r\n")?;
            }
            write_attributes(f, &media.attributes)?;
        }
        Ok(())
    }
}

/// `IN IP4 192.0.2.1`, as in `c=` and `o=`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(address)) => write!(f, "IN IP4 {address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "IN IP6 {address}"),
            Self::Name(name) => write!(f, "IN IP4 {name}"),
        }
    }
}

fn write_attributes(f: &mut fmt::Formatter<'_>, attributes: &[Attribute]) -> fmt::Result {
    for Attribute { name, value } in attributes {
        match value {
            Some(value) => write!(f, "a={name}:{value}\r\n")?,
            None => write!(f, "a={name}\r\n")?,
        }
    }
    Ok(())
}
