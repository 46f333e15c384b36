//! A carrier moves a call's sound by a re-INVITE without a description: it wants our offer and answers it in the ACK
//! (RFC 3264 section 4, third-party call control). From then on we send to where that answer says.

use std::net::IpAddr;

use e2e::sip::RawSip;
use e2e::{PATIENCE, Rig, Settings};
use tokio::net::UdpSocket;

const CARRIER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The 2xx to the request with this CSeq number.
async fn accepted(carrier: &RawSip, number: u32) -> String {
    loop {
        let message = carrier.receive().await;
        if message.starts_with("SIP/2.0 2") && message.contains(&format!("CSeq: {number} ")) {
            return message;
        }
        assert!(message.starts_with("SIP/2.0 1") || message.contains(" 200 OK"), "{message}");
    }
}

/// A socket for sound, and where it is.
async fn ear() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind((CARRIER, 0)).await.expect("any port of this machine");
    let port = socket.local_addr().expect("bound").port();
    (socket, port)
}

async fn hears(ear: &UdpSocket) {
    let mut buffer = [0; 2_048];
    let heard = tokio::time::timeout(PATIENCE, ear.recv(&mut buffer)).await;
    let length = heard.expect("sound is sent here").expect("loopback delivers");
    assert_eq!(buffer[0] >> 6, 2, "RTP");
    assert!(length > 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_goes_where_the_ack_says() {
    let rig = Rig::start(Settings::default()).await;
    let carrier = RawSip::bind(CARRIER, rig.sip()).await;
    let ((first, first_port), (second, second_port)) = (ear().await, ear().await);
    let invite = carrier.invite("moved").replace("m=audio 9 ", &format!("m=audio {first_port} "));
    let (head, sdp) = invite.split_once("\r\n\r\n").expect("a body");
    let with = |sdp: &str, head: &str| {
        let head: Vec<&str> = head.lines().filter(|line| !line.starts_with("Content-")).collect();
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!("{}\r\n{kind}Content-Length: {}\r\n\r\n{sdp}", head.join("\r\n"), sdp.len())
    };
    carrier.send(with(sdp, head).as_bytes()).await;
    let answer = accepted(&carrier, 1).await;
    let to = answer.lines().find(|line| line.starts_with("To:")).expect("a To");
    let inside = |method: &str, number: u32| {
        let lines = head.lines().map(|line| if line.starts_with("To:") { to } else { line });
        let head = lines.collect::<Vec<_>>().join("\r\n");
        let branch = format!("z9hG4bK{method}{number}");
        head.replace("INVITE", method)
            .replace("CSeq: 1", &format!("CSeq: {number}"))
            .replace("z9hG4bK", &branch)
    };
    carrier.send(with("", &inside("ACK", 1)).as_bytes()).await;
    hears(&first).await;

    carrier.send(with("", &inside("INVITE", 2)).as_bytes()).await;
    let offer = accepted(&carrier, 2).await;
    assert!(offer.contains("m=audio "), "{offer}");
    let moved = sdp.replace(&format!("m=audio {first_port} "), &format!("m=audio {second_port} "));
    carrier.send(with(&moved, &inside("ACK", 2)).as_bytes()).await;
    hears(&second).await;
}
