//! Listens to every log line, metric label and debug print while records with a marked citizen pass, fail
//! and are parked. The marks must not be in them. In a binary of its own: the listeners are global.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use outbox::{DedupeKey, Dispatcher, Limits, NewDraft, NewJob, OutboxError};
use support::{Behaviour, Memory, memory_route, open, record, within};
use tracing_subscriber::fmt::MakeWriter;

const MARKS: [&str; 4] = ["13912345678", "张三丰", "暖气不热", "openid-mark"];

#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<u8>>>);

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Ear {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[derive(Clone, Default)]
struct Labels(Arc<Mutex<BTreeSet<String>>>);

impl Labels {
    fn note(&self, key: &Key) {
        self.0.lock().unwrap().insert(key.to_string());
    }
}

impl Recorder for Labels {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.note(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.note(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.note(key);
        Histogram::noop()
    }
}

#[tokio::test]
async fn logs_labels_and_debug_prints_hold_no_citizen() {
    let (ear, labels) = (Ear::default(), Labels::default());
    let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(ear.clone());
    everything.with_ansi(false).init();
    metrics::set_global_recorder(labels.clone()).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let marked = || {
        let mut marked = record("voice", MARKS[2]);
        marked.reporter.name = Some(MARKS[1].into());
        marked.channel.interaction_id = Some(MARKS[3].into());
        if let Some(phone) = marked.reporter.phones.as_mut().and_then(|phones| phones.first_mut()) {
            phone.e164 = Some(format!("+86{}", MARKS[0]));
        }
        marked
    };
    let memory: Arc<Mutex<Memory>> = Arc::default();
    memory.lock().unwrap().script.extend([Behaviour::Fail, Behaviour::TakeAndFail]);
    let draft = NewDraft { record: marked() };
    let key = DedupeKey { channel: "sms".into(), account: "a".into(), key: MARKS[3].into() };
    let job = NewJob { kind: "asr".into(), key: None, payload: MARKS[0].into(), due_at_ms: 0 };
    let mut printed = format!("{draft:?} {key:?} {job:?}");
    let call = outbox.open_draft(draft).await.unwrap();
    let poison = marked();
    memory.lock().unwrap().poison.push(format!("{}.1", poison.record_id));
    outbox.append(call, vec![job]).await.unwrap();
    outbox.append(poison, vec![]).await.unwrap();
    printed +=
        &format!("{:?}", outbox.accept(key, MARKS[2].as_bytes(), Some(marked()), vec![]).await.unwrap());
    printed += &format!("{:?}", outbox.claim_jobs("asr", 1, 1, 1).await.unwrap());
    printed += &format!("{:?}", outbox.list(0, None, 9).await.unwrap());
    let dispatcher = Dispatcher::start(&outbox, vec![memory_route("odd", &memory)]);
    within("odd", outbox.wait_for_sink("odd", |s| s.cursor == 3)).await;
    outbox.set_limits(Limits { min_free_bytes: u64::MAX, max_bytes: None });
    let refused: OutboxError = outbox.append(marked(), vec![]).await.unwrap_err();
    printed += &format!("{refused:?} {refused} {outbox:?} {:?}", outbox.sinks());
    dispatcher.stop().await;

    let logged = String::from_utf8(ear.0.lock().unwrap().clone()).unwrap();
    let labels = format!("{:?}", labels.0.lock().unwrap());
    for expected in ["does not take records", "takes records again", "It is parked", "cannot write"] {
        assert!(logged.contains(expected), "the ear hears: {expected}");
    }
    for expected in [
        "jiesu_outbox_appended_total",
        "jiesu_outbox_commit_seconds",
        "jiesu_sink_delivered_total",
        "jiesu_sink_lag",
        "jiesu_sink_retries_total",
        "jiesu_sink_parked",
    ] {
        assert!(labels.contains(expected), "{expected} in {labels}");
    }
    for mark in MARKS {
        assert!(!logged.contains(mark) && !labels.contains(mark) && !printed.contains(mark), "{mark} leaked");
    }
}
