//! Where an answer goes: the top Via is completed with what the packet's source was, then read.
//!
//! `rport` is filled only when asked for; a peer that sends from one port and listens on another hears us at
//! the port it wrote. Sources: [RFC 3261 §18.2](https://www.rfc-editor.org/rfc/rfc3261#section-18.2),
//! [RFC 3581 §4](https://www.rfc-editor.org/rfc/rfc3581#section-4).

use std::net::SocketAddr;

use crate::{
    config::Transport,
    event::Path,
    fields::{Via, literal},
    message::Message,
};

/// Who sent a message, and what they may do.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The way back as the bytes came.
    pub(crate) path: Path,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) transport: Transport,
    /// The trunk's name, if the source belongs to one.
    pub(crate) trunk: Option<String>,
    /// Whether the source lies in an agents' network.
    pub(crate) agent: bool,
    /// The other end of a call or of a connection that we asked for: it may speak inside its calls.
    pub(crate) called_by_us: bool,
}

impl Source {
    pub(crate) fn is_known(&self) -> bool {
        self.trunk.is_some() || self.agent || self.called_by_us
    }
}

/// Writes `received` and `rport` into the topmost Via.
pub(crate) fn complete_via(message: &mut Message, remote: SocketAddr) {
    message.edit_first("Via", |member| {
        let via = Via::parse(member)?;
        let asked = via.parameter("rport").is_some();
        let elsewhere = literal(via.host).is_none_or(|ip| ip.to_canonical() != remote.ip().to_canonical());
        if !asked && !elsewhere && via.parameter("received").is_none() {
            return None;
        }
        let mut out = String::with_capacity(member.len() + 48);
        for (index, part) in member.split(';').enumerate() {
            let name = part.split('=').next().unwrap_or_default().trim();
            // What the peer claims about its own address is replaced by what we saw.
            if index > 0 && (name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport")) {
                continue;
            }
            if index > 0 {
                out.push(';');
            }
            out.push_str(part.trim());
        }
        if asked || elsewhere {
            out.push_str(&format!(";received={}", remote.ip().to_canonical()));
        }
        if asked {
            out.push_str(&format!(";rport={}", remote.port()));
        }
        Some(out)
    });
}

/// Where the answer to `request` (already completed) goes.
pub(crate) fn response_path(source: &Source, request: &Message) -> Path {
    let Path::Udp { local, remote } = source.path else { return source.path };
    let Some(via) = request.via() else { return source.path };
    if via.parameter("rport").is_some() {
        return source.path;
    }
    let here = literal(via.host).is_some_and(|ip| ip.to_canonical() == remote.ip().to_canonical());
    if source.agent && source.trunk.is_none() && !here {
        // A phone behind a NAT that does not know rport: its own port means nothing outside.
        return source.path;
    }
    Path::Udp { local, remote: SocketAddr::new(remote.ip(), via.port.unwrap_or(5060)) }
}
