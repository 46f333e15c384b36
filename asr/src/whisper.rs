//! Whisper through whisper.cpp: greedy, no context, no prompt, one thread a worker by default.
//!
//! Measured choices: no temperature fallback (it made a 10 s clip take minutes), no initial prompt (it loops on bad
//! lines), voice activity first (on silence the model invents subtitles), a token cap and a deadline on each
//! decode. One context (the weights) is shared; each worker borrows a decoder (about 200 MB at work).
//! See <https://github.com/ggml-org/whisper.cpp>.

use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperSegment, WhisperState,
    WhisperVadContext, WhisperVadContextParams, WhisperVadParams,
};

use crate::audio::Audio16k;
use crate::config::language_is_well_formed;
use crate::error::AsrError;
use crate::model::ModelFiles;
use crate::recognizer::{CancelFlag, Options, Recognizer, Utterance};
use crate::segment::{Span, by_loudness, plan, snap, without_tones};
use crate::text::{LOOP_CONFIDENCE, TextCleaner};

/// The voice detector works on stretches of this length, so that a cancelled job ends soon.
const VAD_STRETCH_MS: u64 = 300_000;
/// Speech this close to the end of a decode is not decoded a second time, milliseconds.
const TAIL_MS: u64 = 300;
/// whisper.cpp refuses less than 100 ms; a second of sound is where the model begins to be of use.
const MIN_SAMPLES: usize = 16_000;

/// A loaded Whisper model.
pub struct Whisper {
    name: String,
    context: WhisperContext,
    vad_path: Option<String>,
    threads: i32,
    /// Decoders nobody uses now; as many as ever worked at once.
    idle: Mutex<Vec<Decoder>>,
}

impl Whisper {
    /// Reads the weights (about a fifth of a second) and makes one decoder ready.
    ///
    /// # Errors
    /// [`AsrError::Model`] when whisper.cpp refuses a file.
    pub fn load(files: &ModelFiles, threads: u16) -> Result<Self, AsrError> {
        silence_whisper_cpp();
        let refuse = |reason: String| AsrError::Model { path: files.model.clone(), reason };
        let context = WhisperContext::new_with_params(&files.model, WhisperContextParameters::default())
            .map_err(|error| refuse(error.to_string()))?;
        let vad_path = match &files.vad {
            None => None,
            Some(path) => {
                // A C string to be: the crate panics on a zero byte.
                let text = path.to_str().filter(|text| !text.contains('\0'));
                let reason = "its path is not UTF-8".to_owned();
                Some(text.ok_or(AsrError::Model { path: path.clone(), reason })?.to_owned())
            }
        };
        let stem = files.model.file_stem().unwrap_or_default().to_string_lossy();
        let whisper = Self {
            name: format!("whisper/{stem}"),
            context,
            vad_path,
            threads: i32::from(threads.max(1)),
            idle: Mutex::new(Vec::new()),
        };
        let first = whisper.new_decoder()?;
        whisper.give_back(first);
        Ok(whisper)
    }

    fn new_decoder(&self) -> Result<Decoder, AsrError> {
        let state = self.context.create_state().map_err(engine)?;
        let vad = match &self.vad_path {
            None => None,
            Some(path) => {
                let mut parameters = WhisperVadContextParams::new();
                parameters.set_n_threads(self.threads);
                let refuse = |error: whisper_rs::WhisperError| AsrError::Model {
                    path: path.into(),
                    reason: error.to_string(),
                };
                Some(WhisperVadContext::new(path, parameters).map_err(refuse)?)
            }
        };
        Ok(Decoder { state, vad, settings: Vec::new(), abort: Arc::default(), threads: self.threads })
    }

    fn borrow(&self) -> Result<Decoder, AsrError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.new_decoder(), Ok)
    }

    fn give_back(&self, decoder: Decoder) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
    }
}

impl Recognizer for Whisper {
    fn name(&self) -> &str {
        &self.name
    }

