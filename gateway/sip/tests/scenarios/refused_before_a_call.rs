//! Who may ask what, and the refusals of RFC 3261 §8.2 in their order.

use gateway_sip::{Event, Path};

use crate::rig::*;

fn ask(edit: impl Fn(String) -> String, ask: Ask<'_>) -> Rig {
    let mut rig = Rig::new();
    rig.udp(CARRIER, &edit(ask.text()));
    rig
}

#[test]
fn strangers_get_no_answer_whatever_they_say() {
    let mut rig = Rig::new();
    for method in ["INVITE", "OPTIONS", "REGISTER", "BYE", "FOO"] {
        rig.udp(STRANGER, &Ask { method, ..Ask::default() }.text());
    }
    rig.udp(STRANGER, "garbage");
    rig.udp(STRANGER, "SIP/2.0 200 OK\n\n");
    assert!(rig.sent().is_empty());
    let heard = rig.heard();
    assert_eq!(heard.len(), 7);
    assert!(heard.iter().all(|event| event.starts_with(&format!("Refused({STRANGER}, "))), "{heard:?}");
    assert_eq!(rig.endpoint.counts(), gateway_sip::Counts::default());
}

#[test]
fn phones_may_not_send_calls_nor_carriers_register() {
    let mut rig = Rig::new();
    rig.udp(PHONE, &Ask::default().text());
    rig.udp(CARRIER, &register(None, 1, 0, ""));
    assert!(rig.sent().is_empty());
    assert_eq!(
        rig.heard(),
        [
            format!("Refused({PHONE}, not-from-a-trunk)"),
            format!("Refused({CARRIER}, register-outside-agent-networks)")
        ]
    );
}

#[test]
fn a_source_may_be_trunk_and_agent_network_at_once() {
    let mut settings = config();
    settings.agent_networks.push("198.51.100.0/24".parse().unwrap());
    let mut rig = Rig::with(settings);
    rig.udp(CARRIER, &Ask::default().text());
    rig.udp(CARRIER, &register(None, 1, 0, ""));
    assert_eq!(rig.said(), ["100", "401"]);
}

#[test]
fn options_is_answered_with_what_we_can_do() {
    let mut rig = ask(|text| text, Ask { method: "OPTIONS", ..Ask::default() });
    let sent = rig.one(200);
    assert_eq!(
        sent.header("Allow"),
        "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY, MESSAGE, REGISTER"
    );
    assert_eq!(sent.header("Accept"), "application/sdp, multipart/mixed");
    assert_eq!(sent.header("Supported"), "100rel, timer, replaces, norefersub");
    assert_eq!(sent.header("Server"), "jiesu-test");
    assert_eq!(sent.header("Contact"), "<sip:gw.test:5060>");
    assert!(!to_tag(&sent).is_empty());
    assert_eq!(rig.endpoint.counts(), gateway_sip::Counts::default());
}

