//! A stream breaks: nothing may be left behind, and calls in progress get a chance.

use gateway_sip::Event;

use crate::rig::*;

#[test]
fn five_hundred_invites_and_then_a_reset_leave_nothing() {
    let mut rig = Rig::new();
    rig.open(1, CARRIER);
    for number in 0..500 {
        let (call, branch) = (format!("c{number}"), format!("b{number}"));
        rig.tcp(1, &Ask { call: &call, branch: &branch, body: SDP, ..Ask::default() }.over("TCP"));
    }
    let calls: Vec<_> = rig
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::Incoming { call, .. } => Some(*call),
            _ => None,
        })
        .collect();
    assert_eq!(calls.len(), 500);
    for call in calls.iter().take(250) {
        rig.endpoint.ring(rig.now, *call, 180, None);
    }
    for call in calls.iter().take(100) {
        rig.endpoint.answer(rig.now, *call, SDP).unwrap();
    }
    for call in calls.iter().skip(100).take(50) {
        rig.endpoint.refuse(rig.now, *call, 486, None);
    }
    rig.events();
    rig.sent();
    rig.close(1);
    assert_eq!(rig.endpoint.counts().transactions, 0);
    assert_eq!(rig.endpoint.counts().calls, 100, "the answered ones wait to be heard again");
    rig.seconds(200);
    let ends = rig.heard().iter().filter(|event| event.starts_with("Ended")).count();
    assert_eq!(ends, 450, "500 less the 50 refused before");
    assert_eq!(rig.endpoint.counts(), gateway_sip::Counts::default());
}

#[test]
fn a_call_is_heard_again_on_a_new_connection() {
    let mut rig = Rig::new();
    rig.open(1, CARRIER);
    rig.tcp(1, &Ask { body: SDP, ..Ask::default() }.over("TCP"));
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.tcp(1, &Ask { method: "ACK", branch: "a", to_tag: &tag, ..Ask::default() }.over("TCP"));
    rig.events();
    rig.close(1);
    rig.seconds(20);
    rig.open(2, CARRIER);
    rig.tcp(2, &Ask { method: "INFO", branch: "i", cseq: 2, to_tag: &tag, ..Ask::default() }.over("TCP"));
    rig.seconds(100);
    assert_eq!(rig.endpoint.counts().calls, 1);
    rig.sent();
    rig.endpoint.hang_up(rig.now, call, None);
    let bye = rig.sent().remove(0);
    assert_eq!(bye.path, gateway_sip::Path::Stream { connection: gateway_sip::ConnectionId(2) });
}

#[test]
fn a_bye_to_a_broken_trunk_asks_for_a_connection() {
    let mut rig = Rig::new();
    rig.open(1, CARRIER);
    rig.tcp(1, &Ask { body: SDP, ..Ask::default() }.over("TCP"));
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.tcp(1, &Ask { method: "ACK", branch: "a", to_tag: &tag, ..Ask::default() }.over("TCP"));
    rig.events();
    rig.close(1);
    rig.endpoint.hang_up(rig.now, call, None);
    assert!(rig.sent().is_empty(), "held until the connection stands");
    let events = rig.events();
    let Some(Event::Connect { connection, remote, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(*remote, address(CARRIER));
    rig.open(connection.0, CARRIER);
    assert_eq!(rig.said(), ["BYE"]);
    rig.close(connection.0);
    rig.assert_nothing_left();
}

#[test]
fn a_connection_that_is_never_opened_is_given_up() {
    let mut rig = Rig::new();
    rig.open(1, CARRIER);
    rig.tcp(1, &Ask { body: SDP, ..Ask::default() }.over("TCP"));
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    rig.close(1);
    rig.endpoint.hang_up(rig.now, call, None);
    rig.assert_nothing_left();
}

#[test]
fn a_phone_whose_connection_breaks_is_unregistered_and_its_ringing_fails() {
    let mut rig = Rig::new();
    rig.open(7, PHONE);
    rig.tcp(7, &register(None, 1, 0, CONTACT));
    let challenge = rig.one(401);
    rig.tcp(7, &register(Some(&challenge), 2, 1, CONTACT));
    assert_eq!(rig.heard(), ["Registered(300 s, new: true)"]);
    rig.sent();
    let call = crate::timers::invite(&mut rig);
    let request = rig.sent().remove(0);
    assert_eq!(request.path, gateway_sip::Path::Stream { connection: gateway_sip::ConnectionId(7) });
    assert!(request.header("Via").starts_with("SIP/2.0/TCP gw.test:5060;branch="));
    assert_eq!(request.header("Contact"), "<sip:gw.test:5060;transport=tcp>");
    rig.close(7);
    assert_eq!(rig.heard(), ["Unregistered".to_owned(), format!("Failed({}, 503, None)", call.as_u64())]);
    assert_eq!(rig.endpoint.bindings().count(), 0);
    rig.assert_nothing_left();
}

#[test]
fn a_confirmed_call_that_is_not_heard_again_ends() {
    let mut rig = Rig::new();
    rig.open(1, CARRIER);
    rig.tcp(1, &Ask { body: SDP, ..Ask::default() }.over("TCP"));
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.tcp(1, &Ask { method: "ACK", branch: "a", to_tag: &tag, ..Ask::default() }.over("TCP"));
    rig.events();
    rig.close(1);
    rig.seconds(31);
    assert!(rig.heard().is_empty());
    rig.seconds(2);
    assert_eq!(rig.heard()[0], format!("Ended({}, ConnectionLost)", call.as_u64()));
    rig.assert_nothing_left();
}
