//! Lanes: who goes first when an agent gets free.

use gateway_call::{CallConfig, CallId, LaneRule};
use record::Lane;

use crate::floor::Floor;

/// In which order callers of these lanes, in this order of arrival, get an agent.
fn served(config: CallConfig, lanes: &[Lane]) -> Vec<usize> {
    let mut floor = Floor::with(config);
    let calls: Vec<CallId> = lanes.iter().map(|lane| floor.greeted(*lane)).collect();
    for number in 0..lanes.len() {
        floor.register([format!("agent-{number}").as_str()]);
    }
    floor
        .rings()
        .iter()
        .map(|(call, _)| calls.iter().position(|known| known == call).expect("one of ours"))
        .collect()
}

#[test]
fn a_deputy_goes_before_a_standard_caller() {
    assert_eq!(served(CallConfig::default(), &[Lane::Standard, Lane::PriorityRep]), [1, 0]);
}

#[test]
fn a_crisis_goes_before_110_before_a_deputy_before_the_rest() {
    let lanes = [Lane::Standard, Lane::PriorityRep, Lane::Transfer110, Lane::Crisis];
    assert_eq!(served(CallConfig::default(), &lanes), [3, 2, 1, 0]);
}

#[test]
fn lanes_of_one_precedence_are_one_line() {
    let lanes = [Lane::Elderly, Lane::Standard, Lane::Enterprise, Lane::Standard];
    assert_eq!(served(CallConfig::default(), &lanes), [0, 1, 2, 3]);
}

#[test]
fn a_lane_stands_as_configured() {
    let lanes = [(Lane::Elderly, LaneRule { precedence: 5, absolute: true })].into();
    let config = CallConfig { lanes, ..CallConfig::default() };
    assert_eq!(served(config, &[Lane::Standard, Lane::Crisis, Lane::Elderly]), [2, 1, 0]);
}
