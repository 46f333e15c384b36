//! REFER and NOTIFY, Replaces: how a call is handed on, and what is refused.

use gateway_sip::{CallHandle, CommandError, Event, Refer};

use crate::{
    rig::*,
    timers::{answer_to, invite},
};

const NORTH: &str = "Refer-To: <sip:600@198.51.100.9>\nReferred-By: <sip:1001@hotline.test>\n";

fn refer<'a>(tag: &'a str, extra: &'a str) -> Ask<'a> {
    Ask { method: "REFER", branch: "r", cseq: 2, to_tag: tag, extra, ..Ask::default() }
}

fn referred(rig: &mut Rig) -> (CallHandle, Refer) {
    let mut events = rig.events();
    assert_eq!(events.len(), 1, "{events:?}");
    match events.remove(0) {
        Event::Referred { call, refer } => (call, *refer),
        other => panic!("{other:?}"),
    }
}

fn body(sent: &Sent) -> &str {
    std::str::from_utf8(&sent.message.body).unwrap()
}

#[test]
fn a_blind_transfer_is_told_how_it_goes() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &refer(&tag, NORTH).text());
    assert!(rig.sent().is_empty(), "the layer above decides");
    let (which, asked) = referred(&mut rig);
    assert_eq!((which, asked.target_uri.as_str(), asked.replaces), (call, "sip:600@198.51.100.9", None));
    assert_eq!(asked.referred_by.as_deref(), Some("sip:1001@hotline.test"));
    assert!(!format!("{asked:?}").contains("600"), "numbers are not for logs");
    rig.endpoint.accept_refer(rig.now, call);
    let sent = rig.sent();
    assert_eq!((sent[0].status(), sent[0].header("Contact")), (202, "<sip:gw.test:5060>"));
    assert_eq!((sent[1].method(), sent[1].header("Event")), ("NOTIFY", "refer"));
    assert_eq!(sent[1].header("Subscription-State"), "active;expires=180");
    assert_eq!(sent[1].header("Content-Type"), "message/sipfrag;version=2.0");
    assert_eq!(body(&sent[1]), "SIP/2.0 100 Trying\r\n");
    rig.udp(CARRIER, &answer_to(&sent[1], 200, "fc1", "", ""));
    rig.endpoint.notify_refer(rig.now, call, 180, false);
    let ringing = rig.sent().remove(0);
    assert_eq!(body(&ringing), "SIP/2.0 180 Ringing\r\n");
    rig.udp(CARRIER, &answer_to(&ringing, 200, "fc1", "", ""));
    rig.endpoint.notify_refer(rig.now, call, 200, true);
    let done = rig.sent().remove(0);
    assert_eq!(body(&done), "SIP/2.0 200 OK\r\n");
    assert_eq!(done.header("Subscription-State"), "terminated;reason=noresource");
    rig.udp(CARRIER, &answer_to(&done, 200, "fc1", "", ""));
    rig.endpoint.notify_refer(rig.now, call, 200, true);
    assert!(rig.sent().is_empty(), "the last word was said");
    // The phone hangs up.
    rig.udp(CARRIER, &Ask { method: "BYE", branch: "x", cseq: 3, to_tag: &tag, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["200"]);
    rig.assert_nothing_left();
}

#[test]
fn a_second_referral_names_itself() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &refer(&tag, NORTH).text());
    rig.endpoint.refuse_refer(rig.now, call, 486);
    assert_eq!(rig.said(), ["486"]);
    rig.udp(CARRIER, &Ask { branch: "r2", cseq: 7, ..refer(&tag, NORTH) }.text());
    rig.endpoint.accept_refer(rig.now, call);
    assert_eq!(rig.sent()[1].header("Event"), "refer;id=7");
    rig.udp(CARRIER, &Ask { branch: "r3", cseq: 8, ..refer(&tag, NORTH) }.text());
    assert_eq!(rig.said(), ["491"], "one at a time");
}

