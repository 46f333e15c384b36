//! Redis goes away: the city goes on, and everything arrives afterwards, in order, once.

use e2e::records::{self, outcome};
use e2e::sipp::Sipp;
use e2e::wechat::ACCOUNT;
use e2e::{RedisServer, Rig, Settings, audio, eventually, ports};

use crate::people::{agent, and_silence, caller, hang_up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_delivered_when_it_is_back() {
    let lease = ports::Ports::lease();
    let mut redis = RedisServer::start(lease.at(ports::REDIS)).await;
    let settings =
        Settings::default().call("notice = false").sections(&ACCOUNT.section()).redis(&redis.url());
    let rig = Rig::start(settings).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;
    let send = async |id: u64| {
        let delivery = ACCOUNT.text("oUser", id, &format!("第 {id} 件"));
        assert_eq!(rig.deliver(&ACCOUNT, &delivery).await, (200, "success".into()));
    };
    for id in 1..=5 {
        send(id).await;
    }
    eventually("the first five in the stream", async || (redis.entries().await.len() == 5).then_some(()))
        .await;

    redis.kill().await;
    for id in 6..=20 {
        send(id).await;
    }
    let sipp = Sipp::start(&caller(&rig));
    agent.event("CALL_ESTABLISHED").await;
    hang_up(&rig, sipp).await;
    rig.record("the call's record in the file", |record| outcome(record) == "answered").await;
    eventually("readyz to name the failing sink", async || {
        let (status, report) = rig.readiness().await;
        assert_eq!(status, 200, "a sink that is away does not take the node out of service");
        let sinks = report["checks"]["sinks"].as_array()?.clone();
        sinks.iter().any(|sink| sink["name"] == "stream" && sink["status"] == "failing").then_some(())
    })
    .await;

    redis.launch().await;
    let all = rig.records_at_least(21).await;
    let wanted: Vec<String> = all.iter().map(records::id).collect();
    let entries =
        eventually("the rest in the stream", async || Some(redis.entries().await).filter(|e| e.len() >= 21))
            .await;
    let got: Vec<String> = entries.into_iter().map(|entry| entry.id).collect();
    assert_eq!(got, wanted, "in order, each once");
    records::check_once_each(&all);
}
