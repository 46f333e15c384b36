//! FreeSWITCH #1148 and PIPL art. 17: an agent may be quick, the notice is heard to its end all the same.

use gateway_call::{Event, PhaseName};
use record::{Lane, Outcome};

use crate::floor::{Floor, ms};

#[test]
fn the_notice_is_heard_before_the_agent() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.call(Lane::Standard);
    assert_eq!(
        floor.take(call),
        ["answer", "start recording", "play notice", "hall: join", "hall: ringing a", "ring a leg 1"]
    );
    floor.pass(ms(3_000));
    floor.agent_answers(call);
    assert_eq!(floor.take(call), [] as [&str; 0], "no bridge yet");
    assert_eq!(floor.phase(call), PhaseName::Greeting);
    floor.pass(ms(4_000));
    floor.prompt_ends(call);
    assert_eq!(floor.take(call), ["stop playing", "bridge leg 1", "hall: talking a"]);
    floor.pass(ms(1_000));
    floor.hang_up(call);
    let summary = floor.summary(call);
    assert_eq!((summary.wait_ms, summary.talk_ms), (Some(7_000), Some(1_000)));
    assert!(summary.notice.as_ref().is_some_and(|notice| notice.completed));
}

#[test]
fn an_agent_who_rings_when_the_notice_ends_goes_on_ringing() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.greeted(Lane::Standard);
    assert_eq!(floor.phase(call), PhaseName::Ringing);
    floor.take(call);
    floor.agent_answers(call);
    assert_eq!(floor.done(call), ["stop playing", "bridge leg 1"]);
}

#[test]
fn an_agent_who_answers_and_gives_up_during_the_notice_leaves_the_caller_in_line() {
    let mut floor = Floor::agents(["a", "b"]);
    let call = floor.call(Lane::Standard);
    floor.agent_answers(call);
    floor.take(call);
    let leg = floor.leg(call);
    floor.event(call, Event::LegHungUp { leg });
    assert_eq!(floor.take(call), ["hall: a declined", "hall: ringing b", "ring b leg 2"]);
}

#[test]
fn an_agent_whose_line_dies_during_the_notice_is_hung_up_and_the_next_rings() {
    let mut floor = Floor::agents(["a", "b"]);
    let call = floor.call(Lane::Standard);
    floor.agent_answers(call);
    floor.take(call);
    let leg = floor.leg(call);
    floor.event(call, Event::LegLost { leg });
    assert_eq!(floor.done(call), ["hang up leg 1", "ring b leg 2"]);
}

#[test]
fn a_caller_who_leaves_during_the_notice_takes_the_answered_agent_along() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.call(Lane::Standard);
    floor.agent_answers(call);
    floor.take(call);
    floor.hang_up(call);
    assert_eq!(
        floor.take(call),
        ["hall: leave", "hang up leg 1", "hall: cleared a", "stop recording", "finished"]
    );
    assert_eq!(floor.summary(call).outcome, Outcome::AbandonedRing);
    assert_eq!(floor.hall.snapshot(floor.now).agents_free, 1);
}
