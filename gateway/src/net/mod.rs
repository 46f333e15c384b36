//! Sockets for signalling: bytes in, bytes out. Nothing here knows SIP.

pub mod tcp;
pub mod tls;
pub mod udp;
pub mod ws;

use std::net::SocketAddr;

use gateway_sip::{ConnectionId, Transport};
use tokio::sync::mpsc;

/// What the network brings to the switch.
#[derive(Debug)]
pub enum Arrival {
    /// A datagram.
    Datagram {
        /// The socket it came to.
        local: SocketAddr,
        /// Who sent it.
        remote: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
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
