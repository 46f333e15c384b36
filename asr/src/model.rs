//! Finding, checking and loading the speech model, while the gateway is already running.
//!
//! A model is two files: the speech weights and, if it can be had, a voice activity model. They may be fetched
//! after the start or be replaced by better ones; whenever what lies on disk changes, it is loaded anew.
//! A file from the data folder must be one of [`KNOWN`]; the operator's own choice is only warned about.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::config::{Engine, SpeechConfig};
use crate::error::AsrError;
use crate::events;
use crate::recognizer::Recognizer;

/// Speech models looked for in `models/` of the data folder, best first.
const MODEL_NAMES: [&str; 2] = ["ggml-base-q8_0.bin", "ggml-base.bin"];
/// The voice activity model, looked for beside the speech model.
const VAD_NAME: &str = "ggml-silero-v6.2.3.bin";

/// SHA-256 of the files `asr/model/fetch-model.sh` makes.
pub const KNOWN: [(&str, &str); 3] = [
    ("ggml-base-q8_0.bin", "16d39d18e6db01627026efd1db38d6a569a3635bb350cf7f694a88580468f628"),
    ("ggml-base.bin", "ad6a16cdd2ad332e6c20b0b5eaf7655d051a19d15afb728e85eba90eb9c79ed8"),
    ("ggml-silero-v6.2.3.bin", "7589faf6fa057724488dfafa9766da709383d40126c2a45e3caef904cdf4a8c3"),
];

/// Where speech to text stands. Shown by `/readyz`, `jiesu doctor` and the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelStatus {
    /// `engine = "off"`.
    Off,
    /// No model file; ends when one appears.
    Missing {
        /// Every place a file was looked for.
        looked_in: Vec<PathBuf>,
    },
    /// A file is being checked and read; a few seconds.
    Loading,
    /// Jobs are transcribed.
    Ready {
        /// The engine and its weights, as in the record.
        name: String,
        /// SHA-256 of the speech model, lower-case hex.
        sha256: String,
    },
    /// The file is there and of no use; ends when it changes.
    Broken {
        /// What is wrong, for the operator.
        reason: String,
    },
}

impl std::fmt::Display for ModelStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Off => f.write_str("switched off"),
            Self::Missing { looked_in } => write!(f, "no model file; looked for {looked_in:?}"),
            Self::Loading => f.write_str("loading"),
            Self::Ready { name, .. } => write!(f, "ready: {name}"),
            Self::Broken { reason } => f.write_str(reason),
        }
    }
}

/// The files one model consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// The speech weights.
    pub model: PathBuf,
    /// The voice activity model, if there is one.
    pub vad: Option<PathBuf>,
}

impl ModelFiles {
    /// Looks for the files; nothing is read.
    ///
    /// # Errors
    /// The places looked in, when there is no speech model, or not the voice model the operator named.
    pub fn find(config: &SpeechConfig, data_dir: &Path) -> Result<Self, Vec<PathBuf>> {
        let folder = data_dir.join("models");
        let places: Vec<PathBuf> = match &config.model {
            Some(path) => vec![path.clone()],
            None => MODEL_NAMES.iter().map(|name| folder.join(name)).collect(),
        };
        let Some(model) = places.iter().find(|path| path.is_file()).cloned() else { return Err(places) };
        let vad = match &config.vad_model {
            Some(path) if !path.is_file() => return Err(vec![path.clone()]),
            Some(path) => Some(path.clone()),
            None => {
                let beside = model.parent().map(|parent| parent.join(VAD_NAME));
                beside.into_iter().chain([folder.join(VAD_NAME)]).find(|path| path.is_file())
            }
        };
        Ok(Self { model, vad })
    }
}

/// A file as it lay there: when one of these changes, so did the file.
type Stamp = (PathBuf, u64, Option<SystemTime>);

/// Holds the loaded recogniser; [`refresh`](Self::refresh) brings it up to date.
pub(crate) struct ModelStore {
    config: SpeechConfig,
    data_dir: PathBuf,
    loaded: Mutex<Option<Arc<dyn Recognizer>>>,
    /// What the present state was made from. Locked for a whole refresh: two at once would load twice.
    seen: Mutex<Option<Vec<Stamp>>>,
    status: watch::Sender<ModelStatus>,
}

impl ModelStore {
    pub(crate) fn new(config: &SpeechConfig, data_dir: &Path) -> Self {
        let status = if config.engine == Engine::Off { ModelStatus::Off } else { ModelStatus::Loading };
        Self {
            config: config.clone(),
            data_dir: data_dir.to_owned(),
            loaded: Mutex::new(None),
            seen: Mutex::new(None),
            status: watch::Sender::new(status),
        }
    }

