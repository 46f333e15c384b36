//! Where the media of the other end is wanted, and where we refuse to send any.
//!
//! Groups and broadcast addresses would make us flood others, names would make us wait for DNS.

use std::net::{IpAddr, SocketAddr};

use super::description::{Address, MediaDescription, SessionDescription};
use super::parse::address_word;
use super::{Direction, SdpError};

/// The other end as one description shows it.
pub(super) struct RemoteEnd {
    pub rtp: SocketAddr,
    pub rtcp: Option<SocketAddr>,
    /// RTCP comes on the RTP port (RFC 5761).
    pub mux: bool,
    /// As the other end wrote it, less listening when its address is the old sign of hold.
    pub direction: Direction,
}

pub(super) fn remote_end(
    description: &SessionDescription,
    media: &MediaDescription,
    ours: IpAddr,
) -> Result<RemoteEnd, SdpError> {
    let unusable = |what| SdpError::UnusableAddress { what };
    let address = match description.address_of(media) {
        Some(Address::Ip(address)) => *address,
        Some(Address::Name(_)) => return Err(unusable("a name, not a literal address")),
        None => return Err(SdpError::Missing { what: "c= line for the audio stream" }),
    };
    if is_group(address) {
        return Err(unusable("a multicast or broadcast address"));
    }
    let held = address.is_unspecified();
    if !held && address.is_ipv4() != ours.is_ipv4() {
        return Err(unusable("not of our IP family"));
    }
    let written = description.direction_of(media);
    let rtp = SocketAddr::new(address, media.port);
    let mux = media.has("rtcp-mux");
    let rtcp = if mux { Some(rtp) } else { remote_rtcp(media, address) };
    Ok(RemoteEnd {
        rtp,
        rtcp: rtcp.filter(|_| !held),
        mux,
        direction: if held { Direction::of(written.sends(), false) } else { written },
    })
}

/// `a=rtcp:port [IN IP4 address]` (RFC 3605), else the next port.
fn remote_rtcp(media: &MediaDescription, address: IpAddr) -> Option<SocketAddr> {
    let Some(value) = media.attribute("rtcp") else {
        return Some(SocketAddr::new(address, media.port.checked_add(1)?));
    };
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse::<u16>().ok().filter(|port| *port != 0)?;
    let own = match words.nth(2) {
        Some(word) => match address_word(word)? {
            Address::Ip(own) => own,
            Address::Name(_) => return None,
        },
        None => address,
    };
    let usable = !own.is_unspecified() && !is_group(own) && own.is_ipv4() == address.is_ipv4();
    usable.then_some(SocketAddr::new(own, port))
}

fn is_group(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}
