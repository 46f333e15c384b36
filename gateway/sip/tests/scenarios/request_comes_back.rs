//! A request of ours that a proxy sends back to us, and a request that reaches us twice.

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
