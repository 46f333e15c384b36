//! What a call of signalling alone costs the endpoint, without sockets: INVITE, 100, 200, ACK, BYE, 200 from
//! prebuilt bytes, in the steady state of so many calls a second (finished transactions linger for 64*T1). Processor
//! time of this process, not wall time, so that a busy machine does not blur it.
//! Run with `cargo bench -p gateway-sip`; the arguments `calls` and `rate` change the load, as in
//! `cargo bench -p gateway-sip -- 50000 5000`. Prints, judges nothing: the tests count, the clock does not.
#![allow(clippy::disallowed_methods, reason = "virtual time begins somewhere")]

use std::{
    alloc::System,
    io::Write,
    net::SocketAddr,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};

use gateway_sip::{
    CallHandle, Endpoint, EndpointConfig, Event, Input, LocalAddress, Transport, TrunkConfig,
    message::Message,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Calls of which the same step is measured together.
const BATCH: u32 = 100;
const OFFER: &str = "v=0\r\no=user1 53655765 2353687637 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
const ANSWER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

struct Bench {
    endpoint: Endpoint,
    local: SocketAddr,
    carrier: SocketAddr,
    now: Instant,
    /// Measured inside the endpoint only: the peer's own work is left out.
    spent: Duration,
    step: Duration,
    sent_bytes: usize,
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let (calls, rate) = (numbers.next().unwrap_or(40_000), numbers.next().unwrap_or(5_000));
    let (calls, rate) = (calls.next_multiple_of(BATCH), rate.max(1));
    let step = Duration::from_secs(1) / rate;
    let mut bench = Bench::new(step);
    // What lingers must linger: 33 s of calls before anything is measured.
    let warm = rate.saturating_mul(33).next_multiple_of(BATCH);
    bench.calls(0, warm, true);
    let (began, region) = (bench.spent, Region::new(ALLOCATOR));
    bench.calls(warm, warm + calls, true);
    let (spent, change) = (bench.spent - began, region.change());
    let each = |amount: usize| amount / calls as usize;
    print(&format!(
        "a call: {} ns, {} allocations and {} bytes of them (the bench's own included), at {rate} calls/s",
        spent.as_nanos() / u128::from(calls),
        each(change.allocations + change.reallocations),
        each(change.bytes_allocated),
    ));
    print(&format!("lingering at {rate} calls/s: {:?}", bench.endpoint.counts()));

    let mut idle = Bench::new(step);
    let region = Region::new(ALLOCATOR);
    idle.calls(0, calls, false);
    idle.pass(Duration::from_secs(40));
    let change = region.change();
    let kept = change.bytes_allocated - change.bytes_deallocated;
    print(&format!("an idle dialog: {} bytes; {:?}", each(kept), idle.endpoint.counts()));
}

fn print(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("stdout is open");
}

impl Bench {
    fn new(step: Duration) -> Self {
        let local = SocketAddr::from(([192, 0, 2, 1], 5_060));
        let listen = LocalAddress { transport: Transport::Udp, listen: local, external: None };
        let from = vec!["198.51.100.0/24".parse().expect("a network")];
        let config = EndpointConfig {
            local: vec![listen],
            trunks: vec![TrunkConfig { name: "carrier".into(), from, ..TrunkConfig::default() }],
            max_calls: 1_000_000,
            ..EndpointConfig::default()
        };
        Self {
            endpoint: Endpoint::new(config, [7; 32]),
            local,
            carrier: SocketAddr::from(([198, 51, 100, 7], 5_060)),
            now: Instant::now(),
            spent: Duration::ZERO,
            step,
            sent_bytes: 0,
        }
    }

    /// Calls of these numbers, a batch at once: the peer's bytes are built between, not within, what is measured.
    fn calls(&mut self, from: u32, to: u32, hang_up: bool) {
        for first in (from..to).step_by(BATCH as usize) {
            let numbers = || first..first + BATCH;
            let invites: Vec<_> = numbers().map(|number| request("INVITE", number, 1, "", OFFER)).collect();
            let handles = self.input(&invites);
            let began = cpu();
            let mut answers = Vec::new();
            for call in handles {
                self.endpoint.answer(self.now, call, ANSWER).expect("the call waits for its answer");
                answers.extend(self.endpoint.poll_transmit());
            }
            self.spent += cpu() - began;
            let tags: Vec<_> = answers.iter().map(|answer| to_tag(&answer.bytes)).collect();
            let ours = |method, cseq| {
                numbers()
                    .zip(&tags)
                    .map(|(number, tag)| request(method, number, cseq, tag, ""))
                    .collect::<Vec<_>>()
            };
            self.input(&ours("ACK", 1));
            if hang_up {
                self.input(&ours("BYE", 2));
            }
        }
    }

    fn input(&mut self, messages: &[Vec<u8>]) -> Vec<CallHandle> {
        let mut incoming = Vec::with_capacity(messages.len());
        let began = cpu();
        for bytes in messages {
            // Three requests a call.
            self.now += self.step / 3;
            let input = Input::Datagram { local: self.local, remote: self.carrier, bytes };
            self.endpoint.handle_input(self.now, input);
            self.endpoint.handle_timeout(self.now);
            while let Some(transmit) = self.endpoint.poll_transmit() {
                self.sent_bytes += transmit.bytes.len();
            }
            while let Some(event) = self.endpoint.poll_event() {
                if let Event::Incoming { call, .. } = event {
                    incoming.push(call);
                }
            }
        }
        self.spent += cpu() - began;
        incoming
    }

    fn pass(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            while self.endpoint.poll_transmit().is_some() {}
            while self.endpoint.poll_event().is_some() {}
        }
        self.now = until;
    }
}

fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("Linux has this clock").into()
}

fn to_tag(answer: &[u8]) -> String {
    let answer = Message::parse(answer).expect("we send SIP");
    answer.to_tag().unwrap_or_default().to_owned()
}

/// The messages of sipp's own caller, with a carrier's usual extra fields.
fn request(method: &str, number: u32, cseq: u32, tag: &str, body: &str) -> Vec<u8> {
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let length = body.len();
    format!(
        "{method} sip:100@192.0.2.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-4711-{number}-{method}\r\n\
         From: sipp <sip:sipp@198.51.100.7:5060>;tag=4711SIPpTag00{number}\r\n\
         To: 100 <sip:100@192.0.2.1:5060>{tag}\r\n\
         Call-ID: {number}-4711@198.51.100.7\r\n\
         CSeq: {cseq} {method}\r\n\
         Contact: sip:sipp@198.51.100.7:5060\r\n\
         Max-Forwards: 70\r\n\
         Subject: Performance Test\r\n\
         {kind}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
