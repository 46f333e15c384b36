//! A silent phone costs the caller its ring time and never the place.

use gateway_call::{Event, PhaseName, RingFailure};
use record::Lane;

use crate::floor::{Floor, ms};

#[test]
fn the_next_agent_rings_and_the_silent_one_is_put_aside() {
    let mut floor = Floor::agents(["a", "b"]);
    let call = floor.greeted(Lane::Standard);
    floor.take(call);
    floor.pass(ms(19_999));
    assert!(!floor.take(call).contains(&"cancel leg 1".to_owned()));
    floor.pass(ms(1));
    assert_eq!(floor.take(call), ["cancel leg 1", "hall: a no_answer", "hall: ringing b", "ring b leg 2"]);
    let snapshot = floor.hall.snapshot(floor.now);
    assert_eq!(snapshot.agents_aside, [(RingFailure::NoAnswer, 1)].into());
    assert_eq!(snapshot.agents_ringing, 1);
}

#[test]
fn busy_and_declined_go_on_at_once() {
    for (sip_code, word) in [(486, "busy"), (603, "declined"), (480, "no_answer"), (503, "unreachable")] {
        let mut floor = Floor::agents(["a", "b"]);
        let call = floor.greeted(Lane::Standard);
        floor.take(call);
        floor.agent_fails(call, sip_code);
        assert_eq!(floor.take(call), [&format!("hall: a {word}"), "hall: ringing b", "ring b leg 2"]);
    }
}

#[test]
fn the_caller_keeps_the_place_at_the_head() {
    let mut floor = Floor::agents(["a"]);
    let first = floor.greeted(Lane::Standard);
    let second = floor.greeted(Lane::Standard);
    let deputy = floor.greeted(Lane::PriorityRep);
    floor.agent_fails(first, 486);
    floor.rings();
    floor.register(["b", "c", "d"]);
    let callers: Vec<_> = floor.rings().into_iter().map(|(call, _)| call).collect();
    assert_eq!(callers, [first, deputy, second]);
}

#[test]
fn the_agent_put_aside_rings_again_later() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.greeted(Lane::Standard);
    floor.agent_fails(call, 486);
    floor.rings();
    floor.pass(ms(29_999));
    assert_eq!(floor.rings(), []);
    floor.pass(ms(1));
    assert_eq!(floor.rings(), [(call, "a".to_owned())]);
}

#[test]
fn a_phone_may_ring_out_beyond_max_wait_and_then_it_is_the_voice_message() {
    let mut floor = Floor::agents(["a", "b", "c", "d"]);
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(60_000));
    assert_eq!(floor.phase(call), PhaseName::VoiceMessage, "three rings of 20 s use up the minute");
    assert_eq!(floor.rings().len(), 3);
    let mut floor = Floor::agents(["a", "b"]);
    let call = floor.greeted(Lane::Standard);
    floor.agent_fails(call, 486);
    floor.agent_fails(call, 486);
    floor.pass(ms(30_000));
    let leg = floor.leg(call);
    floor.event(call, Event::LegRinging { leg });
    floor.pass(ms(19_999));
    assert_eq!(floor.phase(call), PhaseName::Ringing);
}
