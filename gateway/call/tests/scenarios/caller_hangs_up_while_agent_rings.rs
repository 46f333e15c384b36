//! FreeSWITCH #2529: no zombie ring for an agent whose caller is gone, and no penalty for that agent.

use gateway_call::PhaseName;
use record::{EndBy, Lane, Outcome};

use crate::floor::{Floor, ms};

#[test]
fn the_phone_falls_silent_and_the_agent_gets_the_next_call_at_once() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(2_000));
    floor.take(call);
    floor.hang_up(call);
    assert_eq!(floor.take(call), ["hall: leave", "cancel leg 1", "stop recording"]);
    let next = floor.greeted(Lane::Standard);
    assert_eq!(floor.phase(next), PhaseName::Waiting, "the phone may still ring: not offered yet");
    floor.agent_fails(call, 487);
    assert_eq!(floor.take(call), ["hall: cleared a", "finished"]);
    assert_eq!(floor.phase(next), PhaseName::Ringing);
    let summary = floor.summary(call);
    assert_eq!((summary.outcome, summary.end_by), (Outcome::AbandonedRing, EndBy::Caller));
    assert_eq!((summary.wait_ms, summary.talk_ms), (Some(2_000), None));
}

#[test]
fn a_phone_that_never_confirms_delays_the_summary_by_five_seconds_and_no_more() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.greeted(Lane::Standard);
    floor.hang_up(call);
    floor.pass(ms(4_999));
    assert!(floor.summaries.is_empty());
    floor.pass(ms(1));
    assert_eq!(floor.summary(call).ended_after, ms(0));
    assert_eq!(floor.hall.snapshot(floor.now).agents_free, 1);
}
