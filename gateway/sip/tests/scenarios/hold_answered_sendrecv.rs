//! Hold by re-INVITE and UPDATE: the answer on the wire has the right direction, is ours and not an echo of
//! theirs, and the call goes on whatever becomes of the offer.

use gateway_sip::{
    CallHandle, Event,
    sdp::{Capabilities, Direction, LocalMedia, SessionDescription, answer},
};

use crate::rig::*;

/// A description of the carrier's.
fn theirs(address: &str, direction: &str) -> String {
    format!(
        "v=0\r\no=- 9 2 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n{direction}"
    )
}

/// The answer of the layer above to the one open offer.
fn answered(rig: &mut Rig, call: CallHandle, version: u64) -> String {
    let mut events = rig.events();
    let Some(Event::Offer { sdp: Some(offer), .. }) = events.pop() else { panic!("{events:?}") };
    let address = "192.0.2.1".parse().unwrap();
    let direction = Direction::SendRecv;
    let ours = LocalMedia { address, port: 20000, session_id: 1, version, direction, secret: None };
    let offer = SessionDescription::parse(&offer).unwrap();
    let (text, _) = answer(&offer, &ours, &Capabilities::default()).unwrap();
    rig.endpoint.answer_offer(rig.now, call, &text);
    text
}

#[test]
fn each_kind_of_hold_and_the_resume() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    let kinds = [
        ("198.51.100.7", "a=sendonly\r\n", Direction::RecvOnly),
        ("198.51.100.7", "a=inactive\r\n", Direction::Inactive),
        ("0.0.0.0", "", Direction::RecvOnly),
        ("198.51.100.7", "a=sendrecv\r\n", Direction::SendRecv),
    ];
    let mut cseq = 1;
    for method in ["INVITE", "UPDATE"] {
        for (address, direction, expected) in kinds {
            cseq += 1;
            let (branch, body) = (format!("h{cseq}"), theirs(address, direction));
            let ask = Ask { method, branch: &branch, cseq, to_tag: &tag, body: &body, ..Ask::default() };
            rig.udp(CARRIER, &ask.text());
            let ours = answered(&mut rig, call, u64::from(cseq));
            let sent = rig.one(200);
            assert_eq!(sent.message.body, ours.as_bytes());
            assert_ne!(sent.message.body, body.as_bytes(), "an echo would make them send to themselves");
            let written = SessionDescription::parse(&ours).unwrap();
            assert_eq!(written.direction_of(&written.media[0]), expected, "{method} {direction}");
            assert_eq!(sent.header("Contact"), "<sip:gw.test:5060>");
            if method == "INVITE" {
                let branch = format!("a{cseq}");
                let ack = Ask { method: "ACK", branch: &branch, cseq, to_tag: &tag, ..Ask::default() };
                rig.udp(CARRIER, &ack.text());
            }
            assert!(rig.heard().is_empty());
        }
    }
    rig.seconds(60);
    assert!(rig.sent().is_empty() && rig.heard().is_empty());
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn an_offer_we_cannot_take_leaves_the_call_as_it_was() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    let body = "v=0\r\no=- 9 2 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=image 4000 udptl t38\r\n";
    let ask = Ask { branch: "fax", cseq: 2, to_tag: &tag, body, ..Ask::default() };
    rig.udp(CARRIER, &ask.text());
    rig.events();
    rig.endpoint.refuse_offer(rig.now, call, 488);
    let refusal = rig.one(488);
    let ack = Ask { method: "ACK", branch: "fax", cseq: 2, to_tag: &to_tag(&refusal), ..Ask::default() };
    rig.udp(CARRIER, &ack.text());
    rig.seconds(60);
    assert!(rig.sent().is_empty() && rig.heard().is_empty());
    assert_eq!(rig.endpoint.counts().calls, 1);
    rig.udp(CARRIER, &Ask { method: "BYE", branch: "x", cseq: 3, to_tag: &tag, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["200"]);
    rig.assert_nothing_left();
}
