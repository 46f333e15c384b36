//! At the bound somebody gets the voice message: the lowest lane, and in it the last to come.

use gateway_call::{CallConfig, PhaseName, TurnedAway};
use record::Lane;

use crate::floor::Floor;

fn full() -> Floor {
    let mut floor = Floor::with(CallConfig { queue_capacity: 2, ..CallConfig::default() });
    floor.register(["a"]);
    floor.talking(Lane::Standard);
    floor
}

#[test]
fn the_last_to_come_goes_straight_to_the_voice_message() {
    let mut floor = full();
    let calls = [(); 3].map(|()| floor.greeted(Lane::Standard));
    assert_eq!(
        calls.map(|call| floor.phase(call)),
        [PhaseName::Waiting, PhaseName::Waiting, PhaseName::VoiceMessage]
    );
    floor.hang_up(calls[2]);
    assert_eq!(floor.summary(calls[2]).turned_away, Some(TurnedAway::Full));
}

#[test]
fn a_crisis_finds_a_place() {
    let mut floor = full();
    let calls = [Lane::Standard, Lane::Standard, Lane::Crisis].map(|lane| floor.greeted(lane));
    assert_eq!(
        calls.map(|call| floor.phase(call)),
        [PhaseName::Waiting, PhaseName::VoiceMessage, PhaseName::Waiting]
    );
}

#[test]
fn whose_agent_rings_does_not_count() {
    let mut floor = Floor::with(CallConfig { queue_capacity: 1, ..CallConfig::default() });
    floor.register(["a", "b"]);
    let calls = [(); 3].map(|()| floor.greeted(Lane::Standard));
    assert_eq!(
        calls.map(|call| floor.phase(call)),
        [PhaseName::Ringing, PhaseName::Ringing, PhaseName::Waiting]
    );
}
