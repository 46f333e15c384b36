//! Reading and writing the RTP and RTCP sockets of many rooms from one thread: one system call takes all
//! that waits on a socket ([recvmmsg(2)](https://man7.org/linux/man-pages/man2/recvmmsg.2.html)), into
//! buffers that the thread's rooms share.
//!
//! Nothing is known here of calls. Why packets are sent one by one: `docs/adr/0008`.

use std::io::IoSliceMut;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg,
    recvmsg,
};
use nix::sys::time::TimeSpec;

use super::arrival::Moment;
use super::rhythm::Rhythm;

/// Largest RTP packet that is read; a longer one is dropped.
const MAX_PACKET_BYTES: usize = 2048;
/// Packets taken by one system call.
const BATCH: usize = 8;
/// System calls for one socket in one turn: a flood beyond waits in the kernel, which then drops it.
const ROUNDS: usize = 8;

/// The shared buffers of one thread, and what went through them.
pub struct Datagrams {
    buffers: Box<[[u8; MAX_PACKET_BYTES]; BATCH]>,
    v4: MultiHeaders<SockaddrIn>,
    v6: MultiHeaders<SockaddrIn6>,
    /// Room for one time stamp.
    control: Vec<u8>,
    /// Counted since last taken.
    pub traffic: Traffic,
}

/// Datagrams counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Read.
    pub received: u64,
    /// Handed to the kernel.
    pub sent: u64,
    /// Not taken by the kernel: full buffer, unreachable peer.
    pub unsent: u64,
    /// Read and of no use to the room.
    pub refused: u64,
    /// Read and left over from an earlier call on the same port.
    pub stale: u64,
}

impl Datagrams {
    /// Empty buffers.
    pub fn new() -> Self {
        Self {
            buffers: Box::new([[0; MAX_PACKET_BYTES]; BATCH]),
            v4: MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec))),
            v6: MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec))),
            control: nix::cmsg_space!(TimeSpec),
            traffic: Traffic::default(),
        }
    }

    /// Hands over what waits on a socket at `moment`: moment of arrival, source, bytes. `earliest` is when the
    /// socket was last read.
    pub fn receive(
        &mut self,
        socket: &Port,
        moment: Moment,
        earliest: Instant,
        rhythm: &mut Rhythm,
        mut take: impl FnMut(&mut Traffic, Instant, SocketAddr, &[u8]),
    ) {
        let mut want = if rhythm.is_steady() { 1 } else { BATCH };
        for _ in 0..ROUNDS {
            let traffic = &mut self.traffic;
            let mut taken = |arrived, source, bytes: &[u8]| {
                traffic.received += 1;
                rhythm.note(arrived);
                take(traffic, arrived, source, bytes);
            };
            let fd = socket.socket.as_raw_fd();
            let (buffers, control) = (&mut self.buffers, &mut self.control);
            let count = if socket.is_v4 {
                let source = |address| SocketAddr::V4(SocketAddrV4::from(address));
                match want {
                    1 => one::<SockaddrIn>(buffers, control, fd, moment, earliest, source, &mut taken),
                    _ => batch(&mut self.v4, buffers, fd, moment, earliest, source, &mut taken),
                }
            } else {
                let source = |address| SocketAddr::V6(SocketAddrV6::from(address));
                match want {
                    1 => one::<SockaddrIn6>(buffers, control, fd, moment, earliest, source, &mut taken),
                    _ => batch(&mut self.v6, buffers, fd, moment, earliest, source, &mut taken),
                }
            };
            if count < want || want == 1 && !rhythm.expects_more(moment.now) {
                return;
            }
            want = BATCH;
        }
    }

    /// Sends one datagram through a connected socket. A peer that was unreachable the last time is tried again:
    /// that error belongs to the packet before.
    pub fn send_connected(&mut self, socket: &Port, bytes: &[u8]) {
        let sent = socket.socket.send(bytes).or_else(|error| match error.kind() {
            std::io::ErrorKind::ConnectionRefused => socket.socket.send(bytes),
            _ => Err(error),
        });
        match sent {
            Ok(_) => self.traffic.sent += 1,
            Err(_) => self.traffic.unsent += 1,
        }
    }

    /// Sends one datagram. What the kernel does not take is lost, as the network might lose it.
    pub fn send(&mut self, socket: &Port, remote: SocketAddr, bytes: &[u8]) {
        match socket.socket.send_to(bytes, remote) {
            Ok(_) => self.traffic.sent += 1,
            Err(_) => self.traffic.unsent += 1,
        }
    }
}

