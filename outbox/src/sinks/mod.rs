//! Where records go: the [`Sink`] trait, the kinds there are, and their configuration (`[[sinks]]`).
//!
//! A new kind is a file here, a variant of [`SinkConfig`] and an arm in [`build`].

mod file;
mod redis;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use record::View;
use serde::Deserialize;

use crate::delivery::{Delivery, Format};
use crate::dispatch::Route;
use crate::retry::ErrorClass;

pub use file::{FileConfig, FileSink};
pub use redis::{RedisConfig, RedisSink, RedisUrl, ping};

/// Takes records away.
#[async_trait]
pub trait Sink: Send {
    /// The name in the configuration: key of the cursor, label of the metrics.
    fn name(&self) -> &str;

    /// Takes the first records of `batch` and says how many (at least one): they are safe where they are.
    /// An error speaks of the first record, and none was taken as far as the sink knows. The same records
    /// may be offered again after a crash or an error; a good sink knows them by [`Delivery::id`]. The
    /// future may be dropped at a deadline.
    async fn deliver(&mut self, batch: &[Delivery]) -> Result<usize, SinkError>;
}

/// Why a sink did not take a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SinkError {
    /// What to do about it.
    pub class: ErrorClass,
    /// How long the other side asked us to wait.
    pub retry_after: Option<Duration>,
    /// A fixed word: label of a metric, field of a log line.
    pub reason: &'static str,
}

impl SinkError {
    /// It will pass.
    pub const fn retry(reason: &'static str) -> Self {
        Self { class: ErrorClass::Retry, retry_after: None, reason }
    }

    /// This record will never be taken.
    pub const fn never(reason: &'static str) -> Self {
        Self { class: ErrorClass::Never, retry_after: None, reason }
    }

    /// Not known whether it will pass.
    pub const fn unknown(reason: &'static str) -> Self {
        Self { class: ErrorClass::Unknown, retry_after: None, reason }
    }
}

/// One `[[sinks]]` table; `kind` says which.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SinkConfig {
    /// One JSON object a line.
    File(FileConfig),
    /// Redis Streams.
    Redis(RedisConfig),
}

/// A fault in the configuration of sinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkFault {
    /// Key path, e.g. `sinks[1].format`.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl SinkConfig {
    /// The sink's name.
    pub fn name(&self) -> &str {
        match self {
            Self::File(config) => &config.name,
            Self::Redis(config) => &config.name,
        }
    }

    /// What the sink may see.
    pub const fn view(&self) -> View {
        match self {
            Self::File(config) => config.view,
            Self::Redis(config) => config.view,
        }
    }
}

/// All faults of all sinks at once.
pub fn check(sinks: &[SinkConfig]) -> Vec<SinkFault> {
    let mut faults = Vec::new();
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    for (i, sink) in sinks.iter().enumerate() {
        let mut fault = |field: &str, message: &str| {
            faults.push(SinkFault { key: format!("sinks[{i}].{field}"), message: message.to_owned() });
        };
        let name = sink.name();
        let name_is_good = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !name_is_good {
            fault("name", "1 to 64 of letters, digits, hyphen and underscore are expected");
        }
        if !names.insert(name) {
            fault("name", "another sink has this name; each has its own cursor by its name");
        }
        match sink {
            SinkConfig::File(config) => {
                if config.format == Format::Vcon {
                    fault("format", "\"vcon\" comes with issue 6; \"record\" and \"cloudevent\" are here");
                }
                if config.path.file_name().is_none() {
                    fault("path", "the path of a file is expected");
                }
                if !places.insert(&config.path) {
                    fault("path", "another sink writes this file");
                }
            }
            SinkConfig::Redis(config) => {
                if config.stream.is_empty() {
                    fault("stream", "the key of a stream is expected");
                }
                if !config.url.is_valid() {
                    fault("url", "redis://[:password@]host[:port][/database] is expected");
                }
            }
        }
    }
    faults
}

/// Makes the sinks of a checked configuration, ready for [`Dispatcher::start`](crate::Dispatcher::start).
/// Nothing is opened or connected yet: a sink that is away does not keep the gateway from starting.
pub fn build(sinks: Vec<SinkConfig>) -> Result<Vec<Route>, Vec<SinkFault>> {
    let faults = check(&sinks);
    if !faults.is_empty() {
        return Err(faults);
    }
    let route = |config| match config {
        SinkConfig::File(config) => Route {
            view: config.view,
            batch_records: file::BATCH_RECORDS,
            timeout: Duration::from_secs(30),
            sink: Box::new(FileSink::new(config)) as Box<dyn Sink>,
        },
        SinkConfig::Redis(config) => Route {
            view: config.view,
            batch_records: redis::BATCH_RECORDS,
            // Connecting, looking at the tail and adding, each within the sink's own limit.
            timeout: config.timeout.saturating_mul(4),
            sink: Box::new(RedisSink::new(config)),
        },
    };
    Ok(sinks.into_iter().map(route).collect())
}
