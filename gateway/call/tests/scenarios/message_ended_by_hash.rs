//! The ways a voice message ends when the caller does not hang up.

use gateway_call::{CallId, Event};
use record::{EndBy, Lane, Outcome};

use crate::floor::{Floor, ms};

/// A call whose voice message begins now.
fn listening(floor: &mut Floor) -> CallId {
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(5_000));
    floor.prompt_ends(call);
    floor.prompt_ends(call);
    floor.take(call);
    call
}

fn thanked(floor: &mut Floor, call: CallId) {
    assert_eq!(floor.done(call), ["stop recording", "play message_saved"]);
    floor.pass(ms(3_000));
    floor.prompt_ends(call);
    assert_eq!(floor.done(call), ["hang up caller 16", "finished"]);
    let summary = floor.summary(call);
    assert_eq!((summary.outcome, summary.end_by), (Outcome::Overflow, EndBy::Gateway));
}

#[test]
fn hash_ends_it_and_the_caller_is_thanked() {
    let mut floor = Floor::agents([]);
    let call = listening(&mut floor);
    floor.event(call, Event::SpeechHeard);
    floor.pass(ms(4_000));
    floor.event(call, Event::Digit('1'));
    assert_eq!(floor.done(call), [] as [&str; 0]);
    floor.event(call, Event::Digit('#'));
    thanked(&mut floor, call);
    let message = floor.summary(call).voice_message.unwrap();
    assert_eq!((message.from_ms, message.to_ms, message.speech), (5_000, 9_000, true));
}

#[test]
fn eight_seconds_of_silence_after_speech_end_it() {
    let mut floor = Floor::agents([]);
    let call = listening(&mut floor);
    floor.event(call, Event::SpeechHeard);
    floor.pass(ms(10_000));
    floor.event(call, Event::SilentFor(ms(500)));
    floor.pass(ms(3_000));
    floor.event(call, Event::SpeechHeard);
    floor.pass(ms(6_000));
    floor.event(call, Event::SilentFor(ms(1_000)));
    floor.pass(ms(6_999));
    assert_eq!(floor.done(call), [] as [&str; 0], "the pause in between began anew");
    floor.pass(ms(1));
    thanked(&mut floor, call);
}

#[test]
fn repeated_silence_reports_do_not_postpone_the_end() {
    let mut floor = Floor::agents([]);
    let call = listening(&mut floor);
    floor.event(call, Event::SpeechHeard);
    for _ in 0..7 {
        floor.pass(ms(1_000));
        floor.event(call, Event::SilentFor(ms(1_000)));
    }
    floor.pass(ms(1_000));
    thanked(&mut floor, call);
}

#[test]
fn who_speaks_before_the_beep_is_heard_as_speaking() {
    let mut floor = Floor::agents([]);
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(5_000));
    floor.event(call, Event::SpeechHeard);
    floor.prompt_ends(call);
    floor.prompt_ends(call);
    floor.take(call);
    floor.pass(ms(5_000));
    floor.event(call, Event::SilentFor(ms(0)));
    floor.pass(ms(8_000));
    thanked(&mut floor, call);
    assert!(floor.summary(call).voice_message.unwrap().speech);
}

#[test]
fn two_minutes_end_it() {
    let mut floor = Floor::agents([]);
    let call = listening(&mut floor);
    floor.event(call, Event::SpeechHeard);
    floor.pass(ms(120_000));
    thanked(&mut floor, call);
}
