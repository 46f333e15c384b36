//! Records to append, the published schema to judge them by, and a sink that remembers.
#![allow(dead_code, missing_docs, clippy::unwrap_used, reason = "each test binary uses its part")]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use outbox::{Delivery, Outbox, OutboxConfig, Route, Sink, SinkError};
use record::{Record, Uuid, View};

pub const EXAMPLE: &str = include_str!("../../../record/examples/example.intake.json");

/// A valid first revision with invented content.
pub fn record(channel: &str, text: &str) -> Record {
    let mut record: Record = serde_json::from_str(EXAMPLE).unwrap();
    record.record_id = Uuid::now_v7();
    record.record_no = "000000-00000000-00-000000".into();
    record.channel.code = channel.into();
    record.request.text = text.into();
    record.privacy.view = View::Sealed;
    record.privacy.masked.clear();
    record
}

pub fn config(folder: &Path) -> OutboxConfig {
    OutboxConfig::new(folder.join("data/outbox.db"), "gw-a1", "150100")
}

pub fn open(folder: &Path) -> Outbox {
    Outbox::open(config(folder)).unwrap()
}

/// Every stored record, judged by the published schema and by the chain.
pub async fn all_valid(outbox: &Outbox) -> Vec<Record> {
    let schema: serde_json::Value = serde_json::from_str(record::SCHEMA_JSON).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let (mut records, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let page = outbox.list(from, None, 7).await.unwrap();
        for stored in &page.records {
            let value = stored.value().unwrap();
            let faults: Vec<String> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(faults.is_empty(), "{faults:?}");
            assert_eq!(record::canonical::canonical(&value).unwrap(), stored.json);
            records.push(stored.record().unwrap());
        }
        after = page.next;
    }
    let whole = outbox::ChainReport::Whole { records: records.len() as u64 };
    assert_eq!(outbox.reader().verify_chain().await, Ok(whole));
    records
}

/// Fails the test instead of hanging it.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap_or_else(|_| panic!("too long: {what}"))
}

/// What a memory sink does with the next offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Takes up to this many.
    Take(usize),
    /// Takes one, then loses its answer.
    TakeAndFail,
    Fail,
    Panic,
}

/// What a memory sink saw, kept over restarts of the store.
#[derive(Default)]
pub struct Memory {
    /// Offers taken, in order: per-sink sequence, `seq`, id.
    pub taken: Vec<(u64, u64, String)>,
    pub script: VecDeque<Behaviour>,
    /// Ids refused for good.
    pub poison: Vec<String>,
}

pub struct MemorySink {
    pub name: String,
    pub memory: Arc<Mutex<Memory>>,
}

#[async_trait]
impl Sink for MemorySink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&mut self, batch: &[Delivery]) -> Result<usize, SinkError> {
        let mut memory = self.memory.lock().unwrap_or_else(|e| e.into_inner());
        let behaviour = memory.script.pop_front().unwrap_or(Behaviour::Take(usize::MAX));
        let limit = match behaviour {
            Behaviour::Take(limit) => limit.max(1),
            Behaviour::TakeAndFail => 1,
            Behaviour::Fail => return Err(SinkError::retry("scripted")),
            Behaviour::Panic => panic!("scripted"),
        };
        let mut count = 0;
        for delivery in batch.iter().take(limit) {
            if memory.poison.contains(&delivery.id) {
                if count == 0 {
                    return Err(SinkError::never("poison"));
                }
                break;
            }
            memory.taken.push((delivery.sequence, delivery.seq, delivery.id.clone()));
            count += 1;
        }
        if behaviour == Behaviour::TakeAndFail { Err(SinkError::retry("answer_lost")) } else { Ok(count) }
    }
}

pub fn memory_route(name: &str, memory: &Arc<Mutex<Memory>>) -> Route {
    Route {
        sink: Box::new(MemorySink { name: name.into(), memory: memory.clone() }),
        view: View::Sealed,
        batch_records: 4,
        timeout: Duration::from_secs(10),
    }
}
