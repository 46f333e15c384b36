//! Reason, Retry-After and INFO: what is said beside a status, both ways.

use gateway_sip::{Cause, Event};

use crate::rig::*;

#[test]
fn a_refusal_names_its_cause_and_a_503_when_to_come_back() {
    let cases: [(u16, &str, &str); 6] = [
        (404, "Q.850;cause=1", "(missing)"),
        (480, "Q.850;cause=18", "(missing)"),
        (486, "Q.850;cause=17", "(missing)"),
        (488, "Q.850;cause=79", "(missing)"),
        (503, "Q.850;cause=41", "10"),
        (603, "Q.850;cause=21", "(missing)"),
    ];
    for (status, reason, wait) in cases {
        let mut rig = Rig::new();
        rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
        let call = rig.incoming();
        rig.endpoint.refuse(rig.now, call, status, None);
        let refusal = rig.one(status);
        assert_eq!((refusal.header("Reason"), refusal.header("Retry-After")), (reason, wait));
    }
}

#[test]
fn a_call_answered_elsewhere_is_told_apart() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
    rig.incoming();
    let extra = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\nReason: Q.850;cause=26\n";
    rig.udp(CARRIER, &Ask { method: "CANCEL", extra, ..Ask::default() }.text());
    assert!(matches!(rig.events()[..], [Event::Cancelled { q850: Some(26), sip: Some(200), .. }]));
}

#[test]
fn the_reason_of_a_bye_that_waited_for_the_ack_is_not_lost() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.endpoint.hang_up(rig.now, call, Some("Q.850;cause=16"));
    assert!(matches!(rig.events()[..], [Event::Ended { cause: Cause::LocalHangup, .. }]));
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a", to_tag: &tag, ..Ask::default() }.text());
    assert_eq!(rig.one_request("BYE").header("Reason"), "Q.850;cause=16");
}

#[test]
fn an_info_of_a_package_nobody_knows_is_469_but_digits_pass() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    let info = |branch, cseq, extra| {
        let ask =
            Ask { method: "INFO", branch, cseq, to_tag: &tag, extra, body: "Signal=5", ..Ask::default() };
        ask.text().replace("application/sdp", "application/dtmf-relay")
    };
    rig.udp(CARRIER, &info("i1", 2, "Info-Package: g.3gpp.anbr\n"));
    assert_eq!(rig.one(469).header("Recv-Info"), "");
    assert!(rig.heard().is_empty());
    rig.udp(CARRIER, &info("i2", 3, "Info-Package: dtmf\n"));
    rig.udp(CARRIER, &info("i3", 4, ""));
    assert_eq!(rig.said(), ["200", "200"]);
    assert_eq!(rig.heard(), vec![format!("Info({}, 8 bytes)", call.as_u64()); 2]);
}

#[test]
fn a_delayed_offer_is_ours_and_a_late_ack_brings_the_answer() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask::default().text());
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    rig.seconds(20);
    let answers: Vec<Sent> = rig.sent().into_iter().filter(|sent| sent.status() == 200).collect();
    assert!(answers.iter().all(|answer| answer.message.body == SDP.as_bytes()));
    let tag = to_tag(&answers[0]);
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a", to_tag: &tag, body: SDP, ..Ask::default() }.text());
    assert_eq!(rig.heard(), [format!("Confirmed({}, sdp: true)", call.as_u64())]);
    rig.seconds(40);
    assert!(rig.sent().is_empty() && rig.heard().is_empty());
}

#[test]
fn a_reset_leaves_nothing_of_what_was_under_way_inside_calls() {
    let mut rig = Rig::new();
    rig.open(1, CARRIER);
    let extra = "Require: 100rel\nSupported: timer\nSession-Expires: 600\nAllow: UPDATE\n";
    rig.tcp(1, &Ask { extra, body: SDP, ..Ask::default() }.over("TCP"));
    let ringing = rig.incoming();
    rig.endpoint.ring(rig.now, ringing, 183, Some(SDP));
    rig.endpoint.answer(rig.now, ringing, SDP).unwrap();
    rig.tcp(1, &Ask { call: "c2", branch: "b2", body: SDP, ..Ask::default() }.over("TCP"));
    let talking = rig.incoming();
    rig.sent();
    rig.endpoint.answer(rig.now, talking, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    let inside = |method, branch, cseq, extra| {
        Ask { method, branch, call: "c2", cseq, to_tag: &tag, extra, ..Ask::default() }.over("TCP")
    };
    rig.tcp(1, &inside("ACK", "a2", 1, ""));
    rig.tcp(1, &inside("REFER", "r2", 2, "Refer-To: <sip:600@198.51.100.9>\n"));
    rig.tcp(1, &inside("MESSAGE", "m2", 3, ""));
    rig.endpoint.refer(rig.now, talking, "sip:601@198.51.100.9").unwrap();
    rig.endpoint.offer(rig.now, talking, SDP).unwrap();
    rig.close(1);
    rig.assert_nothing_left();
    let ends = rig.heard().iter().filter(|event| event.starts_with("Ended")).count();
    assert_eq!(ends, 2);
}
