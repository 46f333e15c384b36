//! What the pool does when it is full, when callers leave, when an engine fails. No model needed.
#![allow(clippy::unwrap_used)] // clippy sees the test functions, not the helpers beside them

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use asr::fake::FakeRecognizer;
use asr::{
    AsrError, Audio16k, CancelFlag, Input, Job, ModelStatus, Options, Pool, Recognizer, RetryClass,
    SpeechConfig, Transcript, Utterance,
};
use record::{Lane, Speaker};

/// Tells when a channel is begun, and goes on when it is let: by a word, or by cancelling.
struct Gated {
    begun: Mutex<mpsc::Sender<usize>>,
    go_on: Mutex<mpsc::Receiver<()>>,
    heard: AtomicUsize,
}

/// An engine that waits, the news of what it began, and the word that lets it go on.
fn gated() -> (Arc<Gated>, mpsc::Receiver<usize>, mpsc::Sender<()>) {
    let (begun, news) = mpsc::channel();
    let (word, go_on) = mpsc::channel();
    let engine = Gated { begun: Mutex::new(begun), go_on: Mutex::new(go_on), heard: AtomicUsize::new(0) };
    (Arc::new(engine), news, word)
}

impl Recognizer for Gated {
    fn name(&self) -> &str {
        "gated"
    }

    fn transcribe(
        &self,
        audio: &Audio16k,
        _: &Options,
        cancel: &CancelFlag,
    ) -> Result<Vec<Utterance>, AsrError> {
        self.heard.fetch_add(1, Ordering::SeqCst);
        self.begun.lock().unwrap().send(audio.samples().len()).unwrap();
        loop {
            cancel.check()?;
            match self.go_on.lock().unwrap().recv_timeout(std::time::Duration::from_millis(5)) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                _ => return Ok(Vec::new()),
            }
        }
    }
}

fn config(queue_jobs: usize) -> SpeechConfig {
    SpeechConfig { queue_jobs, ..SpeechConfig::default() }
}

/// A job of one channel, told from others by its length in samples.
fn job(samples: usize, lane: Lane) -> Job {
    let audio = Audio16k::new(vec![0; samples]);
    Job { input: Input::Channels(vec![audio]), speakers: vec![Speaker::Reporter], lane, language: None }
}

type Answer = tokio::task::JoinHandle<Result<Transcript, AsrError>>;

