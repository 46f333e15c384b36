//! A carrier on a network of its own reaches us under another address than everybody else: it is told that one in every
//! description of sound, whoever began the call, and what it sends there is heard.

use e2e::sip::RawSip;
use e2e::{Rig, Settings};
use serde_json::json;
use tokio::net::UdpSocket;

use crate::people::{CALLER, agent, and_silence};

/// The carrier, the number of a line kept silent, and our address in the carrier's network.
const ABROAD: &str = r#"
[[trunks]]
name = "abroad"
from = ["127.0.0.7/32"]
gateways = [{ address = "127.0.0.1:{phone 1}" }]
health = { probe_every = "0s" }
external_address = "127.0.0.9"
[[call.flows]]
numbers = ["100"]
then = "hold"
intake = false
"#;

async fn rig() -> Rig {
    let settings = Settings { trunk_from: "127.0.0.6/32".into(), ..Settings::default() };
    Rig::start(settings.sections(ABROAD)).await
}

/// The next final answer.
async fn answer(peer: &RawSip) -> String {
    loop {
        let message = peer.receive().await;
        if message.starts_with("SIP/2.0 2") {
            return message;
        }
        assert!(message.starts_with("SIP/2.0 1"), "{message}");
    }
}

fn where_sound_goes(message: &str) -> &str {
    let line = message.lines().find_map(|line| line.strip_prefix("c=IN IP4 "));
    line.unwrap_or_else(|| panic!("no description in {message}"))
}

/// The address told in the answer to an INVITE and to a re-INVITE.
async fn told_to(peer: &RawSip, number: &str, call: &str) -> [String; 2] {
    let invite = peer.invite(call).replacen("sip:12345@", &format!("sip:{number}@"), 1);
    peer.send(invite.as_bytes()).await;
    let first = answer(peer).await;
    let to = first.lines().find(|line| line.starts_with("To:")).expect("a To").to_owned();
    let (head, sdp) = invite.split_once("\r\n\r\n").expect("a body");
    let head: Vec<String> =
        head.lines().map(|line| if line.starts_with("To:") { to.clone() } else { line.to_owned() }).collect();
    let head = head.join("\r\n");
    let ack: String = head
        .replace("INVITE", "ACK")
        .replace("z9hG4bK", "z9hG4bKa")
        .lines()
        .filter(|line| !line.starts_with("Content-"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    peer.send(format!("{ack}Content-Length: 0\r\n\r\n").as_bytes()).await;
    let again = head.replace("CSeq: 1", "CSeq: 2").replace("z9hG4bK", "z9hG4bKb");
    peer.send(format!("{again}\r\n\r\n{sdp}").as_bytes()).await;
    let second = loop {
        let second = answer(peer).await;
        if second.contains("CSeq: 2 ") {
            break second;
        }
    };
    [first, second].map(|message| where_sound_goes(&message).to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_that_carrier_is_told_the_other_address_in_calls_it_brings() {
    let rig = rig().await;
    let abroad = RawSip::bind([127, 0, 0, 7].into(), rig.sip()).await;
    let plain = RawSip::bind([127, 0, 0, 6].into(), rig.sip()).await;
    for number in ["12345", "100"] {
        assert_eq!(told_to(&abroad, number, &format!("abroad{number}")).await, ["127.0.0.9", "127.0.0.9"]);
        assert_eq!(told_to(&plain, number, &format!("plain{number}")).await, ["127.0.0.1", "127.0.0.1"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_in_calls_that_go_out_through_it() {
    let rig = rig().await;
    let gateway = UdpSocket::bind(("127.0.0.1", rig.ports.phone(1))).await.expect("a port of this test");
    let mut agent = agent(&rig, &and_silence(Vec::new())).await;
    let wanted = json!({ "agent": "1001", "number": CALLER, "trunk": "abroad" });
    assert_eq!(rig.post("/api/v1/calls", &wanted).await, 202);
    agent.event("CALL_ESTABLISHED").await;
    let mut buffer = vec![0; 4_096];
    let (length, _) = tokio::time::timeout(e2e::PATIENCE, gateway.recv_from(&mut buffer))
        .await
        .expect("the carrier is called")
        .expect("loopback delivers");
    let invite = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(invite.starts_with("INVITE "), "{invite}");
    assert_eq!(where_sound_goes(&invite), "127.0.0.9");
}
