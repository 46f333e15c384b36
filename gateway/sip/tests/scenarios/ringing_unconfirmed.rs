//! Reliable ringing (RFC 3262) on our side answering: repeated until PRACK, and what must wait for it.

use gateway_sip::{CommandError, EndpointConfig, Event, Reliability};

use crate::{rig::*, timers::answer_to};

const SUPPORTED: &str = "Supported: 100rel\nAllow: INVITE, ACK, BYE, PRACK, UPDATE\n";
const REQUIRED: &str = "Require: 100rel\nAllow: INVITE, ACK, BYE, PRACK, UPDATE\n";

/// An INVITE with these fields and this body, and the call it made.
fn called(rig: &mut Rig, extra: &str, body: &str) -> gateway_sip::CallHandle {
    rig.udp(CARRIER, &Ask { extra, body, ..Ask::default() }.text());
    let call = rig.incoming();
    assert_eq!(rig.said(), ["100"]);
    call
}

fn prack(ringing: &Sent, cseq: u32, body: &str) -> String {
    let rack = format!("RAck: {} 1 INVITE\n", ringing.header("RSeq"));
    let branch = format!("p{cseq}");
    let tag = to_tag(ringing);
    Ask { method: "PRACK", branch: &branch, cseq, to_tag: &tag, extra: &rack, body, ..Ask::default() }.text()
}

fn millis(sent: &[Sent]) -> Vec<u128> {
    sent.iter().map(|sent| sent.at.as_millis()).collect()
}

#[test]
fn early_media_is_repeated_until_its_prack_and_the_200_says_nothing_more() {
    let mut rig = Rig::new();
    let call = called(&mut rig, SUPPORTED, SDP);
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    rig.seconds(8);
    let sent = rig.sent();
    assert!(sent.iter().all(|again| again.status() == 183 && again.bytes == sent[0].bytes));
    assert_eq!(millis(&sent), [0, 500, 1_500, 3_500, 7_500]);
    assert_eq!(sent[0].header("Require"), "100rel");
    assert_eq!(sent[0].message.body, SDP.as_bytes());
    rig.udp(CARRIER, &prack(&sent[0], 2, ""));
    assert_eq!(rig.said(), ["200"]);
    assert_eq!(rig.heard(), [format!("RingingAcknowledged({}, sdp: false)", call.as_u64())]);
    rig.seconds(20);
    assert!(rig.sent().is_empty());
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let answer = rig.one(200);
    assert!(answer.message.body.is_empty(), "the answer was given (RFC 3261 §13.2.1)");
    assert_eq!(answer.header("Content-Type"), "(missing)");
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a", to_tag: &to_tag(&answer), ..Ask::default() }.text());
    assert_eq!(rig.heard(), [format!("Confirmed({}, sdp: false)", call.as_u64())]);
}

#[test]
fn without_a_prack_the_call_is_refused_after_64_t1() {
    let mut rig = Rig::new();
    let call = called(&mut rig, SUPPORTED, SDP);
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    rig.seconds(31);
    assert_eq!(rig.said().len(), 6, "0, 0.5, 1.5, 3.5, 7.5, 15.5 s; 31.5 is to come");
    assert!(rig.heard().is_empty());
    rig.seconds(2);
    assert_eq!(rig.said()[1..3], ["504", "504"]);
    assert_eq!(rig.heard(), [format!("Ended({}, NoAck)", call.as_u64())]);
    rig.assert_nothing_left();
}

#[test]
fn our_200_waits_for_the_prack_of_an_early_description() {
    let mut rig = Rig::new();
    let call = called(&mut rig, SUPPORTED, SDP);
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    let ringing = rig.one(183);
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    assert!(rig.sent().is_empty(), "RFC 3262 §3");
    assert_eq!(rig.endpoint.answer(rig.now, call, SDP), Err(CommandError::WrongState));
    rig.udp(CARRIER, &prack(&ringing, 2, ""));
    let sent = rig.sent();
    assert_eq!(sent.iter().map(|sent| sent.header("CSeq")).collect::<Vec<_>>(), ["2 PRACK", "1 INVITE"]);
    assert!(sent.iter().all(|sent| sent.status() == 200));
}

#[test]
fn a_caller_that_leaves_while_our_200_waits() {
    let mut rig = Rig::new();
    let call = called(&mut rig, SUPPORTED, SDP);
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    rig.sent();
    rig.udp(CARRIER, &Ask { method: "CANCEL", ..Ask::default() }.text());
    assert_eq!(rig.said(), ["200", "487"]);
    assert_eq!(rig.heard(), [format!("Cancelled({}, None)", call.as_u64())]);
    rig.assert_nothing_left();
}

