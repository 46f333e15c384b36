//! The other side of it, and the longest call.

use gateway_call::{CallConfig, Event};
use record::{EndBy, Lane, Outcome};

use crate::floor::{Floor, ms};

#[test]
fn the_agent_is_hung_up() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.talking(Lane::Standard);
    floor.take(call);
    floor.event(call, Event::CallerHungUp { q850: Some(31) });
    assert_eq!(
        floor.take(call),
        ["unbridge", "hang up leg 1", "hall: released a", "stop recording", "finished"]
    );
    let summary = floor.summary(call);
    assert_eq!((summary.outcome, summary.end_by, summary.q850), (Outcome::Answered, EndBy::Caller, 31));
}

#[test]
fn a_caller_whose_network_dies_ends_it_too() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.talking(Lane::Standard);
    floor.take(call);
    floor.event(call, Event::CallerLost);
    assert!(floor.take(call).contains(&"hang up leg 1".to_owned()));
    assert_eq!(floor.summary(call).end_by, EndBy::Network);
}

#[test]
fn no_call_outlives_max_call() {
    let mut floor = Floor::with(CallConfig { max_call: ms(600_000), ..CallConfig::default() });
    floor.register(["a"]);
    let call = floor.talking(Lane::Standard);
    floor.take(call);
    floor.pass(ms(599_000));
    assert_eq!(floor.take(call), [] as [&str; 0]);
    floor.pass(ms(1_000));
    assert_eq!(
        floor.done(call),
        ["unbridge", "hang up leg 1", "stop recording", "hang up caller 102", "finished"]
    );
    assert_eq!(floor.summary(call).outcome, Outcome::Answered);
}
