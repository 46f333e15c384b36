//! asterisk #1006: wrap-up is never skipped, and a flapping registration does not end it.

use gateway_call::{CallConfig, HallEvent};
use record::Lane;

use crate::floor::{Floor, ms};

#[test]
fn the_next_call_comes_after_it() {
    let mut floor = Floor::agents(["a"]);
    let talk = floor.talking(Lane::Standard);
    let next = floor.greeted(Lane::Standard);
    floor.hang_up(talk);
    floor.rings();
    floor.hall(HallEvent::AgentUnregistered { agent: "a".into() });
    floor.register(["a"]);
    floor.pass(ms(4_998));
    assert_eq!(floor.rings(), []);
    floor.pass(ms(1));
    assert_eq!(floor.rings(), [(next, "a".to_owned())]);
}

#[test]
fn none_when_configured_so() {
    let mut floor = Floor::with(CallConfig { wrap_up: ms(0), ..CallConfig::default() });
    floor.register(["a"]);
    let talk = floor.talking(Lane::Standard);
    let next = floor.greeted(Lane::Standard);
    floor.rings();
    floor.hang_up(talk);
    assert_eq!(floor.rings(), [(next, "a".to_owned())]);
}

#[test]
fn a_pause_survives_a_new_registration_and_ends_with_the_agents_word() {
    let mut floor = Floor::agents(["a"]);
    floor.hall(HallEvent::AgentPaused { agent: "a".into() });
    floor.hall(HallEvent::AgentUnregistered { agent: "a".into() });
    floor.register(["a"]);
    let call = floor.greeted(Lane::Standard);
    assert_eq!(floor.rings(), []);
    assert_eq!(floor.hall.snapshot(floor.now).agents_paused, 1);
    floor.hall(HallEvent::AgentResumed { agent: "a".into() });
    assert_eq!(floor.rings(), [(call, "a".to_owned())]);
}
