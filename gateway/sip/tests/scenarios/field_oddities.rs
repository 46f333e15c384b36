//! What peers really send, against every rule: each file is one departure from a plain INVITE, or no SIP at all.
//! A call is lost only where nobody could say what the peer meant.

use gateway_sip::{Event, message::Message};

use crate::{
    fixture::{self, Outcome, Outcome::*},
    rig::*,
};

const TABLE: [(&str, Outcome); 66] = [
    ("ack-of-nothing", Nothing),
    ("anonymous-with-asserted-identity", Call),
    ("cancel-of-nothing", Status(481)),
    ("compact-forms", Call),
    ("contact-star", Status(400)),
    ("contact-tel", Status(400)),
    ("contact-twice", Call),
    ("content-length-in-hex", Status(400)),
    ("content-length-too-large", Status(400)),
    ("content-length-too-small", Call),
    ("content-length-twice-alike", Status(400)),
    ("content-length-with-a-sign", Status(400)),
    ("cseq-method-in-lower-case", Status(400)),
    ("cseq-negative", Status(400)),
    ("cseq-of-another-method", Status(400)),
    ("cseq-of-two-to-the-31", Status(400)),
    ("cseq-without-number", Status(400)),
    ("cut-off-after-the-headers", Status(400)),
    ("cut-off-within-the-headers", Silent("mandatory-header-missing")),
    ("folded-headers", Call),
    ("from-with-two-tags", Call),
    ("from-without-tag", Call),
    ("gbk-display-name", Call),
    ("gbk-display-name-ending-in-backslash", Call),
    ("gbk-display-name-unquoted", Call),
    ("header-name-in-chinese", Status(400)),
    ("header-of-fifty-thousand-bytes", Call),
    ("header-value-in-chinese", Call),
    ("header-without-name", Status(400)),
    ("history-and-diversion-broken-off", Call),
    ("http-request", Silent("not-sip")),
    ("info-outside-a-call", Status(481)),
    ("line-ends-before-the-message", Call),
    ("multipart-without-boundary", Status(415)),
    ("no-contact", Status(400)),
    ("no-content-length", Call),
    ("no-max-forwards", Call),
    ("no-space-after-the-colon", Call),
    ("nonsense-in-optional-headers", Call),
    ("notify-nobody-asked-for", Status(489)),
    ("notify-of-no-dialog", Status(481)),
    ("nul-in-a-header", Call),
    ("nul-in-the-call-id", Status(400)),
    ("nuls-after-the-body", Call),
    ("only-a-request-line", Silent("no-via")),
    ("prack-of-nothing", Status(481)),
    ("rtp-packet", Silent("not-sip")),
    ("sdp-announced-none-sent", Call),
    ("sdp-announced-picture-sent", Call),
    ("space-in-a-header-name", Status(400)),
    ("stun-binding-request", Silent("not-sip")),
    ("subscribe-with-a-long-event", Status(489)),
    ("tel-request-uri", Call),
    ("tel-with-a-space", Status(400)),
    ("tls-client-hello", Silent("not-sip")),
    ("to-empty", Silent("mandatory-header-missing")),
    ("to-without-scheme", Status(400)),
    ("unterminated-quote-in-an-unread-header", Call),
    ("version-in-lower-case", Call),
    ("via-branch-quoted", Call),
    ("via-lies-about-received", Call),
    ("via-port-too-large", Silent("no-via")),
    ("via-transport-in-lower-case", Call),
    ("via-twice-the-same", Call),
    ("via-without-host", Silent("no-via")),
    ("vias-on-one-line", Call),
];

#[test]
fn odd_messages_come_to_what_the_table_says() {
    fixture::check("field", config, fixture::sender, &TABLE);
}

fn incoming(name: &str) -> Box<gateway_sip::IncomingInvite> {
    let mut rig = Rig::new();
    rig.udp_bytes(CARRIER, &fixture::read("field", name));
    let found = rig.events().into_iter().find_map(|event| match event {
        Event::Incoming { invite, .. } => Some(invite),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{name} is no call"))
}

#[test]
fn the_number_is_read_in_spite_of_the_name() {
    let names = [
        "gbk-display-name",
        "gbk-display-name-ending-in-backslash",
        "gbk-display-name-unquoted",
        "folded-headers",
        "compact-forms",
    ];
    for name in names {
        assert_eq!(incoming(name).from_uri, "sip:13900000000@carrier.test", "{name}");
        assert!(incoming(name).sdp.is_some(), "{name}");
    }
    let invite = incoming("tel-request-uri");
    assert_eq!(invite.request_uri, "tel:12345;phone-context=+86471");
    assert_eq!(invite.from_uri, "tel:+8613900000000");
    let invite = incoming("anonymous-with-asserted-identity");
    assert_eq!(invite.identity.asserted.len(), 2);
    assert_eq!(invite.identity.asserted[0].user(), Some("+8613911112222"));
}

#[test]
fn a_body_ends_where_it_says_it_ends() {
    assert_eq!(Message::parse(&fixture::read("field", "content-length-too-small")).unwrap().body, b"v");
    let whole = Message::parse(&fixture::read("field", "nuls-after-the-body")).unwrap();
    assert!(whole.body.ends_with(b"telephone-event/8000\r\n"));
}

#[test]
fn an_answer_goes_where_the_packet_came_from_whatever_the_via_says() {
    let mut rig = Rig::new();
    rig.udp_bytes("198.51.100.7:39999", &fixture::read("field", "via-lies-about-received"));
    let sent = rig.one(100);
    assert_eq!(
        sent.header("Via"),
        "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKfield;received=198.51.100.7;rport=39999"
    );
}
