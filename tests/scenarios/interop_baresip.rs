//! Real phones on every kind of line, plain and encrypted: both hear each other, and the recording has both.
//! UDP at both ends is `call_sipp_to_baresip.rs`. WebSocket no phone of Debian's speaks, and its baresip believes any
//! certificate: for both see `gateway/tests/signalling_over_tls_and_websocket.rs`.

use std::path::Path;

use e2e::baresip::{Line, Secrecy, Transport};
use e2e::records::{outcome, recording};
use e2e::{Rig, Settings, audio, settings};

use crate::people::{agent_on, and_silence, citizen_on, server};

/// A number that sends the caller's sound back.
const ECHO: &str = "[[call.flows]]\nnumbers = [\"300\"]\nthen = \"echo\"\nintake = false\n";
const UDP: Line<'_> = Line { transport: Transport::Udp, authority: None, secrecy: Secrecy::Plain };
const TCP: Line<'_> = Line { transport: Transport::Tcp, ..UDP };

/// A line over TLS that believes this authority.
fn tls(authority: &Path) -> Line<'_> {
    Line { transport: Transport::Tls, authority: Some(authority), ..UDP }
}

fn demanding(line: Line<'_>) -> Line<'_> {
    Line { secrecy: Secrecy::Demanded, ..line }
}

fn willing(line: Line<'_>) -> Line<'_> {
    Line { secrecy: Secrecy::Possible, ..line }
}

/// The citizen calls, the agent's phone answers, each hears what the other says, the citizen hangs up.
async fn both_hear_each_other(rig: &Rig, citizen_line: Line<'_>, agent_line: Line<'_>) {
    let (caller_says, agent_says) = (audio::fixture("caller-streetlight"), audio::fixture("agent-heating"));
    let mut agent = agent_on(rig, &and_silence(agent_says.clone()), agent_line).await;
    // Said once the agent is there: ringing takes a moment.
    let mut speech = audio::silence(3_000);
    speech.extend(&caller_says);
    speech.extend(audio::silence(1_000));
    let mut citizen = citizen_on(rig, &speech, citizen_line).await;
    citizen.dial_over(citizen_line.transport, "12345", server(rig, citizen_line)).await;
    agent.event("CALL_ESTABLISHED").await;
    citizen.event("CALL_CLOSED").await;
    agent.event("CALL_CLOSED").await;
    assert_eq!(citizen.encrypts(), citizen_line.secrecy != Secrecy::Plain);
    assert_eq!(agent.encrypts(), agent_line.secrecy != Secrecy::Plain);
    audio::assert_heard("the agent hears the caller", &caller_says, &agent.heard().await);
    audio::assert_heard("the caller hears the agent", &agent_says, &citizen.heard().await);
    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    assert_eq!(record["call"]["end_by"], "caller");
    let [left, right] = recording(&record);
    audio::assert_heard("the caller is on the left", &caller_says, &left);
    audio::assert_heard("the agent is on the right", &agent_says, &right);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_phones_signal_over_tcp() {
    let rig = Rig::start(Settings::default().call("notice = false")).await;
    both_hear_each_other(&rig, TCP, TCP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_phones_signal_over_tls_and_encrypt_their_sound() {
    let authority = settings::authority();
    let settings = Settings::default().call("notice = false").tls().media("srtp = \"required\"");
    let rig = Rig::start(settings).await;
    let line = demanding(tls(&authority));
    both_hear_each_other(&rig, line, line).await;
}

/// As it is in most houses: the carrier's side is plain, the agents' phones are encrypted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_citizen_comes_plain_over_udp_and_the_agent_sits_on_tls() {
    let authority = settings::authority();
    let settings = Settings::default().call("notice = false").tls().media("srtp = \"optional\"");
    let rig = Rig::start(settings).await;
    both_hear_each_other(&rig, UDP, willing(tls(&authority))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_on_any_line_hears_itself() {
    let authority = settings::authority();
    let settings = Settings::default().sections(ECHO).tls().media("srtp = \"optional\"");
    let rig = Rig::start(settings).await;
    let says = audio::fixture("caller-heating");
    let mut speech = audio::silence(500);
    speech.extend(&says);
    speech.extend(audio::silence(1_000));
    let tls = tls(&authority);
    for line in [UDP, TCP, tls, willing(UDP), demanding(TCP), demanding(tls)] {
        let mut phone = citizen_on(&rig, &speech, line).await;
        phone.dial_over(line.transport, "300", server(&rig, line)).await;
        phone.event("CALL_CLOSED").await;
        assert_eq!(phone.encrypts(), line.secrecy != Secrecy::Plain, "{line:?}");
        audio::assert_heard(&format!("itself over {line:?}"), &says, &phone.heard().await);
    }
    assert!(rig.records().is_empty(), "a technical number makes no record");
}

/// What the tests above rest on: a phone that demands encryption gets no plain call, nor is one taken where it is
/// required.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_and_encrypted_do_not_meet_unnoticed() {
    let plain = Rig::start(Settings::default().sections(ECHO)).await;
    let secret = Rig::start(Settings::default().sections(ECHO).media("srtp = \"required\"")).await;
    for (rig, line) in [(&plain, demanding(UDP)), (&secret, UDP), (&plain, demanding(TCP))] {
        let mut phone = citizen_on(rig, &audio::silence(60_000), line).await;
        phone.dial_over(line.transport, "300", rig.sip()).await;
        let closed = phone.event("CALL_CLOSED").await;
        assert!(closed["param"].as_str().is_some_and(|why| why.contains("488")), "{line:?}: {closed}");
    }
}
