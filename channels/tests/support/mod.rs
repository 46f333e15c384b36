//! What the border tests share: an intake that remembers, a counter of metrics, requests by hand.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses its part; a failed unwrap is a failed test"
)]

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use channels::{ChannelsConfig, Refused, Seed};
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use record::{Inbound, Intake, IntakeError, IntakeFuture, Receipt, Timestamp, Uuid};
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// Stands for the gateway's middle: a unique key like the store's, and faults on demand.
pub struct FakeIntake {
    /// Everything handed over, duplicates included.
    pub offered: Mutex<Vec<Inbound>>,
    durable: Mutex<HashSet<(String, String, String)>>,
    /// Answers of the next calls other than success, first one first.
    pub faults: Mutex<Vec<Option<IntakeError>>>,
    /// Calls pass one permit at a time.
    pub gate: Semaphore,
    /// Calls that reached the gate.
    pub entered: Semaphore,
    pub panics: bool,
}

impl FakeIntake {
    pub fn open() -> Arc<Self> {
        Self::with(Semaphore::MAX_PERMITS, false)
    }

    pub fn closed() -> Arc<Self> {
        Self::with(0, false)
    }

    pub fn with(permits: usize, panics: bool) -> Arc<Self> {
        Arc::new(Self {
            offered: Mutex::default(),
            durable: Mutex::default(),
            faults: Mutex::default(),
            gate: Semaphore::new(permits),
            entered: Semaphore::new(0),
            panics,
        })
    }

    pub fn offered(&self) -> usize {
        self.offered.lock().unwrap().len()
    }

    /// Messages that made a durable row.
    pub fn rows(&self) -> usize {
        self.durable.lock().unwrap().len()
    }
}

impl Intake for FakeIntake {
    fn accept(&self, inbound: Inbound) -> IntakeFuture<'_> {
        Box::pin(async move {
            self.entered.add_permits(1);
            self.gate.acquire().await.unwrap().forget();
            self.gate.add_permits(1);
            assert!(!self.panics, "the store's own defect");
            let fault = {
                let mut faults = self.faults.lock().unwrap();
                if faults.is_empty() { None } else { faults.remove(0) }
            };
            if let Some(fault) = fault {
                return Err(fault);
            }
            let key = (inbound.channel.clone(), inbound.account.clone(), inbound.dedupe_key.clone());
            self.offered.lock().unwrap().push(inbound);
            let mut durable = self.durable.lock().unwrap();
            let duplicate = !durable.insert(key);
            Ok(Receipt {
                record_id: Some(Uuid::from_u128(durable.len() as u128)),
                record_no: Some(format!("NO{}", durable.len())),
                duplicate,
            })
        })
    }
}

/// Counts counters by name and labels, written as Prometheus would.
#[derive(Default, Clone)]
pub struct Counts(Arc<Mutex<BTreeMap<String, Arc<Cell>>>>);

#[derive(Default)]
pub struct Cell(AtomicU64);

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::SeqCst);
    }
    fn absolute(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }
}

impl Counts {
    pub fn of(&self, name: &str) -> u64 {
        self.0.lock().unwrap().get(name).map_or(0, |cell| cell.0.load(Ordering::SeqCst))
    }

    pub fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

fn written(key: &Key) -> String {
    let labels: Vec<String> =
        key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
    format!("{}{{{}}}", key.name(), labels.join(","))
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.0.lock().unwrap().entry(written(key)).or_default().clone())
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.0.lock().unwrap().entry(written(key)).or_default().increment(1);
        Histogram::noop()
    }
}

/// An answer as the platform sees it, and the reason it does not see.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Answered {
    pub status: u16,
    pub content_type: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub reason: Option<&'static str>,
}

pub async fn ask(router: &Router, request: Request<Body>) -> Answered {
    let response: Response<Body> = router.clone().oneshot(request).await.unwrap();
    let reason = response.extensions().get::<Refused>().map(|refused| refused.0);
    let (parts, body) = response.into_parts();
    let headers: BTreeMap<String, String> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    Answered {
        status: parts.status.as_u16(),
        content_type: headers.get("content-type").cloned(),
        headers,
        body: axum::body::to_bytes(body, 1 << 24).await.unwrap().to_vec(),
        reason,
    }
}

pub fn post(uri: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(uri).body(body.into()).unwrap()
}

pub fn clock_at(seconds: i64) -> channels::Clock {
    Arc::new(move || Timestamp::from_unix_ms(seconds * 1000))
}

pub fn fixed_seed(now: Timestamp) -> Seed {
    Seed { now, random: [7; 32], nonce: "42".to_owned() }
}

/// One account called `main` from a vector's JSON configuration.
pub fn one_account(code: &str, config: &serde_json::Value) -> ChannelsConfig {
    let table: toml::Table = serde_json::from_value(config.clone()).unwrap();
    ChannelsConfig([(code.to_owned(), [("main".to_owned(), table)].into())].into())
}

/// A runtime on this thread, so that a thread-local metrics recorder sees everything.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
