//! Ending calls: BYE in every state, to known and unknown dialogs.

use crate::rig::*;

#[test]
fn bye_of_an_unknown_call_is_481() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask { method: "BYE", to_tag: "nobody", ..Ask::default() }.text());
    rig.udp(CARRIER, &Ask { method: "BYE", branch: "b2", ..Ask::default() }.text());
    assert_eq!(rig.said(), ["481", "481"]);
    rig.assert_nothing_left();
}

#[test]
fn bye_with_a_wrong_from_tag_is_481_and_the_call_lives() {
    let mut rig = Rig::new();
    let (_, tag) = confirmed(&mut rig);
    let bye = Ask { method: "BYE", branch: "x", cseq: 2, to_tag: &tag, ..Ask::default() }.text();
    rig.udp(CARRIER, &bye.replace(";tag=fc1", ";tag=guessed"));
    assert_eq!(rig.said(), ["481"]);
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn the_caller_hangs_up() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(
        CARRIER,
        &Ask {
            method: "BYE",
            branch: "x",
            cseq: 2,
            to_tag: &tag,
            extra: "Reason: SIP;cause=200, Q.850;cause=31\n",
            ..Ask::default()
        }
        .text(),
    );
    assert_eq!(rig.said(), ["200"]);
    assert_eq!(
        rig.heard(),
        [format!("Ended({}, RemoteHangup {{ q850: Some(31), sip: Some(200) }})", call.as_u64())]
    );
    rig.assert_nothing_left();
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.endpoint.hang_up(rig.now, call, None);
    assert!(rig.sent().is_empty(), "RFC 3261 §15: no BYE before the ACK");
    assert_eq!(rig.heard(), [format!("Ended({}, LocalHangup)", call.as_u64())]);
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a", to_tag: &tag, ..Ask::default() }.text());
    let sent = rig.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].method(), "BYE");
    rig.udp(CARRIER, &crate::timers::answer_to(&sent[0], 200, "fc1", "", ""));
    assert!(rig.heard().is_empty());
    rig.assert_nothing_left();
}

#[test]
fn bye_in_an_early_dialog_ends_the_invite_too() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask::default().text());
    let call = rig.incoming();
    rig.endpoint.ring(rig.now, call, 180, None);
    let tag = to_tag(&rig.one(180));
    rig.udp(CARRIER, &Ask { method: "BYE", branch: "x", cseq: 2, to_tag: &tag, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["200", "487"]);
    assert_eq!(rig.heard(), [format!("Ended({}, RemoteHangup {{ q850: None, sip: None }})", call.as_u64())]);
    rig.assert_nothing_left();
}

#[test]
fn record_route_and_contact_steer_our_bye() {
    let mut rig = Rig::new();
    let routes = "Record-Route: <sip:198.51.100.8;lr>, <sip:198.51.100.9:5070;lr>\n";
    rig.udp(CARRIER, &Ask { extra: routes, body: SDP, ..Ask::default() }.text());
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let answer = rig.one(200);
    assert_eq!(answer.header("Record-Route"), "<sip:198.51.100.8;lr>, <sip:198.51.100.9:5070;lr>");
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a", to_tag: &to_tag(&answer), ..Ask::default() }.text());
    // A re-INVITE moves the target.
    let update =
        Ask { method: "UPDATE", branch: "u", cseq: 2, to_tag: &to_tag(&answer), ..Ask::default() }.text();
    rig.udp(
        CARRIER,
        &update.replace("Contact: <sip:198.51.100.7:5060>", "Contact: <sip:moved@198.51.100.77:5062>"),
    );
    assert_eq!(rig.said(), ["200"]);
    rig.endpoint.hang_up(rig.now, call, None);
    let bye = rig.sent().remove(0);
    assert_eq!(bye.message.request_uri(), "sip:moved@198.51.100.77:5062");
    let routes: Vec<&str> = bye.message.values("Route").collect();
    assert_eq!(routes, ["<sip:198.51.100.8;lr>", "<sip:198.51.100.9:5070;lr>"]);
    assert_eq!(
        bye.path,
        gateway_sip::Path::Udp { local: address(HERE), remote: address("198.51.100.8:5060") }
    );
}

#[test]
fn a_strict_router_gets_the_target_last() {
    let mut rig = Rig::new();
    rig.udp(
        CARRIER,
        &Ask { extra: "Record-Route: <sip:198.51.100.8>\n", body: SDP, ..Ask::default() }.text(),
    );
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a", to_tag: &tag, ..Ask::default() }.text());
    rig.endpoint.hang_up(rig.now, call, None);
    let bye = rig.sent().remove(0);
    assert_eq!(bye.message.request_uri(), "sip:198.51.100.8");
    assert_eq!(bye.header("Route"), "<sip:198.51.100.7:5060>");
}

#[test]
fn options_inside_a_call_asks_whether_it_lives() {
    let mut rig = Rig::new();
    let (_, tag) = confirmed(&mut rig);
    let options = |tag| Ask { method: "OPTIONS", branch: "o", cseq: 2, to_tag: tag, ..Ask::default() }.text();
    rig.udp(CARRIER, &options(&tag));
    rig.udp(CARRIER, &options("gone"));
    assert_eq!(rig.said(), ["200", "481"]);
}

/// Where our BYE goes for a peer that writes `contact` and sends from port 5099.
fn bye_goes_to(contact: &str, symmetric: bool) -> gateway_sip::Path {
    let mut settings = config();
    settings.trunks[0].symmetric = symmetric;
    let mut rig = Rig::with(settings);
    let from = "198.51.100.7:5099";
    let invite = Ask { body: SDP, ..Ask::default() }.text();
    rig.udp(from, &invite.replace("Contact: <sip:198.51.100.7:5060>", &format!("Contact: <{contact}>")));
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.udp(from, &Ask { method: "ACK", branch: "a", to_tag: &tag, ..Ask::default() }.text());
    rig.endpoint.hang_up(rig.now, call, None);
    let bye = rig.sent().remove(0);
    assert_eq!((bye.method(), bye.message.request_uri()), ("BYE", contact));
    bye.path
}

#[test]
fn our_bye_goes_to_the_contact_unless_that_cannot_be_reached() {
    let to = |remote| gateway_sip::Path::Udp { local: address(HERE), remote: address(remote) };
    assert_eq!(bye_goes_to("sip:a@198.51.100.50:5070", false), to("198.51.100.50:5070"));
    assert_eq!(bye_goes_to("sip:a@10.0.0.1", true), to("198.51.100.7:5099"));
    assert_eq!(bye_goes_to("sip:a@sbc.carrier.test", false), to("198.51.100.7:5099"));
}
