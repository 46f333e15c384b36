//! Symmetric RTP ([RFC 4961](https://www.rfc-editor.org/rfc/rfc4961)): answer to where sound comes from.
//!
//! Behind NAT the port in the SDP is not the one packets come from. Following any packet would let a
//! stranger on the internet take the call over, so the address is latched once, under a policy, and
//! moves only when signalling says so.

use std::net::{IpAddr, SocketAddr};

use crate::{RtpError, config::LatchPolicy};

/// Where the far end is.
#[derive(Debug, Clone)]
pub struct Latch {
    policy: LatchPolicy,
    remote: SocketAddr,
    /// The host its signalling comes from, which has proved itself there.
    signalling: Option<IpAddr>,
    latched: bool,
}

impl Latch {
    /// Begins at the signalled address.
    #[must_use]
    pub fn new(policy: LatchPolicy, signalled: SocketAddr, signalling: Option<IpAddr>) -> Self {
        Self { policy, remote: signalled, signalling, latched: false }
    }

    /// Signalling (a re-INVITE) names an address: begin again from there.
    pub fn set_signalled(&mut self, signalled: SocketAddr) {
        if !same(self.remote, signalled) {
            self.remote = signalled;
            self.latched = false;
        }
    }

    /// Where to send.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Whether a packet was accepted since signalling named the address.
    #[must_use]
    pub fn is_latched(&self) -> bool {
        self.latched
    }

    /// Whether a packet's address has the far end's IP, whatever its port.
    #[must_use]
    pub fn is_remote_host(&self, source: SocketAddr) -> bool {
        source.ip().to_canonical() == self.remote.ip().to_canonical()
    }

    /// An authenticated packet came from here: so this is the far end, wherever it was before (a phone that
    /// changed networks).
    pub fn follow(&mut self, source: SocketAddr) {
        self.remote = source;
        self.latched = true;
    }

    /// An authenticated report came from this host before any sound did.
    pub fn follow_host(&mut self, source: SocketAddr) {
        if !self.latched && !self.is_remote_host(source) {
            self.remote.set_ip(source.ip());
        }
    }

    /// Judges the source of a valid RTP packet and latches to the first acceptable one.
    ///
    /// # Errors
    /// [`RtpError::UnexpectedSource`] when it is not the far end's.
    pub fn accept(&mut self, source: SocketAddr) -> Result<(), RtpError> {
        let welcome = if self.latched {
            same(source, self.remote)
        } else {
            match self.policy {
                LatchPolicy::SignalledAddress => {
                    let host = source.ip().to_canonical();
                    self.is_remote_host(source) || self.signalling.is_some_and(|ip| ip.to_canonical() == host)
                }
                LatchPolicy::FirstPacket => true,
            }
        };
        if !welcome {
            return Err(RtpError::UnexpectedSource);
        }
        if !self.latched {
            self.latched = true;
            self.remote = source;
        }
        Ok(())
    }
}

/// A v4 address and the same one mapped into v6 (as dual-stack sockets show it) are one.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}
