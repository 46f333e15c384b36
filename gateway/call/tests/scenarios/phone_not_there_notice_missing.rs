//! A prompt that cannot be played, or never reports its end, stops nobody's call.

use gateway_call::{CallConfig, Event, PhaseName, PlayId, PromptId};
use record::Lane;

use crate::floor::{Floor, ms};

#[test]
fn a_missing_notice_is_noted_and_the_call_goes_on() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.call(Lane::Standard);
    floor.event(call, Event::PlayFailed { play: PlayId(1) });
    assert_eq!(floor.phase(call), PhaseName::Ringing);
    floor.agent_answers(call);
    floor.hang_up(call);
    assert!(floor.summary(call).notice.as_ref().is_some_and(|notice| !notice.completed));
}

#[test]
fn a_notice_that_never_ends_ends_at_its_deadline() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.call(Lane::Standard);
    floor.agent_answers(call);
    floor.pass(ms(59_999));
    assert_eq!(floor.phase(call), PhaseName::Greeting);
    floor.pass(ms(1));
    assert_eq!(floor.phase(call), PhaseName::Talking);
}

#[test]
fn no_notice_when_configured_so() {
    let notice = gateway_call::config::NoticeConfig::Switch(false);
    let mut floor = Floor::with(CallConfig { notice, ..CallConfig::default() });
    floor.register(["a"]);
    let call = floor.call(Lane::Standard);
    assert_eq!(floor.done(call), ["answer", "start recording", "play waiting", "ring a leg 1"]);
    floor.agent_answers(call);
    floor.hang_up(call);
    assert_eq!(floor.summary(call).notice, None);
}

#[test]
fn another_notice_when_configured_so() {
    let notice = gateway_call::config::NoticeConfig::Prompt(PromptId::new("leader_day"));
    let mut floor = Floor::with(CallConfig { notice, ..CallConfig::default() });
    let call = floor.call(Lane::LeaderDay);
    assert_eq!(floor.done(call), ["answer", "start recording", "play leader_day"]);
}
