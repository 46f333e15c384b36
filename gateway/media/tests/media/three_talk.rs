//! More than two in a call: 三方通话, and supervisors who listen, whisper or break in.

use gateway_media::{Leg, MAX_LEGS, MediaConfig, MediaError, Role, Stream, mixer};

use crate::{
    rig::{assert_no_tone, fixed, peak_at, start, stream, stream_config, through_a_law, tone},
    room_rig::{LEVEL, Room, SPECIALIST, SUPERVISOR, note},
};

const CALLER: Leg = Leg::CALLER;
const AGENT: Leg = Leg::AGENT;

#[test]
fn citizen_agent_and_specialist_all_hear_each_other_and_nobody_himself() {
    let mut room = Room::talk();
    room.run(25);
    room.joins(SPECIALIST, Role::Specialist);
    room.run(25);
    room.assert_heard(CALLER, &[AGENT, SPECIALIST]);
    room.assert_heard(AGENT, &[CALLER, SPECIALIST]);
    room.assert_heard(SPECIALIST, &[CALLER, AGENT]);
    // The agent hands over and goes: the other two do not notice.
    room.media.drop_leg(AGENT);
    room.run(25);
    room.assert_heard(CALLER, &[SPECIALIST]);
    room.assert_heard(SPECIALIST, &[CALLER]);
    assert_eq!(room.phone(CALLER).packets, 75, "a packet each tick, whoever came and went");
}

#[test]
fn a_supervisor_who_listens_is_heard_by_nobody() {
    let mut room = Room::talk();
    room.joins(SUPERVISOR, Role::Listener);
    room.assert_hears(SUPERVISOR, &[CALLER, AGENT]);
    room.assert_heard(CALLER, &[AGENT]);
    room.assert_heard(AGENT, &[CALLER]);
}

#[test]
fn a_whisper_never_reaches_the_citizen() {
    let mut room = Room::talk();
    room.joins(SPECIALIST, Role::Specialist);
    room.joins(SUPERVISOR, Role::Whisperer);
    room.joins(Leg(4), Role::Listener);
    room.assert_hears(AGENT, &[CALLER, SPECIALIST, SUPERVISOR]);
    room.assert_heard(CALLER, &[AGENT, SPECIALIST]);
    room.assert_heard(SPECIALIST, &[CALLER, AGENT]);
    room.assert_heard(SUPERVISOR, &[CALLER, AGENT, SPECIALIST]);
    room.assert_heard(Leg(4), &[CALLER, AGENT, SPECIALIST]);
}

#[test]
fn a_supervisor_breaks_in_and_steps_back_without_leaving() {
    let mut room = Room::new(MediaConfig { barge_tone: false, ..fixed() });
    room.joins(CALLER, Role::Caller);
    room.joins(AGENT, Role::Agent);
    room.media.bridge(true);
    room.joins(SUPERVISOR, Role::Listener);
    room.run(25);
    room.media.set_role(SUPERVISOR, Role::Barger).unwrap();
    room.run(25);
    room.assert_heard(CALLER, &[AGENT, SUPERVISOR]);
    room.assert_heard(AGENT, &[CALLER, SUPERVISOR]);
    room.assert_heard(SUPERVISOR, &[CALLER, AGENT]);
    room.media.set_role(SUPERVISOR, Role::Listener).unwrap();
    room.run(25);
    room.assert_heard(CALLER, &[AGENT]);
    assert_eq!(room.media.role(SUPERVISOR), Some(Role::Listener));
    assert_eq!(room.media.set_role(Leg(7), Role::Barger), Err(MediaError::NoLeg));
}

#[test]
fn who_breaks_in_is_announced_by_a_beep_to_those_who_hear_him() {
    let beep = 425.0;
    let loudest = |heard: &[i16]| heard.chunks(400).map(|part| peak_at(beep, 8_000.0, part) as i64).max();
    let mut room = Room::talk();
    room.phones.iter_mut().for_each(|phone| phone.sends = false);
    room.joins(SUPERVISOR, Role::Listener);
    room.phone(SUPERVISOR).sends = false;
    room.run(25);
    assert!(loudest(&room.phone(CALLER).heard) < Some(100), "one who only listens is not announced");
    for change in [Some(Role::Barger), None] {
        let before = room.phone(CALLER).heard.len();
        match change {
            Some(role) => room.media.set_role(SUPERVISOR, role).unwrap(),
            None => room.media.drop_leg(SUPERVISOR),
        }
        room.run(25);
        for leg in [CALLER, AGENT] {
            assert!(loudest(&room.phone(leg).heard[before..]) > Some(2_000), "{change:?} {leg:?}");
        }
        assert!(loudest(&room.phone(SUPERVISOR).heard) < Some(100));
    }
}

