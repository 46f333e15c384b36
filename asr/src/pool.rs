//! Bounded workers: the door the gateway uses.
//!
//! Whisper computes for seconds, so it has its own threads and never blocks the runtime's. Jobs wait in one
//! bounded line ordered by lane. Dropping the future of [`Pool::transcribe`] takes the job out of the line or stops
//! its worker. [`Pool::shutdown`] gives running jobs up: their recordings and drafts are durable, and are done after
//! the restart.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use record::{Lane, Segment, Speaker};
use tokio::sync::{oneshot, watch};

use crate::audio::{Audio16k, Limits, Recording, decode_path};
use crate::config::{SpeechConfig, language_is_well_formed};
use crate::error::AsrError;
use crate::events::{self, AudioMeter};
use crate::model::{ModelStatus, ModelStore};
use crate::queue::{Queue, Ticket};
use crate::recognizer::{CancelFlag, Options, Recognizer};

/// One recording to transcribe.
#[derive(Debug)]
pub struct Job {
    /// The sound.
    pub input: Input,
    /// Who is on which channel, left first; as many as the recording has channels.
    pub speakers: Vec<Speaker>,
    /// Decides who goes first.
    pub lane: Lane,
    /// Another language than the configured one.
    pub language: Option<String>,
}

/// Where the sound of a job is.
#[derive(Debug)]
pub enum Input {
    /// A file of any kind [`crate::audio`] reads.
    Path(PathBuf),
    /// Already decoded.
    Channels(Vec<Audio16k>),
}

/// The text of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// All channels together, in order of time.
    pub segments: Vec<Segment>,
    /// What made it, e.g. `whisper/ggml-base-q8_0`.
    pub engine: String,
    /// Length of the recording, milliseconds.
    pub audio_ms: u64,
    /// Time it took once its turn came, milliseconds.
    pub took_ms: u64,
    /// The recording was cut off or had holes; the text is of what could be read.
    pub damaged: bool,
}

/// Speech to text for the whole gateway. Dropping it shuts it down.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    /// Workers wait here for jobs.
    work: Condvar,
    /// The loader waits here for its next look or a [`Pool::reload`].
    look: Condvar,
    models: ModelStore,
    options: Options,
    limits: Limits,
    queue_jobs: usize,
    meter: AudioMeter,
}

struct State {
    queue: Queue<Task>,
    running: Vec<CancelFlag>,
    reload: bool,
    stopping: bool,
}

struct Task {
    job: Job,
    cancel: CancelFlag,
    answer: oneshot::Sender<Result<Transcript, AsrError>>,
}

impl Pool {
    /// Starts the workers, and a loader that finds the model in `data_dir` now or whenever it appears.
    ///
    /// # Errors
    /// [`AsrError::Config`]; [`AsrError::Engine`] if the system gives no thread. A missing model is none.
    pub fn start(config: &SpeechConfig, data_dir: &Path) -> Result<Self, AsrError> {
        let pool = Self::with_store(config, ModelStore::new(config, data_dir))?;
        let (shared, poll) = (Arc::clone(&pool.shared), config.model_poll);
        pool.spawn("asr-model".into(), move || keep_model(&shared, poll))?;
        Ok(pool)
    }

