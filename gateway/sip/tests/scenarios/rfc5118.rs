//! The IPv6 messages of [RFC 5118](https://www.rfc-editor.org/rfc/rfc5118), told to an endpoint on IPv6.

use gateway_sip::{EndpointConfig, LocalAddress, Path, Transport, message::Message, sdp};

use crate::{
    fixture::{self, Outcome, Outcome::*},
    rig::*,
};

const PEER: &str = "[2001:db8::9:1]:5060";

fn config_v6() -> EndpointConfig {
    let here = |transport| LocalAddress { transport, listen: address("[2001:db8::10]:5060"), external: None };
    let mut settings = config();
    settings.local.extend([here(Transport::Udp), here(Transport::Tcp)]);
    settings.trunks[0].from.push("2001:db8::/32".parse().unwrap());
    settings.agent_networks.push("2001:db8::/32".parse().unwrap());
    settings
}

const TABLE: [(&str, Outcome); 11] = [
    ("4.1-good-reference", Status(401)),
    ("4.2-reference-without-brackets", Status(400)),
    // Legal, if hardly meant: the port is part of the address.
    ("4.3-port-ambiguous", Status(401)),
    ("4.4-port-unambiguous", Status(401)),
    ("4.5-received-with-brackets", Status(481)),
    ("4.5-received-without-brackets", Status(200)),
    ("4.6-addresses-in-sdp", Call),
    ("4.7-two-families-in-headers", Status(481)),
    ("4.8-two-families-in-sdp", Call),
    ("4.9-ipv4-mapped", Call),
    // One colon too many is what the grammar of RFC 3261 asks for by mistake.
    ("4.10-three-colons", Status(200)),
];

#[test]
fn torture_messages_of_ipv6_come_to_what_the_rfc_says() {
    fixture::check("rfc5118", config_v6, |_| PEER, &TABLE);
}

#[test]
fn an_answer_goes_back_over_ipv6_and_tells_the_address_seen() {
    let mut rig = Rig::with(config_v6());
    rig.udp_bytes("[2001:db8::77]:40000", &fixture::read("rfc5118", "4.5-received-without-brackets"));
    let sent = rig.one(200);
    assert!(sent.header("Via").contains("received=2001:db8::77"), "{}", sent.header("Via"));
    assert!(!sent.header("Via").contains("9:255"), "what the peer says of itself is not believed");
    // Without rport the answer goes to the port of the Via, at the address the packet came from.
    assert_eq!(sent.path, Path::Udp { local: address(HERE), remote: address("[2001:db8::77]:5060") });
}

#[test]
fn a_port_within_brackets_is_none() {
    let host = |name: &str| {
        let message = Message::parse(&fixture::read("rfc5118", name)).unwrap();
        let uri = gateway_sip::fields::SipUri::parse(message.request_uri()).unwrap();
        (uri.host.to_owned(), uri.port)
    };
    assert_eq!(host("4.3-port-ambiguous"), ("[2001:db8::10:5070]".to_owned(), None));
    assert_eq!(host("4.4-port-unambiguous"), ("[2001:db8::10]".to_owned(), Some(5070)));
}

#[test]
fn sound_goes_to_the_address_family_its_line_names() {
    let audio = |name: &str| {
        let message = Message::parse(&fixture::read("rfc5118", name)).unwrap();
        let text = String::from_utf8(message.body).unwrap();
        let description = sdp::SessionDescription::parse(&text).unwrap();
        match description.address_of(&description.media[0]).unwrap() {
            sdp::Address::Ip(address) => address.to_canonical().to_string(),
            sdp::Address::Name(name) => panic!("{name} is no address"),
        }
    };
    assert_eq!(audio("4.6-addresses-in-sdp"), "2001:db8::20");
    assert_eq!(audio("4.8-two-families-in-sdp"), "192.0.2.1");
    assert_eq!(audio("4.9-ipv4-mapped"), "192.0.2.2");
}
