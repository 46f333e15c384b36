//! Nobody is there to answer: the caller leaves a message, and the record says where it stands.

use e2e::records::outcome;
use e2e::sipp::Sipp;
use e2e::{Rig, Settings, audio, eventually};

use crate::people::{and_silence, caller, citizen, hang_up};

fn nobody() -> Settings {
    Settings::default()
        .call("notice = false\nno_agent_grace = \"0s\"\nmessage_silence = \"30s\"\nmessage_max = \"60s\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_spoken_and_ended_with_the_hash_key() {
    let rig = Rig::start(nobody()).await;
    let message = audio::fixture("caller-voicemail");
    // "Please leave a message" takes ten seconds; then comes the beep.
    let mut says = audio::silence(12_000);
    says.extend(&message);
    let mut citizen = citizen(&rig, &and_silence(says)).await;
    citizen.dial("12345", rig.sip()).await;
    citizen.event("CALL_ESTABLISHED").await;
    citizen.has_spoken_ms(20_000).await;
    citizen.press('#').await;
    // Thanked, then hung up by the gateway.
    citizen.event("CALL_CLOSED").await;
    assert!(audio::level(&citizen.heard().await) > 100.0, "the caller heard the prompts");
    let record = rig.record("the message's record", |record| outcome(record) == "overflow").await;
    assert_eq!(record["call"]["end_by"], "gateway");
    let place = &record["ext"]["jiesu.voice_message"];
    assert_eq!(place["speech"], true);
    let (from, to) = (place["from_ms"].as_u64().unwrap(), place["to_ms"].as_u64().unwrap());
    assert!(to > from + 6_000 && to < from + 30_000, "{place}");
    let path = record["attachments"][0]["uri"].as_str().and_then(|uri| uri.strip_prefix("file://")).unwrap();
    let left = audio::read_wav(path.as_ref()).swap_remove(0);
    let heard = audio::assert_heard("the message is on the recording", &message, &left);
    assert!((from..to).contains(&(heard.at_ms as u64)), "{heard:?} lies within {place}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_ends_a_message_too() {
    let rig = Rig::start(nobody()).await;
    let sipp = Sipp::start(&caller(&rig));
    // "No agent" and the beep are 11 s; the call is then a message, spoken or not.
    eventually("the caller to be asked for a message", async || {
        (rig.api("/api/v1/queues").await["calls"] == 1).then_some(())
    })
    .await;
    hang_up(&rig, sipp).await;
    let record = rig.record("the call's record", |_| true).await;
    assert_eq!(outcome(&record), "overflow");
    assert_eq!(record["call"]["end_by"], "caller");
}
