//! The bound SIP sockets, before anything runs.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use config::Listen;
use gateway_sip::{LocalAddress, Transport};
use tokio::net::{TcpListener, UdpSocket};

/// The bound sockets, before anything runs.
pub struct Sockets {
    pub(super) udp: Vec<(SocketAddr, Arc<UdpSocket>)>,
    pub(super) tcp: Vec<(SocketAddr, TcpListener)>,
}

impl Sockets {
    /// Binds every listener.
    pub async fn bind(listen: &[Listen]) -> anyhow::Result<Self> {
        let mut sockets = Self { udp: Vec::new(), tcp: Vec::new() };
        for listen in listen {
            match listen {
                Listen::Udp(address) => {
                    let socket = UdpSocket::bind(address)
                        .await
                        .with_context(|| format!("sip.listen: cannot bind {listen}"))?;
                    let buffer = socket2::SockRef::from(&socket);
                    // A burst must fit while the switch is busy; the kernel caps it at rmem_max.
                    let _ = buffer.set_recv_buffer_size(4 << 20);
                    let _ = buffer.set_send_buffer_size(4 << 20);
                    sockets.udp.push((socket.local_addr()?, Arc::new(socket)));
                }
                Listen::Tcp(address) => {
                    let listener = TcpListener::bind(address)
                        .await
                        .with_context(|| format!("sip.listen: cannot bind {listen}"))?;
                    sockets.tcp.push((listener.local_addr()?, listener));
                }
                Listen::Tls(_) | Listen::Ws(_) | Listen::Wss(_) => {
                    anyhow::bail!("sip.listen: {listen} is not in this version")
                }
            }
        }
        Ok(sockets)
    }

    /// The addresses, with the port the system chose where 0 was configured.
    pub fn addresses(&self) -> Vec<Listen> {
        let udp = self.udp.iter().map(|(address, _)| Listen::Udp(*address));
        udp.chain(self.tcp.iter().map(|(address, _)| Listen::Tcp(*address))).collect()
    }

    /// The same for the endpoint, with the address the carrier sees.
    pub fn local_addresses(&self, external: Option<IpAddr>) -> Vec<LocalAddress> {
        let written = |listen: SocketAddr| external.map(|ip| SocketAddr::new(ip, listen.port()).to_string());
        let local = |transport, listen| LocalAddress { transport, listen, external: written(listen) };
        let udp = self.udp.iter().map(|(listen, _)| local(Transport::Udp, *listen));
        udp.chain(self.tcp.iter().map(|(listen, _)| local(Transport::Tcp, *listen))).collect()
    }
}
