//! Calls to an agent's phone: ringing, answering, giving up, forks.

use gateway_sip::{CommandError, Invitation, Path};

use crate::{
    rig::*,
    timers::{answer_to, invite},
};

const PHONE_CONTACT: &str = "Contact: <sip:1001@10.0.0.5:5060>\n";

#[test]
fn the_phone_rings_where_it_was_seen_and_answers() {
    let mut rig = with_phone();
    let headers = [("Call-Info".to_owned(), "<https://desk.test/7>;purpose=info".to_owned())];
    let invitation = Invitation {
        target: gateway_sip::Target::Agent("1001"),
        caller_display: Some("李\"四"),
        caller_user: "139 0000",
        sdp: SDP,
        headers: &headers,
        ..Invitation::default()
    };
    let call = rig.endpoint.invite(rig.now, invitation).unwrap();
    let request = rig.sent().remove(0);
    assert_eq!(
        request.path,
        Path::Udp { local: address(HERE), remote: address(PHONE) },
        "the flow, not the private Contact"
    );
    assert_eq!(request.message.request_uri(), "sip:1001@10.0.0.5:5060");
    assert!(
        request.header("From").starts_with("\"李\\\"四\" <sip:139%200000@hotline.test>;tag="),
        "{}",
        request.header("From")
    );
    assert_eq!(request.header("Call-Info"), "<https://desk.test/7>;purpose=info");
    assert_eq!(request.header("Contact"), "<sip:gw.test:5060>");
    assert_eq!(request.message.body, SDP.as_bytes());
    rig.udp(PHONE, &answer_to(&request, 180, "p", "", ""));
    rig.udp(PHONE, &answer_to(&request, 200, "p", PHONE_CONTACT, SDP));
    let ack = rig.sent().remove(0);
    assert_eq!((ack.method(), ack.header("CSeq"), to_tag(&ack).as_str()), ("ACK", "1 ACK", "p"));
    assert_eq!(ack.path, request.path);
    assert_eq!(
        rig.heard(),
        [format!("Ringing({}, 180)", call.as_u64()), format!("Answered({}, sdp: true)", call.as_u64())]
    );
    // The 200 again: the ACK again, the same.
    rig.udp(PHONE, &answer_to(&request, 200, "p", PHONE_CONTACT, SDP));
    let again = rig.sent();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].bytes, ack.bytes);
    assert!(rig.heard().is_empty());
}

#[test]
fn the_caller_leaves_before_any_1xx_so_cancel_waits_for_one() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    rig.endpoint.hang_up(rig.now, call, None);
    assert!(rig.sent().is_empty(), "RFC 3261 §9.1: no CANCEL before a 1xx");
    assert_eq!(rig.heard(), [format!("Ended({}, LocalHangup)", call.as_u64())]);
    rig.udp(PHONE, &answer_to(&request, 100, "p", "", ""));
    let cancel = rig.sent().remove(0);
    assert_eq!((cancel.method(), cancel.header("CSeq")), ("CANCEL", "1 CANCEL"));
    assert_eq!(cancel.header("Via"), request.header("Via"));
    assert_eq!(cancel.header("To"), request.header("To"));
    assert_eq!(cancel.message.request_uri(), request.message.request_uri());
    rig.udp(PHONE, &answer_to(&request, 180, "p", "", ""));
    assert!(rig.sent().is_empty(), "one CANCEL only");
    rig.udp(PHONE, &answer_to(&cancel, 200, "p", "", ""));
    rig.udp(PHONE, &answer_to(&request, 487, "p", "", ""));
    assert_eq!(rig.said(), ["ACK"]);
    assert!(rig.heard().is_empty());
    rig.seconds(100);
    assert_eq!((rig.endpoint.counts().transactions, rig.endpoint.counts().dialogs), (0, 0));
}

