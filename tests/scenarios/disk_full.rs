//! The disk takes nothing more: platforms are told to come again, callers are still answered, and when
//! there is room the records of those calls are written.
//!
//! The disk is filled for this process alone, by its limit on the size of a file (`prlimit`, util-linux).

use e2e::records::outcome;
use e2e::sipp::Sipp;
use e2e::wechat::ACCOUNT;
use e2e::{Rig, Settings, audio, eventually};
use tokio::process::Command;

use crate::people::{agent, and_silence, caller, hang_up};

async fn limit_files(process: u32, limit: &str) {
    let process = process.to_string();
    let limited = Command::new("prlimit")
        .args(["--pid", &process, &format!("--fsize={limit}:unlimited")])
        .status()
        .await;
    assert!(limited.expect("prlimit comes with the Debian package `util-linux`").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_answered_and_written_when_there_is_room() {
    let settings = Settings::default().call("notice = false").sections(&ACCOUNT.section());
    let mut rig = Rig::start(settings).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;
    assert_eq!(rig.deliver(&ACCOUNT, &ACCOUNT.text("oUser", 1, "一")).await.0, 200);
    rig.records_at_least(1).await;

    let process = rig.process().id();
    limit_files(process, "1024").await;
    let delivery = ACCOUNT.text("oUser", 2, "二");
    assert_eq!(rig.deliver(&ACCOUNT, &delivery).await.0, 503, "nothing is promised that is not on disk");
    assert!(rig.is_alive(), "a full disk is no reason to die");
    eventually("readyz to say why", async || {
        let (status, report) = rig.readiness().await;
        let store = &report["checks"]["store"];
        (status == 503 && store["status"] == "failing" && store["reason"].is_string()).then_some(())
    })
    .await;
    let sipp = Sipp::start(&caller(&rig));
    agent.event("CALL_ESTABLISHED").await;
    agent.has_spoken_ms(5_000).await;
    hang_up(&rig, sipp).await;
    audio::assert_heard(
        "the caller's echo of the agent",
        &audio::fixture("agent-heating")[..32_000],
        &agent.heard().await,
    );

    limit_files(process, "unlimited").await;
    let record =
        rig.record("the record of the call taken meanwhile", |record| outcome(record) == "answered").await;
    assert_eq!(record["call"]["end_by"], "caller");
    eventually("the node to be in service", async || (rig.readiness().await.0 == 200).then_some(())).await;
    assert_eq!(rig.deliver(&ACCOUNT, &delivery).await.0, 200, "the platform's retry is taken");
    rig.record("the retried message's record", |record| record["messages"][0]["id"] == "2").await;
    assert_eq!(rig.records().len(), 3);
}
