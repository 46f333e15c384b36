//! Floods are refused without memory, and the refusals end.

use crate::rig::*;

fn flood(rig: &mut Rig, calls: std::ops::Range<usize>) -> Vec<String> {
    for number in calls {
        let (call, branch) = (format!("c{number}"), format!("b{number}"));
        rig.udp(CARRIER, &Ask { call: &call, branch: &branch, body: SDP, ..Ask::default() }.text());
    }
    rig.said()
}

#[test]
fn unacknowledged_answers_of_one_source_are_capped() {
    let mut settings = config();
    settings.max_unacked_per_source = 5;
    settings.trunks[0].from.push("198.51.101.0/24".parse().unwrap());
    let mut rig = Rig::with(settings);
    flood(&mut rig, 0..5);
    for event in rig.events() {
        let gateway_sip::Event::Incoming { call, .. } = event else { continue };
        rig.endpoint.answer(rig.now, call, SDP).unwrap();
    }
    rig.sent();
    let before = rig.endpoint.counts();
    assert_eq!(before.unacked, 5);
    assert_eq!(flood(&mut rig, 10..40), vec!["503"; 30]);
    assert_eq!(rig.endpoint.counts(), before, "a refusal costs no memory");
    assert_eq!(rig.heard(), vec![format!("Refused({CARRIER}, max-unacked-per-source)"); 30]);
    rig.udp("198.51.101.1:5060", &Ask { call: "other", branch: "other", ..Ask::default() }.text());
    assert_eq!(rig.said(), ["100"], "another source is served");
    rig.assert_nothing_left();
}

#[test]
fn refusals_without_an_ack_count_too() {
    let mut settings = config();
    settings.max_unacked = 3;
    let mut rig = Rig::with(settings);
    flood(&mut rig, 0..3);
    for event in rig.events() {
        let gateway_sip::Event::Incoming { call, .. } = event else { continue };
        rig.endpoint.refuse(rig.now, call, 603, None);
    }
    rig.sent();
    assert_eq!(flood(&mut rig, 3..4), ["503"]);
    rig.seconds(33);
    rig.sent();
    assert_eq!(flood(&mut rig, 4..5), ["100"], "timer H gives the room back");
    rig.assert_nothing_left();
}

#[test]
fn calls_are_capped_and_draining_refuses_new_ones_only() {
    let mut settings = config();
    settings.max_calls = 1;
    let mut rig = Rig::with(settings);
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &Ask { call: "c2", branch: "b2", ..Ask::default() }.text());
    let refusal = rig.one(503);
    assert_eq!(refusal.header("Retry-After"), "10");
    // Its ACK, and the INVITE again: the same answer with the same tag, still without memory.
    rig.udp(
        CARRIER,
        &Ask { method: "ACK", call: "c2", branch: "b2", to_tag: &to_tag(&refusal), ..Ask::default() }.text(),
    );
    assert!(rig.sent().is_empty());
    rig.udp(CARRIER, &Ask { call: "c2", branch: "b2", ..Ask::default() }.text());
    assert_eq!(rig.one(503).bytes, refusal.bytes);
    rig.events();
    rig.endpoint.set_draining(true);
    rig.udp(CARRIER, &Ask { method: "INFO", branch: "i", cseq: 2, to_tag: &tag, ..Ask::default() }.text());
    rig.udp(CARRIER, &Ask { method: "BYE", branch: "bye", cseq: 3, to_tag: &tag, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["200", "200"]);
    assert!(rig.heard().last().unwrap().starts_with(&format!("Ended({}", call.as_u64())));
    rig.udp(CARRIER, &Ask { call: "c3", branch: "b3", ..Ask::default() }.text());
    assert_eq!(rig.one(503).header("Retry-After"), "10");
    assert_eq!(rig.heard(), [format!("Refused({CARRIER}, draining)")]);
    rig.endpoint.set_draining(false);
    rig.udp(CARRIER, &Ask { call: "c3", branch: "b4", ..Ask::default() }.text());
    assert_eq!(rig.said(), ["100"]);
}

#[test]
fn under_pressure_new_calls_are_shed_and_calls_in_progress_are_not() {
    let mut rig = Rig::new();
    let (_, tag) = confirmed(&mut rig);
    // One call that waits for its answer, one whose 200 waits for its ACK.
    rig.udp(CARRIER, &Ask { call: "waits", branch: "waits", body: SDP, ..Ask::default() }.text());
    rig.incoming();
    rig.udp(CARRIER, &Ask { call: "unacked", branch: "unacked", body: SDP, ..Ask::default() }.text());
    let unacked = rig.incoming();
    rig.endpoint.answer(rig.now, unacked, SDP).unwrap();
    let unacked_tag = to_tag(&rig.one(200));

    rig.endpoint.set_shedding(true);
    let before = rig.endpoint.counts();
    rig.udp(CARRIER, &Ask { call: "new", branch: "new", body: SDP, ..Ask::default() }.text());
    let shed = rig.one(503);
    assert_eq!(shed.header("Retry-After"), "10");
    let ack = Ask { method: "ACK", call: "new", branch: "new", to_tag: &to_tag(&shed), ..Ask::default() };
    rig.udp(CARRIER, &ack.text());
    assert_eq!(rig.heard(), [format!("Refused({CARRIER}, overload)")]);
    assert_eq!(rig.endpoint.counts(), before, "what is shed costs no state");

    // An INVITE we have is no new one; CANCEL, ACK and requests inside calls are served.
    rig.udp(CARRIER, &Ask { call: "waits", branch: "waits", body: SDP, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["100"]);
    rig.udp(CARRIER, &Ask { method: "CANCEL", call: "waits", branch: "waits", ..Ask::default() }.text());
    assert_eq!(rig.said(), ["200", "487"]);
    let ack = Ask { method: "ACK", call: "unacked", branch: "a", to_tag: &unacked_tag, ..Ask::default() };
    rig.udp(CARRIER, &ack.text());
    let offer = Ask { branch: "re", cseq: 2, to_tag: &tag, body: SDP, ..Ask::default() };
    rig.udp(CARRIER, &offer.text());
    let heard = rig.heard().join(" ");
    assert!(
        heard.contains(&format!("Confirmed({}", unacked.as_u64())) && heard.contains("Offer("),
        "{heard}"
    );
    rig.udp(CARRIER, &Ask { method: "BYE", branch: "bye", cseq: 3, to_tag: &tag, ..Ask::default() }.text());
    assert!(rig.said().contains(&"200".to_owned()));
}

#[test]
fn a_shed_invite_hears_the_same_again_when_the_pressure_is_gone() {
    let mut rig = Rig::new();
    let ask = Ask { call: "new", branch: "new", body: SDP, ..Ask::default() }.text();
    rig.endpoint.set_shedding(true);
    rig.udp(CARRIER, &ask);
    let shed = rig.one(503);
    rig.endpoint.set_shedding(false);
    rig.seconds(30);
    rig.udp(CARRIER, &ask);
    assert_eq!(rig.one(503).bytes, shed.bytes);
    // The caller's own next attempt is another INVITE, and is taken.
    rig.udp(CARRIER, &Ask { call: "new", branch: "again", cseq: 2, body: SDP, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["100"]);
    rig.assert_nothing_left();
    rig.sent();
    // So long after, the first one's sender cannot be waiting any more.
    rig.udp(CARRIER, &ask);
    assert_eq!(rig.said(), ["100"]);
}
