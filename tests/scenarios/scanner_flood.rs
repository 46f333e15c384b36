//! Ten thousand packets of scanners while a citizen talks: silence for them, a bounded log, and the call goes on.

use std::net::{IpAddr, Ipv4Addr};

use e2e::sip::RawSip;
use e2e::sipp::Stock;
use e2e::{Rig, Settings, eventually};

const CARRIER: &str = "127.0.0.1/32";
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
const PACKETS: u32 = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scanners_hear_nothing_and_disturb_nobody() {
    let settings =
        Settings { trunk_from: CARRIER.into(), agent_networks: CARRIER.into(), ..Settings::default() };
    let rig = Rig::start(settings).await;
    let calls = Stock {
        port: rig.ports.phone(2),
        gateway: rig.sip(),
        scenario: "uac",
        transport: "u1",
        calls: 20,
        rate: 10,
        arguments: &["-d", "1000"],
    };
    let calls = calls.start();
    let scanner = RawSip::bind(STRANGER, rig.sip()).await;
    let lines_before = rig.log().lines().count();
    let refused = async || {
        rig.metric("jiesu_sip_dropped_total", "").await + rig.metric("jiesu_sip_refused_total", "").await
    };
    for number in 0..PACKETS {
        let method = ["REGISTER", "OPTIONS", "INVITE", "SUBSCRIBE"][number as usize % 4];
        let scan = scanner.invite(&format!("scan{number}")).replace("INVITE", method);
        scanner.send(scan.as_bytes()).await;
        // Not faster than the kernel's buffer holds: this is about what we do, not about what is lost before us.
        if number % 200 == 199 {
            eventually("the gateway to keep up", async || {
                (refused().await >= f64::from(number / 2)).then_some(())
            })
            .await;
        }
    }
    calls.succeeded().await;
    assert_eq!(
        rig.records_at_least(20).await.len(),
        20,
        "every citizen's call has its record, and no scanner"
    );
    assert_eq!(scanner.arrived(), None);
    assert!(refused().await >= f64::from(PACKETS / 2), "they are counted");
    let log = rig.log();
    let lines = log.lines().count() - lines_before;
    assert!(lines < 2_000, "{lines} lines of log for {PACKETS} packets");
    assert!(!log.contains("scan1") && !log.contains("13800138000"), "and nothing of what they wrote");
}