/// Hands a job in and returns once the pool has it: waiting in line, or begun.
async fn hand_in(pool: &Arc<Pool>, job: Job, waiting: usize) -> Answer {
    let handle = tokio::spawn({
        let pool = Arc::clone(pool);
        async move { pool.transcribe(job).await }
    });
    while pool.waiting() != waiting {
        tokio::task::yield_now().await;
    }
    handle
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

#[test]
fn a_full_line_refuses_and_a_crisis_goes_first() {
    let (engine, news, word) = gated();
    let pool = Arc::new(Pool::with_recognizer(&config(3), engine).unwrap());
    runtime().block_on(async {
        let mut answers = vec![hand_in(&pool, job(1, Lane::Standard), 0).await];
        assert_eq!(news.recv().unwrap(), 1);
        answers.push(hand_in(&pool, job(2, Lane::Standard), 1).await);
        answers.push(hand_in(&pool, job(3, Lane::Elderly), 2).await);
        answers.push(hand_in(&pool, job(4, Lane::Crisis), 3).await);
        let refused = pool.transcribe(job(5, Lane::Crisis)).await.unwrap_err();
        assert!(matches!(refused, AsrError::Busy { bound: 3 }), "{refused}");
        assert_eq!(refused.class(), RetryClass::Retry);
        for _ in 0..4 {
            word.send(()).unwrap();
        }
        for answer in answers {
            answer.await.unwrap().unwrap();
        }
    });
    assert_eq!(news.try_iter().collect::<Vec<_>>(), [4, 3, 2]);
}

#[test]
fn who_leaves_frees_the_place_in_line_and_the_worker() {
    let (engine, news, word) = gated();
    let pool =
        Arc::new(Pool::with_recognizer(&config(1), Arc::clone(&engine) as Arc<dyn Recognizer>).unwrap());
    runtime().block_on(async {
        let running = hand_in(&pool, job(1, Lane::Standard), 0).await;
        assert_eq!(news.recv().unwrap(), 1);
        let waiting = hand_in(&pool, job(2, Lane::Standard), 1).await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(pool.waiting(), 0);
        // No word is given: only cancelling can end the first job and let the third begin.
        running.abort();
        let third = hand_in(&pool, job(3, Lane::Standard), 0).await;
        assert_eq!(news.recv().unwrap(), 3);
        word.send(()).unwrap();
        third.await.unwrap().unwrap();
    });
    assert_eq!(engine.heard.load(Ordering::SeqCst), 2);
}

#[test]
fn stopping_ends_what_runs_and_what_waits() {
    let (engine, news, _word) = gated();
    let pool = Arc::new(Pool::with_recognizer(&config(9), engine).unwrap());
    runtime().block_on(async {
        let running = hand_in(&pool, job(1, Lane::Standard), 0).await;
        assert_eq!(news.recv().unwrap(), 1);
        let waiting = hand_in(&pool, job(2, Lane::Standard), 1).await;
        tokio::task::spawn_blocking({
            let pool = Arc::clone(&pool);
            move || pool.shutdown()
        })
        .await
        .unwrap();
        assert!(matches!(running.await.unwrap(), Err(AsrError::Stopping)));
        assert!(matches!(waiting.await.unwrap(), Err(AsrError::Stopping)));
        assert!(matches!(pool.transcribe(job(3, Lane::Crisis)).await, Err(AsrError::Stopping)));
    });
}

/// Panics on the sample it cannot bear, else says one word at the time of the first loud sample.
struct Delicate;

impl Recognizer for Delicate {
    fn name(&self) -> &str {
        "delicate"
    }

    fn transcribe(
        &self,
        audio: &Audio16k,
        options: &Options,
        _: &CancelFlag,
    ) -> Result<Vec<Utterance>, AsrError> {
        assert_ne!(audio.samples().first(), Some(&i16::MIN), "this test's own panic");
        let starts = audio.samples().iter().enumerate().filter(|(_, sample)| **sample > 0);
        Ok(starts
            .map(|(at, sample)| Utterance {
                from_ms: at as u64 / 16,
                to_ms: at as u64 / 16 + 100,
                text: format!("词{sample}"),
                confidence: 20_000,
                language: options.language.clone(),
            })
            .collect())
    }
}

#[test]
fn a_panic_costs_one_job_and_not_the_worker() {
    let pool = Pool::with_recognizer(&config(9), Arc::new(Delicate)).unwrap();
    runtime().block_on(async {
        let mut bad = job(1, Lane::Standard);
        bad.input = Input::Channels(vec![Audio16k::new(vec![i16::MIN])]);
        assert!(matches!(pool.transcribe(bad).await, Err(AsrError::Engine(_))));
        pool.transcribe(job(1, Lane::Standard)).await.unwrap();
    });
}

#[test]
fn both_sides_come_in_order_of_time_with_their_speakers() {
    let pool = Pool::with_recognizer(&config(9), Arc::new(Delicate)).unwrap();
    let (mut left, mut right) = (vec![0i16; 64_000], vec![0i16; 64_000]);
    (left[0], left[32_000], right[16_000], right[48_000]) = (1, 3, 2, 4);
    let both = Job {
        input: Input::Channels(vec![Audio16k::new(left), Audio16k::new(right)]),
        speakers: vec![Speaker::Reporter, Speaker::Agent],
        lane: Lane::Standard,
        language: Some("en".into()),
    };
    let transcript = runtime().block_on(pool.transcribe(both)).unwrap();
    let heard: Vec<(i64, Speaker, &str)> = transcript
        .segments
        .iter()
        .map(|segment| (segment.from_ms, segment.speaker, segment.text.as_str()))
        .collect();
    assert_eq!(
        heard,
        [
            (0, Speaker::Reporter, "词1"),
            (1000, Speaker::Agent, "词2"),
            (2000, Speaker::Reporter, "词3"),
            (3000, Speaker::Agent, "词4"),
        ]
    );
    assert_eq!((transcript.audio_ms, transcript.engine.as_str()), (4000, "delicate"));
    let first = transcript.segments.first().unwrap();
    assert_eq!((first.confidence, first.language.as_deref()), (Some(10_000), Some("en")));
}

#[test]
fn speakers_are_never_guessed() {
    let pool = Pool::with_recognizer(&config(9), Arc::new(FakeRecognizer::saying("喂"))).unwrap();
    let mut unnamed = job(1, Lane::Standard);
    unnamed.speakers = vec![Speaker::Reporter, Speaker::Agent];
    let error = runtime().block_on(pool.transcribe(unnamed)).unwrap_err();
    assert!(matches!(error, AsrError::Speakers { channels: 1, named: 2 }), "{error}");
    assert_eq!(error.class(), RetryClass::Never);
}

#[test]
fn a_missing_or_wrong_model_is_told_and_not_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let pool = Pool::start(&SpeechConfig::default(), data.path()).unwrap();
    runtime().block_on(async {
        let ModelStatus::Missing { looked_in } = pool.settled().await else { panic!("{}", pool.status()) };
        assert_eq!(
            looked_in,
            ["ggml-base-q8_0.bin", "ggml-base.bin"].map(|name| data.path().join("models").join(name))
        );
        let refused = pool.transcribe(job(1, Lane::Standard)).await.unwrap_err();
        assert!(matches!(&refused, AsrError::NotReady(ModelStatus::Missing { .. })), "{refused}");
        assert_eq!(refused.class(), RetryClass::Retry);

        let mut changes = pool.status_changes();
        std::fs::create_dir(data.path().join("models")).unwrap();
        std::fs::write(data.path().join("models/ggml-base.bin"), "half a download").unwrap();
        pool.reload();
        let broken =
            changes.wait_for(|status| matches!(status, ModelStatus::Broken { .. })).await.unwrap().clone();
        assert!(broken.to_string().contains("not a known one"), "{broken}");
    });
}

#[test]
fn switched_off_is_off() {
    let config = SpeechConfig { engine: asr::Engine::Off, ..SpeechConfig::default() };
    let pool = Pool::start(&config, std::path::Path::new("/nowhere")).unwrap();
    let error = runtime().block_on(pool.transcribe(job(1, Lane::Standard))).unwrap_err();
    assert!(matches!(error, AsrError::NotReady(ModelStatus::Off)));
}
