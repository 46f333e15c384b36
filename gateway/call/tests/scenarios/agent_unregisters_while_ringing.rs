//! fusionpbx #2831: a phone that is not registered is not available, from that very moment.

use gateway_call::{HallEvent, PhaseName};
use record::Lane;

use crate::floor::{Floor, ms};

#[test]
fn the_ring_is_cancelled_and_the_next_agent_rings() {
    let mut floor = Floor::agents(["a", "b"]);
    let call = floor.greeted(Lane::Standard);
    floor.take(call);
    floor.hall(HallEvent::AgentUnregistered { agent: "a".into() });
    assert_eq!(floor.done(call), ["cancel leg 1", "ring b leg 2"]);
}

#[test]
fn an_agent_who_answered_before_that_keeps_the_call() {
    let mut floor = Floor::agents(["a", "b"]);
    let call = floor.call(Lane::Standard);
    floor.agent_answers(call);
    floor.hall(HallEvent::AgentUnregistered { agent: "a".into() });
    floor.take(call);
    floor.prompt_ends(call);
    assert_eq!(floor.done(call), ["stop playing", "bridge leg 1"]);
    let snapshot = floor.hall.snapshot(floor.now);
    assert_eq!((snapshot.agents_talking, snapshot.agents_free), (1, 1), "nobody stays reserved");
}

#[test]
fn a_talk_goes_on_and_the_agent_is_gone_after_it() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.talking(Lane::Standard);
    floor.hall(HallEvent::AgentUnregistered { agent: "a".into() });
    assert_eq!(floor.phase(call), PhaseName::Talking);
    floor.hang_up(call);
    floor.pass(ms(10_000));
    assert_eq!(floor.hall.snapshot(floor.now), gateway_call::HallSnapshot::default());
}

#[test]
fn a_phone_that_comes_back_rings_for_who_waits() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.greeted(Lane::Standard);
    floor.hall(HallEvent::AgentUnregistered { agent: "a".into() });
    assert_eq!(floor.phase(call), PhaseName::Waiting);
    floor.pass(ms(4_000));
    floor.rings();
    floor.register(["a"]);
    assert_eq!(floor.rings(), [(call, "a".to_owned())]);
}
