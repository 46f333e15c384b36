//! The pool of RTP ports. RTP takes an even port, RTCP the odd one above (RFC 3550 section 11).
//!
//! Nothing of one call may be heard in the next. So a pair rests after its call, its sockets still open where
//! there is room for that: what comes late is swallowed, and the next call saves the system calls. A range
//! too small for its load hands out the longest rested pair early rather than refuse a caller; the pair then
//! remembers who sent to it last, and such packets are refused for the rest of its rest.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::media::Port;

/// How long a pair rests. A far end that missed our BYE goes on sending for at most 32 s (64*T1), most
/// stop at once.
const REST: Duration = Duration::from_secs(30);
/// Resting pairs whose sockets stay open.
const OPEN_AT_MOST: usize = 1024;
/// Pairs tried at one time when other programs hold ports of the range; those found held rest.
const ATTEMPTS: usize = 64;
/// Late packets swallowed when a pair is handed out again; a socket's buffer holds fewer.
const LATE_PACKETS: usize = 4096;
/// Sources remembered of a call: each transfer behind the trunk makes a new one.
const SOURCES: usize = 4;

/// The pool. A dropped [`PortPair`] comes back by itself.
#[derive(Clone, Debug)]
pub struct PortPool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: IpAddr,
    first: u16,
    pairs: u16,
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many of the range were handed out at least once, from `offset` on.
    used: u16,
    /// Where the circle begins: at random, so that a restart does not reuse the ports of the calls it cut.
    offset: u16,
    /// Resting, sockets open, longest rested first.
    open: VecDeque<Resting>,
    /// Resting, closed, longest rested first.
    closed: VecDeque<Resting>,
}

#[derive(Debug)]
struct Resting {
    index: u16,
    since: Instant,
    sockets: Option<Arc<Sockets>>,
    sources: Sources,
}

#[derive(Debug)]
struct Sockets {
    rtp: Port,
    rtcp: Port,
}

/// The two sockets of one RTP session, lent to a call.
#[derive(Debug)]
pub struct PortPair {
    /// The RTP port; RTCP is the next.
    pub port: u16,
    sockets: Arc<Sockets>,
    /// Whom the RTP socket speaks to alone.
    connected: Option<SocketAddr>,
    guard: Guard,
    home: Home,
}

/// Knows this call's sources from those of the call that had the pair before.
#[derive(Debug, Default)]
pub struct Guard {
    sources: Sources,
    /// Of the call before, if the pair could not rest, and until when they are refused.
    former: Option<(Sources, Instant)>,
}

/// Who sent to a pair: SSRC and host.
#[derive(Clone, Copy, Debug, Default)]
struct Sources {
    seen: [Option<(u32, IpAddr)>; SOURCES],
    next: usize,
}

/// Why there is no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPorts {
    /// Every pair of the range is taken.
    #[error("no free RTP port pair in the configured range")]
    Exhausted,
    /// The system gives no socket: mostly the limit of open files.
    #[error("no socket for RTP: {0}")]
    System(std::io::ErrorKind),
}

impl PortPool {
    /// A pool over `[first, last]` on `address`.
    pub fn new(address: IpAddr, range: [u16; 2]) -> Self {
        Self::with_rest(address, range, REST)
    }

    /// A pool whose pairs rest for so long.
    pub fn with_rest(address: IpAddr, [first, last]: [u16; 2], rest: Duration) -> Self {
        let first = first.saturating_add(first % 2);
        let pairs = ((u32::from(last) + 1).saturating_sub(u32::from(first)) / 2) as u16;
        let offset = if pairs == 0 { 0 } else { rand::random_range(0..pairs) };
        let state = Mutex::new(State { offset, ..State::default() });
        Self { shared: Arc::new(Shared { address, first, pairs, rest, state }) }
    }

    /// Lends a pair. The effort does not depend on how many are in use.
    pub fn bind(&self) -> Result<PortPair, NoPorts> {
        let now = Instant::now();
        let mut held = Vec::new();
        for _ in 0..ATTEMPTS {
            let Some(resting) = self.shared.lock().take(now, self.shared.rest, self.shared.pairs) else {
                break;
            };
            let Resting { index, since, sockets, sources } = resting;
            if held.contains(&index) {
                // Everything was tried.
                let resting = Resting { index, since, sockets, sources };
                self.shared.lock().closed.push_back(resting);
                break;
            }
            let sockets = match sockets {
                Some(sockets) => {
                    sockets.rtp.drain(LATE_PACKETS);
                    sockets.rtcp.drain(LATE_PACKETS);
                    Ok(sockets)
                }
                None => self.shared.open(index),
            };
            match sockets {
                Ok(sockets) => {
                    let until = since + self.shared.rest;
                    return Ok(PortPair {
                        port: self.shared.port(index),
                        sockets,
                        connected: None,
                        guard: Guard {
                            sources: Sources::default(),
                            former: (until > now).then_some((sources, until)),
                        },
                        home: Home { shared: self.shared.clone(), index },
                    });
                }
                // Another program's: looked at again when everything else was tried.
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                    held.push(index);
                    let resting = Resting { index, since: now, sockets: None, sources };
                    self.shared.lock().closed.push_back(resting);
                }
                Err(error) => {
                    let resting = Resting { index, since, sockets: None, sources };
                    self.shared.lock().closed.push_front(resting);
                    return Err(NoPorts::System(error.kind()));
                }
            }
        }
        Err(NoPorts::Exhausted)
    }

    /// Pairs in the range.
    pub fn capacity(&self) -> u16 {
        self.shared.pairs
    }
}

