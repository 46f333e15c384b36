//! The default: an agent who picks up at once is heard at once, because no phone rings while the notice plays.

use gateway_call::{CallConfig, PhaseName};
use record::{Lane, Outcome};

use crate::floor::{Floor, ms};

fn floor() -> Floor {
    let mut floor = Floor::with(CallConfig { prompt_max: ms(20_000), ..CallConfig::default() });
    floor.register(["a"]);
    floor
}

#[test]
fn the_phone_rings_when_the_notice_has_ended_and_the_wait_counts_from_its_start() {
    let mut floor = floor();
    let call = floor.call(Lane::Standard);
    assert_eq!(floor.take(call), ["answer", "start recording", "play notice"]);
    floor.pass(ms(8_000));
    assert_eq!(floor.phase(call), PhaseName::Greeting);
    floor.prompt_ends(call);
    assert!(floor.take(call).contains(&"ring a leg 1".to_owned()));
    floor.pass(ms(2_000));
    floor.agent_answers(call);
    assert!(floor.take(call).contains(&"bridge leg 1".to_owned()));
    floor.pass(ms(1_000));
    floor.hang_up(call);
    let summary = floor.summary(call);
    assert_eq!((summary.wait_ms, summary.talk_ms), (Some(10_000), Some(1_000)));
    assert_eq!(summary.outcome, Outcome::Answered);
}

#[test]
fn who_hangs_up_during_the_notice_was_waiting_and_no_phone_rang() {
    let mut floor = floor();
    let call = floor.call(Lane::Standard);
    floor.pass(ms(3_000));
    floor.hang_up(call);
    let summary = floor.summary(call);
    assert_eq!((summary.outcome, summary.rings, summary.wait_ms), (Outcome::AbandonedQueue, 0, Some(3_000)));
    floor.hall.check_invariants().unwrap();
}

#[test]
fn a_notice_that_never_ends_keeps_nobody_from_the_queue() {
    let mut floor = floor();
    let call = floor.call(Lane::Standard);
    floor.pass(ms(20_000));
    assert!(floor.take(call).contains(&"ring a leg 1".to_owned()));
}