#[test]
fn three_who_shout_are_loud_and_not_torn() {
    let mut room = Room::talk();
    room.joins(SPECIALIST, Role::Specialist);
    room.joins(SUPERVISOR, Role::Barger);
    room.phones.iter_mut().for_each(|phone| phone.peak = 30_000.0);
    room.run(50);
    let heard = room.phone(CALLER).heard.clone();
    // 90,000 at the most does not fit. Each is still there, none has wrapped around into noise.
    let speakers = [AGENT, SPECIALIST, SUPERVISOR];
    let voices = speakers.map(|leg| peak_at(note(leg), 8_000.0, &heard[4_800..]));
    assert!(voices.iter().all(|&peak| peak > 8_000.0), "{voices:?}");
    // After the supervisor's beep, and 60 ms late: the sum, bent, to the bit.
    for frame in 20..50u32 {
        let said = speakers.map(|leg| through_a_law(&tone(note(leg), 30_000.0, frame - 3)));
        let bent = std::array::from_fn(|at| mixer::bend(said.iter().map(|voice| i32::from(voice[at])).sum()));
        assert_eq!(heard[frame as usize * 160..][..160], through_a_law(&bent), "frame {frame}");
    }
    // The limit itself: untouched below the knee, never falling, never beyond.
    assert_eq!((mixer::bend(24_576), mixer::bend(-24_576)), (24_576, -24_576));
    let bent: Vec<i16> = (0..=8 * 32_768).map(mixer::bend).collect();
    assert!(bent.windows(2).all(|pair| pair[0] <= pair[1]));
    assert!((1..=8 * 32_768).all(|sum| mixer::bend(-sum) == -mixer::bend(sum)));
}

#[test]
fn a_leg_that_is_lost_is_silence_to_the_others() {
    let mut room = Room::talk();
    room.joins(SPECIALIST, Role::Specialist);
    room.run(25);
    room.phone(SPECIALIST).sends = false;
    room.run(25);
    room.assert_heard(CALLER, &[AGENT]);
    room.phone(AGENT).sends = false;
    room.run(25);
    let heard = &room.phone(CALLER).heard;
    assert!(heard[heard.len() - 1_600..].iter().all(|sample| sample.abs() <= 8));
    assert_eq!(room.phone(CALLER).packets, 75);
}

#[test]
fn a_ninth_leg_is_refused_and_disturbs_nobody() {
    let mut room = Room::talk();
    for number in 2..MAX_LEGS as u8 {
        room.joins(Leg(number), Role::Listener);
    }
    let config = stream_config(&room.config, gateway_media::Codec::Pcma, crate::rig::agent());
    let refused = room.media.set_leg(Leg(99), Role::Barger, Stream::new(config, start()));
    assert_eq!(refused, Err(MediaError::RoomFull));
    // One that is there may still get another stream.
    room.media.set_leg(Leg(7), Role::Listener, stream(&fixed())).unwrap();
    room.assert_hears(CALLER, &[AGENT]);
}

#[test]
fn keys_pressed_by_one_are_not_heard_by_the_others() {
    use crate::rig::{Phone, at_frame};
    let mut room = Room::talk();
    room.run(25);
    room.phone(CALLER).sends = false;
    // The caller's phone plays the key into the sound as well as telling it: both are taken out.
    let far = Phone { ssrc: 1, ..Phone::new() };
    for step in 0..20u32 {
        let now = at_frame(room.frame);
        let from = std::net::SocketAddr::from(([192, 0, 2, 1], 4_000));
        let event = far.event(25 + step, 25 * 160, 5, step == 19, (step as u16 + 1) * 160);
        room.media.receive(now, CALLER, from, &event).unwrap();
        room.run(1);
    }
    let heard = room.phone(AGENT).heard[28 * 160..].to_vec();
    for hertz in [770.0, 1_336.0, note(CALLER)] {
        assert_no_tone(hertz, LEVEL, &heard);
    }
    assert!(room.events.iter().any(|(_, event)| {
        matches!(event, gateway_media::BridgeEvent::Digit { leg: Leg::CALLER, digit } if digit.digit == '5')
    }));
}
