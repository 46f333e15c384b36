//! Calls of ours that a proxy forks: early dialogs, PRACK and UPDATE in each, answers that come too late.

use gateway_sip::{CommandError, Event};

use crate::{
    rig::*,
    timers::{answer_to, invite},
};

fn reliable(rseq: u32, contact: &str) -> String {
    format!("Require: 100rel\nRSeq: {rseq}\nAllow: INVITE, PRACK, UPDATE\nContact: <{contact}>\n")
}

/// A request from the phone that rings with `tag`.
fn from_phone(invite: &Sent, method: &str, tag: &str, cseq: u32, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!(
        "{method} sip:gw.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK{tag}{cseq};rport\nFrom: {};tag={tag}\nTo: {}\nCall-ID: {}\nCSeq: {cseq} {method}\nContact: <sip:{tag}@10.0.0.5>\n{kind}Content-Length: {}\n\n{body}",
        invite.header("To"),
        invite.header("From"),
        invite.header("Call-ID"),
        body.len()
    )
}

#[test]
fn reliable_ringing_is_confirmed_once_and_in_order() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    assert!(request.header("Supported").contains("100rel"));
    let ringing = answer_to(&request, 183, "p", &reliable(17, "sip:p@10.0.0.5"), SDP);
    rig.udp(PHONE, &ringing);
    let prack = rig.sent().remove(0);
    assert_eq!((prack.method(), prack.header("RAck")), ("PRACK", "17 1 INVITE"));
    assert_eq!((prack.header("CSeq"), to_tag(&prack).as_str()), ("2 PRACK", "p"));
    assert_eq!(prack.message.request_uri(), "sip:p@10.0.0.5");
    // Again, and one too early: neither is confirmed.
    rig.udp(PHONE, &ringing);
    rig.udp(PHONE, &answer_to(&request, 180, "p", &reliable(19, "sip:p@10.0.0.5"), ""));
    assert!(rig.sent().is_empty());
    rig.udp(PHONE, &answer_to(&prack, 200, "p", "", ""));
    rig.udp(PHONE, &answer_to(&request, 180, "p", &reliable(18, "sip:p@10.0.0.5"), ""));
    assert_eq!(rig.sent()[0].header("RAck"), "18 1 INVITE");
    let number = call.as_u64();
    assert_eq!(rig.heard(), [format!("Ringing({number}, 183)"), format!("Ringing({number}, 180)")]);
    rig.udp(PHONE, &answer_to(&request, 200, "p", "Contact: <sip:p@10.0.0.5>\n", ""));
    assert_eq!(rig.one_request("ACK").header("CSeq"), "1 ACK");
    rig.endpoint.hang_up(rig.now, call, None);
    assert_eq!(rig.one_request("BYE").header("CSeq"), "4 BYE", "the PRACKs counted");
}

#[test]
fn each_phone_has_its_own_dialog_and_order() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    rig.udp(PHONE, &answer_to(&request, 183, "one", &reliable(5, "sip:one@10.0.0.5"), SDP));
    rig.udp(PHONE, &answer_to(&request, 183, "two", &reliable(900, "sip:two@10.0.0.6"), SDP));
    rig.udp(PHONE, &answer_to(&request, 180, "one", &reliable(6, "sip:one@10.0.0.5"), ""));
    let pracks = rig.sent();
    let seen: Vec<_> = pracks
        .iter()
        .map(|sent| (to_tag(sent), sent.header("RAck").to_owned(), sent.message.request_uri().to_owned()))
        .collect();
    let expected = |tag: &str, rack: &str, uri: &str| (tag.to_owned(), rack.to_owned(), uri.to_owned());
    assert_eq!(
        seen,
        [
            expected("one", "5 1 INVITE", "sip:one@10.0.0.5"),
            expected("two", "900 1 INVITE", "sip:two@10.0.0.6"),
            expected("one", "6 1 INVITE", "sip:one@10.0.0.5"),
        ]
    );
    let number = call.as_u64();
    assert_eq!(
        rig.heard(),
        [
            format!("Ringing({number}, 183)"),
            format!("Ringing({number}, 183, fork 1)"),
            format!("Ringing({number}, 180)")
        ]
    );
    // The second is picked up, then the first: too late.
    rig.udp(PHONE, &answer_to(&request, 200, "two", "Contact: <sip:two@10.0.0.6>\n", ""));
    let ack = rig.one_request("ACK");
    assert_eq!((to_tag(&ack).as_str(), ack.message.request_uri()), ("two", "sip:two@10.0.0.6"));
    rig.udp(PHONE, &answer_to(&request, 200, "one", "Contact: <sip:one@10.0.0.5>\n", ""));
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::method).collect::<Vec<_>>(), ["ACK", "BYE"]);
    assert!(sent.iter().all(|sent| to_tag(sent) == "one"));
    assert_eq!(rig.heard(), [format!("Answered({number}, sdp: false)")]);
}