    /// Always ready with this one, whatever lies on disk.
    pub(crate) fn fixed(config: &SpeechConfig, recognizer: Arc<dyn Recognizer>) -> Self {
        let store = Self::new(&SpeechConfig { engine: Engine::Off, ..config.clone() }, Path::new(""));
        let ready = ModelStatus::Ready { name: recognizer.name().to_owned(), sha256: String::new() };
        store.status.send_replace(ready);
        *store.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(recognizer);
        store
    }

    pub(crate) fn watch(&self) -> watch::Receiver<ModelStatus> {
        self.status.subscribe()
    }

    pub(crate) fn current(&self) -> Result<Arc<dyn Recognizer>, AsrError> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.clone().ok_or_else(|| AsrError::NotReady(self.status.borrow().clone()))
    }

    /// Loads what lies on disk if it is not what is loaded. Blocks while loading; a running job keeps its model.
    pub(crate) fn refresh(&self) {
        if self.config.engine == Engine::Off {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let files = ModelFiles::find(&self.config, &self.data_dir);
        let stamps: Vec<Stamp> = match &files {
            Ok(files) => std::iter::once(&files.model).chain(&files.vad).map(|path| stamp(path)).collect(),
            Err(_) => Vec::new(),
        };
        if seen.as_ref() == Some(&stamps) {
            return;
        }
        *seen = Some(stamps);
        let (recognizer, status) = match files {
            // A model once loaded stays in service when its file is taken away.
            Err(_) if self.current().is_ok() => return,
            Err(looked_in) => (None, ModelStatus::Missing { looked_in }),
            Ok(files) => {
                if self.current().is_err() {
                    self.tell(ModelStatus::Loading);
                }
                match self.load(&files) {
                    Ok((recognizer, sha256)) => {
                        let name = recognizer.name().to_owned();
                        (Some(recognizer), ModelStatus::Ready { name, sha256 })
                    }
                    Err(error) => (None, ModelStatus::Broken { reason: error.to_string() }),
                }
            }
        };
        if recognizer.is_some() || self.current().is_err() {
            *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = recognizer;
            self.tell(status);
        } else {
            // The new file is bad: tell the operator, keep the old model in service.
            events::bad_model(&status);
        }
    }

    fn tell(&self, status: ModelStatus) {
        events::model(&status);
        self.status.send_replace(status);
    }

    fn load(&self, files: &ModelFiles) -> Result<(Arc<dyn Recognizer>, String), AsrError> {
        let sha256 = verify(&files.model, self.config.model.is_some())?;
        match &files.vad {
            Some(path) => {
                verify(path, self.config.vad_model.is_some() || self.config.model.is_some()).map(drop)?
            }
            None => events::without_voice_model(),
        }
        Ok((build(files, &self.config)?, sha256))
    }
}

#[cfg(feature = "whisper")]
fn build(files: &ModelFiles, config: &SpeechConfig) -> Result<Arc<dyn Recognizer>, AsrError> {
    Ok(Arc::new(crate::whisper::Whisper::load(files, config.threads)?))
}

#[cfg(not(feature = "whisper"))]
fn build(_: &ModelFiles, _: &SpeechConfig) -> Result<Arc<dyn Recognizer>, AsrError> {
    Err(AsrError::Engine("this gateway was built without the feature \"whisper\"".into()))
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok();
    let length = metadata.as_ref().map_or(0, fs::Metadata::len);
    (path.to_owned(), length, metadata.and_then(|metadata| metadata.modified().ok()))
}

/// The SHA-256, which must be a known one unless the operator chose the file.
fn verify(path: &Path, operators_choice: bool) -> Result<String, AsrError> {
    let sha256 = sha256_of(path)?;
    if KNOWN.iter().any(|(_, known)| *known == sha256) {
        return Ok(sha256);
    }
    if operators_choice {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        events::unknown_model(&name, &sha256);
        return Ok(sha256);
    }
    let reason =
        format!("SHA-256 {sha256} is not a known one; fetch it again, or set speech.model to use it anyway");
    Err(AsrError::Model { path: path.to_owned(), reason })
}

fn sha256_of(path: &Path) -> Result<String, AsrError> {
    let unreadable =
        |error: std::io::Error| AsrError::Model { path: path.to_owned(), reason: error.to_string() };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block).map_err(unreadable)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            count => hasher.update(block.get(..count).unwrap_or_default()),
        }
    }
}
