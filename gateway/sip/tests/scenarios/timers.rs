//! RFC 3261 §17 and RFC 6026: each timer at its moment, and silence after it.

use crate::rig::*;

fn at_millis(sent: &[Sent]) -> Vec<u128> {
    sent.iter().map(|sent| sent.at.as_millis()).collect()
}

#[test]
fn a_2xx_is_repeated_until_its_ack_and_then_no_more() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
    let call = rig.incoming();
    rig.sent();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    rig.seconds(8);
    let sent = rig.sent();
    assert!(sent.iter().all(|sent| sent.status() == 200));
    assert_eq!(at_millis(&sent), [0, 500, 1_500, 3_500, 7_500]);
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "a", to_tag: &to_tag(&sent[0]), ..Ask::default() }.text());
    rig.seconds(100);
    assert!(rig.sent().is_empty());
    assert_eq!(rig.heard().len(), 1);
}

#[test]
fn without_an_ack_the_call_ends_by_bye_after_64_t1() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    rig.sent();
    rig.seconds(31);
    assert!(rig.sent().iter().all(|sent| sent.status() == 200));
    assert!(rig.heard().is_empty());
    rig.seconds(2);
    let byes: Vec<Sent> = rig.sent().into_iter().filter(|sent| sent.method() == "BYE").collect();
    assert_eq!(at_millis(&byes), [32_000, 32_500]);
    assert_eq!(rig.heard(), [format!("Ended({}, NoAck)", call.as_u64())]);
    rig.assert_nothing_left();
}

#[test]
fn a_refusal_is_repeated_by_timer_g_until_timer_h() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask::default().text());
    let call = rig.incoming();
    rig.sent();
    rig.endpoint.refuse(rig.now, call, 486, None);
    rig.seconds(40);
    let sent = rig.sent();
    assert!(sent.iter().all(|sent| sent.status() == 486));
    assert_eq!(
        at_millis(&sent),
        [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    );
    rig.assert_nothing_left();
}

#[test]
fn the_ack_of_a_refusal_stops_it_and_late_acks_are_swallowed() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask::default().text());
    let call = rig.incoming();
    rig.endpoint.refuse(rig.now, call, 503, Some(7));
    let refusal = rig.one(503);
    assert_eq!(refusal.header("Retry-After"), "7");
    let ack = Ask { method: "ACK", to_tag: &to_tag(&refusal), ..Ask::default() }.text();
    rig.udp(CARRIER, &ack);
    assert_eq!(rig.endpoint.counts().unacked, 0);
    assert_eq!(rig.endpoint.counts().transactions, 1, "timer I keeps it for late ACKs");
    rig.udp(CARRIER, &ack);
    rig.advance(std::time::Duration::from_millis(4_999));
    assert_eq!(rig.endpoint.counts().transactions, 1);
    rig.advance(std::time::Duration::from_millis(2));
    assert_eq!(rig.endpoint.counts().transactions, 0);
    assert!(rig.sent().is_empty());
}

#[test]
fn timers_a_and_b_an_invite_nobody_answers() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    rig.seconds(40);
    let sent = rig.sent();
    assert!(sent.iter().all(|sent| sent.method() == "INVITE"));
    assert_eq!(at_millis(&sent), [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(rig.heard(), [format!("Failed({}, 408, None)", call.as_u64())]);
}

#[test]
fn timers_e_and_f_a_bye_nobody_answers() {
    let mut rig = Rig::new();
    let (call, _) = confirmed(&mut rig);
    rig.endpoint.hang_up(rig.now, call, None);
    rig.seconds(40);
    let sent = rig.sent();
    assert!(sent.iter().all(|sent| sent.method() == "BYE"));
    assert_eq!(
        at_millis(&sent),
        [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    );
    rig.assert_nothing_left();
}

#[test]
fn timer_j_a_repeated_bye_gets_the_same_200_and_no_481() {
    let mut rig = Rig::new();
    let (_, tag) = confirmed(&mut rig);
    let bye = Ask { method: "BYE", branch: "bye", cseq: 2, to_tag: &tag, ..Ask::default() }.text();
    rig.udp(CARRIER, &bye);
    rig.seconds(31);
    rig.udp(CARRIER, &bye);
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::status).collect::<Vec<_>>(), [200, 200]);
    assert_eq!(sent[0].bytes, sent[1].bytes);
    rig.seconds(2);
    rig.udp(CARRIER, &bye);
    assert_eq!(rig.said(), ["481"], "after 64*T1 it is forgotten");
}

#[test]
fn on_a_stream_only_the_2xx_is_repeated() {
    let mut rig = Rig::new();
    rig.open(1, CARRIER);
    rig.tcp(1, &Ask::default().over("TCP"));
    let call = rig.incoming();
    rig.sent();
    rig.endpoint.refuse(rig.now, call, 486, None);
    rig.seconds(40);
    assert_eq!(rig.said(), ["486"]);
    rig.tcp(1, &Ask { call: "c2", branch: "b2", ..Ask::default() }.over("TCP"));
    let call = rig.incoming();
    rig.sent();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    rig.advance(std::time::Duration::from_millis(1_600));
    assert_eq!(rig.said(), ["200", "200", "200"]);
    rig.assert_nothing_left();
}

#[test]
fn timers_d_and_k_absorb_repeats_of_answers() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let invite = rig.sent().remove(0);
    let busy = answer_to(&invite, 486, "p", "Reason: Q.850;cause=17\n", "");
    rig.udp(PHONE, &busy);
    assert_eq!(rig.said(), ["ACK"]);
    assert_eq!(rig.heard(), [format!("Failed({}, 486, Some(17))", call.as_u64())]);
    rig.seconds(31);
    rig.udp(PHONE, &busy);
    assert_eq!(rig.said(), ["ACK"]);
    assert!(rig.heard().is_empty());
    rig.seconds(2);
    assert_eq!(rig.endpoint.counts().transactions, 0);
}

#[test]
fn ringing_is_repeated_every_minute_and_ends_at_the_limit() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask::default().text());
    let call = rig.incoming();
    rig.endpoint.ring(rig.now, call, 180, None);
    rig.sent();
    rig.seconds(185);
    assert_eq!(rig.said(), ["180", "180", "180"]);
    rig.seconds(420);
    assert!(rig.said().contains(&"480".to_owned()));
    assert_eq!(rig.heard(), [format!("Ended({}, SetupLimit)", call.as_u64())]);
    rig.assert_nothing_left();
}

/// Calls agent 1001.
pub fn invite(rig: &mut Rig) -> gateway_sip::CallHandle {
    let invitation = gateway_sip::Invitation {
        target: gateway_sip::Target::Agent("1001"),
        caller_user: "13900000000",
        sdp: SDP,
        ..gateway_sip::Invitation::default()
    };
    rig.endpoint.invite(rig.now, invitation).unwrap()
}

/// The phone's response to a request of ours.
pub fn answer_to(request: &Sent, status: u16, tag: &str, extra: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    let cseq = request.header("CSeq");
    let to = request.header("To").split(";tag=").next().unwrap();
    format!(
        "SIP/2.0 {status} Whatever\nVia: {}\nFrom: {}\nTo: {to};tag={tag}\nCall-ID: {}\nCSeq: {cseq}\n{extra}{kind}Content-Length: {}\n\n{body}",
        request.header("Via"),
        request.header("From"),
        request.header("Call-ID"),
        body.len()
    )
}
