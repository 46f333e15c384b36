//! 401 and 407 from a trunk are answered inside the endpoint, in every kind of request.

use gateway_sip::auth::{Credentials, Secret, verify};

use crate::{rig::*, timers::answer_to, trunk_rig::*};

/// The proof in a request, checked.
fn proof(sent: &Sent, name: &'static str) -> Credentials {
    let credentials = Credentials::parse(sent.header(name)).unwrap();
    verify(&credentials, sent.method(), &Secret::Plain("secret".into())).unwrap();
    assert_eq!(credentials.username, "hotline");
    assert_eq!(credentials.uri, sent.message.request_uri());
    credentials
}

fn invited(rig: &mut Rig) -> (gateway_sip::CallHandle, Sent) {
    let call = dial(rig).unwrap();
    (call, rig.sent().into_iter().find(|sent| sent.method() == "INVITE").unwrap())
}

#[test]
fn the_invite_goes_out_again_with_the_proof_and_so_do_ack_and_bye() {
    for (status, header) in [(401, "Authorization"), (407, "Proxy-Authorization")] {
        let mut rig = Rig::with(through(trunk()));
        let (call, first) = invited(&mut rig);
        assert_eq!(first.header(header), "(missing)");
        rig.udp(FIRST, &challenge(&first, status, "n1", false));
        let sent = rig.sent();
        assert_eq!(sent.iter().map(Sent::method).collect::<Vec<_>>(), ["ACK", "INVITE"]);
        let again = &sent[1];
        assert_eq!(again.header("CSeq"), "2 INVITE");
        assert_eq!(
            (again.header("Call-ID"), again.header("From")),
            (first.header("Call-ID"), first.header("From"))
        );
        assert_eq!(proof(again, header).nonce_count(), Some(1));
        rig.udp(FIRST, &answer_to(again, 200, "y", CONTACT_THERE, SDP));
        let ack = rig.sent().remove(0);
        assert_eq!(ack.header(header), again.header(header), "RFC 3261 §22.1");
        assert_eq!(rig.heard(), [format!("Answered({}, sdp: true)", call.as_u64())]);
        // The carrier asks for each request anew.
        rig.endpoint.hang_up(rig.now, call, None);
        let bye = rig.sent().remove(0);
        rig.udp(FIRST, &challenge(&bye, status, "n2", false));
        let bye = rig.sent().remove(0);
        assert_eq!((bye.method(), bye.header("CSeq")), ("BYE", "4 BYE"));
        assert_eq!(proof(&bye, header).nonce, "n2");
        rig.udp(FIRST, &answer_to(&bye, 200, "y", "", ""));
        rig.assert_nothing_left();
    }
}

#[test]
fn the_next_call_proves_itself_at_once_and_counts_the_nonce() {
    let mut rig = Rig::with(through(trunk()));
    let (_, first) = invited(&mut rig);
    rig.udp(FIRST, &challenge(&first, 407, "n1", false));
    rig.sent();
    for count in 2..5 {
        let (_, next) = invited(&mut rig);
        let proof = proof(&next, "Proxy-Authorization");
        assert_eq!((proof.nonce.as_str(), proof.nonce_count()), ("n1", Some(count)));
    }
}

#[test]
fn a_stale_nonce_is_answered_anew() {
    let mut rig = Rig::with(through(trunk()));
    let (call, first) = invited(&mut rig);
    rig.udp(FIRST, &challenge(&first, 401, "n1", false));
    let again = rig.sent().remove(1);
    rig.udp(FIRST, &challenge(&again, 401, "n2", true));
    let third = rig.sent().remove(1);
    assert_eq!(proof(&third, "Authorization").nonce, "n2");
    rig.udp(FIRST, &answer_to(&third, 486, "y", "", ""));
    assert_eq!(rig.heard(), [format!("Failed({}, 486, None)", call.as_u64())]);
}

#[test]
fn an_old_nonce_may_be_refused_without_the_word_stale() {
    let mut rig = Rig::with(through(trunk()));
    let (_, first) = invited(&mut rig);
    rig.udp(FIRST, &challenge(&first, 401, "n1", false));
    rig.sent();
    let (_, next) = invited(&mut rig);
    rig.udp(FIRST, &challenge(&next, 401, "n2", false));
    assert_eq!(proof(&rig.sent().remove(1), "Authorization").nonce, "n2");
}

#[test]
fn a_wrong_password_is_not_tried_for_ever() {
    let mut rig = Rig::with(through(trunk()));
    let (call, first) = invited(&mut rig);
    rig.udp(FIRST, &challenge(&first, 401, "n1", false));
    let again = rig.sent().remove(1);
    rig.udp(FIRST, &challenge(&again, 401, "n2", false));
    assert_eq!(rig.said(), ["ACK"]);
    assert_eq!(rig.heard(), [format!("Failed({}, 401, None)", call.as_u64())]);
    rig.assert_nothing_left();
}

