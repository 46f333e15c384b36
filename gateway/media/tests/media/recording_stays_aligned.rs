//! Recordings: every sample at its place, both channels of one length, whatever was late or missing.

use std::{f64::consts::TAU, time::Duration};

use gateway_media::{
    Leg, MediaError, Pause, PauseReason, Prompt, Recorder, Role, SILENCE, Samples,
    recorder::{BLOCK_BYTES, BLOCK_TICKS},
    tone as tones,
    wav::{Audio, repair, wav_header},
};

use crate::{
    rig::{Phone, assert_no_tone, assert_tone, at_frame, fixed, through_a_law},
    room_rig::{Room, SPECIALIST, SUPERVISOR, assert_notes},
};

const CALLER: Leg = Leg::CALLER;
const AGENT: Leg = Leg::AGENT;

fn blocks(recorder: &mut Recorder) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some(block) = recorder.poll_block() {
        found.push((block.at, block.pcm.to_vec()));
    }
    found
}

#[test]
fn both_channels_are_written_in_one_step() {
    let mut recorder = Recorder::new();
    for tick in 0..30i16 {
        recorder.push(&[tick; 160], &[-tick; 160]);
    }
    let first = blocks(&mut recorder);
    assert_eq!((first.len(), first[0].0, first[0].1.len()), (1, 0, BLOCK_BYTES));
    recorder.finish();
    recorder.push(&[99; 160], &[99; 160]); // after the end
    let rest = blocks(&mut recorder);
    assert_eq!((rest.len(), rest[0].0), (1, 25 * 160));
    let bytes: Vec<u8> = first.into_iter().chain(rest).flat_map(|(_, pcm)| pcm).collect();
    for (instant, both) in bytes.chunks_exact(4).enumerate() {
        let tick = (instant / 160) as i16;
        let sides = [i16::from_le_bytes([both[0], both[1]]), i16::from_le_bytes([both[2], both[3]])];
        assert_eq!(sides, [tick, -tick]);
    }
    assert_eq!((bytes.len(), recorder.position(), recorder.is_drained()), (30 * 640, 4_800, true));
}

#[test]
fn ticks_that_were_skipped_are_a_jump_of_the_same_length() {
    let mut recorder = Recorder::new();
    recorder.push(&[1; 160], &SILENCE);
    recorder.skip(10);
    recorder.push(&[2; 160], &SILENCE);
    recorder.finish();
    let places: Vec<_> = blocks(&mut recorder).iter().map(|(at, pcm)| (*at, pcm.len())).collect();
    assert_eq!(places, [(0, 640), (11 * 160, 640)]);
    assert_eq!((recorder.duration(), recorder.dropped()), (Duration::from_millis(240), 0));
}

#[test]
fn blocks_nobody_polls_cost_sound_but_never_time_or_memory() {
    let mut recorder = Recorder::new();
    for _ in 0..1_000 {
        recorder.push(&[5; 160], &[6; 160]);
    }
    let held = blocks(&mut recorder);
    assert_eq!(held.len(), 4);
    recorder.push(&[7; 160], &[7; 160]);
    recorder.finish();
    let last = blocks(&mut recorder);
    assert_eq!(last.iter().map(|(at, pcm)| (*at, pcm.len())).collect::<Vec<_>>(), [(160_000, 640)]);
    assert_eq!(recorder.dropped(), (1_000 - 4 * BLOCK_TICKS as u64) * 160);
    assert_eq!(recorder.duration(), Duration::from_millis(20_020));
}

#[test]
fn the_header_is_readable_and_a_cut_file_is_repaired() {
    let header = wav_header(32_000);
    assert_eq!(
        (&header[..4], &header[8..16], &header[36..40]),
        (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..])
    );
    assert_eq!(u32::from_le_bytes([header[4], header[5], header[6], header[7]]), 32_036);
    let mut file = wav_header(0).to_vec(); // as written at the beginning
    file.extend([1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]); // cut within an instant
    let header = repair(file.len() as u64);
    assert_eq!(header, wav_header(8));
    file[..44].copy_from_slice(&header);
    assert_eq!(Audio::read(&file), Ok(Audio { rate: 8_000, channels: 2, samples: vec![1, 2, 3, 4] }));
    assert_eq!((repair(10), repair(44)), (wav_header(0), wav_header(0)));
    assert_eq!(wav_header(u32::MAX)[..4], *b"RIFF");
}

