//! SIP by hand over one UDP socket: for what a well-behaved phone would not send.

use std::net::{IpAddr, SocketAddr};

use tokio::net::UdpSocket;

use crate::PATIENCE;

/// A socket that speaks raw SIP to the gateway.
#[derive(Debug)]
pub struct RawSip {
    socket: UdpSocket,
    gateway: SocketAddr,
}

impl RawSip {
    /// From this address, a port of the system's choice.
    pub async fn bind(from: IpAddr, gateway: SocketAddr) -> Self {
        let socket = UdpSocket::bind((from, 0)).await.expect("any port of this machine");
        Self { socket, gateway }
    }

    /// An INVITE of a caller with A-law.
    pub fn invite(&self, call_id: &str) -> String {
        let own = self.socket.local_addr().expect("bound");
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n",
            ip = own.ip()
        );
        format!(
            "INVITE sip:12345@{gateway} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{call_id};rport\r\n\
             From: <sip:13800138000@{own}>;tag=t{call_id}\r\nTo: <sip:12345@{gateway}>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:{own}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n\
             Content-Length: {length}\r\n\r\n{sdp}",
            gateway = self.gateway,
            length = sdp.len(),
        )
    }

    /// Sends bytes as they are.
    pub async fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.gateway).await.expect("loopback takes a datagram");
    }

    /// The next message, within the usual patience.
    pub async fn receive(&self) -> String {
        let mut buffer = vec![0; 65_536];
        let received = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer)).await;
        let length = received.expect("the gateway answers").expect("loopback delivers");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// What has arrived already, without waiting.
    pub fn arrived(&self) -> Option<String> {
        let mut buffer = vec![0; 65_536];
        let length = self.socket.try_recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }
}
