//! A UDP listener: one thread that empties the kernel's buffer in batches, so that a burst is lost neither
//! there nor to a busy runtime; and sending in batches. One system call carries up to [`BATCH`] datagrams each
//! way (recvmmsg, sendmmsg).
//!
//! Where many datagrams come, the thread waits `GATHER` between batches: a thousand wake-ups a second instead of
//! one for each datagram. A datagram that comes alone never waits.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, setsockopt, sockopt,
};
use tokio::sync::mpsc;

use super::{Arrival, Datagrams};

/// Datagrams moved by one system call.
pub const BATCH: usize = 32;
/// Largest datagram UDP carries.
const MAX_DATAGRAM_BYTES: usize = 65_535;
/// From so many datagrams in a batch on, the next batch is waited for.
const MANY: usize = 4;
/// How long more are gathered then: far below every timer of SIP.
const GATHER: Duration = Duration::from_millis(1);

/// A socket whose datagrams go to the switch until this is dropped.
#[derive(Debug)]
pub struct Listener {
    socket: Arc<UdpSocket>,
    /// Its other end tells the thread to end.
    alive: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.alive = None;
        // It waits for nothing else, and the port is free when it is gone.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Listener {
    /// Starts the thread.
    pub fn start(
        socket: UdpSocket,
        local: SocketAddr,
        arrivals: mpsc::Sender<Arrival>,
    ) -> std::io::Result<Self> {
        socket.set_nonblocking(true)?;
        // Without it nobody is told what the kernel had no room for; nothing else is lost by that.
        let _ = setsockopt(&socket, sockopt::RxqOvfl, &1);
        let socket = Arc::new(socket);
        let (alive, ended) = UnixStream::pair()?;
        let reading = socket.clone();
        let thread = std::thread::Builder::new()
            .name("sip-udp".to_owned())
            .spawn(move || read(&reading, local, &arrivals, &ended))?;
        Ok(Self { socket, alive: Some(alive), thread: Some(thread) })
    }

    /// Sends what is waiting, in order, and gives how many datagrams the system would not take: SIP repeats
    /// those, as if the network had lost them.
    pub fn send(&self, waiting: &mut Vec<(SocketAddr, Vec<u8>)>) -> usize {
        let mut lost = 0;
        for batch in waiting.chunks(BATCH) {
            lost += match batch {
                [(remote, bytes)] => usize::from(self.socket.send_to(bytes, *remote).is_err()),
                _ => self.send_batch(batch),
            };
        }
        waiting.clear();
        lost
    }

    fn send_batch(&self, mut batch: &[(SocketAddr, Vec<u8>)]) -> usize {
        let mut lost = 0;
        while !batch.is_empty() {
            let slices: Vec<[IoSlice<'_>; 1]> =
                batch.iter().map(|(_, bytes)| [IoSlice::new(bytes)]).collect();
            let addresses: Vec<Option<SockaddrStorage>> =
                batch.iter().map(|(remote, _)| Some(SockaddrStorage::from(*remote))).collect();
            let mut headers = MultiHeaders::preallocate(batch.len(), None);
            let sent = sendmmsg(
                self.socket.as_raw_fd(),
                &mut headers,
                slices.iter(),
                &addresses,
                [],
                MsgFlags::MSG_DONTWAIT,
            )
            .map(|results| results.count());
            let taken = match sent {
                Ok(taken) if taken > 0 => taken,
                Err(Errno::EINTR) => 0,
                // The first of the rest is what failed (no route, an earlier ICMP error, a full buffer).
                Ok(_) | Err(_) => {
                    lost += 1;
                    1
                }
            };
            batch = batch.get(taken..).unwrap_or_default();
        }
        lost
    }
}

fn read(socket: &UdpSocket, local: SocketAddr, arrivals: &mpsc::Sender<Arrival>, ended: &UnixStream) {
    let mut buffer = vec![0u8; BATCH * MAX_DATAGRAM_BYTES];
    let mut overflow = Overflow::default();
    loop {
        let mut ready =
            [PollFd::new(socket.as_fd(), PollFlags::POLLIN), PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return tracing::error!(%error, "A SIP socket failed."),
        }
        if ready.get(1).and_then(PollFd::any) == Some(true) {
            return;
        }
        loop {
            let received = receive(socket, local, &mut buffer, &mut overflow);
            let fresh = overflow.take();
            if fresh > 0 {
                metrics::counter!("jiesu_sip_dropped_total", "reason" => "kernel")
                    .increment(u64::from(fresh));
            }
            let count = match received {
                // Linux reports an earlier ICMP "port unreachable" here; the socket stays good.
                Err(Errno::EINTR | Errno::ECONNREFUSED) => continue,
                Err(Errno::EAGAIN) => break,
                Err(error) => return tracing::error!(%error, "A SIP socket failed."),
                Ok(datagrams) => {
                    let count = datagrams.each.len();
                    match arrivals.try_send(Arrival::Datagrams(datagrams)) {
                        Ok(()) => {}
                        Err(mpsc::error::TrySendError::Full(_)) => {
                            metrics::counter!("jiesu_sip_dropped_total", "reason" => "switch-busy")
                                .increment(count as u64);
                        }
                        Err(mpsc::error::TrySendError::Closed(_)) => return,
                    }
                    count
                }
            };
            if count < MANY {
                break;
            }
            // A full batch has more behind it; others have time to gather.
            let pause = if count < BATCH { GATHER } else { Duration::ZERO };
            if has_ended(ended, PollTimeout::try_from(pause).unwrap_or(PollTimeout::ZERO)) {
                return;
            }
        }
    }
}

/// Whether the [`Listener`] is gone, or goes within that time.
fn has_ended(ended: &UnixStream, within: PollTimeout) -> bool {
    let mut gone = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut gone, within), Ok(1..))
}