#[test]
fn refer_sub_false_wants_no_notify() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    let extra = format!("{NORTH}Refer-Sub: false\nRequire: norefersub\n");
    rig.udp(CARRIER, &refer(&tag, &extra).text());
    rig.endpoint.accept_refer(rig.now, call);
    assert_eq!(rig.one(202).header("Refer-Sub"), "false");
    rig.endpoint.notify_refer(rig.now, call, 200, true);
    assert!(rig.sent().is_empty());
}

#[test]
fn a_referral_nobody_decides_or_ends_is_ended() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &refer(&tag, NORTH).text());
    rig.seconds(11);
    assert_eq!(rig.said(), ["500"]);
    rig.udp(CARRIER, &Ask { branch: "r2", cseq: 3, ..refer(&tag, NORTH) }.text());
    rig.endpoint.accept_refer(rig.now, call);
    let notify = rig.sent().remove(1);
    rig.udp(CARRIER, &answer_to(&notify, 200, "fc1", "", ""));
    rig.seconds(181);
    let last = rig.sent().remove(0);
    assert_eq!(last.header("Subscription-State"), "terminated;reason=timeout");
}

#[test]
fn a_phone_that_hangs_up_at_the_202_is_told_once_that_nothing_more_will_come() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &refer(&tag, NORTH).text());
    rig.events();
    rig.endpoint.accept_refer(rig.now, call);
    rig.endpoint.notify_refer(rig.now, call, 180, false);
    rig.sent();
    rig.udp(CARRIER, &Ask { method: "BYE", branch: "x", cseq: 3, to_tag: &tag, ..Ask::default() }.text());
    let sent = rig.sent();
    assert_eq!((sent.len(), sent[0].status(), sent[1].method()), (2, 200, "NOTIFY"));
    assert_eq!(sent[1].header("Subscription-State"), "terminated;reason=noresource");
    assert_eq!(body(&sent[1]), "SIP/2.0 180 Ringing\r\n", "the last that is known");
    rig.udp(CARRIER, &answer_to(&sent[1], 481, "fc1", "", ""));
    rig.endpoint.notify_refer(rig.now, call, 200, true);
    assert!(rig.sent().is_empty());
    rig.assert_nothing_left();
}

#[test]
fn our_hanging_up_ends_the_subscription_before_the_call() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &refer(&tag, NORTH).text());
    rig.endpoint.accept_refer(rig.now, call);
    rig.sent();
    rig.endpoint.hang_up(rig.now, call, None);
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::method).collect::<Vec<_>>(), ["NOTIFY", "BYE"]);
    assert_eq!(sent[0].header("Subscription-State"), "terminated;reason=noresource");
    let number = |sent: &Sent| sent.message.cseq().map(|cseq| cseq.number).unwrap();
    assert_eq!(number(&sent[0]) + 1, number(&sent[1]));
    rig.assert_nothing_left();
    // Who was told the end already, or wanted no word at all, gets the BYE alone.
    for (extra, last) in [(NORTH.to_owned(), true), (format!("{NORTH}Refer-Sub: false\n"), false)] {
        let mut rig = Rig::new();
        let (call, tag) = confirmed(&mut rig);
        rig.udp(CARRIER, &refer(&tag, &extra).text());
        rig.endpoint.accept_refer(rig.now, call);
        if last {
            rig.endpoint.notify_refer(rig.now, call, 200, true);
        }
        rig.sent();
        rig.endpoint.hang_up(rig.now, call, None);
        assert_eq!(rig.said(), ["BYE"]);
    }
}

