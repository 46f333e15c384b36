//! 302 from a trunk: followed within the carrier, a few times and nowhere twice; outside of it the call fails.

use gateway_sip::{Transport, TrunkConfig};

use crate::{rig::*, timers::answer_to, trunk_rig::*};

fn moved(request: &Sent, contacts: &str) -> String {
    answer_to(request, 302, "m", contacts, "")
}

#[test]
fn a_contact_in_the_carriers_network_is_called_instead() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.udp(
        FIRST,
        &moved(&first, "Contact: <sip:6666@198.51.100.40:5080>;q=0.4, <sip:7777@198.51.100.41>;q=0.9\n"),
    );
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::method).collect::<Vec<_>>(), ["ACK", "INVITE"]);
    let second = &sent[1];
    assert_eq!(second.message.request_uri(), "sip:7777@198.51.100.41", "the preferred one");
    assert_eq!(went_to(second), "198.51.100.41:5060");
    assert_eq!((second.header("CSeq"), second.header("Call-ID")), ("2 INVITE", first.header("Call-ID")));
    assert_eq!(second.header("To"), first.header("To"), "RFC 3261 §8.1.3.4");
    assert!(rig.heard().is_empty(), "the call hears nothing of it");
    rig.udp("198.51.100.41:5060", &answer_to(second, 200, "y", "Contact: <sip:7777@198.51.100.41>\n", SDP));
    assert_eq!(rig.heard(), [format!("Answered({}, sdp: true)", call.as_u64())]);
    assert_eq!(rig.one_request("ACK").header("CSeq"), "2 ACK");
    rig.endpoint.hang_up(rig.now, call, None);
    rig.assert_nothing_left();
}

#[test]
fn a_phone_that_rang_may_still_be_diverted() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.udp(FIRST, &answer_to(&first, 180, "x", CONTACT_THERE, ""));
    rig.udp(FIRST, &answer_to(&first, 302, "x", &format!("Contact: <sip:1@{SECOND}>\n"), ""));
    let second = rig.sent().remove(1);
    assert_eq!(went_to(&second), SECOND);
    // Where it was sent has it: no gateway is left for the number that was dialled.
    rig.udp(SECOND, &answer_to(&second, 503, "y", "", ""));
    assert_eq!(rig.said(), ["ACK"]);
    let number = call.as_u64();
    assert_eq!(rig.heard(), [format!("Ringing({number}, 180)"), format!("Failed({number}, 503, None)")]);
    rig.assert_nothing_left();
}

#[test]
fn the_carriers_domain_and_the_names_of_its_gateways_are_the_carrier() {
    let mut rig = Rig::with(through(TrunkConfig { domain: Some("ims.example".into()), ..trunk() }));
    dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.udp(FIRST, &moved(&first, "Contact: <sip:+8610000@IMS.example;user=phone>\n"));
    let second = rig.sent().remove(1);
    assert_eq!(second.message.request_uri(), "sip:+8610000@IMS.example;user=phone");
    assert_eq!(went_to(&second), FIRST);
    // It may be asked for its password there as well.
    rig.udp(FIRST, &challenge(&second, 407, "n1", false));
    let third = rig.sent().remove(1);
    assert_eq!(third.message.request_uri(), second.message.request_uri());
    assert!(third.header("Proxy-Authorization").contains("hotline"));
}

#[test]
fn another_transport_is_taken_when_the_contact_says_so() {
    let mut rig = Rig::with(through(trunk()));
    dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.udp(FIRST, &moved(&first, &format!("Contact: <sip:1@{SECOND};transport=tcp>\n")));
    let (asked, _) = asked_for(&mut rig);
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].1.as_str(), asked[0].2), (SECOND, Transport::Tcp));
    stand(&mut rig, asked[0].0, SECOND, Transport::Tcp);
    assert!(rig.sent().iter().any(|sent| sent.header("CSeq") == "2 INVITE"));
}

