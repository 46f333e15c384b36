//! 两代表一委员: a listed representative has a lane of their own, and the record says who vouched for it.

use e2e::records::outcome;
use e2e::sipp::Sipp;
use e2e::{Rig, Settings, audio};

use crate::people::{FROM, agent, and_silence, caller, hang_up};

const LISTED: &str = "representative,number,138-4710-0001,,2099-12-31,npc_deputy,city";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asserted_number_gets_the_lane_and_a_claimed_one_does_not() {
    let rig = Rig::start(Settings::default().call("notice = false").lists(LISTED)).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;

    let sipp = Sipp::start(&caller(&rig));
    agent.event("CALL_ESTABLISHED").await;
    hang_up(&rig, sipp).await;
    let record = rig.record("the representative's record", |record| outcome(record) == "answered").await;
    assert_eq!(record["call"]["lane"], "priority_rep");
    assert_eq!(record["reporter"]["representative"]["kind"], "npc_deputy");
    assert_eq!(record["reporter"]["representative"]["level"], "city");
    assert_eq!(record["request"]["tags"][0], "专项盯办");

    // Anybody can write that number into From.
    rig.agents_free(1).await;
    let sipp = Sipp::start(&e2e::sipp::Call { from: FROM, headers: &[], ..caller(&rig) });
    agent.event("CALL_ESTABLISHED").await;
    hang_up(&rig, sipp).await;
    let records = rig.records_at_least(2).await;
    let claimed = records.iter().find(|record| record["reporter"]["phones"][0]["trust"] == "from_only");
    let claimed = claimed.expect("the second call's record");
    assert_eq!(claimed["call"]["lane"], "standard");
    assert!(claimed["reporter"]["representative"].is_null(), "{claimed:#}");
}
