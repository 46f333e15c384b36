//! An agent's phone calls a colleague by itself: only while it talks with a citizen, only with its password, and it hears
//! when the colleague cannot be reached.

use std::net::IpAddr;

use e2e::Rig;
use e2e::sip::RawSip;
use e2e::sipp::Sipp;

use crate::people::{CARRIER, agent, and_silence, caller, hang_up, the_call, two_networks};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_talks_with_nobody_calls_nobody_and_a_colleague_who_is_busy_is_told() {
    let rig = Rig::start(two_networks()).await;
    let mut agent = agent(&rig, &and_silence(Vec::new())).await;
    agent.dial("1002", rig.sip()).await;
    agent.event_that("CALL_CLOSED", |event| event["param"].to_string().contains("403")).await;
    let citizen = Sipp::start(&caller(&rig).host(CARRIER));
    agent.event("CALL_ESTABLISHED").await;
    the_call(&rig, "the talk", |call| call["phase"] == "talking").await;
    // 1002 has no phone.
    agent.dial("1002", rig.sip()).await;
    agent.event_that("CALL_CLOSED", |event| event["param"].to_string().contains("480")).await;
    let call = the_call(&rig, "the talk", |call| call["phase"] == "talking").await;
    assert_eq!(call["legs"].as_array().map(Vec::len), Some(1));
    hang_up(&rig, citizen).await;
    agent.event("CALL_CLOSED").await;
    // Without a password nobody is believed to be an agent.
    let stranger = RawSip::bind(IpAddr::from([127, 0, 0, 1]), rig.sip()).await;
    stranger.send(stranger.invite("stranger").as_bytes()).await;
    assert!(stranger.receive().await.starts_with("SIP/2.0 401"));
}
