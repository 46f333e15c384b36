//! The agent presses transfer on the phone (REFER, RFC 3515): the colleague's phone rings, takes over and is heard;
//! the agent's own call ends, and the recording has all three.

use e2e::records::{outcome, recording};
use e2e::{Rig, Settings, audio};
use serde_json::json;

use crate::people::{agent, citizen, colleague, said_after};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blind_transfer_hands_the_citizen_on() {
    let rig = Rig::start(Settings::default().call("notice = false")).await;
    let says = ["caller-streetlight", "agent-heating", "caller-voicemail"].map(audio::fixture);
    // The citizen speaks once the colleague is there; the agent before, the colleague after.
    let mut citizen = citizen(&rig, &said_after(17, &says[0])).await;
    let mut agent = agent(&rig, &said_after(1, &says[1])).await;
    let mut colleague = colleague(&rig, &said_after(3, &says[2])).await;
    citizen.dial("12345", rig.sip()).await;
    let first = agent.event("CALL_ESTABLISHED").await;
    assert!(first.is_object());
    citizen.has_spoken_ms(9_000).await;
    agent.transfer(&format!("sip:1002@{}", rig.sip())).await;
    colleague.event("CALL_ESTABLISHED").await;
    // Told by NOTIFY that the colleague is there, the phone lets go.
    agent.event("CALL_CLOSED").await;
    citizen.has_spoken_ms(24_500).await;
    citizen.hang_up().await;
    colleague.event("CALL_CLOSED").await;

    let heard = citizen.heard().await;
    audio::assert_heard("the citizen hears the agent", &says[1], &heard);
    audio::assert_heard("the citizen hears the colleague", &says[2], &heard);
    audio::assert_heard("the colleague hears the citizen", &says[0], &colleague.heard().await);
    audio::assert_not_heard("the agent is gone", &says[0], &agent.heard().await);
    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    let transfer = &record["call"]["transfers"][0];
    assert_eq!(
        [&transfer["kind"], &transfer["to"], &transfer["result"]],
        [&json!("blind"), &json!("agent:1002"), &json!("completed")],
        "{record:#}"
    );
    let [left, right] = recording(&record);
    audio::assert_heard("the citizen is on the left", &says[0], &left);
    let (before, after) = (
        audio::assert_heard("the agent is on the right", &says[1], &right),
        audio::assert_heard("the colleague is on the right", &says[2], &right),
    );
    assert!(before.at_ms < after.at_ms, "{before:?} {after:?}");
}
