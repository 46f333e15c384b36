//! Two endpoints on virtual time with a link between them that loses, delays and repeats datagrams as told:
//! the gateway calls the phone, which is an endpoint too.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use gateway_sip::{
    CallHandle, Counts, Endpoint, EndpointConfig, Event, Input, Invitation, LocalAddress, Path, Transport,
    TrunkConfig, message::Message,
};
use proptest::prelude::*;

use crate::rig::{HERE, PHONE, SDP, address, config, register};

/// What the link does to the next datagrams: one entry each, then it is perfect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Pass,
    Lose,
    Twice,
    Late,
    /// So many milliseconds on its way: what is sent after it may arrive before.
    After(u64),
}

pub struct Side {
    pub endpoint: Endpoint,
    pub events: Vec<Event>,
    pub sent: Vec<String>,
}

pub struct Pair {
    pub now: Instant,
    pub gateway: Side,
    pub phone: Side,
    flight: BTreeMap<(Instant, u64), (bool, Vec<u8>)>,
    serial: u64,
    pub fates: Vec<Fate>,
}

impl Pair {
    pub fn new() -> Self {
        let phone_config = EndpointConfig {
            local: vec![LocalAddress { transport: Transport::Udp, listen: address(PHONE), external: None }],
            trunks: vec![TrunkConfig {
                name: "gateway".into(),
                from: vec!["192.0.2.0/24".parse().unwrap()],
                symmetric: true,
                ..TrunkConfig::default()
            }],
            ..EndpointConfig::default()
        };
        let side = |config, seed| Side {
            endpoint: Endpoint::new(config, [seed; 32]),
            events: Vec::new(),
            sent: Vec::new(),
        };
        let mut pair = Self {
            now: Instant::now(),
            gateway: side(config(), 1),
            phone: side(phone_config, 2),
            flight: BTreeMap::new(),
            serial: 0,
            fates: Vec::new(),
        };
        let mut tell = |text: String| {
            let bytes = text.replace('\n', "\r\n").into_bytes();
            let input = Input::Datagram { local: address(HERE), remote: address(PHONE), bytes: &bytes };
            pair.gateway.endpoint.handle_input(pair.now, input);
            let answer = pair.gateway.endpoint.poll_transmit().unwrap();
            assert!(pair.gateway.endpoint.poll_transmit().is_none());
            let message = Message::parse(&answer.bytes).unwrap();
            crate::rig::Sent { at: Duration::ZERO, path: answer.path, message, bytes: answer.bytes }
        };
        let extra = format!("Contact: <sip:1001@{PHONE}>\nExpires: 3600\n");
        let challenge = tell(register(None, 1, 0, &extra));
        assert_eq!(tell(register(Some(&challenge), 2, 1, &extra)).status(), 200);
        pair.gateway.endpoint.poll_event().unwrap();
        pair
    }

    pub fn invite(&mut self) -> CallHandle {
        let invitation = Invitation {
            target: gateway_sip::Target::Agent("1001"),
            caller_user: "anonymous",
            sdp: SDP,
            ..Invitation::default()
        };
        let call = self.gateway.endpoint.invite(self.now, invitation).unwrap();
        self.collect();
        call
    }

    pub fn collect(&mut self) {
        for from_gateway in [true, false] {
            let side = if from_gateway { &mut self.gateway } else { &mut self.phone };
            while let Some(event) = side.endpoint.poll_event() {
                side.events.push(event);
            }
            while let Some(transmit) = side.endpoint.poll_transmit() {
                assert!(matches!(transmit.path, Path::Udp { .. }));
                let message = Message::parse(&transmit.bytes).unwrap();
                side.sent.push(message.status().map_or_else(
                    || message.method().unwrap().as_str().to_owned(),
                    |status| status.to_string(),
                ));
                let fate = if self.fates.is_empty() { Fate::Pass } else { self.fates.remove(0) };
                let delays: &[u64] = match fate {
                    Fate::Pass => &[20],
                    Fate::Lose => &[],
                    Fate::Twice => &[20, 25],
                    Fate::Late => &[900],
                    Fate::After(ref late) => std::slice::from_ref(late),
                };
                for delay in delays {
                    self.serial += 1;
                    let at = self.now + Duration::from_millis(*delay);
                    self.flight.insert((at, self.serial), (from_gateway, transmit.bytes.clone()));
                }
            }
        }
    }

