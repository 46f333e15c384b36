//! Bytes nobody should send: refused, counted, survived; and a good call or message right after is served.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use e2e::sip::RawSip;
use e2e::sipp::Sipp;
use e2e::wechat::ACCOUNT;
use e2e::{Rig, Settings, audio, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::people::{agent, and_silence, caller, hang_up};

/// A reproducible stream of numbers (xorshift), so that a found case can be run again.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    /// The text with a few bytes changed, cut out or doubled.
    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.next(6) {
            let at = self.next(bytes.len().max(1));
            match self.next(4) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] = self.next(256) as u8,
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.splice(at.min(bytes.len())..at.min(bytes.len()), *b"\xff\x00;\r\n").for_each(drop),
            }
        }
        bytes
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_damaged_messages_are_survived() {
    let mut rig = Rig::start(Settings::default().call("notice = false").sections(&ACCOUNT.section())).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;
    let mut random = Random(0x5eed_0123_4567_89ab);
    let sip = RawSip::bind(IpAddr::V4(Ipv4Addr::LOCALHOST), rig.sip()).await;
    for i in 0..3_000 {
        let method = ["OPTIONS", "BYE", "CANCEL", "REGISTER", "ACK", "INVITE"][random.next(6)];
        let good = sip.invite(&format!("bad{i}")).replace("INVITE", method);
        // One INVITE in many stays whole enough to be a call; those are ended by the receive timeout or here.
        let bad = random.mutate(good.as_bytes());
        sip.send(&bad).await;
        while sip.arrived().is_some() {}
    }
    for length in [0usize, 1, 3, 1_400, 60_000] {
        sip.send(&vec![0xff; length]).await;
        sip.send(&vec![b'\n'; length]).await;
    }
    // A stream that never ends its headers, and one whose length lies.
    for start in [
        "INVITE sip:12345@x SIP/2.0\r\nX: ",
        "INVITE sip:12345@x SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(rig.sip()).await.unwrap();
        let _ = stream.write_all(start.as_bytes()).await;
        let _ = stream.write_all(&vec![b'a'; 1 << 20]).await;
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(e2e::PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "a stream that cannot be framed is closed");
    }
    // RTP and RTCP into every port there is.
    let noise = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for offset in e2e::ports::RTP[0]..=e2e::ports::RTP[1] {
        for length in [0usize, 1, 11, 12, 13, 172, 2_000, 9_000] {
            let packet: Vec<u8> = (0..length).map(|_| random.next(256) as u8).collect();
            noise.send_to(&packet, rig.ports.address(offset)).unwrap();
        }
    }
    // Webhooks: well signed nonsense, badly signed nonsense, deep XML.
    let deep = format!("<xml>{}</xml>", "<a>".repeat(5_000));
    for body in [String::new(), "{".into(), "[".repeat(50_000), deep, "<xml><Encrypt>x".into()] {
        let mut delivery = ACCOUNT.seal(&body);
        assert!(rig.deliver(&ACCOUNT, &delivery).await.0 < 500, "sealed nonsense is acknowledged or refused");
        delivery.body = body;
        let (status, _) = rig.deliver(&ACCOUNT, &delivery).await;
        assert!((400..500).contains(&status), "{status}");
    }
    assert!(rig.metric("jiesu_channel_refused_total", "wechat_mp").await > 0.0);
    let refused =
        rig.metric("jiesu_sip_dropped_total", "").await + rig.metric("jiesu_sip_refused_total", "").await;
    assert!(refused > 0.0, "damaged SIP is counted:\n{}", rig.metrics().await);

    // Whatever became a call among them is over before the good one.
    eventually("the leftovers to be over", async || {
        (rig.api("/api/v1/queues").await["calls"] == 0).then_some(())
    })
    .await;
    while agent.next_event().is_some() {}
    rig.agents_free(1).await;
    let sipp = Sipp::start(&caller(&rig));
    agent.event("CALL_ESTABLISHED").await;
    hang_up(&rig, sipp).await;
    assert_eq!(rig.deliver(&ACCOUNT, &ACCOUNT.text("oUser", 1, "一")).await.0, 200);
    rig.record("the good message's record", |record| record["messages"][0]["id"] == "1").await;
    assert!(rig.is_alive());
    let log = rig.log();
    assert!(!log.contains("panicked"), "{log}");
}
