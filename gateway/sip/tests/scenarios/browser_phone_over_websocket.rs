//! A browser's phone (RFC 7118): its Via and Contact say `….invalid`, so everything goes over its own connection.

use gateway_sip::{
    ConnectionId, EndpointConfig, Event, Input, Invitation, LocalAddress, Path, Target, Transport,
};

use crate::{rig::*, timers::answer_to};

const BROWSER: &str = "203.0.113.77:51000";
const CONTACT: &str = "Contact: <sip:f81d4fae@df7jal23ls0d.invalid;transport=ws>\n";

fn websocket() -> EndpointConfig {
    let mut config = config();
    for transport in [Transport::Ws, Transport::Wss] {
        config.local.push(LocalAddress {
            transport,
            listen: address("192.0.2.1:8088"),
            external: Some("gw.test:8088".into()),
        });
    }
    config
}

fn over(transport: &str, text: &str) -> String {
    text.replace("SIP/2.0/UDP 10.0.0.5:5060", &format!("SIP/2.0/{transport} df7jal23ls0d.invalid"))
}

fn registered(transport: Transport) -> Rig {
    let mut rig = Rig::with(websocket());
    let token = transport.as_str();
    rig.open_as(5, BROWSER, transport);
    rig.tcp(5, &over(token, &register(None, 1, 0, CONTACT)));
    let challenge = rig.one(401);
    assert_eq!(challenge.path, Path::Stream { connection: ConnectionId(5) });
    rig.tcp(5, &over(token, &register(Some(&challenge), 2, 1, CONTACT)));
    let granted = rig.one(200);
    assert!(granted.header("Contact").contains(".invalid;transport=ws"), "{}", granted.header("Contact"));
    rig.events();
    rig
}

fn call(rig: &mut Rig) -> gateway_sip::CallHandle {
    let target = Target::Agent("1001");
    let invitation = Invitation { target, caller_user: "1", sdp: SDP, ..Invitation::default() };
    rig.endpoint.invite(rig.now, invitation).unwrap()
}

#[test]
fn it_is_called_over_its_own_connection() {
    for (transport, via) in [(Transport::Ws, "SIP/2.0/WS "), (Transport::Wss, "SIP/2.0/WSS ")] {
        let mut rig = registered(transport);
        let call = call(&mut rig);
        let request = rig.sent().remove(0);
        assert_eq!(request.path, Path::Stream { connection: ConnectionId(5) });
        assert!(request.header("Via").starts_with(via), "{}", request.header("Via"));
        assert_eq!(request.header("Contact"), "<sip:gw.test:8088;transport=ws>");
        assert_eq!(request.message.request_uri(), "sip:f81d4fae@df7jal23ls0d.invalid;transport=ws");
        rig.tcp(5, &answer_to(&request, 200, "b", CONTACT, SDP));
        assert_eq!(rig.said(), ["ACK"]);
        rig.endpoint.hang_up(rig.now, call, None);
        let bye = rig.sent().remove(0);
        assert_eq!((bye.method(), bye.path), ("BYE", Path::Stream { connection: ConnectionId(5) }));
        assert!(!rig.events().iter().any(|event| matches!(event, Event::Connect { .. })));
    }
}

#[test]
fn its_messages_need_no_content_length_and_a_bad_one_harms_nobody() {
    let mut rig = registered(Transport::Ws);
    let options = over("WS", &register(None, 9, 0, "")).replace("Content-Length: 0\n", "");
    rig.tcp(5, "this is no SIP\n\n");
    rig.tcp(5, &options);
    assert_eq!(rig.said(), ["401"]);
    assert_eq!(rig.heard(), [format!("Refused({BROWSER}, not-sip)")]);
    rig.tcp(5, "\n\n");
    assert_eq!(rig.sent().remove(0).bytes, b"\r\n", "the keep-alive of RFC 5626 is answered");
}

#[test]
fn when_the_page_is_reloaded_nobody_connects_to_the_browser() {
    let mut rig = registered(Transport::Ws);
    let call = call(&mut rig);
    let request = rig.sent().remove(0);
    rig.tcp(5, &answer_to(&request, 200, "b", CONTACT, SDP));
    rig.events();
    rig.close(5);
    rig.endpoint.hang_up(rig.now, call, None);
    let heard = rig.heard();
    assert!(!heard.iter().any(|event| event.starts_with("Connect")), "{heard:?}");
    rig.assert_nothing_left();
}

#[test]
fn a_page_reloaded_during_a_call_is_found_on_its_new_connection() {
    let mut rig = registered(Transport::Ws);
    let call = call(&mut rig);
    let request = rig.sent().remove(0);
    rig.tcp(5, &answer_to(&request, 200, "b", CONTACT, SDP));
    rig.close(5);
    rig.open_as(6, BROWSER, Transport::Ws);
    rig.tcp(6, &over("WS", &register(None, 3, 0, CONTACT)));
    let challenge = rig.sent().into_iter().find(|sent| sent.status() == 401).unwrap();
    rig.tcp(6, &over("WS", &register(Some(&challenge), 4, 1, CONTACT)));
    rig.sent();
    rig.endpoint.hang_up(rig.now, call, None);
    let bye = rig.sent().remove(0);
    assert_eq!((bye.method(), bye.path), ("BYE", Path::Stream { connection: ConnectionId(6) }));
}

#[test]
fn a_websocket_from_a_stranger_is_closed() {
    let mut rig = Rig::with(websocket());
    let (connection, remote) = (ConnectionId(8), address(STRANGER));
    let (local, transport) = (address("192.0.2.1:8088"), Transport::Wss);
    rig.endpoint.handle_input(rig.now, Input::StreamOpened { connection, local, remote, transport });
    assert_eq!(rig.heard(), [format!("Refused({STRANGER}, unknown-source)"), "Disconnect(8)".to_owned()]);
}