    /// Workers around an engine that is already there.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn with_recognizer(config: &SpeechConfig, recognizer: Arc<dyn Recognizer>) -> Result<Self, AsrError> {
        Self::with_store(config, ModelStore::fixed(config, recognizer))
    }

    fn with_store(config: &SpeechConfig, models: ModelStore) -> Result<Self, AsrError> {
        config.check()?;
        let state = State {
            queue: Queue::new(config.queue_jobs),
            running: Vec::new(),
            reload: false,
            stopping: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            look: Condvar::new(),
            models,
            options: config.options(),
            limits: config.limits(),
            queue_jobs: config.queue_jobs,
            meter: AudioMeter::default(),
        });
        let pool = Self { shared, threads: Mutex::new(Vec::new()) };
        for number in 0..config.workers {
            let shared = Arc::clone(&pool.shared);
            pool.spawn(format!("asr-{number}"), move || work(&shared))?;
        }
        Ok(pool)
    }

    fn spawn(&self, name: String, body: impl FnOnce() + Send + 'static) -> Result<(), AsrError> {
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(body)
            .map_err(|error| AsrError::Engine(format!("no thread: {error}")))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// The text of one recording. Waits while a model is being loaded, then for the job's turn.
    ///
    /// # Errors
    /// Any [`AsrError`]; its [`class`](AsrError::class) says whether the same job may succeed later.
    pub async fn transcribe(&self, job: Job) -> Result<Transcript, AsrError> {
        let result = self.settle_and_run(job).await;
        if let Err(error) = &result {
            events::failed(error);
        }
        result
    }

    async fn settle_and_run(&self, job: Job) -> Result<Transcript, AsrError> {
        if job.language.as_deref().is_some_and(|language| !language_is_well_formed(language)) {
            return Err(AsrError::Config("the job's language is not a language code".into()));
        }
        match self.settled().await {
            ModelStatus::Ready { .. } => {}
            status => return Err(AsrError::NotReady(status)),
        }
        let (sender, answer) = oneshot::channel();
        let cancel = CancelFlag::new();
        let task = Task { job, cancel: cancel.clone(), answer: sender };
        let _interest = Interest { ticket: self.shared.submit(task)?, cancel, shared: &self.shared };
        answer.await.unwrap_or(Err(AsrError::Stopping))
    }

    /// The status once it is known: waits while a model is being loaded.
    pub async fn settled(&self) -> ModelStatus {
        let mut status = self.status_changes();
        let settled = status.wait_for(|status| *status != ModelStatus::Loading).await;
        settled.map_or(ModelStatus::Loading, |status| status.clone())
    }

    /// Where speech to text stands now.
    pub fn status(&self) -> ModelStatus {
        self.shared.models.watch().borrow().clone()
    }

    /// Follows the status; when it becomes ready, waiting drafts can be transcribed.
    pub fn status_changes(&self) -> watch::Receiver<ModelStatus> {
        self.shared.models.watch()
    }

    /// Look for a new model now and not at the next poll.
    pub fn reload(&self) {
        self.shared.lock().reload = true;
        self.shared.look.notify_all();
    }

    /// Recordings waiting for a worker.
    pub fn waiting(&self) -> usize {
        self.shared.lock().queue.len()
    }

    /// Gives up waiting and running jobs (they end as [`AsrError::Stopping`]) and joins the threads: at most a few
    /// seconds. Blocks, as dropping does: call it with `spawn_blocking`.
    pub fn shutdown(&self) {
        {
            let mut state = self.shared.lock();
            state.stopping = true;
            state.queue.clear();
            state.running.iter().for_each(CancelFlag::cancel);
        }
        self.shared.work.notify_all();
        self.shared.look.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A worker that panicked has said so through the panic hook; there is nothing left to join.
            let _ = thread.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Lives as long as somebody awaits the answer.
struct Interest<'a> {
    ticket: Ticket,
    cancel: CancelFlag,
    shared: &'a Shared,
}

impl Drop for Interest<'_> {
    fn drop(&mut self) {
        self.cancel.cancel();
        let mut state = self.shared.lock();
        if state.queue.remove(self.ticket).is_some() {
            events::waiting(state.queue.len());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, task: Task) -> Result<Ticket, AsrError> {
        let mut state = self.lock();
        if state.stopping {
            return Err(AsrError::Stopping);
        }
        let lane = task.job.lane;
        let placed = state.queue.push(lane, task);
        let ticket = placed.map_err(|_| AsrError::Busy { bound: self.queue_jobs })?;
        events::waiting(state.queue.len());
        self.work.notify_one();
        Ok(ticket)
    }

    /// The next job; `None` when the pool stops.
    fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            if let Some(task) = state.queue.pop() {
                events::waiting(state.queue.len());
                state.running.retain(|flag| !flag.is_cancelled());
                state.running.push(task.cancel.clone());
                return Some(task);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn run(&self, job: Job, cancel: &CancelFlag) -> Result<Transcript, AsrError> {
        let started = Instant::now();
        let recognizer = self.models.current()?;
        let recording = match job.input {
            Input::Path(path) => decode_path(&path, &self.limits, cancel)?,
            Input::Channels(channels) => Recording { channels, damaged: false },
        };
        if recording.damaged {
            events::damaged();
        }
        let channels = &recording.channels;
        let audio_ms = channels.iter().map(Audio16k::duration_ms).max().unwrap_or_default();
        if audio_ms > self.limits.max_duration_ms {
            return Err(AsrError::TooLong { limit_ms: self.limits.max_duration_ms });
        }
        // A recording of nothing at all has no channels and needs no speakers.
        if !channels.is_empty() && channels.len() != job.speakers.len() {
            return Err(AsrError::Speakers { channels: channels.len(), named: job.speakers.len() });
        }
        let mut options = self.options.clone();
        if let Some(language) = job.language {
            options.language = language;
        }
        let mut segments = Vec::new();
        for (audio, speaker) in channels.iter().zip(job.speakers) {
            for utterance in recognizer.transcribe(audio, &options, cancel)? {
                segments.push(Segment {
                    from_ms: i64::try_from(utterance.from_ms).unwrap_or(i64::MAX),
                    to_ms: i64::try_from(utterance.to_ms).unwrap_or(i64::MAX),
                    speaker,
                    text: utterance.text,
                    confidence: Some(i64::from(utterance.confidence.min(10_000))),
                    language: Some(utterance.language),
                });
            }
        }
        segments.sort_by_key(|segment| (segment.from_ms, segment.to_ms));
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let engine = recognizer.name().to_owned();
        let transcript = Transcript { segments, engine, audio_ms, took_ms, damaged: recording.damaged };
        events::transcribed(&self.meter, &transcript);
        Ok(transcript)
    }
}

fn work(shared: &Shared) {
    while let Some(Task { job, cancel, answer }) = shared.next() {
        // A decoder that panics on a hostile file costs that file's text and not the worker.
        let result = catch_unwind(AssertUnwindSafe(|| shared.run(job, &cancel)))
            .unwrap_or_else(|_| Err(AsrError::Engine("panicked on this recording".into())));
        let result = match result {
            Err(AsrError::Cancelled) if shared.lock().stopping => Err(AsrError::Stopping),
            result => result,
        };
        cancel.cancel();
        // Nobody listens any more when the future was dropped.
        let _ = answer.send(result);
    }
}

fn keep_model(shared: &Shared, poll: Duration) {
    loop {
        shared.models.refresh();
        let state = shared.lock();
        let waited = shared.look.wait_timeout_while(state, poll, |state| !state.reload && !state.stopping);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.stopping {
            return;
        }
        state.reload = false;
    }
}
