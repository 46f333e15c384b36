//! Who is no trunk and no agent gets no answer at all: a scanner does not learn that somebody is here.

use std::net::{IpAddr, Ipv4Addr};

use e2e::sip::RawSip;
use e2e::{Rig, Settings, eventually};

const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_hears_nothing_and_the_carrier_is_answered() {
    let settings = Settings {
        trunk_from: "127.0.0.2/32".into(),
        agent_networks: "127.0.0.3/32".into(),
        ..Settings::default()
    };
    let rig = Rig::start(settings).await;
    let stranger = RawSip::bind(STRANGER, rig.sip()).await;
    for method in ["INVITE", "OPTIONS", "REGISTER", "MESSAGE"] {
        stranger.send(stranger.invite("stranger").replace("INVITE", method).as_bytes()).await;
    }
    eventually("the gateway to have dropped them", async || {
        let dropped =
            rig.metric("jiesu_sip_dropped_total", "").await + rig.metric("jiesu_sip_refused_total", "").await;
        (dropped >= 4.0).then_some(())
    })
    .await;
    // Sent later and answered: what was to be said to the stranger would have been said before.
    let carrier = RawSip::bind(CARRIER, rig.sip()).await;
    carrier.send(carrier.invite("carrier").as_bytes()).await;
    let answer = carrier.receive().await;
    assert!(answer.starts_with("SIP/2.0 "), "{answer}");
    assert_eq!(stranger.arrived(), None);
}
