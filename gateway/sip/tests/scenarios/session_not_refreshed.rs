//! Session timers (RFC 4028): who refreshes, how, and that a call nobody refreshes ends.

use gateway_sip::EndpointConfig;

use crate::{
    rig::*,
    timers::{answer_to, invite},
};

const TIMED: &str = "Supported: timer\nSession-Expires: 600\n";

/// A call from the carrier whose INVITE has these header fields; gives it, our tag, and our 200.
fn called(rig: &mut Rig, extra: &str) -> (gateway_sip::CallHandle, String, Sent) {
    rig.udp(CARRIER, &Ask { body: SDP, extra, ..Ask::default() }.text());
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let answer = rig.one(200);
    let tag = to_tag(&answer);
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "ack1", to_tag: &tag, ..Ask::default() }.text());
    rig.events();
    (call, tag, answer)
}

/// A call to agent 1001 whose 200 has these header fields; gives it and the INVITE.
fn calling(rig: &mut Rig, extra: &str) -> (gateway_sip::CallHandle, Sent) {
    let call = invite(rig);
    let request = rig.sent().remove(0);
    rig.udp(PHONE, &answer_to(&request, 200, "p", &format!("{CONTACT}{extra}"), SDP));
    assert_eq!(rig.said(), ["ACK"]);
    rig.events();
    (call, request)
}

#[test]
fn the_caller_was_to_refresh_and_does_not() {
    let mut rig = Rig::new();
    let (call, _, answer) = called(&mut rig, TIMED);
    assert_eq!(answer.header("Session-Expires"), "600;refresher=uac");
    assert_eq!(answer.header("Require"), "timer");
    rig.seconds(567);
    assert!(rig.sent().is_empty() && rig.heard().is_empty());
    rig.seconds(2);
    let bye = rig.sent().remove(0);
    assert_eq!((bye.method(), bye.at.as_secs()), ("BYE", 568), "32 s before the end");
    assert_eq!(bye.header("Reason"), "SIP;cause=408;text=\"Session expired\"");
    assert_eq!(rig.heard(), [format!("Ended({}, SessionExpired)", call.as_u64())]);
    rig.assert_nothing_left();
}

#[test]
fn an_idle_call_has_one_timer() {
    let mut rig = Rig::new();
    called(&mut rig, TIMED);
    rig.seconds(40);
    assert_eq!(rig.endpoint.counts().timers, 1);
}

