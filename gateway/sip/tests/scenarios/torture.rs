//! After RFC 4475, in our own words: strange but legal must be understood, illegal must not hurt.

use gateway_sip::{
    Event,
    message::{Message, Method},
};
use proptest::prelude::*;

use crate::rig::*;

fn heard(bytes: &[u8]) -> Rig {
    let mut rig = Rig::new();
    rig.udp_bytes(CARRIER, bytes);
    rig
}

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

const STRANGE: &str = "\n\nINVITE sip:12345@gw.test;unknown=a:b;x SIP/2.0\nTO :\n sip:12345@gw.test ;   x=y\nfrom   : \"A \\\\ \\\"b\\\", <c>\" <sip:1%3A2@carrier.test>\n  ;\n  tag = 98asjd8\n\
MaX-fOrWaRdS: 0068\nCall-ID: strange.1\nContent-Length   : 0\ncseq: 0009\n  INVITE\nVia  : SIP  /   2.0\n /UDP\n    192.0.2.2;rport;branch=z9hG4bK390skdjuw\nSubject :\n\
NewFangledHeader:   newfangled value\n continued newfangled value\nUnknownHeaderWithUnusualValue: ;;,,;;,;\nv:  SIP  / 2.0  / TCP     spindle.test   ;\n branch  =   z9hG4bK9ikj8  ,\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n\
m:\"Quoted string \\\"\\\"\" <sip:jdrosen@198.51.100.7> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\n\n";

