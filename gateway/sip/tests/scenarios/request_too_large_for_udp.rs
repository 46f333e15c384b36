//! RFC 3261 §18.1.1: over 1300 bytes a request goes over TCP, and where there is no TCP it goes as a datagram.

use gateway_sip::{Invitation, Target, Transport, TrunkConfig, trunk::Manner};

use crate::{rig::*, timers::answer_to, trunk_rig::*};

fn dial_large(rig: &mut Rig) -> gateway_sip::CallHandle {
    let headers = [("X-Context".to_owned(), "x".repeat(1_200))];
    let target = Target::Trunk { trunk: "carrier", number: "110" };
    let invitation = Invitation { target, sdp: SDP, headers: &headers, ..Invitation::default() };
    rig.endpoint.invite(rig.now, invitation).unwrap()
}

#[test]
fn it_goes_over_tcp_to_the_same_gateway() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial_large(&mut rig);
    let (asked, _) = asked_for(&mut rig);
    assert_eq!((asked[0].1.as_str(), asked[0].2), (FIRST, Transport::Tcp));
    assert!(rig.sent().is_empty());
    stand(&mut rig, asked[0].0, FIRST, Transport::Tcp);
    let invite = rig.sent().remove(0);
    assert!(invite.bytes.len() > 1_300);
    assert!(invite.header("Via").starts_with("SIP/2.0/TCP "), "{}", invite.header("Via"));
    assert_eq!(invite.header("Contact"), "<sip:gw.test:5060;transport=tcp>");
    on_stream(&mut rig, asked[0].0, &answer_to(&invite, 200, "y", CONTACT_THERE, SDP));
    assert_eq!(rig.heard(), [format!("Answered({}, sdp: true)", call.as_u64())]);
    assert_eq!(rig.sent().remove(0).path, invite.path);
}

#[test]
fn without_tcp_there_it_goes_as_a_datagram_and_the_next_one_does_not_try_again() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial_large(&mut rig);
    let (asked, _) = asked_for(&mut rig);
    rig.close(asked[0].0.0);
    let invite = rig.sent().remove(0);
    assert_eq!(went_to(&invite), FIRST);
    assert!(invite.header("Via").starts_with("SIP/2.0/UDP "));
    assert_eq!(invite.header("Contact"), "<sip:gw.test:5060>");
    rig.udp(FIRST, &answer_to(&invite, 200, "y", CONTACT_THERE, SDP));
    assert_eq!(rig.heard(), [format!("Answered({}, sdp: true)", call.as_u64())]);
    rig.sent();
    dial_large(&mut rig);
    assert_eq!(went_to(&rig.sent().remove(0)), FIRST, "remembered for ten minutes");
    assert!(rig.heard().is_empty());
    rig.seconds(601);
    rig.sent();
    rig.events();
    dial_large(&mut rig);
    assert_eq!(asked_for(&mut rig).0.len(), 1);
}

#[test]
fn a_carrier_without_tcp_may_be_spared() {
    let manner = Manner { large_over_tcp: false, ..Manner::default() };
    let mut rig = Rig::with(through(TrunkConfig { manner, ..trunk() }));
    dial_large(&mut rig);
    assert_eq!(went_to(&rig.sent().remove(0)), FIRST);
}

#[test]
fn a_phone_behind_nat_keeps_its_flow() {
    let mut rig = with_phone();
    let headers = [("X-Context".to_owned(), "x".repeat(1_200))];
    let target = Target::Agent("1001");
    let invitation =
        Invitation { target, caller_user: "1", sdp: SDP, headers: &headers, ..Invitation::default() };
    rig.endpoint.invite(rig.now, invitation).unwrap();
    assert_eq!(went_to(&rig.sent().remove(0)), PHONE);
}
