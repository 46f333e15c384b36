//! The bound SIP sockets, before anything runs.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use anyhow::Context as _;
use config::Listen;
use gateway_sip::LocalAddress;
use tokio::net::TcpListener;

/// The bound sockets, before anything runs.
pub struct Sockets {
    pub(super) udp: Vec<(SocketAddr, UdpSocket)>,
    pub(super) streams: Vec<(Listen, TcpListener)>,
}

impl Sockets {
    /// Binds every listener.
    pub async fn bind(listen: &[Listen]) -> anyhow::Result<Self> {
        let mut sockets = Self { udp: Vec::new(), streams: Vec::new() };
        for listen in listen {
            let cannot = || format!("sip.listen: cannot bind {listen}");
            if let Listen::Udp(address) = listen {
                let socket = UdpSocket::bind(address).with_context(cannot)?;
                let buffer = socket2::SockRef::from(&socket);
                // A burst must fit while the switch is busy; the kernel caps it at rmem_max.
                let _ = buffer.set_recv_buffer_size(4 << 20);
                let _ = buffer.set_send_buffer_size(4 << 20);
                sockets.udp.push((socket.local_addr()?, socket));
            } else {
                let listener = TcpListener::bind(listen.address()).await.with_context(cannot)?;
                let bound = Listen::new(listen.transport(), listener.local_addr()?);
                sockets.streams.push((bound, listener));
            }
        }
        Ok(sockets)
    }

    /// The addresses, with the port the system chose where 0 was configured.
    pub fn addresses(&self) -> Vec<Listen> {
        let udp = self.udp.iter().map(|(address, _)| Listen::Udp(*address));
        udp.chain(self.streams.iter().map(|(listen, _)| *listen)).collect()
    }

    /// The same for the endpoint, with the address the carrier sees.
    pub fn local_addresses(&self, external: Option<IpAddr>) -> Vec<LocalAddress> {
        let written = |listen: SocketAddr| external.map(|ip| SocketAddr::new(ip, listen.port()).to_string());
        let local = |listen: Listen| LocalAddress {
            transport: listen.transport(),
            listen: listen.address(),
            external: written(listen.address()),
        };
        self.addresses().into_iter().map(local).collect()
    }
}
