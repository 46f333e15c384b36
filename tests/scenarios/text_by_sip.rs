//! A citizen writes instead of speaking, and the carrier brings it by SIP (RFC 3428): a record, on disk before the carrier
//! hears "taken". What is written during a call stands with that call.

use std::net::{IpAddr, Ipv4Addr};

use e2e::sip::RawSip;
use e2e::{Rig, Settings};

use crate::people::CALLER;

const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A request of the usual caller that carries `text`.
fn message(head: &str, kind: &str, text: &str) -> String {
    format!("{head}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

fn head(call_id: &str, to_tag: &str, number: u32) -> String {
    format!(
        "MESSAGE sip:12345@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKm{call_id}{number};rport\r\n\
         From: <sip:{CALLER}@carrier.example>;tag=t{call_id}\r\nTo: <sip:12345@127.0.0.1>{to_tag}\r\n\
         Call-ID: {call_id}\r\nCSeq: {number} MESSAGE\r\nMax-Forwards: 70\r\n\
         P-Asserted-Identity: <sip:+86{CALLER}@carrier.example>\r\n"
    )
}

/// The final answer to the request with this CSeq.
async fn answer(carrier: &RawSip, cseq: &str) -> String {
    loop {
        let message = carrier.receive().await;
        if message.contains(&format!("CSeq: {cseq}\r\n")) && !message.starts_with("SIP/2.0 1") {
            return message;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_is_a_record_when_the_carrier_hears_that_it_was_taken() {
    let rig = Rig::start(Settings::default()).await;
    let carrier = RawSip::bind(CARRIER, rig.sip()).await;
    let wire = message(&head("written", "", 1), "text/plain;charset=UTF-8", "路灯不亮");
    carrier.send(wire.as_bytes()).await;
    assert!(answer(&carrier, "1 MESSAGE").await.starts_with("SIP/2.0 200"));
    // Its sender did not hear that and says it again, as a new transaction.
    carrier.send(wire.replace("z9hG4bKm", "z9hG4bKn").as_bytes()).await;
    assert!(answer(&carrier, "1 MESSAGE").await.starts_with("SIP/2.0 200"));
    let page = message(&head("page", "", 2), "text/html", "<p>");
    carrier.send(page.as_bytes()).await;
    let refused = answer(&carrier, "2 MESSAGE").await;
    assert!(refused.starts_with("SIP/2.0 415") && refused.contains("Accept: text/plain"), "{refused}");

    let record = rig.record("the text's record", |record| record["channel"]["code"] == "sms").await;
    assert_eq!(record["request"]["text"], "路灯不亮");
    assert_eq!(record["messages"][0]["text"], "路灯不亮");
    assert_eq!(
        (&record["channel"]["medium"], &record["channel"]["account"]),
        (&"text".into(), &"12345".into())
    );
    let phone = &record["reporter"]["phones"][0];
    assert_eq!(phone["e164"], format!("+86{CALLER}"));
    assert_eq!(phone["trust"], "network_asserted");
    assert_eq!(rig.records().len(), 1, "told twice, kept once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_during_a_call_stands_in_the_calls_record() {
    let rig = Rig::start(Settings::default()).await;
    let carrier = RawSip::bind(CARRIER, rig.sip()).await;
    let invite = carrier.invite("spoken");
    carrier.send(invite.as_bytes()).await;
    let answered = answer(&carrier, "1 INVITE").await;
    let tag = answered.lines().find(|line| line.starts_with("To:")).and_then(|line| line.split_once(";tag="));
    let to_tag = format!(";tag={}", tag.expect("a tag").1);
    let (ack, _) = invite.split_once("Content-Type").expect("a body");
    let to = ack.lines().find(|line| line.starts_with("To:")).expect("a To");
    let ack =
        ack.replace("INVITE", "ACK").replace("z9hG4bK", "z9hG4bKa").replace(to, &format!("{to}{to_tag}"));
    carrier.send(format!("{ack}Content-Length: 0\r\n\r\n").as_bytes()).await;

    carrier.send(message(&head("spoken", &to_tag, 2), "text/plain", "门牌 12 号").as_bytes()).await;
    assert!(answer(&carrier, "2 MESSAGE").await.starts_with("SIP/2.0 200"));
    let bye = head("spoken", &to_tag, 3).replace("MESSAGE", "BYE") + "Content-Length: 0\r\n\r\n";
    carrier.send(bye.as_bytes()).await;
    assert!(answer(&carrier, "3 BYE").await.starts_with("SIP/2.0 200"));
    let record = rig.record("the call's record", |record| record["channel"]["code"] == "voice").await;
    assert_eq!(record["messages"][0]["text"], "门牌 12 号");
    assert_eq!(rig.records().len(), 1);
}
