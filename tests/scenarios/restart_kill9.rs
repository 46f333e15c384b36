//! `kill -9` at the worst moments. What was promised to a platform, or heard from a citizen, is there once.

use e2e::records::{self, outcome};
use e2e::sipp::{Call, Course, Sipp};
use e2e::wechat::ACCOUNT;
use e2e::{Rig, Settings, audio, eventually};

use crate::people::{ASSERTED, FROM, agent, and_silence, caller, hang_up, is_refused};

fn settings() -> Settings {
    Settings::default().call("notice = false").sections(&ACCOUNT.section())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_a_call() {
    let mut rig = Rig::start(settings()).await;
    let speech = audio::fixture("agent-heating");
    let mut agent = agent(&rig, &and_silence(speech.clone())).await;
    let sipp = Sipp::start(&caller(&rig).course(Course::GatewayHangsUp));
    agent.event("CALL_ESTABLISHED").await;
    agent.has_spoken_ms(9_000).await;
    rig.kill().await;
    drop(sipp);
    rig.restart().await;
    let record = rig.record("the record of the call that was cut off", |_| true).await;
    assert_eq!(outcome(&record), "failed");
    assert_eq!(record["call"]["end_by"], "gateway");
    let path = record["attachments"][0]["uri"].as_str().and_then(|uri| uri.strip_prefix("file://")).unwrap();
    let right = audio::read_wav(path.as_ref()).swap_remove(1);
    audio::assert_heard("what was said until then is on the repaired recording", &speech, &right);
    // Nothing is completed twice.
    rig.kill().await;
    rig.restart().await;
    assert_eq!(rig.deliver(&ACCOUNT, &ACCOUNT.text("oUser", 1, "after")).await.0, 200);
    let all = rig.records_at_least(2).await;
    assert_eq!(all.len(), 2);
    records::check_once_each(&all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_after_hang_up() {
    let mut rig = Rig::start(settings()).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;
    let sipp = Sipp::start(&caller(&rig));
    agent.event("CALL_ESTABLISHED").await;
    agent.has_spoken_ms(4_000).await;
    hang_up(&rig, sipp).await;
    rig.kill().await;
    rig.restart().await;
    let record = rig.record("the call's record", |_| true).await;
    assert_eq!(outcome(&record), "answered", "{record:#}");
    assert_eq!(record["attachments"][0]["kind"], "recording");
    assert_eq!(rig.deliver(&ACCOUNT, &ACCOUNT.text("oUser", 1, "after")).await.0, 200);
    assert_eq!(rig.records_at_least(2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_after_the_platform_heard_success() {
    const ROUNDS: u64 = 4;
    const MESSAGES: u64 = 12;
    let mut rig = Rig::start(settings()).await;
    for round in 0..ROUNDS {
        for message in 0..MESSAGES {
            let id = round * 100 + message;
            let delivery = ACCOUNT.text("oUser", id, &format!("第 {id} 件"));
            assert_eq!(rig.deliver(&ACCOUNT, &delivery).await, (200, "success".into()));
            // Each round dies after another number of messages, with the sink more or less behind.
            if message == MESSAGES - 1 - round {
                break;
            }
        }
        rig.kill().await;
        rig.restart().await;
        // The platform did not hear it the first time, perhaps: it repeats the last one.
        let id = round * 100 + MESSAGES - 1 - round;
        assert_eq!(rig.deliver(&ACCOUNT, &ACCOUNT.text("oUser", id, &format!("第 {id} 件"))).await.0, 200);
    }
    let promised: Vec<String> = (0..ROUNDS)
        .flat_map(|round| (0..MESSAGES - round).map(move |i| (round * 100 + i).to_string()))
        .collect();
    let all = rig.records_at_least(promised.len()).await;
    let held: Vec<&str> = all.iter().filter_map(|record| record["messages"][0]["id"].as_str()).collect();
    assert_eq!(held, promised, "each promised message once, in order");
    records::check_once_each(&all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_a_call_finish() {
    let mut rig = Rig::start(settings()).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;
    let sipp = Sipp::start(&caller(&rig));
    agent.event("CALL_ESTABLISHED").await;
    rig.process().signal("TERM").await;
    eventually("the node to be out of service", async || {
        let (status, report) = rig.readiness().await;
        (status == 503 && report["reasons"][0] == "draining").then_some(())
    })
    .await;
    assert_eq!(rig.metric("jiesu_draining", "").await.round(), 1.0);
    is_refused(Call::new(rig.ports.phone(3), rig.sip(), FROM, &[ASSERTED]), 503).await;
    // The call goes on until the caller ends it; then the process ends by itself.
    sipp.hang_up();
    agent.event("CALL_CLOSED").await;
    sipp.succeeded().await;
    assert!(rig.process().ended().await.success());
    assert_eq!(rig.records().iter().map(outcome).collect::<Vec<_>>(), ["answered"]);
}
