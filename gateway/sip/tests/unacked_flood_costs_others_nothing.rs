//! Twenty thousand INVITEs that nobody acknowledges: the rest are refused without memory, another source's calls
//! cost what they cost before, and in the end nothing is left. Allocations are counted, not time.
//! Alone in its file: the allocator counts for the whole process.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test; virtual time begins somewhere")]

use std::{
    alloc::System,
    net::SocketAddr,
    time::{Duration, Instant},
};

use gateway_sip::{
    CallHandle, Counts, Endpoint, EndpointConfig, Event, Input, LocalAddress, Transport, TrunkConfig,
    message::Message,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const HERE: &str = "192.0.2.1:5060";
const FLOODER: &str = "198.51.100.7:5060";
const OTHER: &str = "203.0.113.9:5060";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

struct Rig {
    endpoint: Endpoint,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        let listen: SocketAddr = HERE.parse().unwrap();
        let trunk = |name: &str, network: &str| TrunkConfig {
            name: name.into(),
            from: vec![network.parse().unwrap()],
            ..TrunkConfig::default()
        };
        let config = EndpointConfig {
            local: vec![LocalAddress { transport: Transport::Udp, listen, external: None }],
            trunks: vec![trunk("flooder", "198.51.100.0/24"), trunk("other", "203.0.113.0/24")],
            ..EndpointConfig::default()
        };
        Self { endpoint: Endpoint::new(config, [5; 32]), now: Instant::now() }
    }

    /// Statuses and To tags of what was sent, and the new calls.
    fn input(&mut self, from: &str, text: &str) -> (Vec<u16>, Vec<CallHandle>) {
        let (local, remote) = (HERE.parse().unwrap(), from.parse().unwrap());
        self.endpoint.handle_input(self.now, Input::Datagram { local, remote, bytes: text.as_bytes() });
        self.taken()
    }

    fn taken(&mut self) -> (Vec<u16>, Vec<CallHandle>) {
        let (mut statuses, mut calls) = (Vec::new(), Vec::new());
        while let Some(transmit) = self.endpoint.poll_transmit() {
            statuses.extend(Message::parse(&transmit.bytes).unwrap().status());
        }
        while let Some(event) = self.endpoint.poll_event() {
            if let Event::Incoming { call, .. } = event {
                calls.push(call);
            }
        }
        (statuses, calls)
    }

    fn pass(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.taken();
        }
        self.now = until;
    }

    /// A whole call of the other source; gives how often memory was asked for.
    fn whole_call(&mut self, number: usize) -> usize {
        let region = Region::new(ALLOCATOR);
        let (_, calls) = self.input(OTHER, &request("INVITE", OTHER, number, "", SDP));
        self.endpoint.answer(self.now, calls[0], SDP).unwrap();
        let answer = Message::parse(&self.endpoint.poll_transmit().unwrap().bytes).unwrap();
        let tag = format!(";tag={}", answer.to_tag().unwrap());
        self.input(OTHER, &request("ACK", OTHER, number, &tag, ""));
        assert_eq!(self.input(OTHER, &request("BYE", OTHER, number, &tag, "")).0, [200]);
        let change = region.change();
        change.allocations + change.reallocations
    }

    /// The least of several: now and then a table grows.
    fn cost(&mut self, first: usize) -> usize {
        (first..first + 8).map(|number| self.whole_call(number)).min().unwrap()
    }
}

fn request(method: &str, from: &str, number: usize, tag: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let (length, cseq) = (body.len(), if method == "BYE" { 2 } else { 1 });
    format!(
        "{method} sip:12345@{HERE} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{number:06}{method}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@{from}>;tag=f{number:06}\r\nTo: <sip:12345@{HERE}>{tag}\r\n\
         Call-ID: c{number:06}@{from}\r\nCSeq: {cseq} {method}\r\nContact: <sip:a@{from}>\r\n{kind}\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn the_flood_is_capped_others_pay_nothing_and_nothing_is_left() {
    let mut rig = Rig::new();
    let limit = EndpointConfig::default().max_unacked_per_source;
    let before = rig.cost(0);
    let (mut admitted, mut refused) = (0, 0);
    for number in 0..20_000 {
        let (statuses, calls) = rig.input(FLOODER, &request("INVITE", FLOODER, number, "", SDP));
        for call in calls {
            admitted += 1;
            rig.endpoint.answer(rig.now, call, SDP).unwrap();
            rig.taken();
        }
        refused += statuses.iter().filter(|status| **status == 503).count();
    }
    assert_eq!((admitted, refused), (limit, 20_000 - limit));
    assert_eq!(rig.endpoint.counts().unacked, limit);
    let flooded = rig.cost(100);
    assert!(flooded <= before, "a call of another source: {before} allocations, then {flooded}");
    // Half-way, while our 2xx are being repeated, and again at the end.
    rig.pass(Duration::from_secs(10));
    let repeated = rig.cost(200);
    assert!(repeated <= before, "a call of another source: {before} allocations, then {repeated}");
    rig.pass(Duration::from_secs(120));
    assert_eq!(rig.endpoint.counts(), Counts::default());
}