#[test]
fn what_cannot_be_referred_to() {
    let cases = [
        ("", 400),
        ("Refer-To: <sip:1@a>\nRefer-To: <sip:2@a>\n", 400),
        ("Refer-To: <mailto:a@b>\n", 416),
        ("Refer-To: <sip:1@a;method=BYE>\n", 603),
        ("Refer-To: <sip:1@a>\nRequire: nothing-known\n", 420),
    ];
    for (extra, status) in cases {
        let mut rig = Rig::new();
        let (_, tag) = confirmed(&mut rig);
        rig.udp(CARRIER, &refer(&tag, extra).text());
        assert_eq!(rig.said(), [status.to_string()], "{extra}");
        assert!(rig.heard().is_empty());
        assert_eq!(rig.endpoint.counts().calls, 1);
    }
    let mut rig = Rig::new();
    rig.udp(CARRIER, &Ask { method: "REFER", extra: NORTH, ..Ask::default() }.text());
    assert_eq!(rig.said(), ["403"], "outside a call");
}

#[test]
fn an_attended_transfer_names_the_other_call_of_ours() {
    an_attended_transfer_is_read("<", ">");
}

/// baresip 1.0 leaves the brackets out, though headers of a URI belong within (RFC 3261 §20.10).
#[test]
fn an_attended_transfer_without_brackets_is_understood() {
    an_attended_transfer_is_read("", "");
}

fn an_attended_transfer_is_read(open: &str, close: &str) {
    let mut rig = Rig::new();
    let (_, tag) = confirmed(&mut rig);
    let second = Ask { call: "c2", branch: "second", body: SDP, ..Ask::default() };
    rig.udp(CARRIER, &second.text());
    let consult = rig.incoming();
    rig.endpoint.answer(rig.now, consult, SDP).unwrap();
    let other = to_tag(&rig.one(200));
    rig.udp(
        CARRIER,
        &Ask { method: "ACK", branch: "a2", call: "c2", to_tag: &other, ..Ask::default() }.text(),
    );
    rig.events();
    let extra = format!(
        "Refer-To: {open}sip:12345@gw.test?Replaces=c2%40carrier.test%3Bto-tag%3D{other}%3Bfrom-tag%3Dfc2{close}\n"
    );
    rig.udp(CARRIER, &refer(&tag, &extra).text());
    let (_, asked) = referred(&mut rig);
    assert_eq!((asked.replaces, asked.target_uri.as_str()), (Some(consult), "sip:12345@gw.test"));
    assert_eq!(asked.replaces_value.unwrap(), format!("c2@carrier.test;to-tag={other};from-tag=fc2"));
}

#[test]
fn our_own_refer_is_followed_to_its_end() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    assert_eq!(rig.endpoint.refer(rig.now, call, "sip:a b"), Err(CommandError::BadTarget));
    rig.endpoint.refer(rig.now, call, "sip:110@198.51.100.7").unwrap();
    assert_eq!(rig.endpoint.refer(rig.now, call, "sip:110@198.51.100.7"), Err(CommandError::WrongState));
    let asked = rig.sent().remove(0);
    assert_eq!((asked.method(), asked.header("Refer-To")), ("REFER", "<sip:110@198.51.100.7>"));
    assert_eq!(asked.header("Referred-By"), "<sip:gw.test:5060>");
    rig.udp(CARRIER, &answer_to(&asked, 202, "fc1", "", ""));
    let told = |rig: &mut Rig, cseq: u32, state: &str, line: &str| {
        let branch = format!("n{cseq}");
        let extra = format!("Event: refer;id=1\nSubscription-State: {state}\n");
        let ask = Ask {
            method: "NOTIFY",
            branch: &branch,
            cseq,
            to_tag: &tag,
            extra: &extra,
            body: line,
            ..Ask::default()
        };
        rig.udp(CARRIER, &ask.text().replace("application/sdp", "message/sipfrag;version=2.0"));
        assert_eq!(rig.said(), ["200"]);
        rig.heard()
    };
    let progress =
        |status: u16, terminated: bool| [format!("ReferProgress({}, {status}, {terminated})", call.as_u64())];
    assert_eq!(told(&mut rig, 2, "active;expires=60", "SIP/2.0 100 Trying\r\n"), progress(100, false));
    assert_eq!(told(&mut rig, 3, "active;expires=60", "SIP/2.0 180 \r\nServer: x\r\n"), progress(180, false));
    assert_eq!(told(&mut rig, 4, "terminated;reason=noresource", "SIP/2.0 200 OK"), progress(200, true));
    let late = Ask {
        method: "NOTIFY",
        branch: "late",
        cseq: 5,
        to_tag: &tag,
        extra: "Event: refer\n",
        ..Ask::default()
    };
    rig.udp(CARRIER, &late.text());
    assert_eq!(rig.said(), ["481"]);
    let other = Ask {
        method: "NOTIFY",
        branch: "mwi",
        cseq: 6,
        to_tag: &tag,
        extra: "Event: message-summary\n",
        ..Ask::default()
    };
    rig.udp(CARRIER, &other.text());
    assert_eq!(rig.one(489).header("Allow-Events"), "refer");
    assert_eq!(rig.endpoint.counts().calls, 1);
}

