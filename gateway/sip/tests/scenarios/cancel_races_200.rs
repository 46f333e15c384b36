//! The caller gives up: before, while, and after we answer.

use crate::rig::*;

fn cancel() -> String {
    Ask { method: "CANCEL", extra: "Reason: Q.850;cause=16\n", ..Ask::default() }.text()
}

#[test]
fn cancel_before_the_answer_is_200_and_487_with_one_tag() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
    let call = rig.incoming();
    rig.endpoint.ring(rig.now, call, 180, None);
    rig.udp(CARRIER, &cancel());
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::status).collect::<Vec<_>>(), [100, 180, 200, 487]);
    assert_eq!(sent[2].header("CSeq"), "1 CANCEL");
    assert_eq!(sent[3].header("CSeq"), "1 INVITE");
    let tags: Vec<String> = sent.iter().skip(1).map(to_tag).collect();
    assert!(!tags[0].is_empty() && tags.iter().all(|tag| *tag == tags[0]), "{tags:?}");
    assert_eq!(rig.heard(), [format!("Cancelled({}, Some(16))", call.as_u64())]);
    // The layer above answers, not knowing yet.
    assert!(rig.endpoint.answer(rig.now, call, SDP).is_err());
    rig.udp(CARRIER, &Ask { method: "ACK", to_tag: &tags[0], ..Ask::default() }.text());
    assert!(rig.sent().is_empty());
    rig.assert_nothing_left();
}

#[test]
fn cancel_after_our_200_changes_nothing() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.udp(CARRIER, &cancel());
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::status).collect::<Vec<_>>(), [200]);
    assert_eq!(sent[0].header("CSeq"), "1 CANCEL");
    assert_eq!(to_tag(&sent[0]), tag);
    assert!(rig.heard().is_empty());
    // The caller now acknowledges and hangs up, as RFC 3261 §9.1 has it.
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a", to_tag: &tag, ..Ask::default() }.text());
    rig.udp(CARRIER, &Ask { method: "BYE", branch: "bye", cseq: 2, to_tag: &tag, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["200"]);
    assert_eq!(rig.heard().len(), 2);
    rig.assert_nothing_left();
}

#[test]
fn cancel_of_nothing_is_481() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &cancel());
    assert_eq!(rig.said(), ["481"]);
    rig.assert_nothing_left();
}

#[test]
fn cancel_repeated_is_answered_alike() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask::default().text());
    rig.udp(CARRIER, &cancel());
    rig.sent();
    rig.udp(CARRIER, &cancel());
    assert_eq!(rig.said(), ["200"]);
    assert_eq!(rig.heard().iter().filter(|event| event.starts_with("Cancelled")).count(), 1);
}
