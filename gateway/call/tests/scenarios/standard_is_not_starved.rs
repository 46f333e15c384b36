//! However many deputies call, every third assignment is an ordinary caller's. A crisis still goes first.

use gateway_call::{CallConfig, CallId};
use record::Lane;

use crate::floor::Floor;

fn order(priority_burst: u32, deputies: usize, standards: usize) -> String {
    let mut floor = Floor::with(CallConfig { priority_burst, ..CallConfig::default() });
    let standard: Vec<CallId> = (0..standards).map(|_| floor.greeted(Lane::Standard)).collect();
    (0..deputies).for_each(|_| _ = floor.greeted(Lane::PriorityRep));
    for number in 0..deputies + standards {
        floor.register([format!("agent-{number}").as_str()]);
    }
    floor.rings().iter().map(|(call, _)| if standard.contains(call) { 'S' } else { 'P' }).collect()
}

#[test]
fn every_third_is_standard() {
    assert_eq!(order(3, 7, 2), "PPSPPSPPP");
}

#[test]
fn every_second_when_configured() {
    assert_eq!(order(2, 4, 3), "PSPSPSP");
}

#[test]
fn deputies_who_met_no_ordinary_caller_used_up_nothing() {
    let mut floor = Floor::new();
    (0..5).for_each(|_| _ = floor.greeted(Lane::PriorityRep));
    floor.register(["a", "b", "c"]);
    floor.rings();
    let standard = floor.greeted(Lane::Standard);
    floor.register(["d", "e", "f"]);
    assert_eq!(floor.rings().iter().position(|(call, _)| *call == standard), Some(2));
}

#[test]
fn a_crisis_never_yields() {
    let mut floor = Floor::new();
    let standard = floor.greeted(Lane::Standard);
    (0..6).for_each(|_| _ = floor.greeted(Lane::Crisis));
    floor.register(["a", "b", "c", "d", "e", "f", "g"]);
    assert_eq!(floor.rings().last().map(|(call, _)| *call), Some(standard));
}
