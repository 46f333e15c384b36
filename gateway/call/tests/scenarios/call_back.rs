//! 回访: the gateway calls a citizen back. The agent's phone rings first; whatever fails, nobody is left ringing,
//! the agent is free again, and the record says why.

use gateway_call::{CallId, Event, LegId, PhaseName};
use record::{EndBy, Lane, Outcome};

use crate::floor::{Floor, ms};

fn ringing_far() -> (Floor, CallId) {
    let mut floor = Floor::agents(["anna", "berta"]);
    let call = floor.call_out("anna");
    assert_eq!(floor.take(call), ["hall: claim anna", "hall: ringing anna", "ring anna leg 1"]);
    floor.agent_answers(call);
    assert_eq!(floor.take(call), ["hall: talking anna", "dial for leg 1"]);
    assert_eq!(floor.phase(call), PhaseName::CallingOut);
    (floor, call)
}

/// Whether the next caller is given to this agent.
fn is_free(floor: &mut Floor, agent: &str) {
    floor.pass(ms(60_000));
    floor.rings();
    let call = floor.call_out(agent);
    assert_eq!(floor.rings(), [(call, agent.to_owned())]);
}

#[test]
fn agent_then_citizen_then_a_recorded_talk() {
    let (mut floor, call) = ringing_far();
    floor.event(call, Event::Confirmed);
    assert_eq!(floor.take(call), ["start recording", "stop playing", "bridge leg 1"]);
    assert_eq!(floor.phase(call), PhaseName::Talking);
    floor.pass(ms(5_000));
    floor.event(call, Event::LegHungUp { leg: LegId(1) });
    assert_eq!(floor.done(call), ["unbridge", "stop recording", "hang up caller 16", "finished"]);
    let summary = floor.summary(call);
    assert_eq!(
        (summary.outcome, summary.end_by, summary.talk_ms),
        (Outcome::Answered, EndBy::Agent, Some(5_000))
    );
    assert_eq!((summary.sip_code, summary.wait_ms, summary.reason), (200, None, "agent_hung_up"));
    is_free(&mut floor, "anna");
}

#[test]
fn a_busy_citizen_frees_the_agent() {
    let (mut floor, call) = ringing_far();
    floor.event(call, Event::AnswerFailed { sip_code: 486 });
    assert_eq!(floor.done(call), ["hang up leg 1", "hang up caller 31", "finished"]);
    assert_eq!((floor.summary(call).outcome, floor.summary(call).sip_code), (Outcome::Failed, 486));
    is_free(&mut floor, "anna");
}

#[test]
fn nobody_picks_up_at_the_far_end() {
    let (mut floor, call) = ringing_far();
    floor.pass(ms(59_000));
    assert_eq!(floor.phase(call), PhaseName::CallingOut);
    floor.pass(ms(1_000));
    assert_eq!(floor.done(call), ["hang up leg 1", "hang up caller 19", "finished"]);
    assert_eq!((floor.summary(call).reason, floor.summary(call).sip_code), ("nobody_reached", 487));
}

#[test]
fn an_agent_who_hangs_up_while_it_rings_stops_the_ringing() {
    let (mut floor, call) = ringing_far();
    floor.event(call, Event::LegHungUp { leg: LegId(1) });
    assert_eq!(floor.done(call), ["hang up caller 16", "finished"]);
    assert_eq!(floor.summary(call).outcome, Outcome::Failed);
    is_free(&mut floor, "anna");
}

#[test]
fn an_agent_who_talks_is_not_rung_for_it() {
    let mut floor = Floor::agents(["anna"]);
    let other = floor.talking(Lane::Standard);
    let call = floor.call_out("anna");
    assert_eq!(floor.summary(call).reason, "agent_not_reached");
    assert_eq!(floor.phase(other), PhaseName::Talking);
}

#[test]
fn an_agent_who_does_not_pick_up() {
    let mut floor = Floor::agents(["anna"]);
    let call = floor.call_out("anna");
    floor.pass(ms(20_000));
    floor.agent_fails(call, 487);
    assert_eq!((floor.summary(call).reason, floor.summary(call).sip_code), ("agent_not_reached", 480));
    assert!(!floor.take(call).iter().any(|line| line.starts_with("dial")));
}

#[test]
fn the_citizen_hangs_up_first() {
    let (mut floor, call) = ringing_far();
    floor.event(call, Event::Confirmed);
    floor.hang_up(call);
    assert_eq!((floor.summary(call).outcome, floor.summary(call).end_by), (Outcome::Answered, EndBy::Caller));
}
