//! An agent's phone calls us: only where that is allowed, and only with its secret.

use gateway_sip::{EndpointConfig, Event, auth::Secret};

use crate::rig::*;

fn ask(authorization: &str, cseq: u32) -> String {
    format!(
        "INVITE sip:600@hotline.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKi{cseq};rport\nMax-Forwards: 70\nFrom: <sip:1001@hotline.test>;tag=i\nTo: <sip:600@hotline.test>\nCall-ID: i1\nCSeq: {cseq} INVITE\nContact: <sip:1001@10.0.0.5>\n{authorization}Content-Type: application/sdp\nContent-Length: {}\n\n{SDP}",
        SDP.len()
    )
}

fn proof(challenge: &Sent, password: &str) -> String {
    let values: Vec<&str> = challenge.message.values("WWW-Authenticate").collect();
    let secret = Secret::Plain(password.into());
    let asked = gateway_sip::auth::Challenge::first_usable(&values, &secret).unwrap();
    let answer =
        gateway_sip::auth::answer(&asked, "1001", &secret, "INVITE", "sip:600@hotline.test", "c0ffee", 1)
            .unwrap();
    format!("Authorization: {answer}\n")
}

#[test]
fn it_is_not_answered_unless_that_is_configured() {
    let mut rig = Rig::new();
    rig.udp(PHONE, &ask("", 1));
    assert!(rig.sent().is_empty());
    assert_eq!(rig.heard(), [format!("Refused({PHONE}, not-from-a-trunk)")]);
}

#[test]
fn it_proves_its_secret_and_then_calls() {
    let mut rig = Rig::with(EndpointConfig { agent_calls: true, ..config() });
    rig.udp(PHONE, &ask("", 1));
    let challenge = rig.one(401);
    rig.udp(PHONE, &ask(&proof(&challenge, "guessed"), 2));
    assert_eq!(rig.said(), ["403"]);
    assert_eq!(rig.heard(), [format!("Refused({PHONE}, agent-bad-credentials)")]);
    rig.udp(PHONE, &ask("", 3));
    let challenge = rig.one(401);
    let proved = ask(&proof(&challenge, "secret"), 4);
    rig.udp(PHONE, &proved);
    assert_eq!(rig.said(), ["100"]);
    let events = rig.events();
    let Event::Incoming { call, invite } = &events[0] else { panic!("{events:?}") };
    assert_eq!((invite.agent.as_deref(), invite.trunk.as_str()), (Some("1001"), ""));
    assert_eq!(invite.request_uri, "sip:600@hotline.test");
    // The phone sits behind NAT: our BYE takes the way its INVITE came.
    rig.endpoint.answer(rig.now, *call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    let ack = proved
        .replace("INVITE", "ACK")
        .replace("To: <sip:600@hotline.test>", &format!("To: <sip:600@hotline.test>;tag={tag}"));
    rig.udp(PHONE, &ack.replace("z9hG4bKi4", "z9hG4bKa"));
    rig.endpoint.hang_up(rig.now, *call, None);
    let bye = rig.one_request("BYE");
    assert_eq!(bye.path, gateway_sip::Path::Udp { local: address(HERE), remote: address(PHONE) });
}
