//! `jiesu transcribe`: speech to text of any audio file the gateway accepts.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use asr::{Input, Job, ModelStatus, Pool, Transcript};
use record::{Lane, Speaker};
use serde_json::json;

use super::{Common, FAILED, OK, Screen, load};
use crate::telemetry::{self, LogForm};

/// `jiesu transcribe FILE…`
#[derive(clap::Args)]
pub struct Arguments {
    /// 音频文件 / audio files: WAV, Ogg-Opus, MP3, M4A, FLAC
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// 语言 / language spoken, or auto
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
}

/// Transcribes each file; one that fails does not stop the others.
pub async fn run(common: &Common, arguments: Arguments, screen: &Screen) -> u8 {
    telemetry::start_log(LogForm::Quiet);
    let loaded = match load(common, screen) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    let pool = match Pool::start(&loaded.config.speech, &loaded.config.node.data_dir) {
        Ok(pool) => pool,
        Err(error) => {
            screen.fault(
                "E-ASR-0001",
                "语音识别无法启动",
                "speech recognition cannot start",
                &error.to_string(),
            );
            return FAILED;
        }
    };
    if !matches!(pool.settled().await, ModelStatus::Ready { .. }) {
        let detail = format!("{}; asr/model/fetch-model.sh DATA_DIR/models", pool.status());
        screen.fault("E-ASR-0002", "没有可用的语音模型", "there is no usable speech model", &detail);
        return FAILED;
    }
    let mut status = OK;
    let mut results = Vec::new();
    for file in arguments.files {
        progress(screen, &file);
        let channels = channels(&file);
        let job = Job {
            input: Input::Path(file.clone()),
            speakers: speakers(channels.await),
            lane: Lane::Standard,
            language: arguments.language.clone(),
        };
        match pool.transcribe(job).await {
            Ok(transcript) if screen.is_json() => results.push(as_json(&file, &transcript)),
            Ok(transcript) => show(&file, &transcript, screen),
            Err(error) => {
                let detail = format!("{}: {error}", file.display());
                screen.fault("E-ASR-0003", "无法转写", "cannot be transcribed", &detail);
                status = FAILED;
            }
        }
    }
    if screen.is_json() {
        screen.json(&results.into());
    }
    status
}

/// How many channels the file has; 1 when it cannot be read, which transcribing will then say.
async fn channels(file: &std::path::Path) -> usize {
    let file = file.to_owned();
    let decoded = tokio::task::spawn_blocking(move || {
        asr::audio::decode_path(&file, &asr::audio::Limits::default(), &asr::CancelFlag::new())
    });
    decoded.await.ok().and_then(Result::ok).map_or(1, |recording| recording.channels.len())
}

/// As the gateway records: left the caller, right the agent.
fn speakers(channels: usize) -> Vec<Speaker> {
    (0..channels).map(|i| if i == 0 { Speaker::Reporter } else { Speaker::Agent }).collect()
}

fn progress(screen: &Screen, file: &std::path::Path) {
    if std::io::stderr().is_terminal() {
        let _ = writeln!(std::io::stderr(), "{} {} …", screen.say("转写", "transcribing"), file.display());
    }
}

fn as_json(file: &std::path::Path, transcript: &Transcript) -> serde_json::Value {
    json!({
        "file": file, "engine": transcript.engine, "audio_ms": transcript.audio_ms, "took_ms": transcript.took_ms,
        "damaged": transcript.damaged, "segments": transcript.segments,
    })
}

fn show(file: &std::path::Path, transcript: &Transcript, screen: &Screen) {
    let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    screen.line(format!(
        "{}  {}",
        screen.bold(&file.display().to_string()),
        screen.dim(&format!(
            "{} / {}  {}",
            seconds(transcript.took_ms),
            seconds(transcript.audio_ms),
            transcript.engine
        )),
    ));
    if transcript.segments.is_empty() {
        screen.tell("  （没有听到说话）", "  (nobody speaks)");
    }
    for segment in &transcript.segments {
        let at = format!("{:>2}:{:02}", segment.from_ms / 60_000, segment.from_ms / 1000 % 60);
        screen.line(format!("  {} {}  {}", screen.dim(&at), segment.speaker.as_str(), segment.text));
    }
}
