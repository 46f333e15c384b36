//! The other end of many RTP streams, for load tests: answers each source that sends to it with a stream of its
//! own and counts what it receives: loss, repeats, reordering, and the deviation of each packet from its 20 ms.
//!
//! One socket serves all calls of a side (each call has its own port at the server, which tells them apart), so
//! that the measuring instrument costs little beside what is measured. Arrival times are the kernel's
//! (`SO_TIMESTAMPNS`), not ours. What it sends carries a number in every payload, so that whatever comes back
//! through an echo or a bridge is checked frame by frame, across codecs that pass G.711 unchanged.
//!
//!     rtp_peer --listen 127.0.0.1:30000 [--listen 127.0.0.1:30002] [--silent] [--limit SECONDS]
//!
//! It ends with its standard input (or after `--limit`), and prints one JSON object a socket.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::HashMap;
use std::io::{IoSlice, IoSliceMut, Read as _};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt,
};
use serde_json::{Value, json};

/// Datagrams taken or sent by one system call.
const BATCH: usize = 64;
/// 20 ms of G.711 behind an RTP header.
const PACKET_BYTES: usize = 12 + FRAME_BYTES;
const FRAME_BYTES: usize = 160;
/// One frame.
const FRAME: Duration = Duration::from_millis(20);
/// A round of the wheel: one slot a millisecond.
const SLOTS: usize = 20;
/// A call from which nothing came for so long is over.
const OVER: Duration = Duration::from_secs(2);
/// Marks a payload of ours; a number follows it.
const MARK: [u8; 8] = [0x5a, 0x21, 0x93, 0x4c, 0x77, 0x1e, 0xb8, 0x66];
/// Width of one bucket of the deviation histogram, and how many there are; the last holds what is beyond.
const BUCKET_US: u64 = 20;
const BUCKETS: usize = 10_000;

fn main() {
    let mut listen = Vec::new();
    let (mut silent, mut limit) = (false, Duration::from_secs(3600));
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--silent" => silent = true,
            "--listen" => {
                listen.push(arguments.next().and_then(|text| text.parse().ok()).expect("an address"))
            }
            "--limit" => {
                let seconds = arguments.next().and_then(|text| text.parse().ok());
                limit = Duration::from_secs(seconds.expect("a number of seconds"));
            }
            other => panic!("unknown argument {other}"),
        }
    }
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = listen
        .into_iter()
        .map(|address| {
            let stop = stop.clone();
            std::thread::spawn(move || Side::open(address, silent).run(&stop, limit))
        })
        .collect();
    std::thread::spawn({
        let stop = stop.clone();
        move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            stop.store(true, Ordering::Relaxed);
        }
    });
    for thread in threads {
        println!("{}", thread.join().expect("a side ended by itself"));
    }
}

/// One socket and the calls behind it.
struct Side {
    socket: UdpSocket,
    silent: bool,
    streams: HashMap<SocketAddr, Stream>,
    /// Whose turn it is, by millisecond.
    wheel: Vec<Vec<SocketAddr>>,
    deviation_us: Vec<u64>,
    sent: u64,
    not_sent: u64,
    odd: u64,
}

/// One call.
#[derive(Default)]
struct Stream {
    /// Sending.
    sequence: u16,
    timestamp: u32,
    number: u32,
    ssrc: u32,
    /// Receiving.
    first: Option<u64>,
    highest: u64,
    received: u64,
    repeated: u64,
    late: u64,
    /// Packets and frames that earlier calls on the same port of the server should have brought.
    expected_before: u64,
    frames_before: (u64, u64),
    /// The last packet's arrival in microseconds, and its timestamp.
    last: Option<(u64, u32)>,
    last_ssrc: u32,
    /// When anything came last, by our clock.
    heard: Option<Instant>,
    /// The end of the packet before, too short to be searched alone, and that packet's number.
    tail: (u64, Vec<u8>),
    /// Numbers of our own frames (or the other side's) that came through the server.
    frames: Frames,
}

/// Numbered frames that came back.
#[derive(Default)]
struct Frames {
    from: Option<u32>,
    highest: u32,
    seen: u64,
    disorder: u64,
}

impl Frames {
    fn take(&mut self, number: u32) {
        match self.from {
            None => (self.from, self.highest) = (Some(number), number),
            // The server cut a sample out of the number itself to follow the clock: no number of this stream.
            Some(from) if number >> 16 != from >> 16 => return,
            Some(_) if number > self.highest => self.highest = number,
            Some(_) => {
                self.disorder += 1;
                return;
            }
        }
        self.seen += 1;
    }

    fn expected(&self) -> u64 {
        self.from.map_or(0, |from| u64::from(self.highest - from) + 1)
    }
}

