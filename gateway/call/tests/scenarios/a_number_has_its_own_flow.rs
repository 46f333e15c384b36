//! What a call does depends on the number that was dialled; everybody else gets notice, queue and agent.

use gateway_call::{CallConfig, Event, Flow, PhaseName, PromptId, Then};
use record::{EndBy, Lane, Outcome};

use crate::floor::{Floor, impatient, ms};

fn config(flows: &str) -> CallConfig {
    let flows = serde_json::from_str(flows).expect("flows are written well");
    CallConfig { flows, ..impatient() }
}

fn floor(flow: &str) -> Floor {
    Floor::with(config(&format!("[{flow}]")))
}

#[test]
fn a_held_line_is_answered_and_nothing_else_happens_to_it() {
    let mut floor = floor(r#"{"numbers": ["100"], "then": "hold", "intake": false}"#);
    let call = floor.dial("100");
    assert_eq!(floor.take(call), ["answer"]);
    floor.pass(ms(3_600_000));
    assert_eq!((floor.take(call), floor.phase(call)), (vec![], PhaseName::Hold));
    floor.hang_up(call);
    assert_eq!(floor.take(call), ["finished"]);
    assert_eq!(floor.summary(call).outcome, Outcome::Overflow);
}

#[test]
fn a_held_line_ends_at_the_longest_call() {
    let mut floor = floor(r#"{"numbers": ["100"], "then": "hold", "intake": false}"#);
    let call = floor.dial("100");
    floor.pass(ms(4 * 3_600_000));
    assert_eq!(floor.take(call), ["answer", "hang up caller 102", "finished"]);
}

#[test]
fn an_announcement_is_played_to_its_end_and_the_line_is_hung_up() {
    let mut floor = floor(
        r#"{"numbers": ["200"], "notice": false, "prompt": "moved", "then": "hang_up", "intake": false}"#,
    );
    let call = floor.dial("200");
    assert_eq!(floor.take(call), ["answer", "play moved"]);
    floor.prompt_ends(call);
    assert_eq!(floor.take(call), ["hang up caller 16", "finished"]);
    let summary = floor.summary(call);
    assert_eq!(
        (summary.outcome, summary.end_by, summary.queued_after),
        (Outcome::Overflow, EndBy::Gateway, None)
    );
}

#[test]
fn an_announcement_that_is_missing_does_not_keep_the_line() {
    let mut floor = floor(r#"{"numbers": ["200"], "prompt": "moved", "then": "hang_up", "intake": false}"#);
    let call = floor.dial("200");
    floor.pass(ms(60_000));
    assert_eq!(floor.take(call), ["answer", "play moved", "hang up caller 16", "finished"]);
}

#[test]
fn a_recorded_announcement_says_so_first() {
    let mut floor = floor(r#"{"numbers": ["12319"], "prompt": "moved", "then": "hang_up"}"#);
    let call = floor.dial("12319");
    floor.prompt_ends(call);
    floor.prompt_ends(call);
    assert_eq!(
        floor.take(call),
        [
            "answer",
            "start recording",
            "play notice",
            "play moved",
            "stop recording",
            "hang up caller 16",
            "finished"
        ]
    );
    assert!(floor.summary(call).notice.as_ref().is_some_and(|notice| notice.completed));
}

#[test]
fn an_echo_test_echoes_until_the_caller_hangs_up() {
    let mut floor = floor(r#"{"numbers": ["300"], "then": "echo", "intake": false}"#);
    let call = floor.dial("300");
    assert_eq!(floor.take(call), ["answer", "stop playing", "echo"]);
    assert_eq!(floor.phase(call), PhaseName::Echo);
    floor.hang_up(call);
    assert_eq!(floor.take(call), ["finished"]);
}

#[test]
fn the_numbers_own_prompt_comes_between_notice_and_queue() {
    let mut floor = floor(r#"{"numbers": ["12319"], "prompt": "winter_heating", "queue": "heating"}"#);
    floor.register(["anna"]);
    let call = floor.dial("12319");
    floor.prompt_ends(call);
    assert_eq!(
        floor.done(call),
        ["answer", "start recording", "play notice", "ring anna leg 1", "play winter_heating"]
    );
    floor.agent_answers(call);
    assert_eq!(floor.done(call), [""; 0], "the prompt is heard to its end");
    floor.prompt_ends(call);
    assert_eq!(floor.done(call), ["stop playing", "bridge leg 1"]);
    floor.hang_up(call);
    assert_eq!(floor.summary(call).queue, "heating");
}

#[test]
fn a_line_that_only_takes_messages_does_so_without_waiting() {
    let mut floor = floor(r#"{"numbers": ["12320"], "then": "voice_message"}"#);
    let call = floor.dial("12320");
    floor.prompt_ends(call);
    assert_eq!(floor.take(call), ["answer", "start recording", "play notice", "play no_agent"]);
    assert_eq!(floor.phase(call), PhaseName::VoiceMessage);
}

const FIXED: &str = r#"{"numbers": ["600"], "then": {"dial": "sip:600@192.0.2.9:5070"}, "intake": false}"#;
const FIXED_RECORDED: &str = r#"{"numbers": ["650"], "then": {"dial": "sip:600@192.0.2.9:5070"}}"#;

#[test]
fn a_fixed_phone_is_rung_without_any_agent() {
    let mut floor = floor(FIXED);
    let call = floor.dial("600");
    assert_eq!(floor.take(call), ["answer", "tone RingBack", "ring sip:600@192.0.2.9:5070 leg 1"]);
    floor.agent_answers(call);
    assert_eq!(floor.take(call), ["stop playing", "bridge leg 1"]);
    floor.event(call, Event::LegHungUp { leg: floor.leg(call) });
    assert_eq!(floor.take(call), ["unbridge", "hang up caller 16", "finished"]);
    assert_eq!((floor.summary(call).outcome, &floor.summary(call).agent), (Outcome::Answered, &None));
}

#[test]
fn a_fixed_phone_that_is_busy_ends_the_call_or_takes_a_message() {
    let mut technical = floor(FIXED);
    let call = technical.dial("600");
    technical.agent_fails(call, 486);
    assert_eq!(technical.take(call)[3..], ["hang up caller 19", "finished"]);
    assert_eq!(technical.summary(call).outcome, Outcome::Failed);

    let mut recorded = floor(FIXED_RECORDED);
    let call = recorded.dial("650");
    recorded.prompt_ends(call);
    recorded.agent_fails(call, 486);
    assert_eq!(recorded.phase(call), PhaseName::VoiceMessage);
}

#[test]
fn a_fixed_phone_falls_silent_when_the_caller_gives_up() {
    let mut floor = floor(FIXED);
    let call = floor.dial("600");
    floor.hang_up(call);
    assert_eq!(floor.take(call)[3..], ["cancel leg 1"]);
    floor.agent_fails(call, 487);
    assert_eq!(floor.summary(call).outcome, Outcome::AbandonedRing);
}

#[test]
fn the_dialled_number_goes_before_the_old_line_and_unknown_numbers_get_the_default() {
    let config = config(
        r#"[{"numbers": ["12319"], "then": "voice_message"}, {"numbers": ["100"], "then": "hold", "intake": false}]"#,
    );
    assert_eq!(config.check(), []);
    assert_eq!(config.flow("12345", Some("12319")).then, Then::VoiceMessage);
    assert_eq!(config.flow("100", Some("12319")).then, Then::Hold);
    assert_eq!(config.flow("12345", None), Flow::default_of(&config));
    assert_eq!(config.flow("100", None).notice, None, "who is not recorded is not told so");
    assert_eq!(config.flow("12319", None).notice, Some(PromptId::NOTICE));
    assert!(config.flow("100", None).is_silent() && !config.flow("12319", None).is_silent());
}

#[test]
fn every_fault_of_a_flow_is_told_with_its_key() {
    let complaints = config(
        r#"[{"numbers": []}, {"numbers": ["12319", "1 2"]}, {"numbers": ["12319"], "notice": "", "prompt": ""},
            {"numbers": ["1"], "then": "hold", "record": true}, {"numbers": ["2"], "then": "echo", "intake": false, "record": true},
            {"numbers": ["3"], "then": "voice_message", "record": false}, {"numbers": ["4"], "intake": false},
            {"numbers": ["5"], "then": {"dial": "600@192.0.2.9"}}, {"numbers": ["6"], "then": {"dial": "sip:600@[::1"}}]"#,
    )
    .check();
    let keys: Vec<&str> = complaints.iter().map(|complaint| &*complaint.key).collect();
    assert_eq!(
        keys,
        [
            "flows[0].numbers",
            "flows[1].numbers[1]",
            "flows[2].numbers[0]",
            "flows[2].notice",
            "flows[2].prompt",
            "flows[3].record",
            "flows[4].record",
            "flows[5].then",
            "flows[6].intake",
            "flows[7].then",
            "flows[8].then",
        ]
    );
    let typing = serde_json::from_str::<CallConfig>(r#"{"flows": [{"numbers": ["1"], "then": "hangup"}]}"#);
    assert!(typing.unwrap_err().to_string().contains("hang_up"), "the right word is named");
}

#[test]
fn a_drain_leaves_a_line_with_its_own_flow_alone() {
    let mut floor = floor(r#"{"numbers": ["300"], "then": "echo", "intake": false}"#);
    let call = floor.dial("300");
    floor.event(call, Event::Drain);
    assert_eq!(floor.phase(call), PhaseName::Echo);
    let other = floor.invite(Lane::Standard);
    floor.event(other, Event::Shutdown);
    assert_eq!(floor.summary(other).outcome, Outcome::Failed);
}
