//! re-INVITE, UPDATE and INFO inside a call, and what happens when two meet.

use gateway_sip::Event;

use crate::rig::*;

fn reinvite<'a>(tag: &'a str, branch: &'a str, cseq: u32) -> Ask<'a> {
    Ask { branch, cseq, to_tag: tag, body: SDP, ..Ask::default() }
}

#[test]
fn a_reinvite_is_an_offer_and_its_200_waits_for_an_ack() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &reinvite(&tag, "r", 2).text());
    assert_eq!(rig.heard(), [format!("Offer({}, sdp: true)", call.as_u64())]);
    rig.endpoint.answer_offer(rig.now, call, SDP);
    rig.advance(std::time::Duration::from_millis(600));
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::status).collect::<Vec<_>>(), [100, 200, 200]);
    assert_eq!(sent[1].header("Contact"), "<sip:gw.test:5060>");
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a2", cseq: 2, to_tag: &tag, ..Ask::default() }.text());
    rig.seconds(100);
    assert!(rig.sent().is_empty() && rig.heard().is_empty());
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn a_second_offer_before_the_first_is_answered_is_500_with_retry_after() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &reinvite(&tag, "r", 2).text());
    rig.sent();
    rig.udp(CARRIER, &reinvite(&tag, "s", 3).text());
    assert_eq!(rig.one(500).header("Retry-After"), "3");
    assert_eq!(rig.heard(), [format!("Offer({}, sdp: true)", call.as_u64())]);
}

#[test]
fn an_offer_that_meets_ours_is_491() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.endpoint.offer(rig.now, call, SDP).unwrap();
    assert_eq!(rig.said(), ["INVITE"]);
    rig.udp(CARRIER, &reinvite(&tag, "r", 2).text());
    assert_eq!(rig.said(), ["491"]);
    assert!(rig.heard().is_empty());
}

#[test]
fn an_offer_nobody_answers_is_refused_in_time() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &Ask { method: "UPDATE", ..reinvite(&tag, "u", 2) }.text());
    assert_eq!(rig.heard(), [format!("Offer({}, sdp: true)", call.as_u64())]);
    rig.seconds(17);
    assert_eq!(rig.said(), ["500"]);
    rig.endpoint.answer_offer(rig.now, call, SDP);
    assert!(rig.sent().is_empty());
}

#[test]
fn an_older_request_is_500() {
    let mut rig = Rig::new();
    let (_, tag) = confirmed(&mut rig);
    let info = |cseq, branch| Ask { method: "INFO", branch, cseq, to_tag: &tag, ..Ask::default() }.text();
    rig.udp(CARRIER, &info(9, "i9"));
    rig.udp(CARRIER, &info(8, "i8"));
    assert_eq!(rig.said(), ["200", "500"]);
}

#[test]
fn info_brings_its_body_once() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    let info = Ask {
        method: "INFO",
        branch: "i",
        cseq: 2,
        to_tag: &tag,
        body: "Signal=5\r\nDuration=160\r\n",
        ..Ask::default()
    }
    .text();
    let info = info.replace("application/sdp", "application/dtmf-relay");
    rig.udp(CARRIER, &info);
    rig.udp(CARRIER, &info);
    let events = rig.events();
    assert_eq!(events.len(), 1);
    let Event::Info { call: which, content_type, body } = &events[0] else { panic!("{:?}", events[0]) };
    assert_eq!(
        (*which, content_type.as_str(), body.as_slice()),
        (call, "application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n".as_slice())
    );
}

#[test]
fn a_reinvite_without_an_offer_gets_ours_and_the_ack_brings_the_answer() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &Ask { body: "", ..reinvite(&tag, "r", 2) }.text());
    assert_eq!(rig.heard(), [format!("Offer({}, sdp: false)", call.as_u64())]);
    rig.endpoint.answer_offer(rig.now, call, SDP);
    rig.udp(
        CARRIER,
        &Ask { method: "ACK", branch: "a2", cseq: 2, to_tag: &tag, body: SDP, ..Ask::default() }.text(),
    );
    assert_eq!(rig.heard(), [format!("Confirmed({}, sdp: true)", call.as_u64())]);
}

#[test]
fn a_reinvite_can_be_cancelled_and_the_call_lives() {
    let mut rig = Rig::new();
    let (_, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &reinvite(&tag, "r", 2).text());
    rig.sent();
    rig.udp(CARRIER, &Ask { method: "CANCEL", branch: "r", cseq: 2, to_tag: &tag, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["200", "487"]);
    assert_eq!(rig.endpoint.counts().calls, 1);
}
