//! The agent presses hold on the phone (re-INVITE with `sendonly`) and takes the call back: meanwhile the citizen hears
//! that the call is held and the agent's phone is sent nothing, afterwards they talk again, and the recording goes on
//! as if nothing were.

use e2e::records::{outcome, recording};
use e2e::{Rig, Settings, audio};

use crate::people::{agent, and_silence, citizen, said_after};

/// What the citizen says before, during and after, and when (ms from the beginning of the citizen's sound).
const SAYS: [(&str, usize); 3] =
    [("caller-streetlight", 1_500), ("caller-heating", 17_000), ("caller-voicemail", 32_000)];
/// The recording may place a word this much earlier or later than it was said.
const SLACK_MS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_is_heard_and_leaves_no_gap_in_the_recording() {
    let rig = Rig::start(Settings::default().call("notice = false")).await;
    let words = SAYS.map(|(name, at_ms)| (audio::fixture(name), at_ms));
    let mut speech = Vec::new();
    for (word, at_ms) in &words {
        speech.extend(audio::silence(at_ms - speech.len() * 1_000 / audio::RATE));
        speech.extend(word);
    }
    let agent_says = audio::fixture("agent-heating");
    let mut agent = agent(&rig, &said_after(32, &agent_says)).await;
    let mut citizen = citizen(&rig, &and_silence(speech)).await;
    citizen.dial("12345", rig.sip()).await;
    agent.event("CALL_ESTABLISHED").await;
    citizen.has_spoken_ms(9_000).await;
    agent.hold().await;
    citizen.has_spoken_ms(24_500).await;
    agent.resume().await;
    // At most fifteen seconds were sent before the hold.
    agent.was_told_ms(17_000).await;
    citizen.has_spoken_ms(40_000).await;
    citizen.hang_up().await;
    agent.event("CALL_CLOSED").await;

    let heard = agent.heard().await;
    audio::assert_heard("the agent hears what was said before", &words[0].0, &heard);
    audio::assert_not_heard("the agent does not hear what was said meanwhile", &words[1].0, &heard);
    let heard = citizen.heard().await;
    audio::assert_heard("the citizen hears the agent again", &agent_says, &heard);
    let level =
        |from_s: usize, until_s: usize| audio::level(&heard[from_s * audio::RATE..until_s * audio::RATE]);
    assert!(level(18, 23) > 100.0, "the citizen hears that the call is held: {}", level(18, 23));
    assert!(level(5, 8) < 20.0, "and heard nothing of it before: {}", level(5, 8));

    let record = rig.record("the call's record", |record| outcome(record) == "answered").await;
    assert_eq!(record["call"]["end_by"], "caller");
    let [left, right] = recording(&record);
    let found = words
        .each_ref()
        .map(|(word, at_ms)| (audio::assert_heard("every word is on the left", word, &left).at_ms, *at_ms));
    for pair in found.windows(2) {
        let (recorded, said) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        assert!(recorded.abs_diff(said) <= SLACK_MS, "a gap, or time lost: {found:?}");
    }
    audio::assert_heard("the agent is on the right", &agent_says, &right);
    assert_eq!(left.len(), right.len());
    assert!(left.len() >= 39 * audio::RATE, "the whole call: {} samples", left.len());
}