/// What the kernel dropped of a socket whose buffer was full (`SO_RXQ_OVFL`): it tells the sum since the socket was
/// made, which wraps.
#[derive(Default)]
struct Overflow {
    told: u32,
    known: u32,
}

impl Overflow {
    /// Dropped since this was last asked.
    fn take(&mut self) -> u32 {
        let fresh = self.told.wrapping_sub(self.known);
        self.known = self.told;
        fresh
    }
}

fn receive(
    socket: &UdpSocket,
    local: SocketAddr,
    buffer: &mut [u8],
    overflow: &mut Overflow,
) -> Result<Datagrams, Errno> {
    let mut each = Vec::with_capacity(BATCH);
    // Anew each time: the kernel shortens the room for control messages to what it used.
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(nix::cmsg_space!(u32)));
    {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            buffer.chunks_exact_mut(MAX_DATAGRAM_BYTES).map(|piece| [IoSliceMut::new(piece)]).collect();
        let received =
            recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        for message in received {
            for control in message.cmsgs().into_iter().flatten() {
                if let ControlMessageOwned::RxqOvfl(sum) = control {
                    overflow.told = sum;
                }
            }
            each.push((message.address.as_ref().and_then(address), message.bytes));
        }
    }
    let total = each.iter().map(|(_, length)| length).sum();
    let mut datagrams =
        Datagrams { local, came: Instant::now(), bytes: Vec::with_capacity(total), each: Vec::new() };
    datagrams.each.reserve_exact(each.len());
    for ((remote, length), piece) in each.into_iter().zip(buffer.chunks_exact(MAX_DATAGRAM_BYTES)) {
        if let (Some(remote), Some(bytes)) = (remote, piece.get(..length)) {
            datagrams.bytes.extend_from_slice(bytes);
            datagrams.each.push((remote, length));
        }
    }
    Ok(datagrams)
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    storage.as_sockaddr_in6().map(|v6| std::net::SocketAddrV6::from(*v6).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[tokio::test]
    async fn datagrams_come_and_go_in_order_whatever_the_batches() {
        let ((socket, here), (peer, there)) = (bound(), bound());
        let (sender, mut arrivals) = mpsc::channel(256);
        let listener = Listener::start(socket, here, sender).unwrap();
        let texts: Vec<Vec<u8>> = (0..100usize).map(|number| vec![b'a'; number]).collect();
        for text in &texts {
            peer.send_to(text, here).unwrap();
        }
        let mut came = Vec::new();
        while came.len() < texts.len() {
            let Some(Arrival::Datagrams(datagrams)) = arrivals.recv().await else {
                panic!("only datagrams come")
            };
            came.extend(datagrams.iter().map(|(remote, bytes)| (remote, bytes.to_vec())));
        }
        assert!(came.iter().all(|(remote, _)| *remote == there));
        assert!(came.iter().map(|(_, bytes)| bytes).eq(&texts));

        let mut waiting: Vec<_> = texts.iter().map(|text| (there, text.clone())).collect();
        // One that cannot be sent (port 0) costs the others nothing.
        waiting.insert(50, (SocketAddr::new(there.ip(), 0), b"nowhere".to_vec()));
        assert_eq!(listener.send(&mut waiting), 1);
        assert!(waiting.is_empty());
        let mut buffer = [0; 200];
        for text in &texts {
            let (length, remote) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!((remote, &buffer[..length]), (here, text.as_slice()));
        }
        drop(listener);
        assert!(UdpSocket::bind(here).is_ok(), "the port is free again");
    }

    #[test]
    fn what_the_kernel_had_no_room_for_is_counted() {
        let ((socket, here), (peer, _)) = (bound(), bound());
        socket.set_nonblocking(true).unwrap();
        setsockopt(&socket, sockopt::RcvBuf, &4096).unwrap();
        setsockopt(&socket, sockopt::RxqOvfl, &1).unwrap();
        let mut buffer = vec![0u8; BATCH * MAX_DATAGRAM_BYTES];
        let mut overflow = Overflow::default();
        let mut read = |overflow: &mut Overflow| {
            receive(&socket, here, &mut buffer, overflow).map_or(0, |came| came.each.len())
        };
        for _ in 0..200 {
            peer.send_to(&[0; 500], here).unwrap();
        }
        let mut came = 0;
        while came < 200 {
            match read(&mut overflow) {
                0 => break,
                more => came += more,
            }
        }
        assert!(came < 200, "a buffer of 4 kB holds 100 kB");
        // The next one that comes tells of those that did not.
        peer.send_to(b"after", here).unwrap();
        poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).unwrap();
        assert_eq!(read(&mut overflow), 1);
        assert_eq!(overflow.take() as usize, 200 - came);
        assert_eq!(overflow.take(), 0);
    }
}