    pub fn advance(&mut self, by: Duration) {
        self.collect();
        let until = self.now + by;
        loop {
            let timeouts = [self.gateway.endpoint.poll_timeout(), self.phone.endpoint.poll_timeout()];
            let arrival = self.flight.keys().next().map(|(at, _)| *at);
            let Some(at) = timeouts.into_iter().chain([arrival]).flatten().min().filter(|at| *at <= until)
            else {
                break;
            };
            self.now = self.now.max(at);
            while let Some(entry) = self.flight.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (from_gateway, bytes) = entry.remove();
                let (side, local, remote) = match from_gateway {
                    true => (&mut self.phone, PHONE, HERE),
                    false => (&mut self.gateway, HERE, PHONE),
                };
                let input = Input::Datagram { local: address(local), remote: address(remote), bytes: &bytes };
                side.endpoint.handle_input(self.now, input);
            }
            self.gateway.endpoint.handle_timeout(self.now);
            self.phone.endpoint.handle_timeout(self.now);
            self.collect();
        }
        self.now = until;
    }

    pub fn millis(&mut self, millis: u64) {
        self.advance(Duration::from_millis(millis));
    }

    pub fn rung(&self) -> Option<CallHandle> {
        self.phone.events.iter().find_map(|event| match event {
            Event::Incoming { call, .. } => Some(*call),
            _ => None,
        })
    }

    /// Each call gave exactly one terminal event, and nothing is remembered (but the registration).
    pub fn assert_settled(&mut self) {
        self.millis(1_300_000);
        for side in [&self.gateway, &self.phone] {
            let terminal = |event: &&Event| {
                matches!(event, Event::Cancelled { .. } | Event::Failed { .. } | Event::Ended { .. })
            };
            let begun = side.events.iter().filter(|event| matches!(event, Event::Incoming { .. })).count();
            let ended = side.events.iter().filter(terminal).count();
            let expected = if std::ptr::eq(side, &self.gateway) { 1 } else { begun };
            assert!(begun <= 1, "one INVITE made {begun} calls");
            assert_eq!(ended, expected, "{:?}", side.events);
        }
        let timers = self.gateway.endpoint.counts().timers;
        assert!(timers <= 1, "only the registration's timer may be set, not {timers}");
        assert_eq!(self.gateway.endpoint.counts(), Counts { timers, ..Counts::default() });
        assert_eq!(self.phone.endpoint.counts(), Counts::default());
    }
}

#[test]
fn a_call_over_a_perfect_link() {
    let mut pair = Pair::new();
    let call = pair.invite();
    pair.millis(100);
    let rung = pair.rung().unwrap();
    pair.phone.endpoint.ring(pair.now, rung, 180, None);
    pair.millis(100);
    pair.phone.endpoint.answer(pair.now, rung, SDP).unwrap();
    pair.millis(100);
    pair.gateway.endpoint.hang_up(pair.now, call, Some("Q.850;cause=16"));
    pair.millis(100);
    assert_eq!(pair.gateway.sent, ["INVITE", "ACK", "BYE"]);
    assert_eq!(pair.phone.sent, ["100", "180", "200", "200"]);
    let heard: Vec<String> = pair.phone.events.iter().map(|event| format!("{event:?}")).skip(1).collect();
    assert_eq!(heard.len(), 2);
    assert!(heard[1].contains("RemoteHangup { q850: Some(16), sip: None }"), "{heard:?}");
    pair.assert_settled();
}

#[test]
fn offers_inside_a_call_go_both_ways() {
    let mut pair = Pair::new();
    let call = pair.invite();
    pair.millis(100);
    let rung = pair.rung().unwrap();
    pair.phone.endpoint.answer(pair.now, rung, SDP).unwrap();
    pair.millis(100);
    pair.phone.endpoint.offer(pair.now, rung, SDP).unwrap();
    pair.millis(100);
    assert!(matches!(pair.gateway.events.last(), Some(Event::Offer { sdp: Some(_), .. })));
    pair.gateway.endpoint.answer_offer(pair.now, call, SDP);
    pair.millis(100);
    assert!(matches!(pair.phone.events.last(), Some(Event::OfferAccepted { sdp: Some(_), .. })));
    pair.gateway.endpoint.offer(pair.now, call, SDP).unwrap();
    pair.millis(100);
    pair.phone.endpoint.refuse_offer(pair.now, rung, 488);
    pair.millis(100);
    assert!(matches!(pair.gateway.events.last(), Some(Event::OfferRefused { status: 488, .. })));
    pair.phone.endpoint.hang_up(pair.now, rung, None);
    pair.assert_settled();
}