#[test]
fn a_call_is_recorded_in_place_and_prompts_are_not() {
    let mut room = Room::new(fixed());
    room.joins(CALLER, Role::Caller);
    room.joins(AGENT, Role::Agent);
    room.phone(CALLER).sends = false;
    // Recording from 1 s to 6 s. The caller speaks from 2 s, a prompt plays from 2 s to 3 s, the agent speaks
    // from the beginning but is bridged at 4 s; at 5 s the process stalls for 400 ms.
    room.run(50);
    room.media.start_recording().unwrap();
    room.run(50);
    room.phone(CALLER).sends = true;
    room.media.play(CALLER, Prompt::new(tones::sine(3_000.0, 8_000.0, 8_000)), 1, false).unwrap();
    room.run(100);
    room.media.bridge(true);
    room.run(50);
    room.frame = 270;
    room.run(30);
    assert_eq!(room.media.start_recording(), Err(MediaError::RecordingBusy));
    room.media.stop_recording();
    room.drain_recording();
    let (left, right) = room.channels();
    assert_eq!(left.len(), 40_000, "five seconds, stall included");
    // Of the 20 ticks missed, the last few were made up; the others are a jump.
    assert_eq!(room.jumps, [(200 * 160, 216 * 160)]);
    let at = |ms: usize| (ms - 1_000) * 8;
    // The caller's first sample: 2 s and the buffer's 60 ms.
    assert_eq!(left.iter().position(|sample| sample.abs() > 100), Some(at(2_060) + 1));
    assert_notes(&left[at(2_100)..at(5_000)], &[CALLER]);
    assert_notes(&left[at(5_700)..at(6_000)], &[CALLER]);
    assert_no_tone(3_000.0, 8_000.0, &left[at(2_000)..at(3_000)]);
    // The agent only while the caller could hear them.
    assert!(right[..at(4_000)].iter().all(|&sample| sample == 0));
    assert_notes(&right[at(4_000)..at(5_000)], &[AGENT]);
    assert_notes(&right[at(5_700)..at(6_000)], &[AGENT]);
    assert_eq!(room.media.start_recording(), Ok(()), "a drained recording makes room for the next");
}

#[test]
fn the_recording_goes_on_through_hold_transfer_and_conference() {
    // mikopbx #1125, asterisk #507: recording lost after a transfer, because it hung on a channel.
    let mut room = Room::talk();
    room.run(10);
    room.media.start_recording().unwrap();
    let seconds = |room: &mut Room| room.run(50);
    seconds(&mut room); // 0: agent
    room.media.hold(CALLER, true);
    room.joins(SPECIALIST, Role::Specialist);
    seconds(&mut room); // 1: consultation
    room.media.hold(CALLER, false);
    seconds(&mut room); // 2: three
    room.media.drop_leg(AGENT);
    seconds(&mut room); // 3: handed over
    room.joins(SUPERVISOR, Role::Whisperer);
    seconds(&mut room); // 4: a whisper nobody is there to hear
    room.media.set_role(SUPERVISOR, Role::Barger).unwrap();
    seconds(&mut room); // 5: and aloud
    room.media.drop_leg(SUPERVISOR);
    room.media.set_role(SPECIALIST, Role::Agent).unwrap();
    seconds(&mut room); // 6
    room.media.hang_up(at_frame(room.frame));
    room.drain_recording();
    let (left, right) = room.channels();
    assert_eq!((left.len(), room.jumps.len()), (7 * 8_000, 0), "one recording, no gap");
    let second =
        |samples: &[i16], number: usize| samples[number * 8_000 + 1_600..(number + 1) * 8_000].to_vec();
    for number in 0..7 {
        assert_notes(&second(&left, number), &[CALLER]);
    }
    let talking: [&[Leg]; 7] = [
        &[AGENT],
        &[],
        &[AGENT, SPECIALIST],
        &[SPECIALIST],
        &[SPECIALIST],
        &[SPECIALIST, SUPERVISOR],
        &[SPECIALIST],
    ];
    for (number, speakers) in talking.into_iter().enumerate() {
        assert_notes(&second(&right, number), speakers);
    }
}

#[test]
fn prompts_are_on_the_recording_when_they_are_wanted_there() {
    let mut config = fixed();
    config.recording.prompts = true;
    let mut room = Room::new(config);
    room.joins(CALLER, Role::Caller);
    room.joins(AGENT, Role::Agent);
    room.media.bridge(true);
    room.media.start_recording().unwrap();
    room.run(50);
    room.media.play(CALLER, Prompt::new(tones::sine(3_000.0, 5_000.0, 8_000)), 1, false).unwrap();
    room.run(50);
    room.media.stop_recording();
    room.drain_recording();
    let (left, right) = room.channels();
    assert_notes(&right[1_600..8_000], &[AGENT]);
    assert_tone(3_000.0, 5_000.0, &right[8_000..]);
    assert_notes(&left[8_000..], &[CALLER]);
}