#[test]
fn refusals_say_what_is_missing() {
    let cases: [(u16, &str, &str, Ask<'_>); 9] = [
        (
            405,
            "Allow",
            "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY, MESSAGE, REGISTER",
            Ask { method: "PUBLISH", ..Ask::default() },
        ),
        (
            501,
            "Allow",
            "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY, MESSAGE, REGISTER",
            Ask { method: "invite", ..Ask::default() },
        ),
        (501, "Server", "jiesu-test", Ask { method: "NEWMETHOD", ..Ask::default() }),
        (
            420,
            "Unsupported",
            "path, foo",
            Ask { extra: "Require: path, 100rel\nRequire: foo\n", ..Ask::default() },
        ),
        (400, "Server", "jiesu-test", Ask { extra: "CSeq: 2 INVITE\n", ..Ask::default() }),
        (400, "Server", "jiesu-test", Ask { extra: "no colon here\n", ..Ask::default() }),
        (481, "Server", "jiesu-test", Ask { to_tag: "gone", ..Ask::default() }),
        (
            415,
            "Accept",
            "application/sdp, multipart/mixed",
            Ask { extra: "Content-Type: text/plain\n", ..Ask::default() },
        ),
        (
            415,
            "Accept",
            "application/sdp, multipart/mixed",
            Ask { extra: "Content-Encoding: gzip\n", body: "zz", ..Ask::default() },
        ),
    ];
    for (status, header, value, request) in cases {
        let mut rig = ask(
            |text| {
                if status == 415 {
                    text.replace("Content-Length: 0\r\n", "")
                        .replace("Content-Length: 0\n\n", "Content-Length: 2\n\nhi")
                } else {
                    text
                }
            },
            request,
        );
        let sent = rig.one(status);
        assert_eq!(sent.header(header), value);
        assert!(!to_tag(&sent).is_empty());
        assert_eq!(rig.endpoint.counts(), gateway_sip::Counts::default());
    }
}

#[test]
fn edits_that_are_refused() {
    let cases: [(u16, &str, &str); 9] = [
        (483, "Max-Forwards: 70", "Max-Forwards: 0"),
        (400, "Max-Forwards: 70", "Max-Forwards: -1"),
        (400, "CSeq: 1 INVITE", "CSeq: 1 BYE"),
        (400, "CSeq: 1 INVITE", "CSeq: 4294967296 INVITE"),
        (400, "Content-Length: 0", "Content-Length: 1"),
        (400, "From: <sip:13900000000@carrier.test>", "From: <sip:13900000000@carrier.test"),
        (400, "Contact: <sip:198.51.100.7:5060>\n", ""),
        (416, "INVITE sip:12345@gw.test", "INVITE mailto:12345@gw.test"),
        (505, "gw.test SIP/2.0", "gw.test SIP/7.0"),
    ];
    for (status, from, to) in cases {
        let mut rig = ask(|text| text.replacen(from, to, 1), Ask::default());
        assert_eq!(rig.said(), [status.to_string()], "{to}");
        assert_eq!(rig.endpoint.counts(), gateway_sip::Counts::default());
    }
}

#[test]
fn what_cannot_be_answered_is_told_and_dropped() {
    for (header, rule) in
        [("Via", "no-via"), ("From", "mandatory-header-missing"), ("Call-ID", "mandatory-header-missing")]
    {
        let mut rig = ask(|text| text.replacen(&format!("\n{header}:"), "\nX-Gone:", 1), Ask::default());
        assert!(rig.sent().is_empty());
        assert_eq!(rig.heard(), [format!("Refused({CARRIER}, {rule})")]);
    }
    let mut rig = Rig::new();
    rig.udp(CARRIER, "\n\n");
    rig.udp(CARRIER, "hello\n\n");
    rig.udp_bytes(CARRIER, &[b'x'; 65_537]);
    assert!(rig.sent().is_empty());
    assert_eq!(
        rig.heard(),
        [format!("Refused({CARRIER}, not-sip)"), format!("Refused({CARRIER}, too-large)")]
    );
}

#[test]
fn the_layer_above_hears_who_calls_and_debug_hides_it() {
    let mut rig = Rig::new();
    let extra = "P-Asserted-Identity: <tel:+8613911112222>\nHistory-Info: <sip:12319@gw.test?Reason=SIP%3Bcause%3D302>;index=1\n\
                 Diversion: <sip:12319@gw.test>;reason=unconditional\nSession-ID: 0123456789abcdef0123456789abcdef\nUser-Agent: ims\n";
    let text = Ask { extra, body: SDP, ..Ask::default() }
        .text()
        .replace("From: <sip:13900000000", "From: \"张三\" <sip:13900000000");
    rig.udp(CARRIER, &text);
    let events = rig.events();
    let Event::Incoming { invite, .. } = &events[0] else { panic!() };
    assert_eq!(
        (invite.trunk.as_str(), invite.call_id.as_str(), invite.remote),
        ("carrier", "c1@carrier.test", address(CARRIER))
    );
    assert_eq!(invite.request_uri, "sip:12345@gw.test");
    assert_eq!(invite.from_uri, "sip:13900000000@carrier.test");
    assert_eq!(invite.from_display.as_deref(), Some("张三"));
    assert_eq!(invite.identity.asserted[0].user(), Some("+8613911112222"));
    assert_eq!(invite.history[0].user.as_deref(), Some("12319"));
    assert_eq!(invite.diversion[0].user.as_deref(), Some("12319"));
    assert_eq!(invite.session_id.as_deref(), Some("0123456789abcdef0123456789abcdef"));
    assert_eq!(invite.sdp.as_deref(), Some(SDP));
    let shown = format!("{:?}", events[0]);
    for secret in ["139", "张三", "12319", "c1@"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_description_in_a_multipart_is_found() {
    let mut rig = Rig::new();
    let body = format!(
        "--b1\r\nContent-Type: application/ISUP\r\n\r\n\x01\x10\r\n--b1\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b1--\r\n"
    );
    let text = Ask { body: &body, ..Ask::default() }
        .text()
        .replace("application/sdp\nContent-Length", "multipart/mixed;boundary=\"b1\"\nContent-Length");
    rig.udp_bytes(CARRIER, text.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes());
    let events = rig.events();
    let Event::Incoming { invite, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(invite.sdp.as_deref().map(str::trim_end), Some(SDP.trim_end()));
    assert_eq!(rig.one(100).path, Path::Udp { local: address(HERE), remote: address(CARRIER) });
}
