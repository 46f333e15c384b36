//! A block of ports for one test. Tests run in parallel, as threads or as processes: a block belongs to
//! whoever holds its first port.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// Below the range from which Linux takes ports of its own accord.
const FIRST: u16 = 10_000;
const BLOCK: u16 = 200;
const BLOCKS: u16 = 100;

/// A leased block; offsets below name its places.
#[derive(Debug)]
pub struct Ports {
    base: u16,
    _lease: UdpSocket,
}

/// Gateway: RTP, both included.
pub const RTP: [u16; 2] = [2, 95];
/// Gateway: SIP over TLS.
pub const SIP_TLS: u16 = 96;
/// Gateway: SIP over UDP and TCP.
pub const SIP: u16 = 100;
/// Gateway: HTTP.
pub const HTTP: u16 = 101;
/// Gateway: metrics.
pub const METRICS: u16 = 102;
/// Redis.
pub const REDIS: u16 = 103;
/// Phones: each takes [`PHONE_PORTS`] from here.
pub const PHONES: u16 = 104;
/// Ports of one phone.
pub const PHONE_PORTS: u16 = 24;

impl Ports {
    /// Takes a free block.
    pub fn lease() -> Self {
        let start = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap_or(0);
        (0..BLOCKS)
            .map(|i| FIRST + (start + i) % BLOCKS * BLOCK)
            .find_map(|base| {
                let lease = UdpSocket::bind((Ipv4Addr::LOCALHOST, base)).ok()?;
                Some(Self { base, _lease: lease })
            })
            .expect("a hundred tests do not run at once")
    }

    /// The port at an offset.
    pub fn at(&self, offset: u16) -> u16 {
        self.base + offset
    }

    /// The first port of the n-th phone, counted from 0.
    pub fn phone(&self, index: u16) -> u16 {
        assert!(PHONES + (index + 1) * PHONE_PORTS <= BLOCK, "a block has room for four phones");
        self.at(PHONES + index * PHONE_PORTS)
    }

    /// Loopback at an offset.
    pub fn address(&self, offset: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.at(offset)))
    }
}
