//! MESSAGE: who may send one, who decides, and what happens when nobody does.

use gateway_sip::{Event, IncomingMessage, auth::Secret};

use crate::rig::*;

fn text<'a>(branch: &'a str, to_tag: &'a str) -> Ask<'a> {
    Ask { method: "MESSAGE", branch, cseq: 7, to_tag, body: "路灯不亮", ..Ask::default() }
}

fn wire(ask: &Ask<'_>) -> String {
    ask.text().replace("application/sdp", "text/plain;charset=utf-8")
}

fn heard(rig: &mut Rig) -> IncomingMessage {
    let mut events = rig.events();
    assert_eq!(events.len(), 1, "{events:?}");
    match events.remove(0) {
        Event::Message(message) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_from_a_trunk_is_taken_once() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &wire(&text("m", "")));
    assert!(rig.sent().is_empty());
    let message = heard(&mut rig);
    assert_eq!((message.call, message.trunk.as_deref(), message.agent), (None, Some("carrier"), None));
    assert_eq!(
        (message.from.as_str(), message.to.as_str()),
        ("sip:13900000000@carrier.test", "sip:12345@gw.test")
    );
    assert_eq!(
        (message.content_type.as_str(), message.body.as_slice()),
        ("text/plain;charset=utf-8", "路灯不亮".as_bytes())
    );
    assert!(message.key.contains(" 7 "), "the sender's own name for it");
    assert_eq!(message.identity.best(false).unwrap().0.uri.user.as_deref(), Some("13900000000"));
    rig.udp(CARRIER, &wire(&text("m", "")));
    assert!(rig.events().is_empty(), "a repeat is no second text");
    rig.endpoint.accept_message(rig.now, message.id);
    rig.endpoint.refuse_message(rig.now, message.id, 488);
    assert_eq!(rig.said(), ["200"]);
    rig.udp(CARRIER, &wire(&text("m", "")));
    assert_eq!(rig.said(), ["200"]);
    rig.assert_nothing_left();
}

#[test]
fn a_text_in_a_call_names_it_and_a_late_decision_is_made_for_the_layer_above() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &wire(&text("m", &tag)));
    let message = heard(&mut rig);
    assert_eq!(message.call, Some(call));
    assert!(!format!("{message:?}").contains("139"));
    rig.seconds(16);
    let refusal = rig.one(500);
    assert_ne!(refusal.header("Retry-After"), "(missing)");
    rig.endpoint.accept_message(rig.now, message.id);
    assert!(rig.sent().is_empty());
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn a_phone_proves_its_secret_before_it_is_read() {
    let mut rig = with_phone();
    let ask = |authorization: &str, cseq: u32| {
        format!(
            "MESSAGE sip:hotline.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKm{cseq};rport\nMax-Forwards: 70\nFrom: <sip:1001@hotline.test>;tag=m\nTo: <sip:hotline.test>\nCall-ID: m1\nCSeq: {cseq} MESSAGE\n{authorization}Content-Type: text/plain\nContent-Length: 2\n\nhi"
        )
    };
    rig.udp(PHONE, &ask("", 1));
    let challenge = rig.one(401);
    assert!(rig.events().is_empty());
    let values: Vec<&str> = challenge.message.values("WWW-Authenticate").collect();
    let secret = Secret::Plain("secret".into());
    let asked = gateway_sip::auth::Challenge::first_usable(&values, &secret).unwrap();
    let proof =
        gateway_sip::auth::answer(&asked, "1001", &secret, "MESSAGE", "sip:hotline.test", "c0ffee", 1)
            .unwrap();
    rig.udp(PHONE, &ask(&format!("Authorization: {proof}\n"), 2));
    let message = heard(&mut rig);
    assert_eq!((message.agent.as_deref(), message.trunk), (Some("1001"), None));
    rig.endpoint.refuse_message(rig.now, message.id, 0);
    assert_eq!(rig.said(), ["488"]);
}

#[test]
fn a_stranger_s_text_is_not_answered() {
    let mut rig = Rig::new();
    rig.udp(STRANGER, &wire(&text("m", "")));
    assert!(rig.sent().is_empty());
}

#[test]
fn while_draining_new_texts_are_503() {
    let mut rig = Rig::new();
    rig.endpoint.set_draining(true);
    rig.udp(CARRIER, &wire(&text("m", "")));
    assert_eq!(rig.one(503).header("Retry-After"), "10");
}
