//! Where answers go: RFC 3261 §18.2.2 and RFC 3581.

use gateway_sip::Path;

use crate::rig::*;

fn answered(from: &str, via: &str) -> (Path, String) {
    let mut rig = Rig::new();
    let text = Ask { method: "OPTIONS", ..Ask::default() }.text();
    rig.udp(
        from,
        &text.replace("Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKb1", &format!("Via: {via}")),
    );
    let sent = rig.one(200);
    (sent.path, sent.header("Via").to_owned())
}

fn to(remote: &str) -> Path {
    Path::Udp { local: address(HERE), remote: address(remote) }
}

#[test]
fn without_rport_the_port_of_the_via_counts() {
    let (path, via) = answered("198.51.100.7:33333", "SIP/2.0/UDP 198.51.100.7:5080;branch=z9hG4bKx");
    assert_eq!(path, to("198.51.100.7:5080"));
    assert_eq!(via, "SIP/2.0/UDP 198.51.100.7:5080;branch=z9hG4bKx", "nothing asked, nothing added");
    assert_eq!(
        answered("198.51.100.7:33333", "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKx").0,
        to("198.51.100.7:5060")
    );
}

#[test]
fn another_host_in_the_via_is_completed_by_received() {
    let (path, via) =
        answered("198.51.100.9:33333", "SIP/2.0/UDP sbc.carrier.test:5080;branch=z9hG4bKx;received=10.0.0.1");
    assert_eq!(path, to("198.51.100.9:5080"));
    assert_eq!(via, "SIP/2.0/UDP sbc.carrier.test:5080;branch=z9hG4bKx;received=198.51.100.9");
}

#[test]
fn rport_asked_for_is_filled_and_used() {
    let (path, via) = answered("198.51.100.7:33333", "SIP/2.0/UDP 198.51.100.7:5080;rport;branch=z9hG4bKx");
    assert_eq!(path, to("198.51.100.7:33333"));
    assert_eq!(via, "SIP/2.0/UDP 198.51.100.7:5080;branch=z9hG4bKx;received=198.51.100.7;rport=33333");
}

#[test]
fn a_phone_behind_nat_that_does_not_know_rport_is_answered_where_it_is() {
    let (path, _) = answered(PHONE, "SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKx");
    assert_eq!(path, to(PHONE));
    let (path, _) = answered(PHONE, "SIP/2.0/UDP 203.0.113.20:5060;branch=z9hG4bKx");
    assert_eq!(path, to("203.0.113.20:5060"));
}

#[test]
fn all_vias_go_back_in_order_and_only_the_first_is_touched() {
    let mut rig = Rig::new();
    let via = "SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKa , SIP / 2.0 / UDP 10.2.2.2;rport;branch=z9hG4bKb";
    let text =
        Ask { method: "OPTIONS", extra: "v: SIP/2.0/TCP 10.3.3.3;branch=z9hG4bKc\n", ..Ask::default() }
            .text();
    rig.udp(CARRIER, &text.replace("SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKb1", via));
    let sent = rig.one(200);
    let vias: Vec<&str> = sent.message.list("Via").collect();
    assert_eq!(
        vias,
        [
            "SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKa;received=198.51.100.7",
            "SIP / 2.0 / UDP 10.2.2.2;rport;branch=z9hG4bKb",
            "SIP/2.0/TCP 10.3.3.3;branch=z9hG4bKc",
        ]
    );
}