impl Side {
    fn open(address: SocketAddr, silent: bool) -> Self {
        let socket = UdpSocket::bind(address).expect("the RTP port is free");
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        // A second of a thousand calls; as root also beyond rmem_max.
        for bytes in [16 << 20, 64 << 20] {
            let _ = setsockopt(&socket, sockopt::RcvBuf, &bytes);
            let _ = setsockopt(&socket, sockopt::RcvBufForce, &bytes);
            let _ = setsockopt(&socket, sockopt::SndBuf, &bytes);
        }
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("Linux stamps arrivals");
        Self {
            socket,
            silent,
            streams: HashMap::new(),
            wheel: vec![Vec::new(); SLOTS],
            deviation_us: vec![0; BUCKETS],
            sent: 0,
            not_sent: 0,
            odd: 0,
        }
    }

    fn run(mut self, stop: &AtomicBool, limit: Duration) -> Value {
        let started = Instant::now();
        let mut slot: u64 = 0;
        while !stop.load(Ordering::Relaxed) && started.elapsed() < limit {
            self.receive();
            let now = started.elapsed().as_millis() as u64;
            // A slot missed is sent late, as a busy phone would.
            while slot <= now {
                self.send((slot % SLOTS as u64) as usize);
                slot += 1;
            }
            let next = started + Duration::from_millis(slot);
            std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
        }
        self.receive();
        self.report()
    }

    fn receive(&mut self) {
        let mut buffers = vec![[0u8; 2048]; BATCH];
        loop {
            let space = nix::cmsg_space!(nix::sys::time::TimeSpec);
            let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, Some(space));
            let mut slices: Vec<[IoSliceMut<'_>; 1]> =
                buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
            let Ok(results) = recvmmsg(
                self.socket.as_raw_fd(),
                &mut headers,
                slices.iter_mut(),
                MsgFlags::MSG_DONTWAIT,
                None,
            ) else {
                return;
            };
            let mut arrived = Vec::with_capacity(BATCH);
            for message in results {
                let at = message.cmsgs().ok().and_then(|mut found| {
                    found.find_map(|one| match one {
                        ControlMessageOwned::ScmTimestampns(at) => {
                            Some(at.tv_sec() as u64 * 1_000_000 + at.tv_nsec() as u64 / 1000)
                        }
                        _ => None,
                    })
                });
                let from = message.address.map(|a| SocketAddr::V4(SocketAddrV4::new(a.ip(), a.port())));
                arrived.push((from, message.bytes, at));
            }
            let count = arrived.len();
            for (buffer, (from, length, at)) in buffers.iter().zip(arrived) {
                if let (Some(from), Some(at)) = (from, at) {
                    self.take(from, &buffer[..length], at);
                }
            }
            if count < BATCH {
                return;
            }
        }
    }

    fn take(&mut self, from: SocketAddr, packet: &[u8], at_us: u64) {
        if packet.len() < 12 || packet[0] >> 6 != 2 {
            self.odd += 1;
            return;
        }
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let timestamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        let known = self.streams.len();
        let stream = self.streams.entry(from).or_insert_with(|| Stream {
            ssrc: known as u32 + 1,
            // Where two sides meet, their frames must not be taken for each other's.
            number: (known as u32 + 1) << 16,
            ..Stream::default()
        });
        if stream.first.is_none() && !self.silent {
            self.wheel[known % SLOTS].push(from);
        }
        // The server's ports are used again for later calls: a new SSRC is a new call.
        if stream.first.is_some() && stream.last_ssrc != ssrc {
            stream.begin_again();
        }
        stream.last_ssrc = ssrc;
        stream.heard = Some(Instant::now());
        let extended = match stream.first {
            None => {
                let start = u64::from(sequence) + (1 << 16);
                stream.highest = start - 1;
                start
            }
            Some(_) => {
                let ahead = sequence.wrapping_sub(stream.highest as u16) as i16;
                stream.highest.wrapping_add_signed(i64::from(ahead))
            }
        };
        let first = *stream.first.get_or_insert(extended);
        if extended < first {
            stream.late += 1;
            return;
        }
        if extended == stream.highest {
            stream.repeated += 1;
            return;
        }
        if extended < stream.highest {
            stream.late += 1;
        }
        stream.received += 1;
        if let Some((last_at, last_timestamp)) = stream.last
            && extended == stream.highest + 1
            && timestamp.wrapping_sub(last_timestamp) == FRAME_BYTES as u32
        {
            let apart = at_us.saturating_sub(last_at);
            let deviation = apart.abs_diff(FRAME.as_micros() as u64);
            self.deviation_us[((deviation / BUCKET_US) as usize).min(BUCKETS - 1)] += 1;
        }
        stream.highest = stream.highest.max(extended);
        stream.last = Some((at_us, timestamp));
        stream.find_frames(extended, &packet[12..]);
    }

