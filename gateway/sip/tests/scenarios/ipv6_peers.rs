//! IPv6 in every place an address stands: with brackets in Via, Contact and Request-URI (RFC 3261 §25.1), without
//! in `received` (its grammar has none; RFC 5118 §4.5).

use gateway_sip::{
    EndpointConfig, GatewayConfig, Input, Invitation, LocalAddress, Path, Target, Transport, TrunkConfig,
    message::Message,
};

use crate::{rig::*, trunk_rig::*};

const OURS: &str = "[2001:db8::1]:5060";
const THEIRS: &str = "[2001:db8:7::7]:5060";

fn six() -> EndpointConfig {
    let mut config = config();
    for transport in [Transport::Udp, Transport::Tcp] {
        config.local.push(LocalAddress { transport, listen: address(OURS), external: None });
    }
    config.trunks.push(TrunkConfig {
        name: "six".into(),
        from: vec!["2001:db8:7::/64".parse().unwrap()],
        gateways: vec![GatewayConfig::new(THEIRS, Transport::Udp)],
        ..TrunkConfig::default()
    });
    config
}

#[test]
fn calls_go_out_from_the_listener_of_their_family() {
    let mut rig = Rig::with(six());
    let target = Target::Trunk { trunk: "six", number: "110" };
    rig.endpoint.invite(rig.now, Invitation { target, sdp: SDP, ..Invitation::default() }).unwrap();
    let sent = rig.sent().remove(0);
    assert_eq!(sent.path, Path::Udp { local: address(OURS), remote: address(THEIRS) });
    assert!(sent.header("Via").starts_with("SIP/2.0/UDP [2001:db8::1]:5060;"), "{}", sent.header("Via"));
    assert_eq!(sent.header("Contact"), "<sip:[2001:db8::1]:5060>");
    assert_eq!(sent.message.request_uri(), "sip:110@[2001:db8:7::7]");
    let uri = "sip:600@[2001:db8:9::9]:5070";
    rig.endpoint
        .invite(rig.now, Invitation { target: Target::Phone { uri }, sdp: SDP, ..Invitation::default() })
        .unwrap();
    assert_eq!(went_to(&rig.sent().remove(0)), "[2001:db8:9::9]:5070");
}

#[test]
fn calls_come_in_and_are_answered_where_they_came_from() {
    let mut rig = Rig::with(six());
    let text = Ask { body: SDP, ..Ask::default() }
        .text()
        .replace("UDP 198.51.100.7:5060", "UDP [2001:db8:7::8]:5060")
        .replace(";branch=z9hG4bKb1", ";rport;branch=z9hG4bKb1")
        .replace("\r\n", "\n")
        .replace('\n', "\r\n");
    let (local, remote) = (address(OURS), address("[2001:db8:7::9]:5099"));
    rig.endpoint.handle_input(rig.now, Input::Datagram { local, remote, bytes: text.as_bytes() });
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let answer = rig.one(200);
    assert_eq!(answer.path, Path::Udp { local, remote });
    assert!(answer.header("Via").contains(";received=2001:db8:7::9;rport=5099"), "{}", answer.header("Via"));
    assert_eq!(answer.header("Contact"), "<sip:[2001:db8::1]:5060>");
    assert!(Message::parse(&answer.bytes).unwrap().via().is_some());
}
