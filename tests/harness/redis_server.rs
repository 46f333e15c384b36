//! A real Redis on a port of the test's own. Debian package `redis-server`.

use redis::streams::StreamRangeReply;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::Process;
use crate::{eventually, records};

/// A Redis that can go away and come back with what it held (every write is on disk).
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
}

/// One entry of the stream.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `record_id.revision`.
    pub id: String,
    /// The event type.
    pub kind: String,
    /// The record, checked.
    pub record: Value,
}

impl RedisServer {
    /// Starts it and waits until it answers.
    pub async fn start(port: u16) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let mut server = Self { folder, port, process: None };
        server.launch().await;
        server
    }

    /// Starts it (again).
    pub async fn launch(&mut self) {
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
            .arg("--port")
            .arg(self.port.to_string())
            .arg("--dir")
            .arg(self.folder.path());
        self.process = Some(Process::start(command, "redis-server"));
        eventually("redis to answer", async || {
            let mut connection = self.connect().await?;
            redis::cmd("PING").query_async::<String>(&mut connection).await.ok()
        })
        .await;
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.process.take().expect("redis is running").kill().await;
    }

    /// Its address for a sink.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The whole stream `intake`, each record checked against schema and digest.
    pub async fn entries(&self) -> Vec<Entry> {
        let Some(mut connection) = self.connect().await else { return Vec::new() };
        let mut command = redis::cmd("XRANGE");
        command.arg("intake").arg("-").arg("+");
        let reply: StreamRangeReply =
            command.query_async(&mut connection).await.expect("the stream can be read");
        reply.ids.iter().map(entry).collect()
    }

    async fn connect(&self) -> Option<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.url()).ok()?;
        client.get_multiplexed_async_connection().await.ok()
    }
}

fn entry(entry: &redis::streams::StreamId) -> Entry {
    let mut names: Vec<&str> = entry.map.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["digest", "id", "record", "type"]);
    let text = |name: &str| entry.get::<String>(name).expect("a text");
    let record: Value = serde_json::from_str(&text("record")).expect("the record is JSON");
    records::check(&record);
    assert_eq!(text("id"), records::id(&record));
    assert_eq!(record["integrity"]["digest"], text("digest"));
    Entry { id: text("id"), kind: text("type"), record }
}
