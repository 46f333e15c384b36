//! FreeSWITCH #1973: what the hall has decided but not yet said is taken back when the caller leaves.

use gateway_call::{CallConfig, CallId, Hall, HallEvent, HallOutput};
use record::Lane;

use crate::floor::origin;

fn offered() -> (Hall, std::time::Instant) {
    let now = origin();
    let mut hall = Hall::new(CallConfig::default().into(), now);
    hall.handle(now, HallEvent::AgentRegistered { agent: "a".into(), skills: Vec::new() });
    for call in [CallId(1), CallId(2)] {
        hall.handle(now, HallEvent::Join { call, lane: Lane::Standard, skills: Vec::new() });
    }
    (hall, now)
}

#[test]
fn an_offer_not_yet_told_goes_to_the_next_caller() {
    let (mut hall, now) = offered();
    hall.handle(now, HallEvent::Leave { call: CallId(1) });
    assert_eq!(hall.poll_output(), Some(HallOutput::Offer { call: CallId(2), agent: "a".into() }));
    assert_eq!(hall.poll_output(), None);
}

#[test]
fn an_agent_who_left_is_not_offered_either() {
    let (mut hall, now) = offered();
    hall.handle(now, HallEvent::AgentUnregistered { agent: "a".into() });
    assert_eq!(hall.poll_output(), None);
}

#[test]
fn a_session_that_vanished_is_turned_away_in_the_end() {
    let (mut hall, mut now) = offered();
    let mut turned_away = Vec::new();
    // Nobody takes up an offer and nobody leaves: only deadlines move the hall.
    while let Some(at) = hall.poll_timeout() {
        now = at;
        hall.handle_timeout(now);
        while let Some(output) = hall.poll_output() {
            if let HallOutput::TurnAway { call, .. } = output {
                turned_away.push(call);
            }
        }
    }
    turned_away.sort();
    assert_eq!(turned_away, [CallId(1), CallId(2)]);
    assert_eq!(hall.snapshot(now).agents_free, 1);
}
