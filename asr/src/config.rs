//! `[speech]` of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use record::units::duration;
use serde::{Deserialize, Serialize};

use crate::audio::Limits;
use crate::error::AsrError;
use crate::recognizer::Options;

/// Which engine turns speech into text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Whisper through whisper.cpp, on this machine.
    #[default]
    Whisper,
    /// No speech to text: recordings are kept, records carry no transcript.
    Off,
}

/// `[speech]`: speech to text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpeechConfig {
    /// `"whisper"` or `"off"`. Default `"whisper"`.
    pub engine: Engine,
    /// The ggml model file. Default: `ggml-base-q8_0.bin`, else `ggml-base.bin`, in `models/` of the data folder.
    pub model: Option<PathBuf>,
    /// The ggml Silero voice activity model. Default: `ggml-silero-v6.2.3.bin` beside the speech model; where
    /// there is none, a simpler detector by loudness is used.
    pub vad_model: Option<PathBuf>,
    /// The language spoken, `"zh"`, `"en"` …, or `"auto"`. Default `"zh"`.
    pub language: String,
    /// Threads of one decode, 1..=64. One thread a worker schedules best. Default 1.
    pub threads: u16,
    /// Recordings transcribed at the same time, 1..=64; each needs about 200 MB beside the weights. Default 1.
    pub workers: u16,
    /// Recordings that may wait; beyond it a job is refused as busy and comes back later. Default 256.
    pub queue_jobs: usize,
    /// Look at a whole 30 s window for each stretch of speech: more accurate, slower. Default true.
    pub full_window: bool,
    /// Longest recording, `"1m"` to `"24h"`; a longer one is refused. Default `"4h"`.
    #[serde(with = "duration")]
    pub max_audio: Duration,
    /// Longest time for one decode of at most 28 s of speech, `"1s"` to `"1h"`. Default `"2m"`.
    #[serde(with = "duration")]
    pub decode_timeout: Duration,
    /// How often to look whether a model file has appeared or changed, `"1s"` to `"24h"`. Default `"10s"`.
    #[serde(with = "duration")]
    pub model_poll: Duration,
}

impl Default for SpeechConfig {
    fn default() -> Self {
        Self {
            engine: Engine::Whisper,
            model: None,
            vad_model: None,
            language: "zh".into(),
            threads: 1,
            workers: 1,
            queue_jobs: 256,
            full_window: true,
            max_audio: Duration::from_secs(4 * 3600),
            decode_timeout: Duration::from_secs(120),
            model_poll: Duration::from_secs(10),
        }
    }
}

impl SpeechConfig {
    /// Every fault at once as `(key, what is wrong)`; empty when all is well.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut within = |key, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                faults.push((key, format!("must be {low} to {high}, is {value}")));
            }
        };
        within("threads", self.threads.into(), 1, 64);
        within("workers", self.workers.into(), 1, 64);
        within("queue_jobs", self.queue_jobs as u64, 1, 100_000);
        let mut within = |key, value: Duration, low_secs, high_secs| {
            let (low, high) = (Duration::from_secs(low_secs), Duration::from_secs(high_secs));
            if !(low..=high).contains(&value) {
                let [low, high, value] = [low, high, value].map(duration::format);
                faults.push((key, format!("must be {low} to {high}, is {value}")));
            }
        };
        within("max_audio", self.max_audio, 60, 86_400);
        within("decode_timeout", self.decode_timeout, 1, 3600);
        within("model_poll", self.model_poll, 1, 86_400);
        if !language_is_well_formed(&self.language) {
            faults.push(("language", "must be a language code such as \"zh\", or \"auto\"".into()));
        }
        faults
    }

    pub(crate) fn check(&self) -> Result<(), AsrError> {
        let faults = self.faults();
        if faults.is_empty() {
            return Ok(());
        }
        let all: Vec<String> =
            faults.into_iter().map(|(key, fault)| format!("speech.{key} {fault}")).collect();
        Err(AsrError::Config(all.join("; ")))
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            language: self.language.clone(),
            full_window: self.full_window,
            decode_timeout: self.decode_timeout,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        let max_duration_ms = u64::try_from(self.max_audio.as_millis()).unwrap_or(u64::MAX);
        Limits { max_duration_ms, ..Limits::default() }
    }
}

/// Two to four lower-case letters, which is what the engine's language table holds (`zh`, `yue`, `auto`).
pub(crate) fn language_is_well_formed(language: &str) -> bool {
    (2..=4).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_sound_and_unknown_keys_are_refused() {
        assert_eq!(SpeechConfig::default().faults(), []);
        assert_eq!(toml::from_str::<SpeechConfig>("").unwrap(), SpeechConfig::default());
        assert!(toml::from_str::<SpeechConfig>("modle = \"x\"").is_err());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let config = SpeechConfig { threads: 0, language: "z\0".into(), ..SpeechConfig::default() };
        let keys: Vec<&str> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["threads", "language"]);
    }
}