#[test]
fn plain_ringing_is_reliable_only_where_that_is_required() {
    let mut rig = Rig::new();
    let call = called(&mut rig, SUPPORTED, SDP);
    rig.endpoint.ring(rig.now, call, 180, None);
    assert_eq!(rig.one(180).header("RSeq"), "(missing)");
    let mut rig = Rig::new();
    let call = called(&mut rig, REQUIRED, SDP);
    rig.endpoint.ring(rig.now, call, 180, None);
    let ringing = rig.one(180);
    assert_eq!(ringing.header("Require"), "100rel");
    // Nothing was described: our 200 need not wait, and a late PRACK is still understood.
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    assert_eq!(rig.one(200).message.body, SDP.as_bytes());
    rig.udp(CARRIER, &prack(&ringing, 2, ""));
    assert_eq!(rig.one(200).header("CSeq"), "2 PRACK");
    rig.advance(std::time::Duration::from_millis(600));
    assert_eq!(rig.said(), ["200"], "the 2xx alone is repeated");
}

#[test]
fn one_reliable_ringing_at_a_time() {
    let mut rig = Rig::new();
    let call = called(&mut rig, REQUIRED, SDP);
    rig.endpoint.ring(rig.now, call, 180, None);
    let first = rig.one(180);
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    rig.endpoint.ring(rig.now, call, 182, None);
    assert!(rig.sent().is_empty());
    rig.udp(CARRIER, &prack(&first, 2, ""));
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::status).collect::<Vec<_>>(), [200, 182]);
    assert_eq!(sent[1].message.body, SDP.as_bytes(), "the description is not lost");
    let number = |sent: &Sent| sent.header("RSeq").parse::<u32>().unwrap();
    assert_eq!(number(&sent[1]), number(&first) + 1);
}

#[test]
fn a_prack_that_fits_nothing_is_481_and_one_without_rack_400() {
    let mut rig = Rig::new();
    let call = called(&mut rig, SUPPORTED, SDP);
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    let ringing = rig.one(183);
    let tag = to_tag(&ringing);
    let wrong = |rack: &str, branch: &str, cseq: u32| {
        Ask { method: "PRACK", branch, cseq, to_tag: &tag, extra: rack, ..Ask::default() }.text()
    };
    rig.udp(CARRIER, &wrong("RAck: 1 1 INVITE\n", "w1", 2));
    rig.udp(CARRIER, &wrong(&format!("RAck: {} 9 INVITE\n", ringing.header("RSeq")), "w2", 3));
    rig.udp(CARRIER, &wrong("", "w3", 4));
    assert_eq!(rig.said(), ["481", "481", "400"]);
    rig.udp(CARRIER, &prack(&ringing, 5, ""));
    assert_eq!(rig.said(), ["200"]);
    rig.udp(CARRIER, &prack(&ringing, 6, ""));
    assert_eq!(rig.said(), ["481"], "it is confirmed already");
}

#[test]
fn a_delayed_offer_goes_out_in_the_ringing_and_the_prack_answers_it() {
    let mut rig = Rig::new();
    let call = called(&mut rig, REQUIRED, "");
    rig.endpoint.ring(rig.now, call, 180, None);
    assert!(rig.sent().is_empty(), "RFC 3262 §5: the first reliable response must bring an offer");
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    let ringing = rig.one(183);
    rig.udp(CARRIER, &prack(&ringing, 2, SDP));
    assert_eq!(rig.said(), ["200"]);
    assert_eq!(rig.heard(), [format!("RingingAcknowledged({}, sdp: true)", call.as_u64())]);
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    assert!(rig.one(200).message.body.is_empty());
}

#[test]
fn a_prack_may_bring_a_new_offer_whose_answer_our_200_waits_for() {
    let mut rig = Rig::new();
    let call = called(&mut rig, SUPPORTED, SDP);
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    let ringing = rig.one(183);
    rig.udp(CARRIER, &prack(&ringing, 2, SDP));
    assert!(rig.sent().is_empty());
    assert!(matches!(rig.events().last(), Some(Event::Offer { sdp: Some(_), .. })));
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    assert!(rig.sent().is_empty());
    rig.endpoint.answer_offer(rig.now, call, SDP);
    let sent = rig.sent();
    assert_eq!(sent.iter().map(|sent| sent.header("CSeq")).collect::<Vec<_>>(), ["2 PRACK", "1 INVITE"]);
    assert_eq!((sent[0].message.body.len(), sent[1].message.body.len()), (SDP.len(), 0));
}