    /// One frame to every call of this slot.
    fn send(&mut self, slot: usize) {
        let packets: Vec<([u8; PACKET_BYTES], SockaddrIn)> = self.wheel[slot]
            .iter()
            .filter_map(|to| {
                let stream = self.streams.get_mut(to)?;
                // A call that is over is not sent to until its port is used again.
                stream.heard.filter(|heard| heard.elapsed() < OVER)?;
                let SocketAddr::V4(to) = to else { return None };
                Some((stream.next_packet(), SockaddrIn::from(*to)))
            })
            .collect();
        for batch in packets.chunks(BATCH) {
            let mut headers = MultiHeaders::<SockaddrIn>::preallocate(batch.len(), None);
            let slices: Vec<[IoSlice<'_>; 1]> =
                batch.iter().map(|(bytes, _)| [IoSlice::new(bytes)]).collect();
            let addresses: Vec<Option<SockaddrIn>> = batch.iter().map(|(_, to)| Some(*to)).collect();
            let done = sendmmsg(
                self.socket.as_raw_fd(),
                &mut headers,
                &slices,
                &addresses,
                [],
                MsgFlags::MSG_DONTWAIT,
            )
            .map_or(0, |results| results.count());
            self.sent += done as u64;
            self.not_sent += (batch.len() - done) as u64;
        }
    }

    fn report(&self) -> Value {
        let sum = |of: fn(&Stream) -> u64| self.streams.values().map(of).sum::<u64>();
        let received = sum(|stream| stream.received);
        let expected = sum(|stream| stream.expected_before + stream.expected());
        let frames_seen = sum(|stream| stream.frames_before.0 + stream.frames.seen);
        let frames_expected = sum(|stream| stream.frames_before.1 + stream.frames.expected());
        json!({
            "streams": self.streams.len(),
            "received": received,
            "lost": expected.saturating_sub(received),
            "repeated": sum(|stream| stream.repeated),
            "late": sum(|stream| stream.late),
            "sent": self.sent,
            "not_sent": self.not_sent,
            "not_rtp": self.odd,
            "frames_through": frames_seen,
            "frames_lost": frames_expected.saturating_sub(frames_seen),
            "frames_disorder": sum(|stream| stream.frames.disorder),
            "deviation_ms": {
                "p50": self.percentile(0.5),
                "p99": self.percentile(0.99),
                "p999": self.percentile(0.999),
                "max": self.percentile(1.0),
            },
        })
    }

    /// Upper edge of the bucket, in milliseconds.
    fn percentile(&self, part: f64) -> f64 {
        let total: u64 = self.deviation_us.iter().sum();
        let wanted = ((total as f64) * part).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.deviation_us.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                return (bucket as u64 + 1) as f64 * BUCKET_US as f64 / 1000.0;
            }
        }
        0.0
    }
}

impl Stream {
    fn expected(&self) -> u64 {
        self.first.map_or(0, |first| self.highest - first + 1)
    }

    /// Our frames begin anywhere in the server's packets: its clock is not ours, and it cuts and joins sound.
    fn find_frames(&mut self, sequence: u64, payload: &[u8]) {
        const NEEDED: usize = MARK.len() + 4;
        let (before, mut sound) = std::mem::take(&mut self.tail);
        if before + 1 != sequence {
            sound.clear();
        }
        sound.extend_from_slice(payload);
        for window in sound.windows(NEEDED).filter(|window| window.starts_with(&MARK)) {
            let number = window[MARK.len()..].try_into().map(u32::from_be_bytes).unwrap_or_default();
            self.frames.take(number);
        }
        sound.drain(..sound.len().saturating_sub(NEEDED - 1));
        self.tail = (sequence, sound);
    }

    /// The server uses the port for another call.
    fn begin_again(&mut self) {
        self.expected_before += self.expected();
        self.frames_before.0 += self.frames.seen;
        self.frames_before.1 += self.frames.expected();
        self.frames = Frames::default();
        self.first = None;
        self.last = None;
    }

    fn next_packet(&mut self) -> [u8; PACKET_BYTES] {
        let mut packet = [0xd5; PACKET_BYTES];
        packet[0] = 0x80;
        packet[1] = 8;
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        packet[12..20].copy_from_slice(&MARK);
        packet[20..24].copy_from_slice(&self.number.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME_BYTES as u32);
        self.number = self.number.wrapping_add(1);
        packet
    }
}