#[test]
fn what_is_said_during_a_pause_is_nowhere_and_the_clock_runs_on() {
    let mut room = Room::talk();
    room.media.start_recording().unwrap();
    room.run(50);
    assert!(room.media.pause_recording(PauseReason::SensitiveData));
    assert!(!room.media.pause_recording(PauseReason::Requested), "once is enough");
    room.run(50);
    assert!(room.media.resume_recording());
    assert!(!room.media.resume_recording());
    room.run(50);
    room.media.pause_recording(PauseReason::Confidential);
    room.run(25);
    room.media.stop_recording();
    room.drain_recording();
    let (left, right) = room.channels();
    assert_eq!(left.len(), 175 * 160);
    for channel in [&left, &right] {
        assert!(channel[8_000..16_000].iter().all(|&sample| sample == 0));
        assert!(channel[24_000..].iter().all(|&sample| sample == 0));
    }
    assert_notes(&left[1_600..8_000], &[CALLER]);
    assert_notes(&left[16_000..24_000], &[CALLER]);
    let ms = Duration::from_millis;
    let expected = [
        Pause { from: ms(1_000), until: Some(ms(2_000)), reason: PauseReason::SensitiveData },
        Pause { from: ms(3_000), until: Some(ms(3_500)), reason: PauseReason::Confidential },
    ];
    assert_eq!(room.media.recorder().unwrap().pauses(), expected);
    let told: Vec<_> = std::iter::from_fn(|| room.media.poll_event())
        .chain(room.events.iter().map(|(_, event)| *event))
        .filter(|event| {
            matches!(
                event,
                gateway_media::BridgeEvent::RecordingPaused { .. }
                    | gateway_media::BridgeEvent::RecordingResumed { .. }
            )
        })
        .collect();
    assert_eq!(told.len(), 4, "{told:?}");
}

/// Sample `at` of a sweep from 300 Hz to 3 kHz and back, once a second: no two moments within it are alike.
fn chirp(at: u64) -> i16 {
    let within = (at % 8_000) as f64 / 8_000.0;
    let phase = TAU * (300.0 * within + 1_350.0 * within * within);
    (8_000.0 * phase.sin()).round() as i16
}

#[test]
fn ten_minutes_do_not_play_too_fast_and_the_channels_do_not_part() {
    // freeswitch #2207 and #2584: half of a stereo recording ran too fast, silence was missing.
    let mut room = Room::talk();
    room.phones.iter_mut().for_each(|phone| phone.sends = false);
    room.media.start_recording().unwrap();
    let frames = 30_000u32;
    for frame in 0..frames {
        let now = at_frame(frame);
        let sound: Samples = std::array::from_fn(|index| chirp(u64::from(frame) * 160 + index as u64));
        for leg in [CALLER, AGENT] {
            // Each pauses for a second in every ten (no packets: silence suppression), the agent later.
            if (frame / 50 + u32::from(leg.0) * 5) % 10 == 9 {
                continue;
            }
            let far = Phone { ssrc: u32::from(leg.0) + 1, ..Phone::new() };
            let packet = far.packet_at(frame, frame * 160, false, &sound);
            let from = std::net::SocketAddr::from(([192, 0, 2, 1 + leg.0], 4_000));
            room.media.receive(now, leg, from, &packet).unwrap();
        }
        match frame {
            // What calls go through meanwhile.
            5_000 => room.media.hold(AGENT, true),
            5_100 => room.media.hold(AGENT, false),
            9_000 => room.media.bridge(false),
            9_100 => room.media.bridge(true),
            _ => {}
        }
        room.frame = frame;
        room.tick();
    }
    room.media.stop_recording();
    room.drain_recording();
    let (left, right) = room.channels();
    assert_eq!((left.len(), room.jumps.len()), (frames as usize * 160, 0), "ten minutes are ten minutes");
    // In every second in which both speak, each channel is the sweep at its place, to the sample.
    let mut compared = 0;
    for second in 2..600usize {
        let pauses = [second % 10 == 9, (second + 5) % 10 == 9];
        let apart = matches!(second, 100..=102 | 180..=182);
        // The jitter buffer's 60 ms, and 240 ms to get over a pause.
        let range = second * 8_000 + 2_400..second * 8_000 + 8_000;
        for (channel, silent) in [&left, &right].into_iter().zip(pauses) {
            if silent || apart {
                continue;
            }
            let begin = range.start as u64 - 480;
            for (frame, part) in channel[range.clone()].chunks_exact(160).enumerate() {
                let at = begin + frame as u64 * 160;
                let wanted = through_a_law(&std::array::from_fn(|index| chirp(at + index as u64)));
                assert_eq!(part, wanted, "second {second}, frame {frame}");
            }
            compared += 1;
        }
    }
    assert!(compared > 1_000, "{compared}");
}