#[test]
fn our_refer_is_refused_or_never_heard_of_again() {
    let mut rig = Rig::new();
    let (call, _) = confirmed(&mut rig);
    rig.endpoint.refer(rig.now, call, "sip:110@198.51.100.7").unwrap();
    let asked = rig.sent().remove(0);
    rig.udp(CARRIER, &answer_to(&asked, 603, "fc1", "", ""));
    assert_eq!(rig.heard(), [format!("ReferRefused({}, 603)", call.as_u64())]);
    rig.endpoint.refer(rig.now, call, "sip:110@198.51.100.7").unwrap();
    let asked = rig.sent().remove(0);
    rig.udp(CARRIER, &answer_to(&asked, 202, "fc1", "", ""));
    rig.seconds(181);
    assert_eq!(rig.heard(), [format!("ReferProgress({}, 408, true)", call.as_u64())]);
    rig.endpoint.refer(rig.now, call, "sip:110@198.51.100.7").unwrap();
    let asked = rig.sent().remove(0);
    rig.udp(CARRIER, &answer_to(&asked, 200, "fc1", "Refer-Sub: false\n", ""));
    assert_eq!(rig.heard(), [format!("ReferProgress({}, 200, true)", call.as_u64())]);
}

#[test]
fn subscribe_is_489_but_for_a_referral_under_way() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    let subscribe = |branch, cseq, tag, extra| {
        Ask { method: "SUBSCRIBE", branch, cseq, to_tag: tag, extra, ..Ask::default() }.text()
    };
    rig.udp(CARRIER, &subscribe("s0", 1, "", "Event: presence\n"));
    assert_eq!(rig.one(489).header("Allow-Events"), "refer");
    rig.udp(CARRIER, &subscribe("s1", 2, &tag, "Event: refer\n"));
    assert_eq!(rig.said(), ["489"]);
    rig.udp(CARRIER, &Ask { cseq: 3, ..refer(&tag, NORTH) }.text());
    rig.endpoint.accept_refer(rig.now, call);
    rig.sent();
    rig.udp(CARRIER, &subscribe("s2", 4, &tag, "Event: refer\nExpires: 0\n"));
    let sent = rig.sent();
    assert_eq!((sent[0].status(), sent[0].header("Expires")), (200, "0"));
    assert_eq!(sent[1].header("Subscription-State"), "terminated;reason=timeout");
}

/// An INVITE with this Replaces header.
fn replacing(value: &str) -> String {
    let extra = format!("Require: replaces\nReplaces: {value}\n");
    Ask { call: "c9", branch: "b9", body: SDP, extra: &extra, ..Ask::default() }.text()
}

#[test]
fn an_invite_replaces_a_call_that_stands() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &replacing(&format!("c1@carrier.test;to-tag={tag};from-tag=fc1")));
    let events = rig.events();
    let Event::Incoming { invite, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(invite.replaces, Some(call));
}

