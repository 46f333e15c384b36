//! The pool of RTP ports. RTP takes an even port, RTCP the odd one above (RFC 3550 section 11).
//!
//! Ports are handed out in a circle, so a closed call's ports rest as long as possible and its late
//! packets cannot reach the next caller.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use tokio::net::UdpSocket;

/// The pool. Sockets are the leases: dropping them frees the ports.
#[derive(Debug)]
pub struct PortPool {
    address: IpAddr,
    first: u16,
    pairs: u16,
    next: Mutex<u16>,
}

/// The two sockets of one RTP session.
#[derive(Debug)]
pub struct PortPair {
    /// RTP, on the even port.
    pub rtp: UdpSocket,
    /// RTCP, on the odd port above.
    pub rtcp: UdpSocket,
    /// The RTP port.
    pub port: u16,
}

/// Every pair of the range is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no free RTP port pair in the configured range")]
pub struct NoPorts;

impl PortPool {
    /// A pool over `[first, last]` on `address`.
    pub fn new(address: IpAddr, [first, last]: [u16; 2]) -> Self {
        let first = first + first % 2;
        let pairs = ((u32::from(last) + 1).saturating_sub(u32::from(first)) / 2) as u16;
        Self { address, first, pairs, next: Mutex::new(0) }
    }

    /// Binds the next free pair. Ports held by others are passed over.
    pub fn bind(&self) -> Result<PortPair, NoPorts> {
        for _ in 0..self.pairs {
            let index = {
                let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let index = *next;
                *next = (index + 1) % self.pairs;
                index
            };
            let port = self.first + index * 2;
            let bind = |port| bind_udp(SocketAddr::new(self.address, port));
            if let (Ok(rtp), Ok(rtcp)) = (bind(port), bind(port + 1)) {
                return Ok(PortPair { rtp, rtcp, port });
            }
        }
        Err(NoPorts)
    }

    /// Pairs in the range.
    pub const fn capacity(&self) -> u16 {
        self.pairs
    }
}

fn bind_udp(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pairs_are_even_and_odd_distinct_and_come_back() {
        let pool = PortPool::new([127, 0, 0, 1].into(), [47_100, 47_105]);
        assert_eq!(pool.capacity(), 3);
        let pairs: Vec<_> = (0..3).map(|_| pool.bind().unwrap()).collect();
        for pair in &pairs {
            assert_eq!(pair.port % 2, 0);
            assert_eq!(pair.rtp.local_addr().unwrap().port(), pair.port);
            assert_eq!(pair.rtcp.local_addr().unwrap().port(), pair.port + 1);
        }
        assert_eq!(pool.bind().unwrap_err(), NoPorts);
        let freed = pairs.into_iter().next().unwrap().port;
        assert_eq!(pool.bind().unwrap().port, freed);
    }
}