#[test]
fn offers_that_cross_are_both_refused_and_tried_again_one_after_the_other() {
    let mut pair = Pair::new();
    let call = pair.invite();
    pair.millis(100);
    let rung = pair.rung().unwrap();
    pair.phone.endpoint.answer(pair.now, rung, SDP).unwrap();
    pair.millis(100);
    pair.phone.endpoint.offer(pair.now, rung, SDP).unwrap();
    pair.gateway.endpoint.offer(pair.now, call, SDP).unwrap();
    pair.millis(90);
    assert_eq!(pair.gateway.sent.iter().filter(|sent| *sent == "491").count(), 1);
    assert_eq!(pair.phone.sent.iter().filter(|sent| *sent == "491").count(), 1);
    // The phone does not own the Call-ID: it waits 0 to 2 s, the gateway 2.1 to 4 s.
    pair.millis(2_020);
    assert!(matches!(pair.gateway.events.last(), Some(Event::Offer { sdp: Some(_), .. })));
    pair.gateway.endpoint.answer_offer(pair.now, call, SDP);
    pair.millis(60);
    assert!(matches!(pair.phone.events.last(), Some(Event::OfferAccepted { .. })));
    pair.millis(2_000);
    assert!(matches!(pair.phone.events.last(), Some(Event::Offer { sdp: Some(_), .. })));
    pair.phone.endpoint.answer_offer(pair.now, rung, SDP);
    pair.millis(60);
    assert!(matches!(pair.gateway.events.last(), Some(Event::OfferAccepted { .. })));
    pair.gateway.endpoint.hang_up(pair.now, call, None);
    pair.assert_settled();
}

#[test]
fn early_media_and_its_prack_over_a_bad_link() {
    let mut pair = Pair::new();
    let call = pair.invite();
    pair.millis(100);
    let rung = pair.rung().unwrap();
    pair.fates = vec![Fate::Lose, Fate::Pass, Fate::Lose, Fate::Twice];
    pair.phone.endpoint.ring(pair.now, rung, 183, Some(SDP));
    pair.phone.endpoint.answer(pair.now, rung, SDP).unwrap();
    pair.millis(10_000);
    let ringing = |event: &&Event| matches!(event, Event::Ringing { status: 183, sdp: Some(_), .. });
    assert_eq!(pair.gateway.events.iter().filter(ringing).count(), 1);
    assert!(matches!(pair.gateway.events.last(), Some(Event::Answered { sdp: None, .. })));
    assert!(pair.phone.events.iter().any(|event| matches!(event, Event::RingingAcknowledged { .. })));
    // Either side may offer now; the other transfers meanwhile.
    pair.gateway.endpoint.refer(pair.now, call, "sip:600@198.51.100.9").unwrap();
    pair.millis(100);
    pair.phone.endpoint.accept_refer(pair.now, rung);
    pair.phone.endpoint.notify_refer(pair.now, rung, 200, true);
    pair.millis(100);
    let told = |event: &&Event| matches!(event, Event::ReferProgress { .. });
    assert_eq!(pair.gateway.events.iter().filter(told).count(), 2);
    // The session outlives its interval, refreshed by one of the two.
    pair.millis(7_200_000);
    pair.gateway.endpoint.hang_up(pair.now, call, None);
    pair.assert_settled();
}

