//! The lists decide before anything is answered, and a new list is in force without a restart.

use e2e::records::outcome;
use e2e::settings::list_file;
use e2e::sipp::Sipp;
use e2e::{Rig, Settings, audio, eventually};

use crate::people::{agent, and_silence, caller, hang_up, is_refused};

const BLOCKED: &str = "block,number,138-4710-0001,无理纠缠,2099-12-31,,";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_number_is_declined_and_the_lifted_one_gets_through() {
    let rig = Rig::start(Settings::default().call("notice = false").lists(BLOCKED)).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;
    is_refused(caller(&rig), 603).await;
    let record = rig.record("the refused call's record", |record| outcome(record) == "blocked").await;
    assert_eq!(record["call"]["sip_code"], 603);
    assert!(record["call"]["answered_at"].is_null() && record["attachments"].is_null(), "{record:#}");
    assert_eq!(record["lists"][0]["list"], "block");
    assert_eq!(record["lists"][0]["effect"], "reject");
    assert_eq!(record["triage"]["acceptability"], "not_accepted");
    while let Some(event) = agent.next_event() {
        assert_ne!(event["type"], "CALL_INCOMING", "the agent's phone stays quiet");
    }

    let before = rig.metric("jiesu_lists_reload_total", "loaded").await;
    rig.write("lists.csv", &list_file("enterprise,number,0471-4862423,,,,"));
    eventually("the new list to be read", async || {
        (rig.metric("jiesu_lists_reload_total", "loaded").await > before).then_some(())
    })
    .await;
    let sipp = Sipp::start(&caller(&rig));
    agent.event("CALL_ESTABLISHED").await;
    hang_up(&rig, sipp).await;
    rig.record("the admitted call's record", |record| outcome(record) == "answered").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_list_changes_nothing() {
    let rig = Rig::start(Settings::default().lists(BLOCKED)).await;
    rig.write("lists.csv", "list,kind,value\nnonsense\n");
    eventually("the damaged list to be refused", async || {
        (rig.metric("jiesu_lists_reload_total", "refused").await > 0.0).then_some(())
    })
    .await;
    is_refused(caller(&rig), 603).await;
    let (status, report) = rig.readiness().await;
    assert_eq!(status, 200, "the old list is in force");
    assert_eq!(report["checks"]["lists"]["status"], "failing");
}
