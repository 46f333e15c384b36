//! An agent hands a citizen over with the keys of the phone alone: a second call to a colleague, a word with them, and
//! the transfer key. The citizen ends up with the colleague, the agent's phone is free, and nothing is missing on the
//! recording.

use e2e::records::outcome;
use e2e::sipp::{Sipp, Sound};
use e2e::{Rig, audio};
use serde_json::{Value, json};

use crate::people::{CARRIER, agent, and_silence, caller, colleague, hang_up, the_call, two_networks};

/// In which of its two calls the phone sends the REFER.
#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    /// As RFC 5589 has it: to the citizen, naming the call with the colleague.
    First,
    /// As some phones do: to the colleague, naming the call with the citizen.
    Second,
}

fn id_of(established: &Value) -> String {
    established["id"].as_str().expect("a Call-ID").to_owned()
}

async fn handed_over(way: In) {
    let rig = Rig::start(two_networks()).await;
    let says = ["caller-streetlight", "caller-heating"].map(audio::fixture);
    let mut agent = agent(&rig, &and_silence(Vec::new())).await;
    let mut late = audio::silence(12_000);
    late.extend(&says[1]);
    let mut colleague = colleague(&rig, &and_silence(late)).await;
    let citizen = Sipp::start(&caller(&rig).host(CARRIER).sound(Sound::Speech(&says[0])));

    let first = id_of(&agent.event("CALL_ESTABLISHED").await);
    the_call(&rig, "the talk", |call| call["phase"] == "talking").await;
    agent.dial("1002", rig.sip()).await;
    colleague.event("CALL_ESTABLISHED").await;
    let second = id_of(&agent.event_that("CALL_ESTABLISHED", |event| event["id"] != first.as_str()).await);
    the_call(&rig, "the consultation", |call| call["legs"][1]["role"] == "specialist").await;

    // The number of the call the REFER goes to, and the name of the other as whoever gets it knows it.
    let (call, named) = match way {
        In::First => (1, &second),
        In::Second => (2, &first),
    };
    // Replaces names the tag of whoever reads it first, and that is the gateway: it is called in the second call
    // and calls in the first.
    let [calling, called] = agent.tags(named).await;
    let (to_tag, from_tag) = if way == In::First { (called, calling) } else { (calling, called) };
    agent.choose_call(call).await;
    let server = rig.sip();
    agent
        .transfer(&format!("sip:1002@{server}?Replaces={named}%3Bto-tag%3D{to_tag}%3Bfrom-tag%3D{from_tag}"))
        .await;

    agent.event("CALL_CLOSED").await;
    agent.event("CALL_CLOSED").await;
    the_call(&rig, "the colleague in charge", |call| {
        let legs = call["legs"].as_array().map_or(0, Vec::len);
        legs == 1 && call["legs"][0]["target"] == "agent:1002" && call["legs"][0]["role"] == "agent"
    })
    .await;
    colleague.has_spoken_ms(20_000).await;
    hang_up(&rig, citizen).await;
    colleague.event("CALL_CLOSED").await;

    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    let transfers = record["call"]["transfers"].as_array().expect("a transfer");
    assert_eq!(transfers.len(), 1, "{record:#}");
    assert_eq!(
        (&transfers[0]["kind"], &transfers[0]["to"], &transfers[0]["result"]),
        (&json!("attended"), &json!("agent:1002"), &json!("completed"))
    );
    assert_eq!(record["ext"]["jiesu.recording_gaps"], Value::Null);
    let path = record["attachments"][0]["uri"].as_str().and_then(|uri| uri.strip_prefix("file://"));
    let channels = audio::read_wav(path.expect("a file").as_ref());
    audio::assert_heard("the citizen is on the left", &says[0], &channels[0]);
    audio::assert_heard("the colleague is on the right", &says[1], &channels[1]);
    assert_eq!(rig.records().len(), 1, "a call, a record");
    rig.agents_free(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_refer_to_the_citizen() {
    handed_over(In::First).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_refer_to_the_colleague() {
    handed_over(In::Second).await;
}
