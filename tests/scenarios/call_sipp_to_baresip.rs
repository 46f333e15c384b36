//! The main job with two foreign peers: sipp calls, baresip answers, and what both said is heard on the
//! other side, stands in the recording and leaves as a record through the file and through Redis.

use e2e::records::{self, outcome, recording};
use e2e::sipp::{Course, Sipp, Sound};
use e2e::{RedisServer, Rig, Settings, audio, eventually, ports};

use crate::people::{agent, and_silence, caller, citizen, hang_up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_hears_the_caller_and_hangs_up() {
    let lease = ports::Ports::lease();
    let redis = RedisServer::start(lease.at(ports::REDIS)).await;
    let rig = Rig::start(Settings::default().redis(&redis.url())).await;
    let (caller_says, agent_says) = (audio::fixture("caller-heating"), audio::fixture("agent-heating"));
    // The phone answers at once, while the caller still hears the notice (8 s): the agent waits that long,
    // and listens long enough after speaking to be the one who hangs up.
    let mut long_enough = audio::silence(10_000);
    long_enough.extend(&agent_says);
    long_enough.extend(audio::silence(5_000));
    let mut agent = agent(&rig, &long_enough).await;

    let mut speech = audio::silence(9_000);
    speech.extend(&caller_says);
    let sipp = Sipp::start(&caller(&rig).sound(Sound::Speech(&speech)).course(Course::GatewayHangsUp));
    agent.event("CALL_ESTABLISHED").await;
    agent.event("CALL_CLOSED").await;
    sipp.succeeded().await;
    audio::assert_heard("the agent hears the caller", &caller_says, &agent.heard().await);

    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    let [left, right] = recording(&record);
    audio::assert_heard("the caller is on the left", &caller_says, &left);
    audio::assert_heard("the agent is on the right", &agent_says, &right);
    audio::assert_not_heard("the agent is not on the left", &agent_says, &left);
    audio::assert_not_heard("the caller is not on the right", &caller_says, &right);

    let call = &record["call"];
    assert_eq!(call["end_by"], "agent");
    assert_eq!(call["lane"], "standard");
    assert_eq!(call["dialled"], "12345");
    assert!(call["talk_ms"].as_u64() > Some(10_000), "{call}");
    assert_eq!(record["reporter"]["phones"][0]["e164"], "+8613847100001");
    assert_eq!(record["reporter"]["phones"][0]["trust"], "network_asserted");
    let notice = &record["ext"]["jiesu.notice"];
    assert!(notice["id"].as_str().is_some_and(|id| id.starts_with("notice@") && id.len() > 7), "{notice}");
    assert_eq!(notice["completed"], true);
    assert!(notice["played_at"].as_str() >= call["invited_at"].as_str(), "{notice} {call}");
    assert_eq!(record["privacy"]["notice"], notice["id"]);

    let entries = eventually("the record in the stream", async || {
        Some(redis.entries().await).filter(|e| !e.is_empty())
    })
    .await;
    assert_eq!(entries[0].id, records::id(&record));
    assert_eq!(entries[0].record, record);
    assert!(!entries[0].kind.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_hears_the_agent_and_hangs_up() {
    // sipp sends back what it hears: what the agent said comes home to the agent by way of the caller.
    let rig = Rig::start(Settings::default().call("notice = false")).await;
    let agent_says = audio::fixture("agent-heating");
    let mut agent = agent(&rig, &and_silence(agent_says.clone())).await;
    let sipp = Sipp::start(&caller(&rig).sound(Sound::Echo));
    agent.event("CALL_ESTABLISHED").await;
    agent.has_spoken_ms(9_000).await;
    hang_up(&rig, sipp).await;
    agent.event("CALL_CLOSED").await;
    audio::assert_heard("the caller heard the agent", &agent_says, &agent.heard().await);
    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    assert_eq!(record["call"]["end_by"], "caller");
    let [left, right] = recording(&record);
    let (said, echoed) = (audio::find(&agent_says, &right), audio::assert_heard("echo", &agent_says, &left));
    assert!(echoed.at_ms > said.at_ms && echoed.at_ms < said.at_ms + 1_000, "{said:?} {echoed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_real_phones_hear_each_other() {
    let rig = Rig::start(Settings::default().call("notice = false")).await;
    let (caller_says, agent_says) = (audio::fixture("caller-streetlight"), audio::fixture("agent-heating"));
    let mut agent = agent(&rig, &and_silence(agent_says.clone())).await;
    // Said once the agent is there: ringing takes a moment.
    let mut speech = audio::silence(3_000);
    speech.extend(&caller_says);
    speech.extend(audio::silence(1_000));
    let mut citizen = citizen(&rig, &speech).await;
    citizen.dial("12345", rig.sip()).await;
    agent.event("CALL_ESTABLISHED").await;
    citizen.event("CALL_CLOSED").await;
    agent.event("CALL_CLOSED").await;
    audio::assert_heard("the agent hears the caller", &caller_says, &agent.heard().await);
    audio::assert_heard("the caller hears the agent", &agent_says, &citizen.heard().await);
    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    assert_eq!(record["call"]["end_by"], "caller");
}