/// A bound, non-blocking socket with kernel time stamps.
#[derive(Debug)]
pub struct Port {
    socket: UdpSocket,
    is_v4: bool,
}

impl Port {
    /// Binds it.
    pub fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::ReceiveTimestampns, &true)?;
        Ok(Self { socket, is_v4: address.is_ipv4() })
    }

    /// Where it is bound.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Speaks to `remote` only, which saves the kernel the search for a route at each packet. Packets of others
    /// are not seen while it lasts.
    pub fn connect(&self, remote: SocketAddr) -> std::io::Result<()> {
        self.socket.connect(remote)
    }

    /// Speaks to everybody again.
    pub fn disconnect(&self) -> std::io::Result<()> {
        Ok(rustix::net::connect_unspec(&self.socket)?)
    }

    /// Throws away what waits, at most `most` datagrams. Returns how many there were.
    pub fn drain(&self, most: usize) -> usize {
        let mut byte = [0; 1];
        (0..most).take_while(|_| self.socket.recv_from(&mut byte).is_ok()).count()
    }
}

/// One system call for one datagram, which costs a third less than one for up to eight. Returns how many there
/// were.
fn one<S: SockaddrLike + Copy>(
    buffers: &mut [[u8; MAX_PACKET_BYTES]; BATCH],
    control: &mut [u8],
    fd: RawFd,
    moment: Moment,
    earliest: Instant,
    source: impl Fn(S) -> SocketAddr,
    take: &mut impl FnMut(Instant, SocketAddr, &[u8]),
) -> usize {
    let [buffer, ..] = buffers;
    let mut slices = [IoSliceMut::new(buffer)];
    // An error is an empty socket, or one whose peer is unreachable: nothing to read in both cases.
    let Ok(datagram) = recvmsg::<S>(fd, &mut slices, Some(control), MsgFlags::MSG_DONTWAIT) else { return 0 };
    hand_over(&datagram, moment, earliest, source, take);
    1
}

/// One system call for as many as there is room for. Returns how many it took.
fn batch<S: SockaddrLike + Copy>(
    headers: &mut MultiHeaders<S>,
    buffers: &mut [[u8; MAX_PACKET_BYTES]; BATCH],
    fd: RawFd,
    moment: Moment,
    earliest: Instant,
    source: impl Fn(S) -> SocketAddr,
    take: &mut impl FnMut(Instant, SocketAddr, &[u8]),
) -> usize {
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let Ok(datagrams) = recvmmsg(fd, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) else {
        return 0;
    };
    let mut count = 0;
    for datagram in datagrams {
        count += 1;
        hand_over(&datagram, moment, earliest, &source, take);
    }
    count
}

