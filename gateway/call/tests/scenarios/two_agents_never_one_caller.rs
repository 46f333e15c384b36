//! "Two agents answer at once", "agent double-dial": one caller rings one phone, one phone rings for one
//! caller.

use gateway_call::{AgentId, Event, HallEvent, PhaseName};
use record::Lane;

use crate::floor::Floor;

#[test]
fn one_caller_rings_one_phone() {
    let mut floor = Floor::agents(["a", "b", "c"]);
    let call = floor.greeted(Lane::Standard);
    assert_eq!(floor.rings(), [(call, "a".to_owned())]);
    floor.event(call, Event::AgentOffered { agent: AgentId::from("b") });
    assert_eq!(floor.rings(), [], "a second offer rings nobody");
}

#[test]
fn two_callers_ring_two_phones_and_the_third_waits() {
    let mut floor = Floor::agents(["a", "b"]);
    let calls = [Lane::Standard, Lane::Standard, Lane::Crisis].map(|lane| floor.greeted(lane));
    assert_eq!(floor.rings(), [(calls[0], "a".to_owned()), (calls[1], "b".to_owned())]);
    assert_eq!(floor.phase(calls[2]), PhaseName::Waiting);
}

#[test]
fn a_second_answer_is_hung_up_and_the_first_talks_on() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.talking(Lane::Standard);
    floor.take(call);
    floor.event(call, Event::LegAnswered { leg: gateway_call::LegId(99) });
    assert_eq!(floor.take(call), ["hang up leg 99"]);
    assert_eq!(floor.phase(call), PhaseName::Talking);
}

#[test]
fn an_offer_that_crosses_with_the_talk_frees_its_agent() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.talking(Lane::Standard);
    // As if the hall had lost track of the talk.
    floor.hall(HallEvent::AgentRegistered { agent: "b".into(), skills: Vec::new() });
    floor.hall(HallEvent::Join { call, lane: Lane::Standard, skills: Vec::new() });
    assert_eq!(floor.rings().len(), 1, "only the first agent ever rang");
    assert_eq!(floor.hall.snapshot(floor.now).agents_free, 1);
}