#[test]
fn both_sides_hang_up_at_once() {
    let mut pair = Pair::new();
    let call = pair.invite();
    pair.millis(100);
    let rung = pair.rung().unwrap();
    pair.phone.endpoint.answer(pair.now, rung, SDP).unwrap();
    pair.millis(100);
    pair.phone.endpoint.hang_up(pair.now, rung, None);
    pair.gateway.endpoint.hang_up(pair.now, call, None);
    pair.millis(100);
    assert_eq!(pair.gateway.sent, ["INVITE", "ACK", "BYE", "200"]);
    assert_eq!(pair.phone.sent, ["100", "200", "BYE", "200"]);
    pair.assert_settled();
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![4 => Just(Fate::Pass), 3 => Just(Fate::Lose), 1 => Just(Fate::Twice), 1 => Just(Fate::Late)]
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Ring,
    Answer,
    Refuse,
    GatewayHangsUp,
    PhoneHangsUp,
    GatewayOffers,
    PhoneOffers,
    AnswerOffers,
    RingWithMedia,
    GatewayRefers,
    PhoneRefers,
    AcceptRefers,
    NotifyRefers,
    TenMinutes,
}

fn deed() -> impl Strategy<Value = (Deed, u64)> {
    let deeds = prop_oneof![
        Just(Deed::Ring),
        Just(Deed::Answer),
        Just(Deed::Answer),
        Just(Deed::Refuse),
        Just(Deed::GatewayHangsUp),
        Just(Deed::PhoneHangsUp),
        Just(Deed::GatewayOffers),
        Just(Deed::PhoneOffers),
        Just(Deed::AnswerOffers),
        Just(Deed::RingWithMedia),
        Just(Deed::GatewayRefers),
        Just(Deed::PhoneRefers),
        Just(Deed::AcceptRefers),
        Just(Deed::NotifyRefers),
        Just(Deed::TenMinutes),
    ];
    (deeds, prop_oneof![Just(0_u64), 1..60_u64, 1..3_000_u64])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever is lost, doubled or late, and whoever does what when: one call, one end each, nothing left.
    #[test]
    fn a_bad_link_never_leaks_a_call(fates in prop::collection::vec(fate(), 0..40), deeds in prop::collection::vec(deed(), 1..10)) {
        let mut pair = Pair::new();
        pair.fates = fates;
        let call = pair.invite();
        for (deed, wait) in deeds {
            pair.millis(wait);
            let (now, rung) = (pair.now, pair.rung());
            let (gateway, phone) = (&mut pair.gateway.endpoint, &mut pair.phone.endpoint);
            match (deed, rung) {
                (Deed::GatewayHangsUp, _) => gateway.hang_up(now, call, None),
                (Deed::GatewayOffers, _) => { let _ = gateway.offer(now, call, SDP); }
                (Deed::AnswerOffers, _) => {
                    gateway.answer_offer(now, call, SDP);
                    if let Some(rung) = rung { phone.answer_offer(now, rung, SDP); }
                }
                (Deed::GatewayRefers, _) => { let _ = gateway.refer(now, call, "sip:600@198.51.100.9"); }
                (Deed::AcceptRefers, _) => {
                    gateway.accept_refer(now, call);
                    if let Some(rung) = rung { phone.accept_refer(now, rung); }
                }
                (Deed::NotifyRefers, _) => {
                    gateway.notify_refer(now, call, 180, false);
                    if let Some(rung) = rung { phone.notify_refer(now, rung, 200, true); }
                }
                (Deed::TenMinutes, _) => pair.millis(600_000),
                (_, None) => {}
                (Deed::RingWithMedia, Some(rung)) => phone.ring(now, rung, 183, Some(SDP)),
                (Deed::PhoneRefers, Some(rung)) => { let _ = phone.refer(now, rung, "sip:600@198.51.100.9"); }
                (Deed::Ring, Some(rung)) => phone.ring(now, rung, 180, None),
                (Deed::Answer, Some(rung)) => { let _ = phone.answer(now, rung, SDP); }
                (Deed::Refuse, Some(rung)) => phone.refuse(now, rung, 486, None),
                (Deed::PhoneHangsUp, Some(rung)) => phone.hang_up(now, rung, None),
                (Deed::PhoneOffers, Some(rung)) => { let _ = phone.offer(now, rung, SDP); }
            }
        }
        pair.millis(100_000);
        pair.gateway.endpoint.hang_up(pair.now, call, None);
        pair.millis(100_000);
        if let Some(rung) = pair.rung() {
            pair.phone.endpoint.hang_up(pair.now, rung, None);
        }
        pair.assert_settled();
    }
}
