//! The real model on real sound: how well it hears, what it must not hear, and that it can be stopped.
//!
//! `JIESU_MODEL_DIR` names the folder that `asr/model/fetch-model.sh` filled; without it these tests fail, so that
//! nobody takes an untested recogniser for a tested one.
#![allow(clippy::unwrap_used)] // clippy sees the test functions, not the helpers beside them
#![cfg(feature = "whisper")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use asr::whisper::Whisper;
use asr::{
    AsrError, Audio16k, CancelFlag, Input, Job, Limits, ModelFiles, ModelStatus, Options, Pool, Recognizer,
    SpeechConfig, Utterance, decode_mono, decode_path,
};
use record::{Lane, Speaker};

fn model_dir() -> PathBuf {
    let dir = std::env::var_os("JIESU_MODEL_DIR").unwrap_or_else(|| {
        panic!("JIESU_MODEL_DIR is not set: run asr/model/fetch-model.sh DIR and set it to DIR (./test does both)")
    });
    let dir = PathBuf::from(dir);
    assert!(
        dir.join("ggml-base-q8_0.bin").is_file(),
        "no model in {dir:?}: run asr/model/fetch-model.sh {dir:?}"
    );
    dir
}

fn whisper() -> &'static Whisper {
    static WHISPER: OnceLock<Whisper> = OnceLock::new();
    WHISPER.get_or_init(|| {
        let dir = model_dir();
        let files = ModelFiles {
            model: dir.join("ggml-base-q8_0.bin"),
            vad: Some(dir.join("ggml-silero-v6.2.3.bin")),
        };
        Whisper::load(&files, 1).unwrap()
    })
}

fn hear(audio: &Audio16k) -> Vec<Utterance> {
    whisper().transcribe(audio, &Options::default(), &CancelFlag::new()).unwrap()
}

fn clips() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/audio")
}

fn clip(name: &str) -> Audio16k {
    let recording = decode_path(&clips().join(name), &Limits::default(), &CancelFlag::new()).unwrap();
    let [channel] = recording.channels.as_slice() else { panic!("{name} is not mono") };
    channel.clone()
}

/// What is compared: Hanzi and letters, numbers as they are read out (`14` is `十四`).
fn spoken(text: &str) -> Vec<char> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if digits.is_empty() {
            out.extend(first.is_alphanumeric().then(|| first.to_ascii_lowercase()));
            rest = &rest[first.len_utf8()..];
        } else {
            out.push_str(&read_out(&digits));
            rest = &rest[digits.len()..];
        }
    }
    out.chars().collect()
}

fn read_out(digits: &str) -> String {
    let hanzi = |digit: u32| "零一二三四五六七八九".chars().nth(digit as usize).unwrap();
    match digits.parse::<u32>() {
        Ok(number @ 10..100) => {
            let tens = (number >= 20).then(|| hanzi(number / 10));
            let ones = (number % 10 != 0).then(|| hanzi(number % 10));
            tens.into_iter().chain(['十']).chain(ones).collect()
        }
        _ => digits.chars().map(|digit| hanzi(digit.to_digit(10).unwrap())).collect(),
    }
}