#[test]
fn outside_the_carrier_or_without_a_usable_contact_the_call_fails_with_the_status() {
    for (status, contacts) in [
        (302, "Contact: <sip:1@233.252.0.9>\n"),
        (302, "Contact: <sip:1@elsewhere.example>\n"),
        (301, "Contact: <tel:+8610000>\n"),
        (302, "Contact: <sip:1@198.51.100.9;method=BYE>\n"),
        (302, "Contact: <sip:1@198.51.100.9;transport=sctp>\n"),
        (300, ""),
        (380, "Contact: <sip:1@198.51.100.9>\n"),
    ] {
        let mut rig = Rig::with(through(trunk()));
        let call = dial(&mut rig).unwrap();
        let first = rig.sent().remove(0);
        rig.udp(FIRST, &answer_to(&first, status, "m", contacts, ""));
        assert_eq!(rig.said(), ["ACK"], "{contacts}");
        assert_eq!(rig.heard(), [format!("Failed({}, {status}, None)", call.as_u64())]);
        rig.assert_nothing_left();
    }
}

#[test]
fn a_circle_ends_and_so_does_a_long_chain() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.udp(FIRST, &moved(&first, "Contact: <sip:1@198.51.100.9>\n"));
    let second = rig.sent().remove(1);
    let back = format!("Contact: <{}>, <sip:1@198.51.100.9>\n", first.message.request_uri());
    rig.udp("198.51.100.9:5060", &moved(&second, &back));
    assert_eq!(rig.said(), ["ACK"]);
    assert_eq!(rig.heard(), [format!("Failed({}, 302, None)", call.as_u64())]);

    let call = dial(&mut rig).unwrap();
    let mut request = rig.sent().remove(0);
    for hop in 1..=3 {
        rig.udp(FIRST, &moved(&request, &format!("Contact: <sip:{hop}@{FIRST}>\n")));
        request = rig.sent().remove(1);
    }
    rig.udp(FIRST, &moved(&request, &format!("Contact: <sip:4@{FIRST}>\n")));
    assert_eq!(rig.said(), ["ACK"]);
    assert_eq!(rig.heard(), [format!("Failed({}, 302, None)", call.as_u64())]);
    rig.assert_nothing_left();
}

/// RFC 3261 §8.1.3.4: the next Contact when the one before came to nothing.
#[test]
fn the_next_contact_is_called_when_the_preferred_one_is_busy_or_silent() {
    let three =
        "Contact: <sip:3@198.51.100.43>;q=0.1, <sip:1@198.51.100.41>;q=0.9, <sip:2@198.51.100.42>;q=0.5\n";
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.udp(FIRST, &moved(&first, three));
    let preferred = rig.sent().remove(1);
    assert_eq!(went_to(&preferred), "198.51.100.41:5060");
    rig.udp("198.51.100.41:5060", &answer_to(&preferred, 180, "r", CONTACT_THERE, ""));
    rig.udp("198.51.100.41:5060", &answer_to(&preferred, 486, "r", "", ""));
    let sent = rig.sent();
    let second = sent.last().unwrap();
    assert_eq!((went_to(second).as_str(), second.header("CSeq")), ("198.51.100.42:5060", "3 INVITE"));
    // Nothing at all comes from there: after the time for any answer the third is called.
    rig.advance(std::time::Duration::from_secs(5));
    let sent = rig.sent();
    let third = sent.iter().rfind(|sent| sent.header("CSeq") == "4 INVITE").expect("the third");
    assert_eq!(went_to(third), "198.51.100.43:5060");
    rig.udp("198.51.100.43:5060", &answer_to(third, 200, "y", "Contact: <sip:3@198.51.100.43>\n", SDP));
    let number = call.as_u64();
    assert_eq!(rig.heard(), [format!("Ringing({number}, 180)"), format!("Answered({number}, sdp: true)")]);
    assert_eq!(rig.one_request("ACK").header("CSeq"), "4 ACK");
    rig.endpoint.hang_up(rig.now, call, None);
    rig.assert_nothing_left();
}

#[test]
fn who_declines_for_everybody_ends_the_search() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.udp(FIRST, &moved(&first, "Contact: <sip:1@198.51.100.41>, <sip:2@198.51.100.42>;q=0.5\n"));
    let preferred = rig.sent().remove(1);
    rig.udp("198.51.100.41:5060", &answer_to(&preferred, 603, "r", "", ""));
    assert_eq!(rig.said(), ["ACK"]);
    assert_eq!(rig.heard(), [format!("Failed({}, 603, None)", call.as_u64())]);
    rig.assert_nothing_left();
}

#[test]
fn a_caller_who_left_is_sent_nowhere() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.endpoint.hang_up(rig.now, call, None);
    rig.udp(FIRST, &moved(&first, "Contact: <sip:1@198.51.100.9>\n"));
    assert_eq!(rig.said(), ["ACK"]);
    rig.assert_nothing_left();
}
