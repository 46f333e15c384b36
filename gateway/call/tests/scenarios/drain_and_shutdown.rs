//! The process ends: nobody is cut off without a chance to speak, unless it must end at once.

use gateway_call::{Event, PhaseName};
use record::{EndBy, Lane, Outcome};

use crate::floor::{Floor, ms};

#[test]
fn who_waits_is_offered_the_voice_message() {
    let mut floor = Floor::agents(["a"]);
    let talk = floor.talking(Lane::Standard);
    let waits = floor.greeted(Lane::Standard);
    let greeted = floor.call(Lane::Standard);
    for call in [talk, waits, greeted] {
        floor.event(call, Event::Drain);
    }
    assert_eq!(
        [talk, waits, greeted].map(|call| floor.phase(call)),
        [PhaseName::Talking, PhaseName::VoiceMessage, PhaseName::Greeting]
    );
    floor.prompt_ends(greeted);
    assert_eq!(floor.phase(greeted), PhaseName::VoiceMessage);
}

#[test]
fn a_phone_that_rings_may_be_answered_and_otherwise_it_is_the_voice_message() {
    let mut floor = Floor::agents(["a", "b"]);
    let call = floor.greeted(Lane::Standard);
    floor.event(call, Event::Drain);
    assert_eq!(floor.phase(call), PhaseName::Ringing);
    floor.agent_fails(call, 486);
    assert_eq!(floor.phase(call), PhaseName::VoiceMessage);
    assert_eq!(floor.hall.snapshot(floor.now).agents_free, 1, "b is not held");
}

#[test]
fn shutdown_hands_in_every_summary_at_once() {
    let mut floor = Floor::agents(["a", "b"]);
    let talk = floor.talking(Lane::Standard);
    let rings = floor.greeted(Lane::Standard);
    let waits = floor.greeted(Lane::Standard);
    floor.pass(ms(1_000));
    let unanswered = floor.invite(Lane::Standard);
    let calls = [talk, rings, waits, unanswered];
    for call in calls {
        floor.event(call, Event::Shutdown);
    }
    let outcomes = calls.map(|call| floor.summary(call).outcome);
    assert_eq!(outcomes, [Outcome::Answered, Outcome::Failed, Outcome::Failed, Outcome::Failed]);
    assert!(calls.iter().all(|call| floor.summary(*call).end_by == EndBy::Gateway));
    assert_eq!(floor.summary(unanswered).sip_code, 503);
    assert!(floor.take(rings).contains(&"cancel leg 1".to_owned()));
}

#[test]
fn shutdown_keeps_what_was_said_so_far() {
    let mut floor = Floor::agents([]);
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(5_000));
    floor.prompt_ends(call);
    floor.prompt_ends(call);
    floor.event(call, Event::SpeechHeard);
    floor.pass(ms(2_000));
    floor.event(call, Event::Shutdown);
    let summary = floor.summary(call);
    assert_eq!(summary.outcome, Outcome::Overflow);
    assert_eq!(summary.voice_message.unwrap().to_ms, 7_000);
}