/// Edits (Levenshtein) that turn what was heard into what was said, a hundredth of what was said.
fn error_percent(said: &str, heard: &str) -> usize {
    let (said, heard) = (spoken(said), spoken(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, want) in said.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, got) in heard.iter().enumerate() {
            let substituted = diagonal + usize::from(want != got);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[heard.len()] * 100 / said.len()
}

#[derive(serde::Deserialize)]
struct Manifest {
    clip: Vec<Clip>,
}

#[derive(serde::Deserialize)]
struct Clip {
    id: String,
    file: String,
    text: String,
    language: String,
}

/// Every Mandarin clip of the fixtures: at most a quarter of the characters wrong, and times within the sound.
#[test]
fn callers_are_understood() {
    let manifest = std::fs::read_to_string(clips().join("manifest.toml")).unwrap();
    let manifest: Manifest = toml::from_str(&manifest).unwrap();
    let mut heard_clips = 0;
    let mut failures = Vec::new();
    for Clip { id, file, text, .. } in manifest.clip.into_iter().filter(|clip| clip.language == "zh-CN") {
        let audio = clip(&file);
        let started = Instant::now();
        let utterances = hear(&audio);
        let heard: String = utterances.iter().map(|utterance| utterance.text.as_str()).collect();
        let percent = error_percent(&text, &heard);
        println!(
            "{id}: {percent} % wrong, {:.1} s of sound in {:.1} s, {} utterances",
            audio.duration_ms() as f32 / 1000.0,
            started.elapsed().as_secs_f32(),
            utterances.len()
        );
        println!("  said  {text}\n  heard {heard}");
        if percent > 25 {
            failures.push(format!("{id}: {percent} % wrong"));
        }
        for pair in utterances.windows(2) {
            assert!(pair[0].to_ms <= pair[1].to_ms && pair[0].from_ms <= pair[1].from_ms, "{id}: {pair:?}");
        }
        for utterance in &utterances {
            assert!(
                utterance.from_ms < utterance.to_ms && utterance.to_ms <= audio.duration_ms() + 10,
                "{id}"
            );
            assert!((1_000..=10_000).contains(&utterance.confidence), "{id}: {}", utterance.confidence);
        }
        heard_clips += 1;
    }
    assert!(heard_clips >= 5, "only {heard_clips} clips");
    assert!(failures.is_empty(), "{failures:?}");
}

/// Sounds in which nobody speaks, each 20 s long.
fn without_speech() -> [(&'static str, Audio16k); 5] {
    let mut state = 9u64;
    let mut noise = |level: f32| -> i16 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * level * 32_000.0) as i16
    };
    let ring = |n: usize| -> i16 {
        let on = n % 80_000 < 16_000;
        let angle = std::f32::consts::TAU * 450.0 * n as f32 / 16_000.0;
        if on { (angle.sin() * 8_000.0) as i16 } else { 0 }
    };
    let second = 16_000;
    [
        ("silence", Audio16k::new(vec![0; 20 * second])),
        ("ring-back", Audio16k::new((0..20 * second).map(ring).collect())),
        ("steady tone", Audio16k::new((0..20 * second).map(|n| ring(n % 16_000)).collect())),
        ("faint noise", Audio16k::new((0..20 * second).map(|_| noise(0.01)).collect())),
        ("loud noise", Audio16k::new((0..20 * second).map(|_| noise(0.2)).collect())),
    ]
}

#[test]
fn where_nobody_speaks_nothing_is_written() {
    for (name, sound) in without_speech() {
        let heard = hear(&sound);
        let texts: Vec<&str> = heard.iter().map(|utterance| utterance.text.as_str()).collect();
        assert!(texts.is_empty(), "{name}: {texts:?}");
    }
}

/// The same without the voice activity model: by loudness alone, with a ring before the caller.
#[test]
fn without_a_voice_model_speech_is_still_found_and_the_rest_is_not() {
    let files = ModelFiles { model: model_dir().join("ggml-base-q8_0.bin"), vad: None };
    let plain = Whisper::load(&files, 1).unwrap();
    let hear = |sound: &Audio16k| plain.transcribe(sound, &Options::default(), &CancelFlag::new()).unwrap();
    let [silence, ring, others @ ..] = without_speech();
    let speech = clip("caller-heating.ogg");
    let call =
        Audio16k::new([ring.1.between(0, 5000), silence.1.between(0, 1000), speech.samples()].concat());
    for (name, sound) in [silence, ring].into_iter().chain(others) {
        assert_eq!(hear(&sound), [], "{name}");
    }
    let heard = hear(&call);
    let text: String = heard.iter().map(|utterance| utterance.text.as_str()).collect();
    assert!(text.contains("暖气不热"), "{text}");
    assert!(heard.iter().all(|utterance| utterance.from_ms >= 5900), "{heard:?}");
}