#[test]
fn strange_but_legal_is_understood() {
    let mut rig = heard(&crlf(STRANGE));
    let events = rig.events();
    let Event::Incoming { invite, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(invite.from_display.as_deref(), Some("A \\ \"b\", <c>"));
    assert_eq!(invite.from_uri, "sip:1%3A2@carrier.test");
    assert_eq!(invite.to_uri, "sip:12345@gw.test");
    let sent = rig.one(100);
    assert_eq!(sent.message.from_tag(), "98asjd8");
    assert_eq!(sent.message.list("Via").count(), 3);
}

#[test]
fn valid_messages() {
    let base = Ask { body: SDP, ..Ask::default() }.text().replace("\r\n", "\n").replace('\n', "\r\n");
    let edits: [(&str, &str); 12] = [
        ("INVITE sip:12345@gw.test", "INVITE tel:+86-471-12345;phone-context=+86"),
        ("INVITE sip:12345@gw.test", "INVITE sip:12345%23;phone-context=a:b@gw.test;user=phone"),
        ("INVITE sip:12345@gw.test", "INVITE sips:12345@[2001:db8::1]:5061;transport=tls"),
        ("From: <sip:13900000000@carrier.test>", "From: sip:13900000000@carrier.test"),
        ("From: <sip:13900000000@carrier.test>", "f: \"a;tag=no, <x@y>\" <tel:+8613900000000>"),
        ("To: <sip:12345@gw.test>", "t: 热线 <sip:12345@gw.test>"),
        ("Max-Forwards: 70\r\n", ""),
        ("Max-Forwards: 70", "Max-Forwards: 70\r\nX-Empty:\r\nX-Long: 1\r\n\t2"),
        (
            "Contact: <sip:198.51.100.7:5060>",
            "m: \"a, <b>\" <sip:a@198.51.100.7:5060;ob;x=y:z>;expires=3;n=\"y,z\"",
        ),
        ("branch=z9hG4bKb1", "branch=1"),
        ("branch=z9hG4bKb1", "maddr=1.2.3.4;ttl=1;branch=Z9HG4BKb1"),
        ("Content-Type: application/sdp", "c: Application/SDP;charset=utf-8"),
    ];
    for (from, to) in edits {
        let text = base.replacen(from, to, 1);
        assert_ne!(text, base, "{from}");
        let mut rig = heard(text.as_bytes());
        assert_eq!(rig.said(), ["100"], "{to}");
        assert!(matches!(rig.events()[..], [Event::Incoming { .. }]), "{to}");
    }
    let mut rig = heard(base.replace("\r\n", "\n").as_bytes());
    assert_eq!(rig.said().len(), 1, "line feeds alone");
}

#[test]
fn a_name_in_gbk_does_not_lose_the_call() {
    let text = Ask::default().text().replace("From: <", "From: \"NAME\" <").replace('\n', "\r\n");
    let (before, after) = text.split_once("NAME").unwrap();
    let bytes = [before.as_bytes(), &[0xd5, 0xc5, 0xc8, 0xfd], after.as_bytes()].concat();
    let mut rig = heard(&bytes);
    assert_eq!(rig.said(), ["100"]);
    assert!(matches!(rig.events()[..], [Event::Incoming { .. }]));
}

#[test]
fn methods_are_told_apart() {
    let method = |token: &str| {
        Message::parse(format!("{token} sip:a SIP/2.0\r\n\r\n").as_bytes())
            .map(|message| message.method().cloned())
    };
    assert_eq!(method("INVITE"), Ok(Some(Method::Invite)));
    assert_eq!(method("Invite"), Ok(Some(Method::Unknown("Invite".into()))));
    assert_eq!(method("PUBLISH"), Ok(Some(Method::Unserved("PUBLISH".into()))));
    assert_eq!(
        method("!interesting-Method0123456789_*+`.%indeed'~"),
        Ok(Some(Method::Unknown("!interesting-Method0123456789_*+`.%indeed'~".into())))
    );
    for bad in ["", " ", "IN(VITE", "SIP/2.0"] {
        assert!(method(bad).is_err(), "{bad}");
    }
    for status in [
        "SIP/2.0 99 x",
        "SIP/2.0 700 x",
        "SIP/2.0 2000 x",
        "SIP/2.0 2 x",
        "SIP/2.0 -20 x",
        "SIP/2.0  200 x",
        "SIP/2.0 ",
    ] {
        assert!(Message::parse(format!("{status}\r\n\r\n").as_bytes()).is_err(), "{status}");
    }
}

#[test]
fn too_many_headers_are_400_not_memory() {
    let mut rig = heard(&crlf(&Ask { extra: &"X: y\n".repeat(3_000), ..Ask::default() }.text()));
    // From, To and the like stand before them, so it can be answered.
    assert_eq!(rig.said(), ["400"]);
}

#[test]
fn what_is_written_is_read_again() {
    let message = Message::parse(&crlf(STRANGE)).unwrap();
    let again = Message::parse(&message.to_bytes()).unwrap();
    assert_eq!(again.to_bytes(), message.to_bytes());
    // Found by the fuzz target: a continuation of nothing but spaces left a space at the end.
    let message = Message::parse(b"INFO sip:a SIP/2.0\r\nAccept: a,\r\n \r\n\t\r\n b\r\n  \r\n\r\n").unwrap();
    assert_eq!(message.value("Accept"), Some("a, b"));
    let mut request = Message::request(Method::Info, "sip:a@b");
    request.push("X-A", "1\r\nX-B: 2");
    assert!(!String::from_utf8(request.to_bytes()).unwrap().contains("\nX-B"), "no header smuggles another");
}

fn seeds() -> Vec<Vec<u8>> {
    let text = |ask: Ask<'_>| crlf(&ask.text().replace("\r\n", "\n"));
    vec![
        text(Ask {
            body: SDP,
            extra: "Record-Route: <sip:p;lr>\nP-Asserted-Identity: <tel:1>\nHistory-Info: <sip:1@x>;index=1\n",
            ..Ask::default()
        }),
        text(Ask { method: "CANCEL", ..Ask::default() }),
        text(Ask { method: "ACK", ..Ask::default() }),
        text(Ask { method: "BYE", to_tag: "t", cseq: 2, ..Ask::default() }),
        crlf(&register(
            None,
            1,
            0,
            "Contact: *\nExpires: 0\nAuthorization: Digest username=\"1001\", realm=\"hotline.test\", nonce=\"0\", uri=\"sip:x\", response=\"0\"\n",
        )),
        crlf(STRANGE),
        crlf(
            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP gw.test:5060;branch=z9hG4bKb\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\nContact: <sip:e@f>\n\n",
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    /// Bytes changed, cut, doubled: no panic, no malformed answer (the rig checks that), nothing left behind.
    #[test]
    fn mutations_do_no_harm(
        which in 0..7_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..5_u8, prop_oneof![any::<u8>(), prop::sample::select(b"\r\n:;,<>@\"= 0[]%".to_vec())]), 1..12),
        stream in any::<bool>(),
    ) {
        let mut bytes = seeds().swap_remove(which);
        for (at, kind, byte) in edits {
            if bytes.is_empty() { break; }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => { bytes.remove(at); }
                3 => bytes.truncate(at + 1),
                _ => { let tail = bytes[at..].to_vec(); bytes.extend_from_slice(&tail); bytes.truncate(8_000); }
            }
        }
        let mut rig = Rig::new();
        if stream {
            rig.open(1, CARRIER);
            rig.open(2, PHONE);
            for connection in [1, 2] {
                let input = gateway_sip::Input::StreamBytes { connection: gateway_sip::ConnectionId(connection), bytes: &bytes };
                rig.endpoint.handle_input(rig.now, input);
            }
        } else {
            rig.udp_bytes(CARRIER, &bytes);
            rig.udp_bytes(PHONE, &bytes);
        }
        rig.collect();
        for event in rig.events() {
            if let Event::Incoming { call, .. } = event {
                rig.endpoint.answer(rig.now, call, SDP).unwrap();
            }
        }
        rig.assert_nothing_left();
    }
}
