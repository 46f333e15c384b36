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
