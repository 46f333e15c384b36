//! Nobody is there, or nobody gets free: the caller can still say what is wrong.

use gateway_call::{Event, PhaseName, TurnedAway, VoiceMessage};
use record::{EndBy, Lane, Outcome};

use crate::floor::{Floor, ms};

#[test]
fn with_nobody_registered_it_comes_right_after_the_notice() {
    let mut floor = Floor::agents([]);
    let call = floor.call(Lane::Standard);
    floor.pass(ms(7_870));
    assert_eq!(floor.phase(call), PhaseName::Greeting, "the notice is not cut off");
    floor.take(call);
    floor.prompt_ends(call);
    assert_eq!(floor.done(call), ["play no_agent"]);
    floor.pass(ms(9_000));
    floor.prompt_ends(call);
    assert_eq!(floor.done(call), ["tone Beep"]);
    floor.pass(ms(400));
    floor.prompt_ends(call);
    floor.event(call, Event::SpeechHeard);
    floor.pass(ms(12_730));
    floor.hang_up(call);
    assert_eq!(floor.done(call), ["stop recording", "finished"]);
    let summary = floor.summary(call);
    assert_eq!(summary.voice_message, Some(VoiceMessage { from_ms: 17_270, to_ms: 30_000, speech: true }));
    assert_eq!((summary.outcome, summary.end_by), (Outcome::Overflow, EndBy::Caller));
    assert_eq!(summary.turned_away, Some(TurnedAway::NobodyThere));
    assert_eq!((summary.wait_ms, summary.talk_ms), (Some(7_870), None));
}

#[test]
fn an_empty_hall_is_given_five_seconds_of_grace() {
    let mut floor = Floor::agents([]);
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(4_999));
    assert_eq!(floor.phase(call), PhaseName::Waiting);
    floor.pass(ms(1));
    assert_eq!(floor.phase(call), PhaseName::VoiceMessage);
}

#[test]
fn with_everybody_busy_it_comes_after_max_wait() {
    let mut floor = Floor::agents(["a"]);
    floor.talking(Lane::Standard);
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(59_999));
    assert_eq!(floor.phase(call), PhaseName::Waiting);
    floor.take(call);
    floor.pass(ms(1));
    assert_eq!(floor.take(call), ["hall: leave", "play no_agent"]);
}

#[test]
fn an_agent_who_gets_free_then_is_not_rung_for_this_caller() {
    let mut floor = Floor::agents(["a"]);
    let talk = floor.talking(Lane::Standard);
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(60_000));
    floor.rings();
    floor.hang_up(talk);
    floor.pass(ms(10_000));
    assert_eq!(floor.rings(), []);
    assert_eq!(floor.phase(call), PhaseName::VoiceMessage);
}

#[test]
fn a_caller_who_hangs_up_before_the_beep_was_offered_a_message_and_left_none() {
    let mut floor = Floor::agents([]);
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(6_000));
    floor.hang_up(call);
    let summary = floor.summary(call);
    assert_eq!((summary.outcome, summary.voice_message), (Outcome::Overflow, None));
}

#[test]
fn a_caller_who_hangs_up_in_the_queue_abandoned_it() {
    let mut floor = Floor::agents(["a"]);
    floor.talking(Lane::Standard);
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(7_000));
    floor.hang_up(call);
    let summary = floor.summary(call);
    assert_eq!((summary.outcome, summary.wait_ms), (Outcome::AbandonedQueue, Some(7_000)));
}
