//! Real-time factor: one minute of a caller's speech, one thread, weights loaded before.
//!
//! `JIESU_MODEL_DIR=DIR cargo bench -p asr`. Wanted: under 60 s on one core (factor 1.0).
#![allow(clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use asr::whisper::Whisper;
use asr::{Audio16k, CancelFlag, Limits, ModelFiles, Options, Recognizer, decode_path};

fn main() {
    // `cargo test --benches` passes no --bench: there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let dir = PathBuf::from(
        std::env::var_os("JIESU_MODEL_DIR").expect("set JIESU_MODEL_DIR: asr/model/fetch-model.sh"),
    );
    let files =
        ModelFiles { model: dir.join("ggml-base-q8_0.bin"), vad: Some(dir.join("ggml-silero-v6.2.3.bin")) };
    println!("resident before the model: {}", resident());
    let started = Instant::now();
    let whisper = Whisper::load(&files, 1).expect("the model loads");
    println!("model loaded in {:.2} s, resident {}", started.elapsed().as_secs_f32(), resident());

    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/audio/caller-long.ogg");
    let started = Instant::now();
    let recording = decode_path(&clip, &Limits::default(), &CancelFlag::new()).expect("the clip decodes");
    println!("decoded in {:.3} s", started.elapsed().as_secs_f32());
    let one: Vec<i16> = recording.channels.iter().flat_map(|channel| channel.samples().to_vec()).collect();
    let minute = Audio16k::new(one.iter().copied().cycle().take(60 * 16_000).collect());

    for full_window in [true, false] {
        let options = Options { full_window, ..Options::default() };
        let started = Instant::now();
        let heard = whisper.transcribe(&minute, &options, &CancelFlag::new()).expect("it is transcribed");
        let took = started.elapsed().as_secs_f32();
        println!(
            "one minute, full_window = {full_window}: {took:.1} s, real-time factor {:.3}, {} utterances, resident {}",
            took / 60.0,
            heard.len(),
            resident()
        );
    }
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line =
        |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("?").trim().to_owned();
    format!("{}, peak {}", line("VmRSS:"), line("VmHWM:"))
}
