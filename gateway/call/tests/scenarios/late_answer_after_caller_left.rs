//! CANCEL and the agent's 200 cross: the agent must not sit in a call with nobody.

use gateway_call::Event;
use record::{Lane, Outcome};

use crate::floor::{Floor, ms};

#[test]
fn an_agent_who_answers_after_the_caller_left_is_hung_up() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.greeted(Lane::Standard);
    floor.hang_up(call);
    floor.take(call);
    floor.pass(ms(30));
    floor.agent_answers(call);
    assert_eq!(floor.take(call), ["hang up leg 1", "hall: cleared a", "finished"]);
    assert_eq!(floor.summary(call).outcome, Outcome::AbandonedRing);
    assert_eq!(floor.summary(call).answered_after, None);
}

#[test]
fn a_phone_that_rang_out_and_answers_while_the_next_one_rings_is_hung_up() {
    let mut floor = Floor::agents(["a", "b"]);
    let call = floor.greeted(Lane::Standard);
    let first = floor.leg(call);
    floor.pass(ms(20_000));
    let second = floor.leg(call);
    assert_ne!(first, second);
    floor.take(call);
    floor.event(call, Event::LegAnswered { leg: first });
    assert_eq!(floor.done(call), ["hang up leg 1"]);
    floor.event(call, Event::LegAnswered { leg: second });
    assert_eq!(floor.done(call), ["stop playing", "bridge leg 2"]);
    assert_eq!(floor.sessions[&call].call(), call);
}
