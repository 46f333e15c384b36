//! Announcements and tones, sample by sample.

use std::time::Duration;

use gateway_media::{MediaError, Player, Prompt, tone, wav::wav_header};

use crate::rig::{assert_no_tone, assert_tone};

fn play(player: &mut Player, frames: usize) -> Vec<i16> {
    let mut out = [0; 160];
    (0..frames)
        .flat_map(|_| {
            player.next_frame(&mut out);
            out
        })
        .collect()
}

#[test]
fn prompts_follow_each_other_to_the_sample() {
    let mut player = Player::new(50);
    player.play(Prompt::new(vec![1; 200]), 1, false).unwrap();
    player.play(Prompt::new(vec![2; 70]), 2, false).unwrap();
    player.play(Prompt::new(vec![]), 3, false).unwrap();
    let heard = play(&mut player, 4);
    let expected = [vec![1; 200], vec![0; 50], vec![2; 70], vec![0; 320]].concat();
    assert_eq!(heard, expected);
    assert_eq!(std::iter::from_fn(|| player.poll_finished()).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(!player.next_frame(&mut [0; 160]));
}

#[test]
fn a_repeated_prompt_yields_to_the_next_at_its_end() {
    let mut player = Player::new(40);
    player.play(Prompt::new(vec![1; 280]), 1, true).unwrap();
    assert_eq!(play(&mut player, 4), [vec![1; 280], vec![0; 40]].concat().repeat(2));
    player.play(Prompt::new(vec![2; 160]), 2, false).unwrap();
    assert_eq!(play(&mut player, 3), [vec![1; 280], vec![0; 40], vec![2; 160]].concat());
    assert_eq!(
        (player.poll_finished(), player.poll_finished(), player.is_playing()),
        (Some(1), Some(2), false)
    );
}

#[test]
fn stopping_is_immediate_and_tells_no_end() {
    let mut player = Player::new(0);
    player.play(Prompt::new(vec![1; 8_000]), 1, true).unwrap();
    play(&mut player, 2);
    player.stop();
    assert_eq!((play(&mut player, 1), player.poll_finished()), (vec![0; 160], None));
}

#[test]
fn an_empty_prompt_on_repeat_ends() {
    let mut player = Player::new(0);
    player.play(Prompt::new(vec![]), 7, true).unwrap();
    play(&mut player, 1);
    assert_eq!(player.poll_finished(), Some(7));
}

#[test]
fn the_queue_is_bounded() {
    let mut player = Player::new(0);
    let queued = (0..100).take_while(|&id| player.play(Prompt::new(vec![1; 10]), id, false).is_ok()).count();
    assert_eq!(queued, 32);
    assert_eq!(player.play(Prompt::new(vec![]), 99, false), Err(MediaError::PromptQueueFull));
}

#[test]
fn tones_have_the_chinese_cadence() {
    let ring_back = tone::ring_back();
    assert_eq!(ring_back.duration(), Duration::from_secs(5));
    assert_tone(450.0, 7_217.0, &ring_back.samples()[..8_000]);
    assert!(ring_back.samples()[8_000..].iter().all(|&sample| sample == 0));
    let busy = tone::busy();
    assert_eq!(busy.duration(), Duration::from_millis(700));
    assert!(busy.samples()[2_800..].iter().all(|&sample| sample == 0));
    let beep = tone::beep();
    assert_eq!(beep.duration(), Duration::from_millis(400));
    assert_tone(1_000.0, 7_217.0, &beep.samples()[400..2_800]);
    assert_no_tone(450.0, 7_217.0, &beep.samples()[400..2_800]);
    assert_eq!(tone::call_waiting().duration(), Duration::from_millis(4_400));
    assert_tone(425.0, 7_217.0, &tone::barge().samples()[80..1_520]);
    // What is heard for minutes is soft, and its round has a pause.
    let hold = tone::hold();
    assert_eq!(hold.duration(), Duration::from_millis(3_480));
    let peak = hold.samples().iter().map(|sample| sample.abs()).max();
    assert!(peak < Some(2_500) && peak > Some(2_000), "{peak:?}");
    assert!(hold.samples()[6_000..].iter().all(|&sample| sample == 0));
}

#[test]
fn a_wav_file_becomes_a_prompt() {
    // Two channels at 8 kHz, as our own recordings: the mean is played.
    let samples: [i16; 4] = [100, 300, -5, -7];
    let mut file = wav_header(8).to_vec();
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    assert_eq!(Prompt::from_wav(&file).unwrap().samples(), [200, -6]);
    // At 16 kHz with a chunk in between.
    let mut header = wav_header(0);
    header[24..28].copy_from_slice(&16_000u32.to_le_bytes());
    let mut file = header[..36].to_vec();
    file.extend(b"LIST\x03\0\0\0abc\0data");
    let tone = tone::sine(500.0, 8_000.0, 16_000);
    file.extend(64_000u32.to_le_bytes());
    file.extend(tone.iter().flat_map(|sample| [sample.to_le_bytes(), sample.to_le_bytes()]).flatten());
    let prompt = Prompt::from_wav(&file).unwrap();
    assert_eq!(prompt.samples().len(), 8_000);
    assert_tone(1_000.0, 8_000.0, &prompt.samples()[400..7_600]);
    header[24..28].copy_from_slice(&44_100u32.to_le_bytes());
    assert_eq!(Prompt::from_wav(&header), Err(MediaError::Rate { from: 44_100, to: 8_000 }));
    header[34] = 24;
    assert_eq!(Prompt::from_wav(&header), Err(MediaError::Wav("samples are not 16-bit pcm")));
    assert_eq!(Prompt::from_wav(b"ID3"), Err(MediaError::Wav("no riff header")));
}
