//! Recordings: every sample at its place, both channels of one length, whatever was late or missing.

use gateway_media::{
    CallMedia, Channel, Codec, Leg, MediaError, Prompt, Recorder, Role, Stream,
    recorder::{BLOCK, WINDOW},
    tone as tones,
    wav::{Audio, repair, wav_header},
};

use crate::rig::{
    Phone, agent, assert_no_tone, assert_tone, at_frame, at_ms, caller, fixed, start, stream_config, tone,
};

/// Everything the recorder has, as the two channels.
fn drain(mut poll: impl FnMut() -> Option<Vec<u8>>) -> (Vec<i16>, Vec<i16>) {
    let bytes: Vec<u8> = std::iter::from_fn(&mut poll).flatten().collect();
    assert_eq!(bytes.len() % 4, 0, "both channels end together");
    bytes
        .chunks_exact(4)
        .map(|instant| {
            (i16::from_le_bytes([instant[0], instant[1]]), i16::from_le_bytes([instant[2], instant[3]]))
        })
        .unzip()
}

#[test]
fn holes_are_silence_and_order_does_not_matter() {
    let mut recorder = Recorder::new(start());
    recorder.push(Channel::Caller, 320, &[3; 160]);
    recorder.push(Channel::Agent, 80, &[9; 10]);
    recorder.push(Channel::Caller, 0, &[1; 160]);
    recorder.finish(600);
    recorder.push(Channel::Caller, 480, &[7; 160]); // after the end
    let (left, right) = drain(|| recorder.poll_block().map(<[u8]>::to_vec));
    assert_eq!(left, [vec![1; 160], vec![0; 160], vec![3; 160], vec![0; 120]].concat());
    assert_eq!(right, [vec![0; 80], vec![9; 10], vec![0; 510]].concat());
    assert!(recorder.is_drained());
    assert_eq!((recorder.data_bytes(), recorder.dropped_samples()), (2_400, 0));
    assert_eq!(recorder.position(at_ms(1_000)), 8_000);
}

#[test]
fn blocks_come_while_the_call_lasts_and_the_end_may_cut() {
    let mut recorder = Recorder::new(start());
    let mut blocks = 0;
    for frame in 0..500 {
        recorder.push(Channel::Caller, frame * 160, &[5; 160]);
        while let Some(block) = recorder.poll_block() {
            assert_eq!(block.len(), BLOCK * 4);
            blocks += 1;
        }
    }
    assert_eq!(blocks, 19); // ten seconds, of which the last 100 ms may still change
    recorder.finish(79_000);
    let (left, _) = drain(|| recorder.poll_block().map(<[u8]>::to_vec));
    assert_eq!(left.len(), 79_000 - 19 * BLOCK);
    assert_eq!(recorder.dropped_samples(), 0);
}

#[test]
fn a_disk_that_does_not_keep_up_costs_sound_but_never_time_or_memory() {
    let mut recorder = Recorder::new(start());
    for frame in 0..1_000 {
        recorder.push(Channel::Caller, frame * 160, &[5; 160]);
    }
    recorder.finish(160_000);
    let (left, right) = drain(|| recorder.poll_block().map(<[u8]>::to_vec));
    assert_eq!((left.len(), right.len()), (160_000, 160_000));
    assert!(left[..WINDOW].iter().all(|&sample| sample == 5));
    assert!(left[WINDOW..].iter().all(|&sample| sample == 0));
    assert_eq!(recorder.dropped_samples(), 160_000 - WINDOW as u64);
    // Absurd places neither panic nor grow anything.
    let mut recorder = Recorder::new(start());
    recorder.push(Channel::Agent, u64::MAX - 3, &[1; 3]);
    assert!(recorder.poll_block().is_some());
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
    let config = fixed();
    let mut call = CallMedia::new(config.clone(), start());
    call.set_leg(
        Leg::CALLER,
        Role::Caller,
        Stream::new(stream_config(&config, Codec::Pcma, caller()), start()),
    )
    .unwrap();
    call.set_leg(Leg::AGENT, Role::Agent, Stream::new(stream_config(&config, Codec::Pcma, agent()), start()))
        .unwrap();
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let mut now = start();
    // Recording from 1 s to 6 s. The caller speaks from 2 s, a prompt plays from 2 s to 3 s, the agent speaks
    // from the beginning but is bridged at 4 s; at 5 s the process stalls for 400 ms.
    let frames: Vec<u32> = (0..250).chain(270..300).collect();
    for frame in frames {
        now = at_frame(frame);
        match frame {
            50 => call.start_recording().unwrap(),
            100 => {
                call.play(Leg::CALLER, Prompt::new(tones::sine(1_500.0, 8_000.0, 8_000)), 1, false).unwrap()
            }
            200 => call.bridge(true),
            _ => {}
        }
        // During the stall the socket kept what arrived.
        let arrived = if frame == 270 { 250..=270 } else { frame..=frame };
        for number in arrived {
            if number >= 100 {
                let packet = Phone::new().packet(number, &tone(400.0, 8_000.0, number));
                let _ = call.receive(now, Leg::CALLER, caller(), &packet);
            }
            let packet = Phone { ssrc: 2, ..Phone::new() }.packet(number, &tone(1_000.0, 8_000.0, number));
            let _ = call.receive(now, Leg::AGENT, agent(), &packet);
        }
        call.handle_timeout(now);
        while let Some(block) = call.poll_recording() {
            blocks.push(block.to_vec());
        }
    }
    assert_eq!(call.start_recording(), Err(MediaError::RecordingBusy));
    call.stop_recording();
    let (left, right) = {
        let mut early = blocks.into_iter();
        drain(|| early.next().or_else(|| call.poll_recording().map(<[u8]>::to_vec)))
    };
    assert_eq!(now, at_frame(299));
    assert_eq!((left.len(), right.len()), (40_000, 40_000), "five seconds, stall included");
    let at = |ms: usize| (ms - 1_000) * 8;
    // The caller's first sample: 2 s and the buffer's 60 ms.
    assert_eq!(left.iter().position(|sample| sample.abs() > 100), Some(at(2_060) + 1));
    assert_tone(400.0, 8_000.0, &left[at(2_100)..at(5_000)]);
    assert_tone(400.0, 8_000.0, &left[at(5_600)..at(6_000)]);
    assert_no_tone(1_500.0, 8_000.0, &left[at(2_000)..at(3_000)]);
    // The agent only while the caller could hear them.
    assert!(right[..at(4_000)].iter().all(|&sample| sample == 0));
    assert_tone(1_000.0, 8_000.0, &right[at(4_000)..at(5_000)]);
    assert_tone(1_000.0, 8_000.0, &right[at(5_600)..at(6_000)]);
    assert_no_tone(400.0, 8_000.0, &right[at(4_000)..at(5_000)]);
    assert_eq!(call.start_recording(), Ok(()), "a drained recording makes room for the next");
}
