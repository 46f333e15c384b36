//! A request of ours that a proxy sends back to us, and a request that reaches us twice.

use gateway_sip::{CommandError, Event, Invitation, Target};

use crate::{
    rig::*,
    timers::{answer_to, invite},
};

/// Our INVITE as it comes back from a carrier's proxy.
fn looped(request: &Sent) -> String {
    String::from_utf8(request.bytes.clone())
        .unwrap()
        .replacen("Via:", "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKproxy\r\nVia:", 1)
        .replace("\r\n", "\n")
}

#[test]
fn our_own_invite_sent_back_is_482() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    rig.udp(CARRIER, &looped(&request));
    assert_eq!(rig.said(), ["482"]);
    assert!(rig.heard().is_empty(), "no second call");
    rig.udp(PHONE, &answer_to(&request, 486, "p", "", ""));
    assert_eq!(rig.said(), ["ACK"]);
    assert_eq!(rig.heard(), [format!("Failed({}, 486, None)", call.as_u64())]);
}

#[test]
fn a_consult_invite_cancelled_and_sent_anew_is_no_merged_request() {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
    rig.incoming();
    rig.udp(CARRIER, &Ask { method: "CANCEL", ..Ask::default() }.text());
    let refusal = rig.sent().into_iter().find(|sent| sent.status() == 487).unwrap();
    rig.udp(CARRIER, &Ask { method: "ACK", to_tag: &to_tag(&refusal), ..Ask::default() }.text());
    rig.events();
    // The same Call-ID, tag and even CSeq, under a new branch: the first one is over.
    rig.udp(CARRIER, &Ask { branch: "again", body: SDP, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["100"]);
    rig.incoming();
    // While that one is open, a copy that came by another way is refused.
    rig.udp(CARRIER, &Ask { branch: "copy", body: SDP, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["482"]);
}

#[test]
fn a_circle_of_diversions_ends() {
    let mut rig = with_phone();
    let text = Ask { body: SDP, ..Ask::default() }.text().replace("Max-Forwards: 70", "Max-Forwards: 2");
    rig.udp(CARRIER, &text);
    let events = rig.events();
    let Event::Incoming { invite, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(invite.max_forwards, 2);
    rig.sent();
    let on = |max_forwards| Invitation {
        target: Target::Agent("1001"),
        sdp: SDP,
        max_forwards,
        ..Invitation::default()
    };
    rig.endpoint.invite(rig.now, on(Some(1))).unwrap();
    assert_eq!(rig.one_request("INVITE").header("Max-Forwards"), "1");
    assert_eq!(rig.endpoint.invite(rig.now, on(Some(0))), Err(CommandError::TooManyHops));
    rig.endpoint.invite(rig.now, on(None)).unwrap();
    assert_eq!(rig.one_request("INVITE").header("Max-Forwards"), "70");
}

#[test]
fn a_refusal_may_say_when_to_try_again() {
    let mut rig = with_phone();
    invite(&mut rig);
    let request = rig.sent().remove(0);
    rig.udp(PHONE, &answer_to(&request, 480, "p", "Retry-After: 120 (at lunch);duration=3600\n", ""));
    assert!(matches!(rig.events()[..], [Event::Failed { status: 480, retry_after_s: Some(120), .. }]));
}