#[test]
fn who_requires_it_is_refused_when_it_is_off_and_who_lacks_it_when_it_is_demanded() {
    let mut rig = Rig::with(EndpointConfig { reliability: Reliability::Off, ..config() });
    rig.udp(CARRIER, &Ask { extra: REQUIRED, body: SDP, ..Ask::default() }.text());
    let refusal = rig.one(420);
    assert_eq!(refusal.header("Unsupported"), "100rel");
    assert!(!refusal.header("Supported").contains("100rel"));
    let call = {
        rig.udp(
            CARRIER,
            &Ask { call: "c2", branch: "b2", extra: SUPPORTED, body: SDP, ..Ask::default() }.text(),
        );
        rig.incoming()
    };
    rig.sent();
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    assert_eq!(rig.one(183).header("RSeq"), "(missing)");
    let mut rig = Rig::with(EndpointConfig { reliability: Reliability::Demanded, ..config() });
    rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
    assert_eq!(rig.one(421).header("Require"), "100rel");
    let call = {
        rig.udp(
            CARRIER,
            &Ask { call: "c2", branch: "b2", extra: SUPPORTED, body: SDP, ..Ask::default() }.text(),
        );
        rig.incoming()
    };
    rig.sent();
    rig.endpoint.ring(rig.now, call, 180, None);
    assert_ne!(rig.one(180).header("RSeq"), "(missing)");
}

#[test]
fn an_update_while_it_rings_is_an_offer_once_the_first_is_settled() {
    let mut rig = Rig::new();
    let call = called(&mut rig, SUPPORTED, SDP);
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    let ringing = rig.one(183);
    let tag = to_tag(&ringing);
    let update = |branch, cseq, body| {
        Ask { method: "UPDATE", branch, cseq, to_tag: &tag, body, ..Ask::default() }.text()
    };
    rig.udp(CARRIER, &update("u1", 2, SDP));
    assert_eq!(rig.one(500).header("Retry-After"), "3", "their first offer is not answered for certain");
    rig.udp(CARRIER, &update("u2", 3, ""));
    assert_eq!(rig.said(), ["200"], "without an offer it moves the target only");
    rig.udp(CARRIER, &prack(&ringing, 4, ""));
    rig.sent();
    rig.events();
    rig.udp(CARRIER, &update("u3", 5, SDP));
    assert_eq!(rig.heard(), [format!("Offer({}, sdp: true)", call.as_u64())]);
    rig.udp(CARRIER, &update("u4", 6, SDP));
    assert_eq!(rig.one(500).header("Retry-After"), "3");
    rig.endpoint.answer_offer(rig.now, call, SDP);
    let answer = rig.one(200);
    assert_eq!((answer.header("CSeq"), answer.message.body.as_slice()), ("5 UPDATE", SDP.as_bytes()));
}

#[test]
fn an_update_of_ours_while_it_rings() {
    let mut rig = Rig::new();
    let call = called(&mut rig, SUPPORTED, SDP);
    assert_eq!(rig.endpoint.offer(rig.now, call, SDP), Err(CommandError::WrongState));
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    let ringing = rig.one(183);
    rig.udp(CARRIER, &prack(&ringing, 2, ""));
    rig.sent();
    rig.events();
    rig.endpoint.offer(rig.now, call, SDP).unwrap();
    let update = rig.sent().remove(0);
    assert_eq!((update.method(), update.message.body.as_slice()), ("UPDATE", SDP.as_bytes()));
    // Theirs meets ours.
    let tag = to_tag(&ringing);
    let theirs = Ask { method: "UPDATE", branch: "u", cseq: 3, to_tag: &tag, body: SDP, ..Ask::default() };
    rig.udp(CARRIER, &theirs.text());
    assert_eq!(rig.said(), ["491"]);
    rig.udp(CARRIER, &answer_to(&update, 200, "fc1", "Contact: <sip:198.51.100.7>\n", SDP));
    assert_eq!(rig.heard(), [format!("OfferAccepted({})", call.as_u64())]);
}

#[test]
fn a_caller_that_leaves_before_the_offer_in_its_prack_is_answered() {
    let mut rig = Rig::new();
    let call = called(&mut rig, SUPPORTED, SDP);
    rig.endpoint.ring(rig.now, call, 183, Some(SDP));
    let ringing = rig.one(183);
    rig.udp(CARRIER, &prack(&ringing, 2, SDP));
    rig.udp(CARRIER, &Ask { method: "CANCEL", ..Ask::default() }.text());
    let sent = rig.sent();
    let answers: Vec<_> = sent.iter().map(|sent| (sent.status(), sent.header("CSeq"))).collect();
    assert_eq!(answers, [(200, "1 CANCEL"), (487, "1 INVITE"), (487, "2 PRACK")]);
    rig.assert_nothing_left();
}
