//! The torture messages of [RFC 4475](https://www.rfc-editor.org/rfc/rfc4475), each with what becomes of it.
//! Where the RFC leaves a choice, or we are more liberal than it asks, the line says why. (The binary part of
//! 3.1.1.11 is our own: what it holds is nothing to a SIP parser.)

use gateway_sip::message::{Message, Method};

use crate::{
    fixture::{self, Outcome, Outcome::*},
    rig::*,
};

const TABLE: [(&str, Outcome); 49] = [
    // To has a tag: a request of a call we do not have.
    ("3.1.1.1-wsinv", Status(481)),
    ("3.1.1.2-intmeth", Status(501)),
    ("3.1.1.3-esc01", Call),
    ("3.1.1.4-escnull", Status(401)),
    ("3.1.1.5-esc02", Status(501)),
    ("3.1.1.6-lwsdisp", Status(200)),
    ("3.1.1.7-longreq", Call),
    // What follows the first message of a datagram is not read.
    ("3.1.1.8-dblreq", Status(401)),
    ("3.1.1.9-semiuri", Status(200)),
    ("3.1.1.10-transports", Status(200)),
    ("3.1.1.11-mpart01", Text),
    ("3.1.1.12-unreason", Silent("stray-response")),
    ("3.1.1.13-noreason", Silent("stray-response")),
    // Empty parameters hurt nobody: a call is worth more than a grammar.
    ("3.1.2.1-badinv01", Call),
    ("3.1.2.2-clerr", Status(400)),
    ("3.1.2.3-ncl", Status(400)),
    ("3.1.2.4-scalar02", Status(400)),
    ("3.1.2.5-scalarlg", Silent("stray-response")),
    ("3.1.2.6-quotbal", Status(400)),
    ("3.1.2.7-ltgtruri", Status(400)),
    ("3.1.2.8-lwsruri", Status(400)),
    // More white space than there should be, around the URI and after the version: understood.
    ("3.1.2.9-lwsstart", Call),
    ("3.1.2.10-trws", Status(200)),
    // Headers in a Request-URI are ignored, the date is not read.
    ("3.1.2.11-escruri", Call),
    ("3.1.2.12-baddate", Call),
    // Who it is comes before what it wants: see below for the answer to one who has proved it.
    ("3.1.2.13-regbadct", Status(401)),
    // Spaces inside the brackets, names that should be quoted: understood.
    ("3.1.2.14-badaspec", Status(200)),
    ("3.1.2.15-baddn", Status(200)),
    ("3.1.2.16-badvers", Status(505)),
    ("3.1.2.17-mismatch01", Status(400)),
    ("3.1.2.18-mismatch02", Status(400)),
    ("3.1.2.19-bigcode", Silent("not-sip")),
    ("3.2.1-badbranch", Status(200)),
    // Without From, To and Call-ID there is nothing an answer could be built of.
    ("3.3.1-insuf", Silent("mandatory-header-missing")),
    ("3.3.2-unkscm", Status(416)),
    ("3.3.3-novelsc", Status(416)),
    ("3.3.4-unksm2", Status(401)),
    ("3.3.5-bext01", Status(420)),
    ("3.3.6-invut", Status(415)),
    ("3.3.7-regaut01", Status(401)),
    ("3.3.8-multi01", Status(400)),
    ("3.3.9-mcl01", Status(400)),
    ("3.3.10-bcast", Silent("stray-response")),
    ("3.3.11-zeromf", Status(483)),
    ("3.3.12-cparam01", Status(401)),
    ("3.3.13-cparam02", Status(401)),
    ("3.3.14-regescrt", Status(401)),
    // 406 would be allowed; a carrier that sends SDP will read SDP.
    ("3.3.15-sdp01", Call),
    // RFC 2543 without Contact: no request inside the call could be sent (RFC 3261 §8.1.1.8).
    ("3.4.1-inv2543", Status(400)),
];

#[test]
fn torture_messages_come_to_what_the_rfc_says() {
    fixture::check("rfc4475", config, fixture::sender, &TABLE);
}

fn message(name: &str) -> Message {
    Message::parse(&fixture::read("rfc4475", name)).unwrap()
}

#[test]
fn lengths_that_are_no_part_of_the_torture_are_right() {
    for name in fixture::names("rfc4475") {
        if ["clerr", "ncl", "mcl01", "dblreq", "bigcode"].iter().any(|lies| name.ends_with(lies)) {
            continue;
        }
        let bytes = fixture::read("rfc4475", &name);
        let split = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let Some(stated) = message(&name).value("Content-Length").map(str::to_owned) else { continue };
        assert_eq!(stated.parse(), Ok(bytes.len() - split), "{name}");
    }
}

