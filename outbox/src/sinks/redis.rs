//! Redis Streams: `XADD <stream> * id … type … digest … record …` (<https://redis.io/docs/latest/commands/xadd/>).
//!
//! Never `MAXLEN`: trimming is the consumer's affair, and our own disk is the source of truth. After a lost
//! connection it is not known whether the last batch arrived, so the tail of the stream is looked at before
//! anything is added again. That keeps duplicates rare; consumers are idempotent on `id` all the same.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use record::units::{duration, size};
use record::{Pii, View};
use redis::aio::MultiplexedConnection;
use redis::streams::StreamRangeReply;
use redis::{AsyncConnectionConfig, Client, ErrorKind, Pipeline, RedisError, Value, cmd, pipe};
use serde::Deserialize;

use super::{Sink, SinkError};
use crate::delivery::Delivery;

/// Entries in one pipeline.
pub(super) const BATCH_RECORDS: usize = 64;

/// `kind = "redis"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// Name of the sink.
    pub name: String,
    /// `redis://[:password@]host[:port][/database]`; holds the password, so it is a secret.
    pub url: RedisUrl,
    /// Key of the stream.
    pub stream: String,
    /// What may be seen; default `sealed`.
    #[serde(default = "super::file::sealed")]
    pub view: View,
    /// Longest wait for the connection or an answer. Default `"5s"`.
    #[serde(default = "timeout", with = "duration")]
    pub timeout: Duration,
    /// Largest record, bytes; a larger one is parked. Default `"8MiB"` (Redis itself refuses above 512 MiB).
    #[serde(default = "super::file::longest_line", with = "size")]
    pub max_record: u64,
}

const fn timeout() -> Duration {
    Duration::from_secs(5)
}

/// An address with a password in it; never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct RedisUrl(Pii<String>);

impl RedisUrl {
    /// Wraps an address.
    pub const fn new(url: String) -> Self {
        Self(Pii::new(url))
    }

    /// Whether it can be understood.
    pub fn is_valid(&self) -> bool {
        Client::open(self.0.reveal().as_str()).is_ok()
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// Whether Redis answers and lets us in, for `jiesu doctor`.
pub async fn ping(config: &RedisConfig) -> Result<(), SinkError> {
    let answered = async {
        let client = Client::open(config.url.0.reveal().as_str())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        cmd("PING").query_async::<()>(&mut connection).await
    };
    answered.await.map_err(|error: RedisError| classify(&error))
}

/// See the module.
pub struct RedisSink {
    config: RedisConfig,
    /// Taken during a delivery and put back when it went well: a failed or abandoned one leaves `None`.
    open: Option<Open>,
}

struct Open {
    connection: MultiplexedConnection,
    /// Ids the stream held at its end when we connected.
    tail: HashSet<String>,
}

impl RedisSink {
    /// A sink that connects with the first delivery.
    pub const fn new(config: RedisConfig) -> Self {
        Self { config, open: None }
    }

    async fn connect(&self) -> Result<Open, RedisError> {
        let limit = self.config.timeout;
        let client = Client::open(self.config.url.0.reveal().as_str())?;
        let options = AsyncConnectionConfig::new().set_connection_timeout(limit).set_response_timeout(limit);
        let mut connection = client.get_multiplexed_async_connection_with_config(&options).await?;
        // Twice a batch: others may write to the same stream.
        let tail: StreamRangeReply = cmd("XREVRANGE")
            .arg(&self.config.stream)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(2 * BATCH_RECORDS)
            .query_async(&mut connection)
            .await?;
        let tail = tail.ids.iter().filter_map(|entry| entry.get("id")).collect();
        Ok(Open { connection, tail })
    }

    /// How many leading records are small enough.
    fn leading(&self, batch: &[Delivery]) -> Result<usize, SinkError> {
        let fits = |delivery: &&Delivery| delivery.json.len() as u64 <= self.config.max_record;
        match batch.iter().take_while(fits).count() {
            0 => Err(SinkError::never("too_large")),
            count => Ok(count),
        }
    }

    fn pipeline(&self, batch: &[Delivery], tail: &mut HashSet<String>) -> Pipeline {
        // One transaction: a refusal in the middle must not let later records overtake.
        let mut pipeline = pipe();
        pipeline.atomic();
        for delivery in batch {
            // Found once, it need not be kept: it will not be offered again.
            if tail.remove(&delivery.id) {
                continue;
            }
            pipeline
                .cmd("XADD")
                .arg(&self.config.stream)
                .arg("*")
                .arg("id")
                .arg(&delivery.id)
                .arg("type")
                .arg(&delivery.event_type)
                .arg("digest")
                .arg(&delivery.digest)
                .arg("record")
                .arg(&delivery.json);
        }
        pipeline
    }
}

#[async_trait]
impl Sink for RedisSink {
    fn name(&self) -> &str {
        &self.config.name
    }

    async fn deliver(&mut self, batch: &[Delivery]) -> Result<usize, SinkError> {
        let count = self.leading(batch)?;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().await.map_err(|error| classify(&error))?,
        };
        let pipeline = self.pipeline(batch.get(..count).unwrap_or_default(), &mut open.tail);
        if !pipeline.is_empty() {
            let _: Vec<Value> =
                pipeline.query_async(&mut open.connection).await.map_err(|error| classify(&error))?;
        }
        self.open = Some(open);
        Ok(count)
    }
}

/// What the failure means. A wrong password or a key of another type is the operator's to mend: such
/// records are kept and tried again, slower; they are not the record's fault.
fn classify(error: &RedisError) -> SinkError {
    if error.is_timeout() {
        return SinkError::retry("timeout");
    }
    if error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal() {
        return SinkError::retry("connection");
    }
    match error.kind() {
        ErrorKind::BusyLoadingError
        | ErrorKind::TryAgain
        | ErrorKind::MasterDown
        | ErrorKind::ClusterDown => SinkError::retry("busy"),
        ErrorKind::ExecAbortError => SinkError::retry("aborted"),
        ErrorKind::ReadOnly => SinkError::retry("read_only"),
        ErrorKind::AuthenticationFailed => SinkError::unknown("authentication"),
        ErrorKind::TypeError => SinkError::unknown("type"),
        _ => match error.code() {
            Some("OOM") => SinkError::retry("out_of_memory"),
            Some("WRONGTYPE") => SinkError::unknown("wrong_type"),
            Some("NOAUTH" | "WRONGPASS" | "NOPERM") => SinkError::unknown("authentication"),
            _ => SinkError::unknown("refused"),
        },
    }
}