/// A whole datagram goes to whom it is for, with the moment at which the kernel took it.
fn hand_over<S: SockaddrLike + Copy>(
    datagram: &RecvMsg<'_, '_, S>,
    moment: Moment,
    earliest: Instant,
    source: impl Fn(S) -> SocketAddr,
    take: &mut impl FnMut(Instant, SocketAddr, &[u8]),
) {
    let stamp = datagram.cmsgs().ok().and_then(|mut messages| {
        messages.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
            _ => None,
        })
    });
    if !datagram.flags.contains(MsgFlags::MSG_TRUNC)
        && let (Some(address), Some(bytes)) = (datagram.address, datagram.iovs().next())
    {
        take(moment.arrival(stamp, earliest), source(address), bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(datagrams: &mut Datagrams, host: &str) {
        let port = Port::bind(SocketAddr::new(host.parse().unwrap(), 0)).unwrap();
        let to = port.local_addr().unwrap();
        let peer = UdpSocket::bind(SocketAddr::new(host.parse().unwrap(), 0)).unwrap();
        let began = Instant::now();
        // Twice, because the kernel writes into the headers; more than one batch at a time.
        for round in 0..2u8 {
            for number in 0..20u8 {
                peer.send_to(&[round, number], to).unwrap();
            }
            let mut seen = Vec::new();
            datagrams.receive(
                &port,
                Moment::present(),
                began,
                &mut Rhythm::new(began),
                |_, arrived, source, bytes| {
                    assert_eq!(source, peer.local_addr().unwrap());
                    assert!(arrived >= began && arrived <= Instant::now());
                    seen.push(bytes.to_vec());
                },
            );
            assert_eq!(seen, (0..20).map(|number| vec![round, number]).collect::<Vec<_>>());
        }
        datagrams.send(&port, peer.local_addr().unwrap(), b"back");
        let mut back = [0; 16];
        let (length, source) = peer.recv_from(&mut back).unwrap();
        assert_eq!((&back[..length], source), (b"back".as_slice(), to));
        let traffic = std::mem::take(&mut datagrams.traffic);
        assert_eq!(traffic, Traffic { received: 40, sent: 1, ..Traffic::default() });
    }

    #[test]
    fn a_burst_comes_whole_in_order_and_with_its_source() {
        exchange(&mut Datagrams::new(), "127.0.0.1");
    }

    #[test]
    fn the_same_over_ipv6_from_the_same_thread() {
        let mut datagrams = Datagrams::new();
        exchange(&mut datagrams, "127.0.0.1");
        exchange(&mut datagrams, "::1");
        exchange(&mut datagrams, "127.0.0.1");
    }

    #[test]
    fn packets_that_wait_keep_the_moment_they_arrived() {
        let port = Port::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut datagrams = Datagrams::new();
        let mut spacing = || {
            let earliest = Instant::now();
            peer.send_to(b"first", port.local_addr().unwrap()).unwrap();
            let between = Instant::now();
            // Both clocks have moved on visibly before the second is sent.
            while between.elapsed() < Duration::from_millis(3) {
                std::hint::spin_loop();
            }
            peer.send_to(b"second", port.local_addr().unwrap()).unwrap();
            let (mut arrivals, mut rhythm) = (Vec::new(), Rhythm::new(earliest));
            datagrams.receive(&port, Moment::present(), earliest, &mut rhythm, |_, arrived, _, _| {
                arrivals.push(arrived)
            });
            assert_eq!(arrivals.len(), 2);
            arrivals[1].saturating_duration_since(arrivals[0])
        };
        // The first socket of a system that wants stamps turns them on a moment later, in the background.
        assert!((0..200).any(|_| spacing() >= Duration::from_millis(2)));
    }

    #[test]
    fn a_connected_socket_hears_its_peer_only_until_it_is_disconnected() {
        // A port of its own, as calls have: one the system chose would be given up with the connection.
        let [_, b, c, d] = std::process::id().to_be_bytes();
        let port = Port::bind(([127, b | 1, c, d], 30_000).into()).unwrap();
        let to = port.local_addr().unwrap();
        let [peer, other] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let mut datagrams = Datagrams::new();
        let heard = |datagrams: &mut Datagrams| {
            let mut sources = Vec::new();
            let now = Instant::now();
            datagrams.receive(&port, Moment::present(), now, &mut Rhythm::new(now), |_, _, source, _| {
                sources.push(source)
            });
            sources
        };
        port.connect(peer.local_addr().unwrap()).unwrap();
        peer.send_to(b"mine", to).unwrap();
        let _ = other.send_to(b"not mine", to);
        assert_eq!(heard(&mut datagrams), [peer.local_addr().unwrap()]);
        datagrams.send_connected(&port, b"back");
        assert_eq!(peer.recv_from(&mut [0; 16]).unwrap(), (4, to));
        port.disconnect().unwrap();
        assert_eq!(port.local_addr().unwrap(), to);
        other.send_to(b"now", to).unwrap();
        assert_eq!(heard(&mut datagrams), [other.local_addr().unwrap()]);
        datagrams.send(&port, other.local_addr().unwrap(), b"back");
        assert_eq!(other.recv_from(&mut [0; 16]).unwrap(), (4, to));
    }

    #[test]
    fn what_is_drained_is_gone() {
        let port = Port::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..5 {
            peer.send_to(b"old", port.local_addr().unwrap()).unwrap();
        }
        assert_eq!(port.drain(100), 5);
        let mut rhythm = Rhythm::new(Instant::now());
        Datagrams::new().receive(&port, Moment::present(), Instant::now(), &mut rhythm, |_, _, _, _| {
            panic!("nothing is left")
        });
    }
}