#[test]
fn a_short_tortuous_invite_is_read_right() {
    let read = message("3.1.1.1-wsinv");
    assert_eq!(read.defect, None);
    assert_eq!(read.method(), Some(&Method::Invite));
    assert_eq!(read.request_uri(), "sip:vivekg@chair-dnrc.example.com;unknownparam");
    assert_eq!(read.from().unwrap().display_name().as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(read.from().unwrap().uri, "sip:jdrosen@example.com");
    assert_eq!((read.from_tag(), read.to_tag()), ("98asjd8", Some("1918181833n")));
    assert_eq!(read.to().unwrap().uri, "sip:vivekg@chair-dnrc.example.com");
    assert_eq!(read.cseq().map(|cseq| (cseq.number, cseq.method.to_owned())), Some((9, "INVITE".to_owned())));
    let vias: Vec<_> = read.list("Via").map(|via| gateway_sip::fields::Via::parse(via).unwrap()).collect();
    let read_vias: Vec<_> = vias.iter().map(|via| (via.transport, via.host, via.branch())).collect();
    assert_eq!(
        read_vias,
        [
            ("UDP", "192.0.2.2", "390skdjuw"),
            ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
            ("UDP", "192.168.255.111", "z9hG4bK30239")
        ]
    );
    assert_eq!(read.value("NewFangledHeader"), Some("newfangled value continued newfangled value"));
    assert_eq!(read.value("UnknownHeaderWithUnusualValue"), Some(";;,,;;,;"));
    assert_eq!(read.value("Subject"), Some(""));
    let contact = gateway_sip::fields::NameAddress::parse(read.value("Contact").unwrap()).unwrap();
    assert_eq!(contact.display_name().as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.parameter("newparam"), Some("newvalue"));
    assert_eq!((contact.parameter("secondparam"), contact.parameter("q")), (Some(""), Some("0.33")));
    assert_eq!(read.body.len(), 150);
}

#[test]
fn a_wide_range_of_characters_is_read_right() {
    let read = message("3.1.1.2-intmeth");
    assert_eq!(read.defect, None);
    assert_eq!(read.to().unwrap().display_name().as_deref(), Some("BEL:\u{7} NUL:\u{0} DEL:\u{7f}"));
    assert_eq!(read.from().unwrap().display_name().as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(read.from().unwrap().parameter("fromParam''~+*_!.-%"), Some("работающий"));
    assert_eq!(read.from_tag(), "_token~1'+`*%!-.");
    assert_eq!(read.call_id(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(read.value("extensionHeader-!.%*+_`'~"), Some("\u{feff}大停電"));
}

#[test]
fn escapes_stay_escaped_until_their_meaning_is_asked() {
    let read = message("3.1.1.3-esc01");
    let uri = gateway_sip::fields::SipUri::parse(read.request_uri()).unwrap();
    assert_eq!((uri.user, uri.host), (Some("sips%3Auser%40example.com"), "example.net"));
    let nulls: Vec<_> = message("3.1.1.4-escnull").list("Contact").map(str::to_owned).collect();
    assert_eq!(nulls, ["<sip:%00@host5.example.com>", "<sip:%00%00@host5.example.com>"]);
    // An escape in a method or a header name is a character like any other (3.1.1.5).
    let read = message("3.1.1.5-esc02");
    assert_eq!(read.method().map(Method::as_str), Some("RE%47IST%45R"));
    assert_eq!((read.values("Contact").count(), read.values("C%6Fntact").count()), (2, 1));
    assert_eq!(read.to().unwrap().display_name().as_deref(), Some("%Z%45"));
    let uri = message("3.1.1.9-semiuri").request_uri().to_owned();
    assert_eq!(gateway_sip::fields::SipUri::parse(&uri).unwrap().user, Some("user;par=u%40example.net"));
}

#[test]
fn long_values_are_kept_whole() {
    let read = message("3.1.1.7-longreq");
    assert_eq!(read.list("Via").count(), 34);
    assert_eq!(read.from_tag().len(), 2 + 3 * 50 + 3);
    assert_eq!(read.call_id().len(), "longreq.one".len() + 6 * 20 + "longcallid".len());
    assert_eq!(read.body.len(), 150);
}

#[test]
fn answers_without_or_with_any_reason_are_read() {
    assert_eq!(message("3.1.1.12-unreason").status(), Some(200));
    assert_eq!(message("3.1.1.13-noreason").status(), Some(100));
    let body = message("3.1.1.11-mpart01").body;
    assert!(body.windows(5).any(|window| window == b"\r\n\0\r\n"), "a binary body is not touched");
}

/// The Contacts of 3.1.2.13 and 3.3.12 to 3.3.14, sent by a phone that knows its password.
#[test]
fn contacts_of_a_phone_that_has_proved_who_it_is() {
    let cases = [
        ("sip:user@example.com?Route=%3Csip:sip.example.com%3E", 400, ""),
        ("sip:+19725552222@gw1.example.net;unknownparam", 200, "<sip:+19725552222@gw1.example.net>"),
        (
            "<sip:+19725552222@gw1.example.net;unknownparam>",
            200,
            "<sip:+19725552222@gw1.example.net;unknownparam>",
        ),
        (
            "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>",
            200,
            "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>",
        ),
    ];
    for (contact, status, bound) in cases {
        let mut rig = Rig::new();
        let contact = format!("Contact: {contact}\n");
        rig.udp(PHONE, &register(None, 1, 0, &contact));
        let challenge = rig.one(401);
        rig.udp(PHONE, &register(Some(&challenge), 2, 1, &contact));
        let sent = rig.one(status);
        let answered = sent.message.value("Contact").unwrap_or_default();
        assert_eq!(answered, if bound.is_empty() { String::new() } else { format!("{bound};expires=300") });
    }
}