#[test]
fn each_refresh_of_the_caller_begins_the_interval_anew() {
    let mut rig = Rig::new();
    let (_, tag, _) = called(&mut rig, TIMED);
    for round in 0..5 {
        rig.seconds(300);
        let branch = format!("u{round}");
        let extra = "Supported: timer\nSession-Expires: 600;refresher=uac\n";
        let update =
            Ask { method: "UPDATE", branch: &branch, cseq: 2 + round, to_tag: &tag, extra, ..Ask::default() };
        rig.udp(CARRIER, &update.text());
        let answer = rig.one(200);
        assert_eq!(answer.header("Session-Expires"), "600;refresher=uac");
        assert_eq!(answer.header("Contact"), "<sip:gw.test:5060>");
    }
    assert!(rig.heard().is_empty());
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn a_caller_that_knows_no_timers_is_refreshed_by_us_with_update() {
    let mut rig = Rig::new();
    // A proxy put the field in (RFC 4028 table 2).
    let (call, _, answer) = called(&mut rig, "Session-Expires: 600\nAllow: INVITE, ACK, BYE, UPDATE\n");
    assert_eq!(answer.header("Session-Expires"), "600;refresher=uas");
    assert_eq!(answer.header("Require"), "(missing)");
    for _ in 0..4 {
        rig.seconds(301);
        let update = rig.sent().remove(0);
        assert_eq!((update.method(), update.message.body.len()), ("UPDATE", 0));
        assert_eq!(update.header("Session-Expires"), "600;refresher=uac", "this request's client is us");
        assert_eq!(update.header("Min-SE"), "90");
        rig.udp(CARRIER, &answer_to(&update, 200, "fc1", "Session-Expires: 600;refresher=uac\n", ""));
    }
    assert!(rig.heard().is_empty());
    rig.endpoint.hang_up(rig.now, call, None);
    assert_eq!(rig.said(), ["BYE"]);
}

#[test]
fn without_update_the_refresh_is_a_reinvite_that_changes_nothing() {
    let mut rig = Rig::new();
    called(&mut rig, "Session-Expires: 600\nAllow: INVITE, ACK, BYE\n");
    rig.seconds(301);
    let again = rig.sent().remove(0);
    assert_eq!((again.method(), again.message.body.as_slice()), ("INVITE", SDP.as_bytes()));
    assert_eq!(again.header("Session-Expires"), "600;refresher=uac");
    let accepted = "Contact: <sip:198.51.100.7>\nSession-Expires: 600;refresher=uac\n";
    rig.udp(CARRIER, &answer_to(&again, 200, "fc1", accepted, SDP));
    assert_eq!(rig.said(), ["ACK"]);
    assert_eq!(rig.heard().len(), 1, "the answer goes up: it may have moved the media");
    rig.seconds(290);
    assert!(rig.heard().is_empty());
}

#[test]
fn an_update_that_is_not_allowed_after_all_becomes_a_reinvite_or_leaves_the_call_alone() {
    let mut rig = Rig::new();
    called(&mut rig, "Session-Expires: 600\nAllow: INVITE, UPDATE\n");
    rig.seconds(301);
    let update = rig.sent().remove(0);
    rig.udp(CARRIER, &answer_to(&update, 405, "fc1", "", ""));
    rig.seconds(1_000);
    assert!(rig.heard().is_empty());
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn a_refresh_that_finds_nobody_ends_the_call() {
    let mut rig = Rig::new();
    let (call, _, _) = called(&mut rig, "Session-Expires: 600\nAllow: UPDATE\n");
    rig.seconds(301);
    let update = rig.sent().remove(0);
    rig.udp(CARRIER, &answer_to(&update, 481, "fc1", "", ""));
    assert_eq!(rig.heard(), [format!("Ended({}, Lost)", call.as_u64())]);
    assert_eq!(rig.said(), ["BYE"]);
}

#[test]
fn a_refresh_refused_again_and_again_ends_the_call_in_time() {
    let mut rig = Rig::new();
    let (call, _, _) = called(&mut rig, "Session-Expires: 600\nAllow: UPDATE\n");
    let mut updates = 0;
    for _ in 0..600 {
        rig.seconds(1);
        for sent in rig.sent() {
            if sent.method() == "UPDATE" {
                updates += 1;
                rig.udp(CARRIER, &answer_to(&sent, 500, "fc1", "", ""));
            }
        }
    }
    assert!((3..20).contains(&updates), "{updates}");
    assert_eq!(rig.heard(), [format!("Ended({}, SessionExpired)", call.as_u64())]);
}

#[test]
fn too_short_a_session_is_422_with_our_minimum() {
    let mut rig = Rig::with(EndpointConfig { min_se: 120, ..config() });
    let short = "Supported: timer\nSession-Expires: 100\nMin-SE: 90\n";
    rig.udp(CARRIER, &Ask { body: SDP, extra: short, ..Ask::default() }.text());
    assert_eq!(rig.one(422).header("Min-SE"), "120");
    rig.assert_nothing_left();
    let mut rig = Rig::with(EndpointConfig { min_se: 120, ..config() });
    let (_, tag, _) = called(&mut rig, TIMED);
    let update = Ask { method: "UPDATE", branch: "u", cseq: 2, to_tag: &tag, extra: short, ..Ask::default() };
    rig.udp(CARRIER, &update.text());
    assert_eq!(rig.one(422).header("Min-SE"), "120");
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn their_422_is_answered_with_a_longer_session_in_the_same_call() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let first = rig.sent().remove(0);
    assert_eq!((first.header("Session-Expires"), first.header("Min-SE")), ("1800", "90"));
    rig.udp(PHONE, &answer_to(&first, 422, "x", "Min-SE: 3600\n", ""));
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::method).collect::<Vec<_>>(), ["ACK", "INVITE"]);
    let second = &sent[1];
    assert_eq!((second.header("Session-Expires"), second.header("Min-SE")), ("3600", "3600"));
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(second.header("From"), first.header("From"));
    assert_eq!(second.header("CSeq"), "2 INVITE");
    assert_ne!(second.header("Via"), first.header("Via"));
    assert!(rig.heard().is_empty());
    // The same again is no reason to go on.
    rig.udp(PHONE, &answer_to(second, 422, "x", "Min-SE: 3600\n", ""));
    assert_eq!(rig.said(), ["ACK"]);
    assert_eq!(rig.heard(), [format!("Failed({}, 422, None)", call.as_u64())]);
    rig.seconds(100);
    assert_eq!(rig.endpoint.counts().transactions, 0);
}

