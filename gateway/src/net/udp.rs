//! A UDP listener: datagrams to the switch, with the socket they came to.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::Arrival;

/// Largest datagram UDP carries.
const MAX_DATAGRAM_BYTES: usize = 65_535;

/// Reads datagrams until the switch is gone. When the switch lags, datagrams are dropped here, at the
/// border, and SIP repeats them (RFC 3261 section 17).
pub async fn read(socket: Arc<UdpSocket>, local: SocketAddr, arrivals: mpsc::Sender<Arrival>) {
    let mut buffer = vec![0u8; MAX_DATAGRAM_BYTES];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, remote)) => {
                let bytes = buffer[..length].to_vec();
                match arrivals.try_send(Arrival::Datagram { local, remote, bytes }) {
                    Ok(()) => {}
                    Err(mpsc::error::TrySendError::Full(_)) => {
                        metrics::counter!("jiesu_sip_dropped_total", "reason" => "switch-busy").increment(1);
                    }
                    Err(mpsc::error::TrySendError::Closed(_)) => return,
                }
            }
            // Linux reports an earlier ICMP "port unreachable" here; the socket stays good.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
            Err(error) => {
                tracing::error!(%error, "A SIP socket failed.");
                return;
            }
        }
    }
}