#[test]
fn without_a_password_or_for_something_else_than_digest_the_call_fails() {
    let mut nameless = trunk();
    nameless.credentials = None;
    let mut rig = Rig::with(through(nameless));
    let (call, first) = invited(&mut rig);
    rig.udp(FIRST, &challenge(&first, 401, "n1", false));
    assert_eq!(rig.heard(), [format!("Failed({}, 401, None)", call.as_u64())]);
    let mut rig = Rig::with(through(trunk()));
    let (call, first) = invited(&mut rig);
    rig.udp(FIRST, &answer_to(&first, 401, "c", "WWW-Authenticate: Basic realm=\"x\"\n", ""));
    assert_eq!(rig.heard(), [format!("Failed({}, 401, None)", call.as_u64())]);
}

#[test]
fn sha_256_is_answered_with_sha_256() {
    let mut rig = Rig::with(through(trunk()));
    let (_, first) = invited(&mut rig);
    let both = gateway_sip::auth::challenges(
        &[gateway_sip::auth::Algorithm::Sha256, gateway_sip::auth::Algorithm::Md5],
        "ims.example",
        "n1",
        false,
    );
    let lines: String = both.map(|value| format!("WWW-Authenticate: {value}\n")).collect();
    rig.udp(FIRST, &answer_to(&first, 401, "c", &lines, ""));
    assert_eq!(proof(&rig.sent().remove(1), "Authorization").algorithm, gateway_sip::auth::Algorithm::Sha256);
}

#[test]
fn a_caller_who_left_meanwhile_is_not_called_again() {
    let mut rig = Rig::with(through(trunk()));
    let (call, first) = invited(&mut rig);
    rig.endpoint.hang_up(rig.now, call, None);
    rig.udp(FIRST, &challenge(&first, 407, "n1", false));
    assert_eq!(rig.said(), ["ACK"]);
    rig.assert_nothing_left();
}

/// A reliable 183 of the phone with that tag.
fn early(rseq: u32) -> String {
    format!("Require: 100rel\nRSeq: {rseq}\nAllow: INVITE, PRACK, UPDATE\n{CONTACT_THERE}")
}

fn to_tag(sent: &Sent) -> String {
    sent.message.to_tag().unwrap_or_default().to_owned()
}

#[test]
fn the_receipt_for_early_media_is_sent_again_with_the_proof_in_its_own_dialog() {
    let mut rig = Rig::with(through(trunk()));
    let (call, first) = invited(&mut rig);
    // Two phones ring behind the carrier, each with a count of its own.
    rig.udp(FIRST, &answer_to(&first, 183, "one", &early(7), SDP));
    rig.udp(FIRST, &answer_to(&first, 183, "two", &early(70), SDP));
    let pracks = rig.sent();
    assert_eq!(pracks.iter().map(Sent::method).collect::<Vec<_>>(), ["PRACK", "PRACK"]);
    let asked = challenge(&pracks[1], 407, "n1", false).replace(";tag=two;tag=c", ";tag=two");
    rig.udp(FIRST, &asked);
    let again = rig.one_request("PRACK");
    assert_eq!(
        (to_tag(&again).as_str(), again.header("CSeq"), again.header("RAck")),
        ("two", "3 PRACK", "70 1 INVITE")
    );
    proof(&again, "Proxy-Authorization");
    // The other phone's next receipt goes on with that phone's own count.
    rig.udp(FIRST, &answer_to(&first, 180, "one", &early(8), ""));
    let other = rig.one_request("PRACK");
    assert_eq!((to_tag(&other).as_str(), other.header("CSeq")), ("one", "3 PRACK"));
    // The same goes for our UPDATE.
    rig.endpoint.offer(rig.now, call, SDP).unwrap();
    let update = rig.one_request("UPDATE");
    assert_eq!((to_tag(&update).as_str(), update.header("CSeq")), ("two", "4 UPDATE"));
    rig.udp(FIRST, &challenge(&update, 401, "n2", false));
    let update = rig.one_request("UPDATE");
    assert_eq!((to_tag(&update).as_str(), update.header("CSeq")), ("two", "5 UPDATE"));
    proof(&update, "Authorization");
    rig.events();
    rig.udp(FIRST, &answer_to(&update, 200, "two", CONTACT_THERE, SDP));
    assert_eq!(rig.heard(), [format!("OfferAccepted({})", call.as_u64())]);
    rig.udp(FIRST, &answer_to(&first, 200, "two", CONTACT_THERE, ""));
    rig.sent();
    rig.endpoint.hang_up(rig.now, call, None);
    assert_eq!(rig.one_request("BYE").header("CSeq"), "6 BYE");
    rig.assert_nothing_left();
}

#[test]
fn a_receipt_asked_for_its_password_by_a_gateway_that_lost_the_call_is_not_sent_again() {
    let mut rig = Rig::with(through(trunk()));
    let (call, first) = invited(&mut rig);
    rig.udp(FIRST, &answer_to(&first, 183, "one", &early(7), SDP));
    let prack = rig.one_request("PRACK");
    rig.udp(FIRST, &answer_to(&first, 302, "one", &format!("Contact: <sip:1@{SECOND}>\n"), ""));
    rig.sent();
    rig.udp(FIRST, &challenge(&prack, 407, "n1", false));
    assert!(rig.said().is_empty(), "nobody rings there any more");
    rig.endpoint.hang_up(rig.now, call, None);
    rig.assert_nothing_left();
}
