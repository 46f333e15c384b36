//! Speech to text: a recording in, timed text with its speaker out, in simplified Chinese.
//!
//! Reading order: [`audio`] (any recording → 16 kHz, one [`Audio16k`] a channel), [`segment`] (where somebody
//! speaks), [`recognizer`] (the trait an engine implements; [`whisper`] and [`fake`] do), [`model`] (finding and
//! loading the weights while the gateway runs) and [`pool`] (bounded workers, the door the gateway uses).
//!
//! Who speaks is never guessed: the caller of [`Pool::transcribe`] says which channel is whose.
//! A missing model is a state ([`ModelStatus`]), not a failure to start: calls are taken and recorded without it.
//!
//! ```
//! use std::sync::Arc;
//! use asr::{Audio16k, Input, Job, Pool, SpeechConfig, fake::FakeRecognizer};
//! use record::{Lane, Speaker};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! // In the gateway: `Pool::start(config, data_dir)`, which finds and loads the Whisper model.
//! let engine = Arc::new(FakeRecognizer::saying("暖气不热"));
//! let pool = Pool::with_recognizer(&SpeechConfig::default(), engine).unwrap();
//! let job = Job {
//!     input: Input::Channels(vec![Audio16k::new(vec![0; 16_000])]),
//!     speakers: vec![Speaker::Reporter],
//!     lane: Lane::Standard,
//!     language: None,
//! };
//! let transcript = pool.transcribe(job).await.unwrap();
//! assert_eq!(transcript.segments[0].text, "暖气不热");
//! assert_eq!(transcript.segments[0].speaker, Speaker::Reporter);
//! # });
//! ```

pub mod audio;
pub mod config;
pub mod error;
mod events;
pub mod fake;
pub mod model;
pub mod pool;
mod queue;
pub mod recognizer;
pub mod resample;
pub mod segment;
pub mod text;
pub mod tone;
#[cfg(feature = "whisper")]
pub mod whisper;

pub use audio::{Audio16k, Limits, Recording, decode_bytes, decode_mono, decode_path};
pub use config::{Engine, SpeechConfig};
pub use error::{AsrError, RetryClass};
pub use events::describe_metrics;
pub use model::{ModelFiles, ModelStatus};
pub use pool::{Input, Job, Pool, Transcript};
pub use recognizer::{CancelFlag, Options, Recognizer, Utterance};