#[test]
fn we_called_and_must_refresh() {
    let mut rig = with_phone();
    let (_, request) =
        calling(&mut rig, "Session-Expires: 1800;refresher=uac\nAllow: UPDATE\nRequire: timer\n");
    assert!(request.header("Supported").contains("timer"));
    rig.seconds(899);
    assert!(rig.sent().is_empty());
    rig.seconds(2);
    assert_eq!(rig.said()[0], "UPDATE");
}

#[test]
fn we_called_and_the_phone_must_refresh() {
    let mut rig = with_phone();
    let (call, _) = calling(&mut rig, "Session-Expires: 200;refresher=uas\n");
    rig.seconds(167);
    assert!(rig.heard().is_empty());
    rig.seconds(2);
    assert_eq!(rig.heard(), [format!("Ended({}, SessionExpired)", call.as_u64())]);
    assert_eq!(rig.said()[0], "BYE");
}

#[test]
fn a_phone_that_knows_no_timers_is_left_alone() {
    let mut rig = with_phone();
    calling(&mut rig, "");
    rig.seconds(250);
    assert_eq!(rig.endpoint.counts().timers, 1, "the registration's");
}

#[test]
fn switched_off_nothing_is_offered_and_require_timer_is_420() {
    let mut rig = Rig::with(EndpointConfig { session_expires: None, ..config() });
    let (_, _, answer) = called(&mut rig, TIMED);
    assert_eq!(answer.header("Session-Expires"), "(missing)");
    assert_eq!(answer.header("Supported"), "100rel, replaces, norefersub");
    rig.udp(CARRIER, &Ask { call: "c2", branch: "b2", extra: "Require: timer\n", ..Ask::default() }.text());
    assert_eq!(rig.one(420).header("Unsupported"), "timer");
}

#[test]
fn our_own_offer_refreshes_too() {
    let mut rig = Rig::new();
    let (call, _, _) = called(&mut rig, "Session-Expires: 600\nAllow: INVITE\n");
    rig.seconds(200);
    rig.endpoint.offer(rig.now, call, SDP).unwrap();
    let offer = rig.sent().remove(0);
    assert_eq!(offer.header("Session-Expires"), "600;refresher=uac");
    let accepted = "Contact: <sip:198.51.100.7>\nSession-Expires: 600;refresher=uac\n";
    rig.udp(CARRIER, &answer_to(&offer, 200, "fc1", accepted, SDP));
    rig.sent();
    rig.seconds(299);
    assert!(rig.sent().is_empty());
    rig.seconds(2);
    assert_eq!(rig.said()[0], "INVITE");
}

#[test]
fn an_offer_made_during_a_refresh_follows_it() {
    let mut rig = Rig::new();
    let (call, _, _) = called(&mut rig, "Session-Expires: 600\nAllow: UPDATE\n");
    rig.seconds(301);
    let update = rig.sent().remove(0);
    rig.endpoint.offer(rig.now, call, SDP).unwrap();
    assert!(rig.sent().is_empty());
    rig.udp(CARRIER, &answer_to(&update, 200, "fc1", "Session-Expires: 600;refresher=uac\n", ""));
    assert_eq!(rig.said(), ["INVITE"]);
}

#[test]
fn a_trunk_that_bears_no_timers_gets_none() {
    let mut settings = config();
    settings.trunks[0].manner.session_timer = false;
    let mut rig = Rig::with(settings);
    let (_, _, answer) = called(&mut rig, "Supported: timer\nSession-Expires: 80\n");
    assert_eq!(answer.header("Session-Expires"), "(missing)");
    rig.seconds(40);
    assert_eq!(rig.endpoint.counts().timers, 0);
}
