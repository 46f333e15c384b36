//! A caller who hides the number: admitted, and nothing of it is shown to the agent.

use e2e::records::outcome;
use e2e::sipp::{Call, Sipp};
use e2e::{Rig, Settings, audio};

use crate::people::{ASSERTED, agent, and_silence, caller, hang_up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_is_not_shown_to_the_agent() {
    let rig = Rig::start(Settings::default().call("notice = false")).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;
    let from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    let sipp = Sipp::start(&Call { from, headers: &["Privacy: id", ASSERTED], ..caller(&rig) });
    let established = agent.event("CALL_ESTABLISHED").await;
    hang_up(&rig, sipp).await;
    assert!(!established.to_string().contains("13847100001"), "{established}");
    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    assert_eq!(record["reporter"]["phones"][0]["presentation"], "restricted");
    assert_eq!(record["reporter"]["phones"][0]["trust"], "network_asserted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_without_any_number_has_a_record_all_the_same() {
    let rig = Rig::start(Settings::default().call("notice = false")).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;
    let from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    let sipp = Sipp::start(&Call { from, headers: &[], ..caller(&rig) });
    agent.event("CALL_ESTABLISHED").await;
    hang_up(&rig, sipp).await;
    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    assert_eq!(record["reporter"]["kind"], "anonymous");
    assert!(record["reporter"]["phones"][0]["e164"].is_null(), "{record:#}");
    assert_eq!(record["reporter"]["phones"][0]["presentation"], "restricted");
}