#[test]
fn what_an_invite_may_not_replace() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &replacing(&format!("c1@carrier.test;to-tag={tag};from-tag=guessed")));
    assert_eq!(rig.said(), ["481"]);
    rig.udp(CARRIER, &replacing("c1@carrier.test;to-tag=x"));
    assert_eq!(rig.said(), ["400"]);
    rig.udp(CARRIER, &replacing(&format!("c1@carrier.test;to-tag={tag};from-tag=fc1;early-only")));
    assert_eq!(rig.said(), ["486"], "it is answered already");
    rig.endpoint.hang_up(rig.now, call, None);
    rig.sent();
    rig.udp(CARRIER, &replacing(&format!("c1@carrier.test;to-tag={tag};from-tag=fc1")));
    assert_eq!(rig.said(), ["603"], "it is ending");
    // A call that comes and still rings is not the caller's to replace.
    rig.udp(CARRIER, &Ask { call: "c3", branch: "b3", ..Ask::default() }.text());
    let ringing = rig.endpoint.counts().calls;
    let call = rig.incoming();
    rig.endpoint.ring(rig.now, call, 180, None);
    let tag = to_tag(&rig.one(180));
    rig.udp(CARRIER, &replacing(&format!("c3@carrier.test;to-tag={tag};from-tag=fc3")));
    assert_eq!(rig.said(), ["481"]);
    assert_eq!(rig.endpoint.counts().calls, ringing);
}

#[test]
fn a_call_of_ours_that_rings_can_be_picked_up() {
    let mut rig = with_phone();
    let call = invite(&mut rig);
    let request = rig.sent().remove(0);
    rig.udp(PHONE, &answer_to(&request, 180, "p", "", ""));
    rig.events();
    let (id, from) = (request.header("Call-ID").to_owned(), request.message.from_tag().to_owned());
    rig.udp(CARRIER, &replacing(&format!("{id};to-tag={from};from-tag=p;early-only")));
    let events = rig.events();
    let Event::Incoming { invite, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(invite.replaces, Some(call));
}

#[test]
fn an_attended_transfer_of_ours_names_the_far_ends_tags() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    let target = rig.endpoint.transfer_target(call).unwrap();
    assert_eq!(
        target,
        format!("sip:198.51.100.7:5060?Replaces=c1%40carrier.test%3Bto-tag%3Dfc1%3Bfrom-tag%3D{tag}")
    );
    rig.endpoint.refer(rig.now, call, &target).unwrap();
    assert_eq!(rig.sent()[0].header("Refer-To"), format!("<{target}>"));
}

#[test]
fn a_phone_that_hangs_up_before_its_refer_is_decided_hears_487() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    rig.udp(CARRIER, &refer(&tag, NORTH).text());
    rig.events();
    rig.udp(CARRIER, &Ask { method: "BYE", branch: "x", cseq: 3, to_tag: &tag, ..Ask::default() }.text());
    let sent = rig.sent();
    let answers: Vec<_> = sent.iter().map(|sent| (sent.status(), sent.header("CSeq"))).collect();
    assert_eq!(answers, [(200, "3 BYE"), (487, "2 REFER")]);
    rig.endpoint.accept_refer(rig.now, call);
    assert!(rig.sent().is_empty());
    rig.assert_nothing_left();
}

#[test]
fn a_reinvite_replaces_nothing() {
    let mut rig = Rig::new();
    let (_, tag) = confirmed(&mut rig);
    let extra = format!("Replaces: c1@carrier.test;to-tag={tag};from-tag=fc1\n");
    rig.udp(
        CARRIER,
        &Ask { branch: "re", cseq: 2, to_tag: &tag, extra: &extra, body: SDP, ..Ask::default() }.text(),
    );
    assert_eq!(rig.said(), ["400"]);
    assert_eq!(rig.endpoint.counts().calls, 1);
}
