//! Repeats must not make second calls, and late ACKs must not make second confirmations.

use crate::rig::*;

#[test]
fn a_repeated_invite_is_one_call_in_every_state() {
    let mut rig = Rig::new();
    let invite = Ask { body: SDP, ..Ask::default() }.text();
    rig.udp(CARRIER, &invite);
    let call = rig.incoming();
    rig.udp(CARRIER, &invite);
    assert_eq!(rig.said(), ["100", "100"]);
    rig.endpoint.ring(rig.now, call, 180, None);
    rig.udp(CARRIER, &invite);
    assert_eq!(rig.said(), ["180", "180"]);
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.udp(CARRIER, &invite);
    assert!(rig.said().is_empty(), "RFC 6026: in Accepted the repeat is absorbed");
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a", to_tag: &tag, ..Ask::default() }.text());
    rig.udp(CARRIER, &invite);
    assert!(rig.said().is_empty());
    assert_eq!(rig.heard(), [format!("Confirmed({}, sdp: false)", call.as_u64())]);
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn late_and_repeated_acks_confirm_once() {
    let mut rig = Rig::new();
    let (_, tag) = confirmed(&mut rig);
    let ack = Ask { method: "ACK", branch: "ack1", to_tag: &tag, ..Ask::default() }.text();
    rig.udp(CARRIER, &ack);
    rig.seconds(40);
    rig.udp(CARRIER, &ack);
    assert!(rig.heard().is_empty() && rig.sent().is_empty());
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn the_same_request_by_another_way_is_482() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask::default().text());
    rig.incoming();
    rig.sent();
    rig.udp(CARRIER, &Ask { branch: "other", ..Ask::default() }.text());
    assert_eq!(rig.said(), ["482"]);
    assert!(rig.heard().is_empty());
}

#[test]
fn an_ack_with_the_answer_to_our_offer_brings_it() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask::default().text());
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a", to_tag: &tag, body: SDP, ..Ask::default() }.text());
    assert_eq!(rig.heard(), [format!("Confirmed({}, sdp: true)", call.as_u64())]);
}
