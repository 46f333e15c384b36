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