/// A stereo recording at the telephone's rate, as the gateway writes it: caller left, agent right and later.
fn stereo_call(path: &Path) -> u64 {
    let side = |name: &str| decode_mono(&std::fs::read(clips().join(name)).unwrap(), 8000).unwrap();
    let (caller, agent) = (side("caller-streetlight.ogg"), side("agent-heating.ogg"));
    let answer_at = caller.len() + 4000;
    let frames = answer_at + agent.len();
    let mut data = Vec::with_capacity(frames * 4);
    for n in 0..frames {
        let left = caller.get(n).copied().unwrap_or(0);
        let right = n.checked_sub(answer_at).and_then(|m| agent.get(m)).copied().unwrap_or(0);
        data.extend(left.to_le_bytes());
        data.extend(right.to_le_bytes());
    }
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    file.extend(8000u32.to_le_bytes());
    file.extend(32_000u32.to_le_bytes());
    file.extend(b"\x04\0\x10\0data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    std::fs::write(path, file).unwrap();
    answer_at as u64 / 8
}

/// The gateway starts without a model, the model appears, a call gets its text.
#[test]
fn a_model_that_appears_is_used_and_both_speakers_are_told_apart() {
    let source = model_dir();
    let data = tempfile::tempdir().unwrap();
    let call = data.path().join("call.wav");
    let answer_at_ms = i64::try_from(stereo_call(&call)).unwrap();
    let pool = Pool::start(&SpeechConfig::default(), data.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let transcript = runtime.block_on(async {
        assert!(matches!(pool.settled().await, ModelStatus::Missing { .. }));
        let mut changes = pool.status_changes();
        std::fs::create_dir(data.path().join("models")).unwrap();
        for name in ["ggml-silero-v6.2.3.bin", "ggml-base-q8_0.bin"] {
            std::os::unix::fs::symlink(
                source.canonicalize().unwrap().join(name),
                data.path().join("models").join(name),
            )
            .unwrap();
        }
        pool.reload();
        let ready =
            changes.wait_for(|status| matches!(status, ModelStatus::Ready { .. })).await.unwrap().clone();
        let ModelStatus::Ready { name, sha256 } = ready else { unreachable!("waited for it") };
        assert_eq!(name, "whisper/ggml-base-q8_0");
        assert!(asr::model::KNOWN.contains(&("ggml-base-q8_0.bin", sha256.as_str())));
        pool.transcribe(Job {
            input: Input::Path(call),
            speakers: vec![Speaker::Reporter, Speaker::Agent],
            lane: Lane::Standard,
            language: None,
        })
        .await
        .unwrap()
    });
    assert_eq!(transcript.engine, "whisper/ggml-base-q8_0");
    let of = |speaker: Speaker| -> String {
        let segments = transcript.segments.iter().filter(|segment| segment.speaker == speaker);
        segments.map(|segment| segment.text.as_str()).collect()
    };
    let (caller, agent) = (of(Speaker::Reporter), of(Speaker::Agent));
    assert!(caller.contains("路灯") && !caller.contains("记录"), "{caller}");
    assert!(agent.contains("记录") && !agent.contains("路灯"), "{agent}");
    let order: Vec<Speaker> = transcript.segments.iter().map(|segment| segment.speaker).collect();
    let turn = order.iter().position(|speaker| *speaker == Speaker::Agent).unwrap();
    assert!(turn > 0 && order.iter().skip(turn).all(|speaker| *speaker == Speaker::Agent), "{order:?}");
    for segment in &transcript.segments {
        match segment.speaker {
            Speaker::Agent => assert!(segment.from_ms >= answer_at_ms - 100, "{}", segment.from_ms),
            _ => assert!(segment.to_ms <= answer_at_ms, "{}", segment.to_ms),
        }
    }
}

#[test]
fn a_decode_stops_at_its_deadline_and_when_nobody_waits_and_the_model_is_good_afterwards() {
    let audio = clip("caller-long.ogg");
    let hurried = Options { decode_timeout: Duration::from_millis(1), ..Options::default() };
    let late = whisper().transcribe(&audio, &hurried, &CancelFlag::new());
    assert!(matches!(late, Err(AsrError::Deadline { limit_ms: 1 })), "{late:?}");

    let cancel = CancelFlag::new();
    let stopped = std::thread::scope(|scope| {
        let work = scope.spawn(|| whisper().transcribe(&audio, &Options::default(), &cancel));
        cancel.cancel();
        work.join().unwrap()
    });
    assert!(matches!(stopped, Err(AsrError::Cancelled)), "{stopped:?}");

    assert!(!hear(&clip("caller-streetlight.ogg")).is_empty());
}

#[test]
fn an_unknown_language_is_refused_and_not_handed_to_the_engine() {
    for language in ["xx", "", "zh\0", "chinese"] {
        let options = Options { language: language.into(), ..Options::default() };
        let result = whisper().transcribe(&Audio16k::new(vec![0; 16_000]), &options, &CancelFlag::new());
        assert!(matches!(result, Err(AsrError::Config(_))), "{language:?}: {result:?}");
    }
}
