//! What the handles, the writer and the dispatcher know of each other: health, limits, who waits for what.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::config::Limits;
use crate::error::OutboxError;
use crate::events;
use crate::status::SinkStatus;
use crate::writer::Effects;

/// Shared by every handle of one store.
pub(crate) struct Shared {
    pub health: HealthState,
    /// `integrity.seq` of the newest durable record.
    pub head: watch::Sender<u64>,
    /// Every sink's standing, by name.
    pub sinks: watch::Sender<BTreeMap<String, SinkStatus>>,
    limits: Mutex<Limits>,
    jobs: Mutex<BTreeMap<String, Arc<Notify>>>,
}

impl Shared {
    pub fn new(limits: Limits, head: u64) -> Self {
        Self {
            health: HealthState::default(),
            head: watch::Sender::new(head),
            sinks: watch::Sender::new(BTreeMap::new()),
            limits: Mutex::new(limits),
            jobs: Mutex::default(),
        }
    }

    pub fn limits(&self) -> Limits {
        *unpoisoned(&self.limits)
    }

    pub fn set_limits(&self, limits: Limits) {
        *unpoisoned(&self.limits) = limits;
    }

    /// The bell of one kind of job. Kinds are named by our own code, so the map stays small.
    pub fn job_bell(&self, kind: &str) -> Arc<Notify> {
        unpoisoned(&self.jobs).entry(kind.to_owned()).or_default().clone()
    }

    /// Tells whoever waits, after the commit.
    pub fn publish(&self, effects: &Effects, head: u64) {
        if !effects.appended.is_empty() {
            self.head.send_replace(head);
        }
        for kind in &effects.jobs {
            self.job_bell(kind).notify_one();
        }
    }
}

/// Whether the store could write at the last attempt.
#[derive(Default)]
pub(crate) struct HealthState {
    failing: Mutex<Option<&'static str>>,
    /// A probe is queued already.
    pub probing: AtomicBool,
}

impl HealthState {
    /// Takes note of an attempt; logs when the answer changes.
    pub fn observe(&self, result: Result<(), OutboxError>) {
        self.probing.store(false, Ordering::Release);
        let now = match result {
            Err(OutboxError::StoreUnavailable { reason }) => Some(reason),
            // A panic says nothing about the disk.
            Err(_) => return,
            Ok(()) => None,
        };
        let before = std::mem::replace(&mut *unpoisoned(&self.failing), now);
        if before != now {
            events::health_changed(now);
        }
    }

    pub fn reason(&self) -> Option<&'static str> {
        *unpoisoned(&self.failing)
    }
}

/// The data is replaced whole under these locks, so a panic elsewhere cannot leave it half changed.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