impl State {
    /// The pair to hand out next: a rested one whose sockets are open, one never used, a rested one; else
    /// the one that has rested longest.
    fn take(&mut self, now: Instant, rest: Duration, pairs: u16) -> Option<Resting> {
        let rested = |queue: &VecDeque<Resting>| {
            queue.front().is_some_and(|resting| now.saturating_duration_since(resting.since) >= rest)
        };
        if rested(&self.open) {
            return self.open.pop_front();
        }
        if self.used < pairs {
            let index = ((u32::from(self.offset) + u32::from(self.used)) % u32::from(pairs)) as u16;
            self.used += 1;
            let since = now.checked_sub(rest).unwrap_or(now);
            return Some(Resting { index, since, sockets: None, sources: Sources::default() });
        }
        if rested(&self.closed) {
            return self.closed.pop_front();
        }
        let early = self.open.pop_front().or_else(|| self.closed.pop_front());
        if early.is_some() {
            metrics::counter!("jiesu_rtp_ports_reused_early_total").increment(1);
        }
        early
    }

    fn give_back(&mut self, mut resting: Resting) {
        if self.open.len() < OPEN_AT_MOST {
            self.open.push_back(resting);
        } else {
            resting.sockets = None;
            self.closed.push_back(resting);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn port(&self, index: u16) -> u16 {
        self.first + index * 2
    }

    fn open(&self, index: u16) -> std::io::Result<Arc<Sockets>> {
        let port = self.port(index);
        let bind = |port| Port::bind(SocketAddr::new(self.address, port));
        Ok(Arc::new(Sockets { rtp: bind(port)?, rtcp: bind(port + 1)? }))
    }
}

impl PortPair {
    /// For sound.
    pub fn rtp(&self) -> &Port {
        &self.sockets.rtp
    }

    /// For reports.
    pub fn rtcp(&self) -> &Port {
        &self.sockets.rtcp
    }

    /// Whom the RTP socket speaks to alone, if to anybody.
    pub fn connected(&self) -> Option<SocketAddr> {
        self.connected
    }

    /// Lets the RTP socket speak to `remote` alone.
    pub fn connect(&mut self, remote: SocketAddr) {
        if self.sockets.rtp.connect(remote).is_ok() {
            self.connected = Some(remote);
        }
    }

    /// Lets the RTP socket speak to everybody again.
    pub fn disconnect(&mut self) {
        // The system cannot refuse; if it did, the next packet would tell.
        if self.connected.take().is_some() {
            let _ = self.sockets.rtp.disconnect();
        }
    }

    /// RTP, RTCP and the guard, to read packets with.
    pub fn listening(&mut self) -> (&Port, &Port, &mut Guard) {
        (&self.sockets.rtp, &self.sockets.rtcp, &mut self.guard)
    }
}

impl Guard {
    /// Notes the source of an RTP packet; false when it is one of the call that had this pair before.
    pub fn admits(&mut self, now: Instant, source: SocketAddr, packet: &[u8]) -> bool {
        let Some(&[a, b, c, d]) = packet.get(8..12) else { return true };
        let source = (u32::from_be_bytes([a, b, c, d]), source.ip());
        if let Some((former, until)) = &self.former {
            if now >= *until {
                self.former = None;
            } else if former.contain(source) {
                return false;
            }
        }
        self.sources.note(source);
        true
    }
}

impl Sources {
    fn contain(&self, source: (u32, IpAddr)) -> bool {
        self.seen.contains(&Some(source))
    }

    /// The newest few are kept.
    fn note(&mut self, source: (u32, IpAddr)) {
        if self.contain(source) {
            return;
        }
        if let Some(slot) = self.seen.get_mut(self.next % SOURCES) {
            *slot = Some(source);
        }
        self.next += 1;
    }
}

/// Where a pair goes back to.
#[derive(Debug)]
struct Home {
    shared: Arc<Shared>,
    index: u16,
}

impl Drop for PortPair {
    fn drop(&mut self) {
        self.disconnect();
        let resting = Resting {
            index: self.home.index,
            since: Instant::now(),
            sockets: Some(self.sockets.clone()),
            sources: self.guard.sources,
        };
        self.home.shared.lock().give_back(resting);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    /// A loopback address of this test process alone: others use the same ports at the same time.
    fn host() -> IpAddr {
        let [_, b, c, d] = std::process::id().to_be_bytes();
        [127, b | 1, c, d].into()
    }

    fn port_of(socket: &Port) -> u16 {
        socket.local_addr().unwrap().port()
    }

    #[test]
    fn pairs_are_even_and_odd_distinct_and_come_back() {
        let pool = PortPool::new(host(), [47_100, 47_105]);
        assert_eq!(pool.capacity(), 3);
        let pairs: Vec<_> = (0..3).map(|_| pool.bind().unwrap()).collect();
        for pair in &pairs {
            assert_eq!(pair.port % 2, 0);
            assert_eq!(port_of(pair.rtp()), pair.port);
            assert_eq!(port_of(pair.rtcp()), pair.port + 1);
        }
        let mut ports: Vec<_> = pairs.iter().map(|pair| pair.port).collect();
        ports.sort_unstable();
        assert_eq!(ports, [47_100, 47_102, 47_104]);
        assert_eq!(pool.bind().unwrap_err(), NoPorts::Exhausted);
        let freed = pairs.into_iter().next().unwrap().port;
        assert_eq!(pool.bind().unwrap().port, freed);
    }

    #[test]
    fn a_pair_rests_while_another_is_free() {
        let pool = PortPool::with_rest(host(), [47_110, 47_115], Duration::from_secs(3_600));
        let first = pool.bind().unwrap().port;
        let second = pool.bind().unwrap().port;
        let third = pool.bind().unwrap().port;
        assert!(first != second && second != third && first != third);
        // All rest now. Rather than refuse a caller the longest rested goes early.
        assert_eq!(pool.bind().unwrap().port, first);
        assert_eq!(pool.bind().unwrap().port, second);
    }

    #[test]
    fn a_rested_pair_is_used_before_a_fresh_one() {
        let pool = PortPool::with_rest(host(), [47_120, 47_139], Duration::ZERO);
        let first = pool.bind().unwrap().port;
        assert_eq!(pool.bind().unwrap().port, first);
    }

    #[test]
    fn ports_of_other_programs_are_passed_over() {
        let others: Vec<_> = [47_140, 47_143, 47_144]
            .into_iter()
            .map(|port| UdpSocket::bind((host(), port)).unwrap())
            .collect();
        let pool = PortPool::new(host(), [47_140, 47_147]);
        let pair = pool.bind().unwrap();
        assert_eq!(pair.port, 47_146);
        assert_eq!(pool.bind().unwrap_err(), NoPorts::Exhausted);
        drop(others);
        assert!(pool.bind().is_ok());
    }

    #[test]
    fn an_address_that_is_not_ours_is_told_and_costs_no_ports() {
        let pool = PortPool::new([192, 0, 2, 1].into(), [47_150, 47_159]);
        for _ in 0..20 {
            assert!(matches!(pool.bind().unwrap_err(), NoPorts::System(_)));
        }
    }

    #[test]
    fn late_packets_are_swallowed_and_their_sources_refused() {
        let pool = PortPool::with_rest(host(), [47_160, 47_161], Duration::from_secs(3_600));
        let (source, other) = (SocketAddr::new(host(), 4_000), SocketAddr::new([192, 0, 2, 7].into(), 4_000));
        let packet = |ssrc: u32| [[0x80, 8, 0, 1].as_slice(), &[0; 4], &ssrc.to_be_bytes()].concat();
        let now = Instant::now();
        let mut pair = pool.bind().unwrap();
        assert!(pair.guard.admits(now, source, &packet(7)));
        let to = pair.rtp().local_addr().unwrap();
        drop(pair);
        // The call is over, its far end goes on.
        UdpSocket::bind((host(), 0)).unwrap().send_to(&packet(7), to).unwrap();
        let mut pair = pool.bind().unwrap();
        assert_eq!(pair.rtp().drain(10), 0);
        assert!(!pair.guard.admits(now, source, &packet(7)));
        assert!(pair.guard.admits(now, source, &packet(8)));
        assert!(pair.guard.admits(now, other, &packet(7)));
        // Once the pair would have rested, nothing is refused any more: some phones keep their SSRC for life.
        let later = Instant::now() + Duration::from_secs(3_601);
        assert!(pair.guard.admits(later, source, &packet(7)));
    }

    #[test]
    fn an_empty_range_has_no_ports() {
        assert_eq!(PortPool::new(host(), [47_171, 47_171]).bind().unwrap_err(), NoPorts::Exhausted);
    }
}
