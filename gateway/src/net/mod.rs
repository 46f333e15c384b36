//! Sockets for signalling: bytes in, bytes out. Nothing here knows SIP.

pub mod tcp;
pub mod tls;
pub mod udp;
pub mod ws;

use std::net::SocketAddr;
use std::time::Instant;

use gateway_sip::{ConnectionId, Transport};
use tokio::sync::mpsc;

/// What the network brings to the switch.
#[derive(Debug)]
pub enum Arrival {
    /// Datagrams, as many as came at once.
    Datagrams(Datagrams),
    /// A stream stands.
    Opened {
        /// Its name.
        connection: ConnectionId,
        /// Our end.
        local: SocketAddr,
        /// Their end.
        remote: SocketAddr,
        /// What kind of stream it is.
        transport: Transport,
        /// What is sent here is written to it; dropping it closes the stream.
        writer: mpsc::Sender<Vec<u8>>,
    },
    /// Bytes of a stream.
    Bytes {
        /// Which.
        connection: ConnectionId,
        /// When they were read.
        came: Instant,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A name was looked up.
    Resolved {
        /// The name.
        host: String,
        /// Its addresses; none when it has none or could not be looked up.
        addresses: Vec<std::net::IpAddr>,
    },
    /// A stream is gone, or could not be opened.
    Closed {
        /// Which.
        connection: ConnectionId,
    },
}

/// Datagrams taken from one socket together, in one piece of memory.
#[derive(Debug)]
pub struct Datagrams {
    /// The socket they came to.
    pub local: SocketAddr,
    /// When they were taken.
    pub came: Instant,
    /// All their bytes, one after the other.
    pub bytes: Vec<u8>,
    /// Of each: who sent it, and its length in bytes.
    pub each: Vec<(SocketAddr, usize)>,
}

impl Arrival {
    /// When it came, where that is known.
    pub fn came(&self) -> Option<Instant> {
        match self {
            Self::Datagrams(datagrams) => Some(datagrams.came),
            Self::Bytes { came, .. } => Some(*came),
            _ => None,
        }
    }
}

impl Datagrams {
    /// Sender and bytes of each.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.each.iter().map_while(move |(remote, length)| {
            let (bytes, after) = rest.split_at_checked(*length)?;
            rest = after;
            Some((*remote, bytes))
        })
    }
}