#[test]
fn an_update_of_the_phone_while_it_rings() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    rig.udp(PHONE, &answer_to(&request, 180, "p", "Contact: <sip:p@10.0.0.5>\n", ""));
    rig.events();
    rig.udp(PHONE, &from_phone(&request, "UPDATE", "p", 1, SDP));
    assert_eq!(rig.said(), ["491"], "our own offer is not answered yet");
    rig.udp(PHONE, &answer_to(&request, 183, "p", &reliable(1, "sip:p@10.0.0.5"), SDP));
    rig.sent();
    rig.events();
    rig.udp(PHONE, &from_phone(&request, "UPDATE", "p", 2, SDP));
    assert_eq!(rig.heard(), [format!("Offer({}, sdp: true)", call.as_u64())]);
    rig.endpoint.answer_offer(rig.now, call, SDP);
    assert_eq!(rig.one(200).header("CSeq"), "2 UPDATE");
    // Of another phone, with its own count.
    rig.udp(PHONE, &answer_to(&request, 183, "q", &reliable(1, "sip:q@10.0.0.6"), SDP));
    rig.sent();
    rig.events();
    rig.udp(PHONE, &from_phone(&request, "UPDATE", "q", 1, SDP));
    assert_eq!(rig.heard(), [format!("Offer({}, sdp: true)", call.as_u64())]);
}

#[test]
fn our_update_while_it_rings_goes_to_the_phone_that_has_answered_our_offer() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    assert_eq!(rig.endpoint.offer(rig.now, call, SDP), Err(CommandError::WrongState));
    rig.udp(PHONE, &answer_to(&request, 183, "p", &reliable(1, "sip:p@10.0.0.5"), SDP));
    rig.udp(PHONE, &answer_to(&request, 180, "q", "Contact: <sip:q@10.0.0.6>\nAllow: UPDATE\n", ""));
    rig.sent();
    rig.events();
    rig.endpoint.offer(rig.now, call, SDP).unwrap();
    let update = rig.sent().remove(0);
    assert_eq!(
        (update.method(), to_tag(&update).as_str(), update.header("CSeq")),
        ("UPDATE", "p", "3 UPDATE")
    );
    rig.udp(PHONE, &answer_to(&update, 200, "p", "Contact: <sip:p@10.0.0.5>\n", SDP));
    assert_eq!(rig.heard(), [format!("OfferAccepted({})", call.as_u64())]);
}

#[test]
fn no_more_phones_than_the_limit() {
    let mut rig = with_phone();
    let _ = invite(&mut rig);
    let request = rig.sent().remove(0);
    for number in 0..20 {
        rig.udp(PHONE, &answer_to(&request, 180, &format!("t{number}"), "", ""));
    }
    assert_eq!(rig.heard().len(), 8);
    rig.udp(PHONE, &answer_to(&request, 200, "t19", CONTACT, SDP));
    assert_eq!(rig.said(), ["ACK"], "who answers is heard all the same");
    assert!(matches!(rig.events()[..], [Event::Answered { .. }]));
}

#[test]
fn the_caller_leaves_and_the_cancel_says_why() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    rig.udp(PHONE, &answer_to(&request, 183, "p", &reliable(1, "sip:p@10.0.0.5"), SDP));
    rig.sent();
    rig.endpoint.hang_up(rig.now, call, Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    let cancel = rig.one_request("CANCEL");
    assert_eq!(cancel.header("Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
    // A reliable 183 crosses the CANCEL: nobody wants it.
    rig.udp(PHONE, &answer_to(&request, 183, "p", &reliable(2, "sip:p@10.0.0.5"), ""));
    assert!(rig.sent().is_empty());
    rig.udp(PHONE, &answer_to(&request, 487, "p", "", ""));
    assert_eq!(rig.said(), ["ACK"]);
    rig.seconds(100);
    assert_eq!((rig.endpoint.counts().calls, rig.endpoint.counts().transactions), (0, 0));
}

#[test]
fn a_carrier_is_offered_only_what_it_bears() {
    use crate::trunk_rig::{CONTACT_THERE, FIRST, dial, through, trunk};
    let mut carrier = trunk();
    (carrier.manner.session_timer, carrier.manner.reliable) = (false, gateway_sip::trunk::Reliable::Off);
    carrier.manner.early_media = false;
    let mut rig = Rig::with(through(carrier.clone()));
    let call = dial(&mut rig).unwrap();
    let request = rig.one_request("INVITE");
    assert_eq!(request.header("Supported"), "replaces, norefersub");
    assert_eq!(request.header("Session-Expires"), "(missing)");
    rig.udp(FIRST, &answer_to(&request, 183, "p", CONTACT_THERE, SDP));
    let events = rig.events();
    assert!(matches!(events[..], [Event::Ringing { sdp: None, .. }]), "{events:?}");
    // Another branch of the carrier's fork answers as well: its ACK and BYE go to its own Contact.
    rig.udp(FIRST, &answer_to(&request, 200, "p", CONTACT_THERE, SDP));
    rig.udp(FIRST, &answer_to(&request, 200, "q", "Contact: <sip:pstn@198.51.100.70:5070>\n", SDP));
    let there: Vec<String> = rig
        .sent()
        .iter()
        .map(|sent| format!("{} {}", sent.method(), crate::trunk_rig::went_to(sent)))
        .collect();
    assert_eq!(there, ["ACK 198.51.100.7:5060", "ACK 198.51.100.70:5070", "BYE 198.51.100.70:5070"]);
    assert_eq!(rig.heard(), [format!("Answered({}, sdp: true)", call.as_u64())]);
    carrier.manner.reliable = gateway_sip::trunk::Reliable::Required;
    let mut rig = Rig::with(through(carrier));
    dial(&mut rig).unwrap();
    assert_eq!(rig.one_request("INVITE").header("Require"), "100rel");
}
