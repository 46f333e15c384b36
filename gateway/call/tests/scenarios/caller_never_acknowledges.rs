//! rustpbx #280 and every scanner: 200 is sent, no ACK ever comes.

use gateway_call::{Event, HallSnapshot};
use record::{EndBy, Lane, Outcome};

use crate::floor::{Floor, ms};

#[test]
fn the_call_fails_and_never_reached_the_queue() {
    let mut floor = Floor::agents([]);
    let call = floor.invite(Lane::Standard);
    floor.pass(ms(34_999));
    assert_eq!(floor.take(call), ["answer"]);
    assert_eq!(floor.hall.snapshot(floor.now), HallSnapshot::default());
    floor.pass(ms(1));
    assert_eq!(floor.take(call), ["hang up caller 102", "finished"]);
    let summary = floor.summary(call);
    assert_eq!((summary.outcome, summary.end_by), (Outcome::Failed, EndBy::Network));
    assert_eq!((summary.queued_after, summary.wait_ms, summary.recording_after), (None, None, None));
}

#[test]
fn a_cancel_before_the_ack_is_487() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.invite(Lane::Standard);
    floor.hang_up(call);
    assert_eq!(floor.take(call), ["answer", "finished"]);
    assert_eq!((floor.summary(call).sip_code, floor.summary(call).outcome), (487, Outcome::AbandonedQueue));
}

#[test]
fn an_answer_that_cannot_be_given_fails_with_its_status() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.invite(Lane::Standard);
    floor.event(call, Event::AnswerFailed { sip_code: 488 });
    let summary = floor.summary(call);
    assert_eq!((summary.sip_code, summary.q850, summary.outcome), (488, 65, Outcome::Failed));
    assert_eq!(summary.end_by, EndBy::Gateway);
}
