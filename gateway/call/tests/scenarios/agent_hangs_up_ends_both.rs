//! rustpbx #228: hanging up either side ends both.

use gateway_call::Event;
use record::{EndBy, Lane, Outcome};

use crate::floor::{Floor, ms};

#[test]
fn the_caller_is_hung_up() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.talking(Lane::Standard);
    floor.pass(ms(90_000));
    floor.take(call);
    let leg = floor.leg(call);
    floor.event(call, Event::LegHungUp { leg });
    assert_eq!(
        floor.take(call),
        ["unbridge", "hall: released a", "stop recording", "hang up caller 16", "finished"]
    );
    let summary = floor.summary(call);
    assert_eq!((summary.outcome, summary.end_by), (Outcome::Answered, EndBy::Agent));
    assert_eq!((summary.talk_ms, summary.q850, summary.sip_code), (Some(90_000), 16, 200));
    assert_eq!(summary.agent.as_ref().unwrap().as_str(), "a");
}

#[test]
fn an_agent_leg_that_dies_ends_the_call_as_a_network_fault() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.talking(Lane::Standard);
    floor.take(call);
    let leg = floor.leg(call);
    floor.event(call, Event::LegLost { leg });
    assert_eq!(
        floor.done(call),
        ["unbridge", "hang up leg 1", "stop recording", "hang up caller 102", "finished"]
    );
    assert_eq!(floor.summary(call).end_by, EndBy::Network);
}
