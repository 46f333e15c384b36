//! 三方通话: an agent brings a specialist in while the citizen waits, and all three hear each other; then the
//! agent leaves, and the specialist goes on. Heard at each phone and on the recording.

use e2e::records::outcome;
use e2e::{Rig, Settings, audio};
use serde_json::json;

use crate::people::{agent, citizen, colleague, said_after, the_call};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn citizen_agent_and_specialist_hear_each_other() {
    let rig = Rig::start(Settings::default().call("notice = false")).await;
    let says = ["caller-streetlight", "agent-heating", "caller-heating"].map(audio::fixture);
    let mut agent = agent(&rig, &said_after(18, &says[1])).await;
    let mut specialist = colleague(&rig, &said_after(28, &says[2])).await;
    let mut citizen = citizen(&rig, &said_after(6, &says[0])).await;
    citizen.dial("12345", rig.sip()).await;
    agent.event("CALL_ESTABLISHED").await;
    let call = the_call(&rig, "the talk", |call| call["phase"] == "talking").await;
    let path = |wish: &str| format!("/api/v1/calls/{}/{wish}", call["id"]);

    let consult = json!({ "target": { "agent": "1002" } });
    assert_eq!(rig.post(&path("consult"), &consult).await, 202);
    specialist.event("CALL_ESTABLISHED").await;
    the_call(&rig, "the specialist", |call| call["legs"][1]["role"] == "specialist").await;
    assert_eq!(rig.post(&path("consult"), &consult).await, 400 + 9, "one at a time");
    assert_eq!(rig.post(&path("conference"), &json!({})).await, 202);

    citizen.has_spoken_ms(40_000).await;
    agent.hang_up().await;
    agent.event("CALL_CLOSED").await;
    the_call(&rig, "the specialist in charge", |call| {
        call["legs"].as_array().is_some_and(|legs| legs.len() == 1) && call["legs"][0]["role"] == "agent"
    })
    .await;
    citizen.hang_up().await;
    specialist.event("CALL_CLOSED").await;

    let phones = [("the citizen", &citizen), ("the agent", &agent), ("the specialist", &specialist)];
    for (at, (name, phone)) in phones.into_iter().enumerate() {
        let heard = phone.heard().await;
        for (by, speech) in says.iter().enumerate().filter(|(by, _)| *by != at) {
            audio::assert_heard(&format!("{name} hears {by}"), speech, &heard);
        }
    }
    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    let transfer = &record["call"]["transfers"][0];
    assert_eq!(
        (&transfer["kind"], &transfer["to"]),
        (&json!("three_way"), &json!("agent:1002")),
        "{record:#}"
    );
    assert_eq!(transfer["result"], "completed");
    let path = record["attachments"][0]["uri"].as_str().and_then(|uri| uri.strip_prefix("file://"));
    let channels = audio::read_wav(path.expect("a file").as_ref());
    audio::assert_heard("the citizen is on the left", &says[0], &channels[0]);
    audio::assert_heard("the agent is on the right", &says[1], &channels[1]);
    audio::assert_heard("the specialist is on the right", &says[2], &channels[1]);
}