#[test]
fn the_phone_answers_while_the_cancel_is_on_its_way() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    rig.udp(PHONE, &answer_to(&request, 180, "p", "", ""));
    rig.endpoint.hang_up(rig.now, call, None);
    assert_eq!(rig.said(), ["CANCEL"]);
    rig.events();
    rig.udp(PHONE, &answer_to(&request, 200, "p", PHONE_CONTACT, SDP));
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::method).collect::<Vec<_>>(), ["ACK", "BYE"]);
    assert_eq!(sent[1].header("CSeq"), "2 BYE");
    rig.udp(PHONE, &answer_to(&sent[1], 200, "p", "", ""));
    assert!(rig.heard().is_empty());
    rig.seconds(100);
    assert_eq!((rig.endpoint.counts().transactions, rig.endpoint.counts().calls), (0, 0));
}

#[test]
fn a_cancel_that_brings_nothing_is_given_up() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    rig.udp(PHONE, &answer_to(&request, 180, "p", "", ""));
    rig.endpoint.hang_up(rig.now, call, None);
    rig.seconds(40);
    assert_eq!((rig.endpoint.counts().transactions, rig.endpoint.counts().calls), (0, 0));
}

#[test]
fn a_second_phone_behind_a_fork_is_acknowledged_and_hung_up() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    rig.udp(PHONE, &answer_to(&request, 200, "first", PHONE_CONTACT, SDP));
    assert_eq!(rig.said(), ["ACK"]);
    let other = answer_to(&request, 200, "second", "Contact: <sip:other@10.0.0.6>\n", SDP);
    rig.udp(PHONE, &other);
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::method).collect::<Vec<_>>(), ["ACK", "BYE"]);
    assert!(
        sent.iter()
            .all(|sent| to_tag(sent) == "second" && sent.message.request_uri() == "sip:other@10.0.0.6")
    );
    rig.udp(PHONE, &other);
    let again = rig.sent();
    assert_eq!(again.len(), 1, "the ACK alone");
    assert_eq!(again[0].bytes, sent[0].bytes);
    assert_eq!(rig.heard(), [format!("Answered({}, sdp: true)", call.as_u64())]);
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn a_bye_that_overtakes_the_200_ends_the_call() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    let bye = format!(
        "BYE sip:gw.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKbye;rport\nFrom: {};tag=p\nTo: {}\nCall-ID: {}\nCSeq: 1 BYE\nContent-Length: 0\n\n",
        request.header("To"),
        request.header("From"),
        request.header("Call-ID")
    );
    rig.udp(PHONE, &bye);
    assert_eq!(rig.one(200).path, Path::Udp { local: address(HERE), remote: address(PHONE) });
    assert_eq!(rig.heard(), [format!("Ended({}, RemoteHangup {{ q850: None, sip: None }})", call.as_u64())]);
    rig.udp(PHONE, &answer_to(&request, 200, "p", PHONE_CONTACT, SDP));
    assert_eq!(rig.said(), ["ACK", "BYE"]);
    rig.seconds(100);
    assert_eq!(rig.endpoint.counts().calls, 0);
}

#[test]
fn what_cannot_be_invited_says_why() {
    let mut rig = with_phone();
    let invitation = Invitation {
        target: gateway_sip::Target::Agent("nobody"),
        caller_user: "1",
        sdp: SDP,
        ..Invitation::default()
    };
    assert_eq!(rig.endpoint.invite(rig.now, invitation), Err(CommandError::NotRegistered));
    let headers = [("X-A".to_owned(), "1\r\nX-B: 2".to_owned())];
    let invitation = Invitation {
        target: gateway_sip::Target::Agent("1001"),
        caller_user: "1",
        sdp: SDP,
        headers: &headers,
        ..Invitation::default()
    };
    assert_eq!(rig.endpoint.invite(rig.now, invitation), Err(CommandError::BadHeader));
    assert!(rig.sent().is_empty());
}

#[test]
fn a_response_for_someone_else_is_dropped() {
    let mut rig = with_phone();
    invite(&mut rig);
    let request = rig.sent().remove(0);
    let foreign = answer_to(&request, 200, "p", PHONE_CONTACT, SDP);
    rig.udp(PHONE, &foreign.replace("branch=z9hG4bK", "branch=z9hG4bKx"));
    rig.udp(PHONE, &foreign.replace("\nFrom:", "\nVia: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKz\nFrom:"));
    assert!(rig.sent().is_empty());
    assert_eq!(rig.heard(), vec![format!("Refused({PHONE}, stray-response)"); 2]);
}