    fn transcribe(
        &self,
        audio: &Audio16k,
        options: &Options,
        cancel: &CancelFlag,
    ) -> Result<Vec<Utterance>, AsrError> {
        let known = options.language == "auto" || {
            language_is_well_formed(&options.language) && whisper_rs::get_lang_id(&options.language).is_some()
        };
        if !known {
            return Err(AsrError::Config(format!(
                "whisper does not know the language {:?}",
                options.language
            )));
        }
        // On an error the decoder is dropped: after an abort its state is nobody's business.
        let mut decoder = self.borrow()?;
        let spans = decoder.speech(audio, cancel)?;
        let mut utterances = Vec::new();
        for piece in plan(audio, &spans) {
            cancel.check()?;
            utterances.extend(decoder.decode(audio, piece, &spans, options, cancel)?);
        }
        self.give_back(decoder);
        Ok(utterances)
    }
}

/// What one worker needs beside the weights.
struct Decoder {
    state: WhisperState,
    vad: Option<WhisperVadContext>,
    /// Parameters by language. Kept because the crate leaks the language's name and the abort closure whenever
    /// they are set; so it is once a language and decoder, not once a decode.
    settings: Vec<(String, FullParams<'static, 'static>)>,
    abort: Arc<Abort>,
    threads: i32,
}

impl Decoder {
    fn speech(&mut self, audio: &Audio16k, cancel: &CancelFlag) -> Result<Vec<Span>, AsrError> {
        let Some(vad) = &mut self.vad else { return Ok(by_loudness(audio)) };
        let mut parameters = WhisperVadParams::new();
        parameters.set_min_speech_duration(150);
        parameters.set_min_silence_duration(300);
        parameters.set_speech_pad(60);
        let mut spans: Vec<Span> = Vec::new();
        let mut start_ms = 0;
        while start_ms < audio.duration_ms() {
            cancel.check()?;
            let end_ms = start_ms + VAD_STRETCH_MS;
            let samples = audio.floats_between(start_ms, end_ms);
            for found in vad.segments_from_samples(parameters, &samples).map_err(engine)? {
                let at = |centiseconds: f32| {
                    (start_ms + (centiseconds.max(0.0) * 10.0) as u64).min(end_ms).min(audio.duration_ms())
                };
                let after = spans.last().map_or(0, |span| span.to_ms);
                spans.push(Span { from_ms: at(found.start).max(after), to_ms: at(found.end).max(after) });
            }
            start_ms = end_ms;
        }
        spans.retain(|span| span.len_ms() > 0);
        Ok(without_tones(audio, &spans))
    }

    fn decode(
        &mut self,
        audio: &Audio16k,
        piece: Span,
        spans: &[Span],
        options: &Options,
        cancel: &CancelFlag,
    ) -> Result<Vec<Utterance>, AsrError> {
        let mut samples = audio.floats_between(piece.from_ms, piece.to_ms);
        if samples.len() < MIN_SAMPLES {
            samples.resize(MIN_SAMPLES, 0.0);
        }
        let seconds = samples.len() as f32 / 16_000.0;
        let mut parameters = self.settings(&options.language);
        // Mandarin is spoken at up to 7 characters a second and a rare one takes several tokens.
        parameters.set_max_tokens((seconds * 10.0) as i32 + 16);
        // 50 encoder positions a second; a margin, because the model was trained on whole windows.
        let positions = (seconds * 50.0) as i32 + 128;
        parameters.set_audio_ctx(if options.full_window { 0 } else { positions.clamp(384, 1500) });
        if piece.len_ms() > 5 * TAIL_MS {
            parameters.set_duration_ms(i32::try_from(piece.len_ms() - TAIL_MS).unwrap_or(i32::MAX));
        }
        let deadline = Instant::now() + options.decode_timeout;
        self.abort.arm(cancel, deadline);
        let outcome = self.state.full(parameters, &samples);
        cancel.check()?;
        if outcome.is_err() && Instant::now() >= deadline {
            return Err(AsrError::Deadline { limit_ms: whole_ms(options.decode_timeout) });
        }
        outcome.map_err(engine)?;
        let language = match options.language.as_str() {
            "auto" => {
                whisper_rs::get_lang_str(self.state.full_lang_id_from_state()).unwrap_or("und").to_owned()
            }
            language => language.to_owned(),
        };
        let cleaner = TextCleaner::shared()?;
        let mut utterances = Vec::new();
        for segment in self.state.as_iter() {
            let raw = segment.to_str_lossy().map_err(engine)?;
            let Some(cleaned) = cleaner.clean(&raw, &language) else { continue };
            let mut confidence = confidence(&segment);
            if cleaned.looped {
                confidence = confidence.min(LOOP_CONFIDENCE);
            }
            let at = |centiseconds: i64| {
                let ms = u64::try_from(centiseconds).unwrap_or_default().saturating_mul(10);
                piece.from_ms.saturating_add(ms).min(piece.to_ms)
            };
            let (from_ms, to_ms) = snap(spans, at(segment.start_timestamp()), at(segment.end_timestamp()));
            utterances.push(Utterance {
                from_ms,
                // Zero length happens where the model repeats a time; a segment lasts.
                to_ms: to_ms.max(from_ms + 10),
                text: cleaned.text,
                confidence,
                language: language.clone(),
            });
        }
        Ok(utterances)
    }

