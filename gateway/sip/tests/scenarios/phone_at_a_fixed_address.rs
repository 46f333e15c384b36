//! A phone that registers nowhere is called at its literal address, and may hang up though it is in no network.

use gateway_sip::{
    CallHandle, CommandError, ConnectionId, Event, Input, Invitation, Path, Target, Transport,
};

use crate::{rig::*, timers::answer_to};

const DESK: &str = "233.252.0.40:5070";
const DESK_CONTACT: &str = "Contact: <sip:600@233.252.0.40:5070>\n";

fn call(rig: &mut Rig, uri: &str) -> Result<CallHandle, CommandError> {
    let target = Target::Phone { uri };
    rig.endpoint.invite(rig.now, Invitation { target, caller_user: "1", sdp: SDP, ..Invitation::default() })
}

fn opened(rig: &mut Rig) -> Vec<ConnectionId> {
    let connect = |event| match event {
        Event::Connect { connection, remote, transport: Transport::Tcp, .. } if remote == address(DESK) => {
            Some(connection)
        }
        _ => None,
    };
    rig.events().into_iter().filter_map(connect).collect()
}

#[test]
fn it_is_called_and_may_hang_up_though_it_is_in_no_network() {
    let mut rig = Rig::new();
    let handle = call(&mut rig, "sip:600@233.252.0.40:5070").unwrap();
    let request = rig.sent().remove(0);
    assert_eq!(request.path, Path::Udp { local: address(HERE), remote: address(DESK) });
    assert_eq!(request.message.request_uri(), "sip:600@233.252.0.40:5070");
    assert_eq!(request.header("To"), "<sip:600@233.252.0.40:5070>");
    assert_eq!(rig.endpoint.remote_of(handle), Some(address(DESK)));
    rig.udp(DESK, &answer_to(&request, 200, "d", DESK_CONTACT, SDP));
    assert_eq!(rig.said(), ["ACK"]);
    rig.events();
    let (from, to) = (request.header("From").to_owned(), request.header("To").to_owned());
    let bye = format!(
        "BYE sip:gw.test SIP/2.0\nVia: SIP/2.0/UDP 233.252.0.40:5070;branch=z9hG4bKbye\nMax-Forwards: 70\n\
         From: {to};tag=d\nTo: {from}\nCall-ID: {}\nCSeq: 1 BYE\nContent-Length: 0\n\n",
        request.header("Call-ID")
    );
    rig.udp(DESK, &bye);
    assert_eq!(rig.said(), ["200"]);
    assert_eq!(
        rig.heard(),
        [format!("Ended({}, RemoteHangup {{ q850: None, sip: None }})", handle.as_u64())]
    );
    // With the call its right to speak is over.
    rig.udp(DESK, &bye.replace("z9hG4bKbye", "z9hG4bKlater"));
    assert!(rig.sent().is_empty());
    assert_eq!(rig.heard(), [format!("Refused({DESK}, unknown-source)")]);
    rig.assert_nothing_left();
}

#[test]
fn two_calls_over_tcp_share_one_connection() {
    let mut rig = Rig::new();
    for _ in 0..2 {
        call(&mut rig, "sip:600@233.252.0.40:5070;transport=tcp").unwrap();
    }
    let connections = opened(&mut rig);
    assert_eq!(connections.len(), 1);
    assert!(rig.sent().is_empty(), "held until the connection stands");
    let (connection, local, remote) = (connections[0], address(HERE), address(DESK));
    let transport = Transport::Tcp;
    rig.endpoint.handle_input(rig.now, Input::StreamOpened { connection, local, remote, transport });
    let sent = rig.sent();
    assert_eq!(sent.iter().map(Sent::method).collect::<Vec<_>>(), ["INVITE", "INVITE"]);
    assert!(sent[0].header("Via").starts_with("SIP/2.0/TCP gw.test:5060;"));
    assert_eq!(sent[0].header("Contact"), "<sip:gw.test:5060;transport=tcp>");
    // When it breaks both calls fail at once, and the next call opens another one.
    rig.endpoint.handle_input(rig.now, Input::StreamClosed { connection });
    assert_eq!(rig.heard().iter().filter(|event| event.contains("503")).count(), 2);
    call(&mut rig, "sip:600@233.252.0.40:5070;transport=tcp").unwrap();
    assert_eq!(opened(&mut rig).len(), 1);
}

#[test]
fn what_is_no_literal_sip_address_is_no_target() {
    let mut rig = Rig::new();
    for uri in [
        "",
        "600",
        "tel:600",
        "sip:600@desk.example",
        "sip:600@desk.invalid;transport=ws",
        "sip:600@233.252.0.40;transport=ws",
        "sip:600@233.252.0.40;transport=sctp",
        "sip:600@233.252.0.40>\r\nX: y",
    ] {
        assert_eq!(call(&mut rig, uri), Err(CommandError::BadTarget), "{uri:?}");
    }
    // No listener of that kind: nothing to write into Via and Contact.
    for uri in ["sip:600@[2001:db8::7]", "sips:600@233.252.0.40"] {
        assert_eq!(call(&mut rig, uri), Err(CommandError::NoLocalAddress), "{uri}");
    }
    let target = Target::Trunk { trunk: "carrier", number: "13900000000" };
    let through = rig.endpoint.invite(rig.now, Invitation { target, ..Invitation::default() });
    assert_eq!(through, Err(CommandError::NoGateway));
    assert!(rig.sent().is_empty() && rig.events().is_empty());
}

#[test]
fn privacy_hides_the_caller_in_every_header() {
    let mut rig = Rig::new();
    let invitation = Invitation {
        target: Target::Phone { uri: "sip:600@233.252.0.40:5070" },
        caller_user: "13900000000",
        caller_display: Some("someone"),
        privacy: true,
        replaces: Some("a@b;to-tag=1;from-tag=2"),
        sdp: SDP,
        ..Invitation::default()
    };
    rig.endpoint.invite(rig.now, invitation).unwrap();
    let request = rig.sent().remove(0);
    assert!(request.header("From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="));
    assert_eq!(request.header("Privacy"), "id");
    assert_eq!(
        (request.header("Replaces"), request.header("Require")),
        ("a@b;to-tag=1;from-tag=2", "replaces")
    );
    let text = String::from_utf8_lossy(&request.bytes).into_owned();
    assert!(!text.contains("139") && !text.contains("someone"), "{text}");
}
