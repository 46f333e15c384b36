//! sipp as it comes, against the gateway as it comes: nothing here was written with our own ideas of SIP in mind.
//! Debian's sipp is built without TLS, that is baresip's part; its `uac_pcap` needs raw sockets and thus root, so
//! sound is sent by `-rtp_echo` here and by `rtp_stream` in `call_sipp_to_baresip.rs`.

use e2e::records::{outcome, recording};
use e2e::sipp::{Protocol, Stock};
use e2e::{Rig, Settings, audio, eventually};
use serde_json::json;

use crate::people::{CALLER, FROM, agent, said_after};

/// A trunk whose gateway is sipp.
const OUTSIDE: &str = r#"
[[trunks]]
name = "outside"
gateways = [{ address = "127.0.0.1:{phone 2}" }]
health = { probe_every = "0s" }
"#;

fn stock<'a>(rig: &Rig, scenario: &'a str, transport: &'a str, calls: u32) -> Stock<'a> {
    Stock {
        port: rig.ports.phone(2),
        gateway: rig.sip(),
        scenario,
        transport,
        calls,
        rate: 10,
        arguments: &["-d", "300"],
    }
}

/// All calls go as sipp expects, each leaves its record, none stays.
async fn goes_well(rig: &Rig, run: Stock<'_>) {
    let before = rig.records().len();
    let calls = usize::try_from(run.calls).expect("a few");
    run.start().succeeded().await;
    let records = rig.records_at_least(before + calls).await;
    assert_eq!(records.len(), before + calls, "one record a call");
    eventually("all calls to be over", async || {
        (rig.api("/api/v1/queues").await["calls"] == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stock_caller_over_datagrams_and_connections() {
    let rig = Rig::start(Settings::default()).await;
    goes_well(&rig, stock(&rig, "uac", "u1", 20)).await;
    // All calls over one connection, and a connection for each.
    goes_well(&rig, stock(&rig, "uac", "t1", 20)).await;
    goes_well(&rig, stock(&rig, "uac", "tn", 20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_twentieth_datagram_is_lost() {
    let rig = Rig::start(Settings::default()).await;
    let run = Stock { arguments: &["-d", "300", "-lost", "5"], ..stock(&rig, "uac", "u1", 40) };
    goes_well(&rig, run).await;
}

/// What the gateway says comes back from sipp, and is on the caller's side of the recording.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stock_caller_sends_sound() {
    let rig = Rig::start(Settings::default()).await;
    let notice = audio::prompt("notice");
    let long = (notice.len() * 1_000 / audio::RATE + 1_500).to_string();
    for transport in ["u1", "t1"] {
        let arguments = ["-d", &long, "-rtp_echo"];
        goes_well(&rig, Stock { arguments: &arguments, ..stock(&rig, "uac", transport, 1) }).await;
    }
    for record in rig.records() {
        let [left, _] = recording(&record);
        audio::assert_heard("the notice, sent back", &notice, &left);
    }
}

/// A third party holds a call with us in each hand and lets us make the first offer: INVITE without a
/// description, our offer in 200, the other call's answer in ACK.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_party_connects_two_calls() {
    let rig = Rig::start(Settings::default()).await;
    let port = rig.ports.phone(3) + 3;
    let control = format!("127.0.0.1:{port}");
    let arguments = ["-3pcc", &control];
    let one = Stock { rate: 1, arguments: &arguments, ..stock(&rig, "3pcc-C-A", "u1", 1) };
    let other = Stock { port: rig.ports.phone(3), scenario: "3pcc-C-B", ..one.clone() };
    // B waits for A's word, so it must listen first.
    let mut b = other.start();
    b.listens(Protocol::Tcp, port).await;
    one.start().succeeded().await;
    b.succeeded().await;
    assert_eq!(rig.records_at_least(2).await.len(), 2, "one record a call");
}

fn xml(body: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"own\">\n{body}</scenario>\n")
}

fn request(method: &str, sequence: u32, to: &str, more: &str) -> String {
    // The same bytes each time they are sent: a branch of sipp's own would differ.
    let branch = format!("z9hG4bK-[pid]-[call_number]-{}", method.to_lowercase());
    format!(
        "{method} sip:12345@[remote_ip]:[remote_port] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}\n\
         From: {FROM};tag=[pid]s[call_number]\nTo: {to}\nCall-ID: [call_id]\nCSeq: {sequence} {method}\n\
         Max-Forwards: 70\n{more}"
    )
}

fn send(text: &str) -> String {
    format!("<send><![CDATA[\n{text}\n]]></send>\n")
}

/// The INVITE comes three times at once, the BYE overtakes the ACK, and both come again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_come_twice_and_out_of_order() {
    let rig = Rig::start(Settings::default()).await;
    let invite = send(&request(
        "INVITE",
        1,
        "<sip:12345@[remote_ip]>",
        "Contact: <sip:caller@[local_ip]:[local_port]>\nContent-Type: application/sdp\nContent-Length: [len]\n\n\
         v=0\no=- 1 1 IN IP4 [media_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 8\n",
    ));
    let end = "Content-Length: 0\n";
    let ack = send(&request("ACK", 1, "[$remote]", end));
    let bye = send(&request("BYE", 2, "[$remote]", end));
    let remote =
        "<action><ereg regexp=\".*\" search_in=\"hdr\" header=\"To:\" assign_to=\"remote\"/></action>";
    let body = format!(
        "{invite}{invite}{invite}<recv response=\"100\" optional=\"true\"/>\n\
         <recv response=\"180\" optional=\"true\"/>\n<recv response=\"200\">{remote}</recv>\n\
         {bye}{ack}{bye}{ack}{}<recv response=\"200\"/>\n",
        bye.replace("<send>", "<send retrans=\"500\">")
    );
    let run = xml(&body);
    // What comes while sipp is still sending is no fault.
    let run = Stock { arguments: &["-default_behaviors", "all,-abortunexp"], ..stock(&rig, &run, "u1", 5) };
    goes_well(&rig, run).await;
}

/// A carrier asks whether we are alive, thousands of times a day, over whatever it has open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_carrier_pings_with_options() {
    let rig = Rig::start(Settings::default()).await;
    let ask = request("OPTIONS", 1, "<sip:12345@[remote_ip]>", "Content-Length: 0\n");
    let run = xml(&format!("{}<recv response=\"200\"/>\n", send(&ask)));
    for transport in ["u1", "t1", "tn"] {
        let run = Stock { rate: 100, ..stock(&rig, &run, transport, 200) };
        run.start().succeeded().await;
    }
    assert!(rig.records().is_empty(), "nobody has called");
}

/// sipp's stock `uas` is the citizen behind a trunk: it speaks µ-law only and sends back what the agent says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stock_callee_is_called_through_a_trunk() {
    let rig = Rig::start(Settings::default().sections(OUTSIDE)).await;
    let says = audio::fixture("agent-heating");
    let mut agent = agent(&rig, &said_after(2, &says)).await;
    let mut callee = Stock { arguments: &["-rtp_echo"], ..stock(&rig, "uas", "u1", 1) }.start();
    callee.listens(Protocol::Udp, rig.ports.phone(2)).await;
    let wanted = json!({ "agent": "1001", "number": CALLER, "trunk": "outside" });
    assert_eq!(rig.post("/api/v1/calls", &wanted).await, 202);
    agent.event("CALL_ESTABLISHED").await;
    agent.has_spoken_ms(10_000).await;
    agent.hang_up().await;
    callee.succeeded().await;
    audio::assert_heard("what comes back", &says, &agent.heard().await);
    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    assert_eq!(record["ext"]["jiesu.direction"], json!({ "direction": "outbound" }));
    let codecs: Vec<_> = record["ext"]["jiesu.quality"].as_array().into_iter().flatten().collect();
    assert!(codecs.iter().any(|leg| leg["codec"] == "PCMU"), "{record:#}");
    let [left, right] = recording(&record);
    let (said, echoed) = (
        audio::assert_heard("the agent is on the right", &says, &right),
        audio::assert_heard("the echo is on the left", &says, &left),
    );
    assert!(echoed.at_ms >= said.at_ms && echoed.at_ms < said.at_ms + 1_000, "{said:?} {echoed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_citizen_frees_the_agent() {
    let rig = Rig::start(Settings::default().sections(OUTSIDE)).await;
    let mut agent = agent(&rig, &audio::silence(60_000)).await;
    let busy = xml(
        "<recv request=\"INVITE\"/>\n<send retrans=\"500\"><![CDATA[\nSIP/2.0 486 Busy Here\n[last_Via:]\n\
         [last_From:]\n[last_To:];tag=[pid]b[call_number]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n]]></send>\n\
         <recv request=\"ACK\"/>\n",
    );
    let mut callee = stock(&rig, &busy, "u1", 1).start();
    callee.listens(Protocol::Udp, rig.ports.phone(2)).await;
    let wanted = json!({ "agent": "1001", "number": CALLER, "trunk": "outside" });
    assert_eq!(rig.post("/api/v1/calls", &wanted).await, 202);
    agent.event("CALL_CLOSED").await;
    callee.succeeded().await;
    let record = rig.record("the call's record", |record| outcome(record) == "failed").await;
    assert_eq!(record["call"]["sip_code"], 486, "{record:#}");
    rig.agents_free(1).await;
}
