//! A caller who gives up before anybody answered.

use e2e::records::outcome;
use e2e::sipp::Sipp;
use e2e::{Rig, Settings, audio, eventually};

use crate::people::{agent, and_silence, caller, citizen, hang_up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_only_agent_talks_to_somebody_else() {
    let rig = Rig::start(Settings::default().call("notice = false")).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;
    let mut citizen = citizen(&rig, &and_silence(audio::fixture("caller-streetlight"))).await;
    citizen.dial("12345", rig.sip()).await;
    agent.event("CALL_ESTABLISHED").await;

    let sipp = Sipp::start(&caller(&rig));
    eventually("the second caller to wait", async || {
        (rig.api("/api/v1/queues").await["waiting"]["standard"] == 1).then_some(())
    })
    .await;
    eventually("the second caller to be gone", async || {
        sipp.hang_up();
        (rig.api("/api/v1/queues").await["calls"] == 1).then_some(())
    })
    .await;
    sipp.succeeded().await;
    let record =
        rig.record("the given-up call's record", |record| outcome(record) == "abandoned_queue").await;
    assert_eq!(record["call"]["end_by"], "caller");
    assert!(record["call"]["wait_ms"].as_u64().is_some(), "{record:#}");
    assert_eq!(rig.api("/api/v1/queues").await["agents"]["talking"], 1, "the other call goes on");
    citizen.hang_up().await;
    agent.event("CALL_CLOSED").await;
    rig.record("the other call's record", |record| outcome(record) == "answered").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_the_notice() {
    let rig = Rig::start(Settings::default()).await;
    let sipp = Sipp::start(&caller(&rig));
    eventually("the call to be there", async || {
        (rig.api("/api/v1/queues").await["calls"] == 1).then_some(())
    })
    .await;
    hang_up(&rig, sipp).await;
    let record = rig.record("the call's record", |_| true).await;
    assert_eq!(outcome(&record), "abandoned_queue");
    assert_eq!(record["ext"]["jiesu.notice"]["completed"], false, "{record:#}");
}
