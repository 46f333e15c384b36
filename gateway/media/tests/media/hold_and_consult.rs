//! Hold, consultation, waiting: what is heard by whom while not everybody talks, and that nobody is cut off.

use std::time::Duration;

use gateway_media::{BridgeEvent, Leg, MediaError, Prompt, Role, tone as tones};

use crate::{
    rig::{assert_no_tone, assert_tone, fixed},
    room_rig::{LEVEL, Room, SPECIALIST, SUPERVISOR, note},
};

const CALLER: Leg = Leg::CALLER;
const AGENT: Leg = Leg::AGENT;
const MUSIC: f64 = 3_000.0;

fn music() -> Prompt {
    Prompt::new(tones::sine(MUSIC, 5_000.0, 8_000))
}

#[test]
fn a_held_caller_hears_music_and_nobody_hears_the_caller() {
    let mut room = Room::talk();
    room.media.set_hold_music(Some(music()));
    room.run(25);
    room.media.hold(CALLER, true);
    room.assert_hears(CALLER, &[]);
    room.assert_heard(AGENT, &[]);
    let heard = room.phone(CALLER).heard.clone();
    assert_tone(MUSIC, 5_000.0, &heard[heard.len() - 2_400..]);
    room.media.hold(CALLER, false);
    room.assert_hears(CALLER, &[AGENT]);
    room.assert_heard(AGENT, &[CALLER]);
    assert_eq!(room.phone(CALLER).packets, 75);
}

#[test]
fn a_consultation_is_not_heard_by_the_caller() {
    let mut room = Room::talk();
    room.media.set_hold_music(Some(music()));
    room.run(25);
    room.media.hold(CALLER, true);
    room.joins(SPECIALIST, Role::Specialist);
    room.run(25);
    room.assert_heard(CALLER, &[]);
    room.assert_heard(AGENT, &[SPECIALIST]);
    room.assert_heard(SPECIALIST, &[AGENT]);
    room.media.hold(CALLER, false);
    room.run(25);
    room.assert_heard(CALLER, &[AGENT, SPECIALIST]);
}

#[test]
fn the_others_go_on_while_the_caller_is_kept_apart() {
    let mut room = Room::talk();
    room.joins(SPECIALIST, Role::Specialist);
    room.joins(SUPERVISOR, Role::Listener);
    room.media.bridge(false);
    room.run(25);
    room.assert_heard(CALLER, &[]);
    room.assert_heard(AGENT, &[SPECIALIST]);
    room.assert_heard(SPECIALIST, &[AGENT]);
    room.assert_heard(SUPERVISOR, &[CALLER, AGENT, SPECIALIST]);
}

#[test]
fn a_held_agent_leaves_caller_and_specialist_talking() {
    let mut room = Room::talk();
    room.joins(SPECIALIST, Role::Specialist);
    room.media.hold(AGENT, true);
    room.run(25);
    room.assert_heard(CALLER, &[SPECIALIST]);
    room.assert_heard(SPECIALIST, &[CALLER]);
    room.assert_heard(AGENT, &[]);
}

#[test]
fn a_call_on_hold_is_not_cut_off_after_five_seconds_without_sound() {
    // livekit/sip #812: peers hang up when nothing is sent to them.
    let mut room = Room::new(fixed());
    room.joins(CALLER, Role::Caller);
    room.phone(CALLER).sends = false;
    room.run(500);
    assert_eq!(room.phone(CALLER).packets, 500, "silence is sent, every tick");
    room.media.hold(CALLER, true);
    room.run(500);
    assert_eq!(room.phone(CALLER).packets, 1_000);
    // Unless it is wanted: a number that answers and sends nothing.
    room.media.keep_sending(CALLER, false);
    room.run(50);
    assert_eq!(room.phone(CALLER).packets, 1_000);
    room.media.play(CALLER, music(), 1, false).unwrap();
    room.run(50);
    assert_eq!(room.phone(CALLER).packets, 1_050);
}

#[test]
fn a_line_test_lets_the_caller_hear_himself() {
    let mut room = Room::new(fixed());
    room.joins(CALLER, Role::Caller);
    room.media.echo(CALLER, true);
    room.assert_hears(CALLER, &[CALLER]);
    room.media.echo(CALLER, false);
    room.assert_hears(CALLER, &[]);
}

#[test]
fn a_prompt_to_the_caller_and_a_whisper_to_the_agent_do_not_meet() {
    let mut room = Room::talk();
    room.joins(SUPERVISOR, Role::Whisperer);
    room.run(25);
    room.media.play(CALLER, music(), 7, true).unwrap();
    room.run(25);
    room.assert_heard(CALLER, &[]);
    assert_tone(MUSIC, 5_000.0, &room.phone(CALLER).heard.clone()[28 * 160..]);
    room.assert_heard(AGENT, &[CALLER, SUPERVISOR]);
    assert_no_tone(MUSIC, 5_000.0, &room.phone(AGENT).heard.clone()[28 * 160..]);
    room.media.stop_playing(CALLER);
    room.assert_hears(CALLER, &[AGENT]);
    assert!(!room.events.iter().any(|(_, event)| matches!(event, BridgeEvent::PromptFinished { .. })));
}

#[test]
fn a_tone_over_the_talk_reaches_one_leg_and_stops_nothing() {
    let mut room = Room::talk();
    room.run(25);
    room.media.play_over(AGENT, music()).unwrap();
    room.run(25);
    let heard = room.phone(AGENT).heard.clone();
    assert_tone(MUSIC, 5_000.0, &heard[26 * 160..]);
    assert_tone(note(CALLER), LEVEL, &heard[26 * 160..]);
    assert_no_tone(MUSIC, 5_000.0, &room.phone(CALLER).heard.clone()[26 * 160..]);
    room.run(50);
    assert!(!room.events.iter().any(|(_, event)| matches!(event, BridgeEvent::PromptFinished { .. })));
    assert_eq!(room.media.play(SUPERVISOR, music(), 1, false), Err(MediaError::NoLeg));
    assert_eq!(room.media.play_over(SUPERVISOR, music()), Err(MediaError::NoLeg));
}

#[test]
fn an_agent_replaced_by_a_transfer_does_not_interrupt_what_the_caller_hears() {
    let mut room = Room::talk();
    room.media.play(CALLER, music(), 3, false).unwrap();
    room.run(25);
    room.joins(AGENT, Role::Agent);
    room.joins(CALLER, Role::Caller);
    room.run(25);
    assert_tone(MUSIC, 5_000.0, &room.phone(CALLER).heard.clone()[..8_000]);
    assert_eq!(room.phone(CALLER).packets, 50);
    assert!(room.media.silent_for(CALLER, crate::rig::at_frame(50)).unwrap() < Duration::from_secs(1));
}