    fn settings(&mut self, language: &str) -> FullParams<'static, 'static> {
        if let Some((_, known)) = self.settings.iter().find(|(known, _)| known == language) {
            return known.clone();
        }
        let mut parameters = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        // The name is copied by the crate; the lifetime in its signature is of no consequence.
        parameters.set_language(language_name(language));
        parameters.set_n_threads(self.threads);
        parameters.set_no_context(true);
        parameters.set_temperature(0.0);
        parameters.set_temperature_inc(0.0);
        parameters.set_suppress_nst(true);
        parameters.set_print_special(false);
        parameters.set_print_progress(false);
        parameters.set_print_realtime(false);
        parameters.set_print_timestamps(false);
        let abort = Arc::clone(&self.abort);
        // It must be exactly this boxed type: the crate's trampoline casts the pointer it keeps, which is one to
        // such a box, back to the type of the closure given here.
        let closure: Box<dyn FnMut() -> bool> = Box::new(move || abort.is_due());
        parameters.set_abort_callback_safe::<_, Box<dyn FnMut() -> bool>>(closure);
        self.settings.push((language.to_owned(), parameters.clone()));
        parameters
    }
}

/// The engine's own spelling of a language code, which lives as long as the program.
fn language_name(language: &str) -> Option<&'static str> {
    whisper_rs::get_lang_id(language).and_then(whisper_rs::get_lang_str).or(Some("auto"))
}

/// Asked by whisper.cpp before each step of a decode.
#[derive(Default)]
struct Abort {
    armed: Mutex<Option<(CancelFlag, Instant)>>,
}

impl Abort {
    fn arm(&self, cancel: &CancelFlag, deadline: Instant) {
        *self.armed.lock().unwrap_or_else(PoisonError::into_inner) = Some((cancel.clone(), deadline));
    }

    fn is_due(&self) -> bool {
        let armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.as_ref().is_some_and(|(cancel, deadline)| cancel.is_cancelled() || Instant::now() >= *deadline)
    }
}

/// The geometric mean of the text tokens' probabilities, in basis points.
fn confidence(segment: &WhisperSegment<'_>) -> u16 {
    let probabilities = (0..segment.n_tokens())
        .filter_map(|index| segment.get_token(index))
        // Times and other marks are not words; the marks' numbers begin at the end-of-text token.
        .filter(|token| token.token_id() < END_OF_TEXT)
        .map(|token| token.token_probability().clamp(1e-6, 1.0).ln());
    let (sum, count) =
        probabilities.fold((0.0f32, 0u16), |(sum, count), p| (sum + p, count.saturating_add(1)));
    if count == 0 { 0 } else { ((sum / f32::from(count)).exp() * 10_000.0).round() as u16 }
}

/// Of the multilingual vocabulary; one less in the English-only models, where it is a text token never produced.
const END_OF_TEXT: i32 = 50_257;

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn engine(error: whisper_rs::WhisperError) -> AsrError {
    AsrError::Engine(error.to_string())
}

/// whisper.cpp writes to the standard error output unless told otherwise; here to nowhere.
fn silence_whisper_cpp() {
    static ONCE: Once = Once::new();
    ONCE.call_once(whisper_rs::install_logging_hooks);
}
