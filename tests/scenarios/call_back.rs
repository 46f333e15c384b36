//! 回访: the desk has a citizen called back. The agent's phone rings first, then the citizen's through a trunk; both
//! hear each other, it is recorded, and the record says that it went out. A citizen who cannot be reached leaves no
//! phone ringing.

use e2e::records::outcome;
use e2e::{Rig, Settings, audio, eventually};
use serde_json::json;

use crate::people::{CALLER, agent, and_silence, citizen};

/// A trunk whose gateway is the citizen's phone.
const OUTSIDE: &str = r#"
[[trunks]]
name = "outside"
gateways = [{ address = "127.0.0.1:{phone 1}" }]
health = { probe_every = "0s" }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_is_called_back_and_both_hear_each_other() {
    let rig = Rig::start(Settings::default().sections(OUTSIDE)).await;
    let says = ["agent-heating", "caller-streetlight"].map(audio::fixture);
    let mut late = audio::silence(8_000);
    late.extend(&says[1]);
    // The agent waits for the citizen to be there before a word is said.
    let mut waits = audio::silence(4_000);
    waits.extend(&says[0]);
    let mut agent = agent(&rig, &and_silence(waits)).await;
    let mut citizen = citizen(&rig, &and_silence(late)).await;

    let wanted = json!({ "agent": "1001", "number": CALLER, "trunk": "outside" });
    assert_eq!(rig.post("/api/v1/calls", &wanted).await, 202);
    agent.event("CALL_ESTABLISHED").await;
    citizen.event("CALL_ESTABLISHED").await;
    citizen.has_spoken_ms(18_000).await;
    agent.hang_up().await;
    citizen.event("CALL_CLOSED").await;

    audio::assert_heard("the citizen hears the agent", &says[0], &citizen.heard().await);
    audio::assert_heard("the agent hears the citizen", &says[1], &agent.heard().await);
    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    assert_eq!(record["ext"]["jiesu.direction"], json!({ "direction": "outbound" }));
    assert_eq!(record["ext"]["jiesu.end"]["reason"], "agent_hung_up");
    let leg = json!([{ "leg": 1, "kind": "agent", "answered": true, "ended": "hung_up" }]);
    assert_eq!(record["ext"]["jiesu.legs"], leg);
    assert_eq!(record["reporter"]["phones"][0]["e164"], format!("+86{CALLER}"));
    assert_ne!(record["call"]["dialled"], CALLER, "the number stands with the reporter alone");
    let quality = record["ext"]["jiesu.quality"].as_array().expect("a leg each");
    assert_eq!(quality.len(), 2, "{record:#}");
    assert!(
        quality.iter().all(|leg| leg["codec"] == "PCMA" && leg["received"].as_u64() > Some(100)),
        "{record:#}"
    );
    let path = record["attachments"][0]["uri"].as_str().and_then(|uri| uri.strip_prefix("file://"));
    let channels = audio::read_wav(path.expect("a file").as_ref());
    audio::assert_heard("the citizen is on the left", &says[1], &channels[0]);
    audio::assert_heard("the agent is on the right", &says[0], &channels[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_who_cannot_be_reached_frees_the_agent() {
    // Nobody listens where the trunk leads: the gateway counts as gone, and the call is over.
    let rig = Rig::start(Settings::default().sections(OUTSIDE)).await;
    let mut agent = agent(&rig, &and_silence(Vec::new())).await;
    let wanted = json!({ "agent": "1001", "number": CALLER, "trunk": "outside" });
    assert_eq!(rig.post("/api/v1/calls", &wanted).await, 202);
    agent.event("CALL_ESTABLISHED").await;
    agent.event("CALL_CLOSED").await;
    let record = rig.record("the call's record", |record| outcome(record) == "failed").await;
    assert!(record["call"]["sip_code"].as_i64() >= Some(400), "{record:#}");
    eventually("the agent to be free", async || {
        (rig.api("/api/v1/queues").await["agents"]["free"] == 1).then_some(())
    })
    .await;
    let unknown = json!({ "agent": "1009", "number": CALLER });
    assert_eq!(rig.post("/api/v1/calls", &unknown).await, 400);
}
