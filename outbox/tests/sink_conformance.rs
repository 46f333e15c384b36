//! Every sink, the same questions: takes all in order, comes back after an outage, parks poison, survives a
//! peer that went silent, and delays nobody. Redis is a real `redis-server` on a free port.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use outbox::sinks::{build, check};
use outbox::{Dispatcher, ErrorClass, Format, NewJob, Outbox, SinkConfig};
use record::canonical::record_digest;
use record::{Record, View};
use redis::streams::StreamRangeReply;
use serde::Deserialize;
use serde_json::Value;
use support::{all_valid, open, record, within};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Deserialize)]
struct Configured {
    sinks: Vec<SinkConfig>,
}

fn configured(toml: &str) -> Vec<SinkConfig> {
    toml::from_str::<Configured>(toml).unwrap().sinks
}

fn start(outbox: &Outbox, toml: &str) -> Dispatcher {
    Dispatcher::start(outbox, build(configured(toml)).unwrap())
}

fn file_sink(path: &Path, more: &str) -> String {
    format!("[[sinks]]\nname = \"archive\"\nkind = \"file\"\npath = {path:?}\n{more}\n")
}

fn redis_sink(port: u16, more: &str) -> String {
    format!(
        "[[sinks]]\nname = \"bus\"\nkind = \"redis\"\nurl = \"redis://127.0.0.1:{port}\"\nstream = \"intake\"\n{more}\n"
    )
}

async fn append(outbox: &Outbox, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    for i in 0..count {
        records
            .push(outbox.append(record("voice", &format!("第{i}件")), Vec::<NewJob>::new()).await.unwrap());
    }
    records
}

async fn drained(outbox: &Outbox, sink: &str) {
    let head = outbox.head();
    within(sink, outbox.wait_for_sink(sink, |s| s.cursor >= head)).await;
}

fn ids(records: &[Record]) -> Vec<String> {
    records.iter().map(|r| format!("{}.{}", r.record_id, r.revision)).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn line_ids(lines: &[Value]) -> Vec<String> {
    let id = |line: &Value| format!("{}.{}", line["record_id"].as_str().unwrap(), line["revision"]);
    lines.iter().map(id).collect()
}

/// A Redis that keeps its data over restarts.
struct Redis {
    port: u16,
    folder: PathBuf,
    child: Child,
}

impl Redis {
    fn start(folder: &Path) -> Self {
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self { port, folder: folder.to_owned(), child: Self::spawn(port, folder) }
    }

    fn spawn(port: u16, folder: &Path) -> Child {
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is not in PATH; install Debian's package redis-server to run this test");
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = |line: std::io::Result<String>| line.unwrap().contains("Ready to accept connections");
        assert!(output.by_ref().any(ready), "redis-server did not start on port {port}");
        // Its pipe must not fill up while it lives.
        std::thread::spawn(move || output.count());
        child
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(self.port, &self.folder);
    }

    async fn entries(&self) -> Vec<[String; 4]> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let all: StreamRangeReply =
            redis::cmd("XRANGE").arg("intake").arg("-").arg("+").query_async(&mut connection).await.unwrap();
        let fields = |entry: &redis::streams::StreamId| {
            assert_eq!(entry.map.len(), 4);
            ["id", "type", "digest", "record"].map(|field| entry.get(field).unwrap())
        };
        all.ids.iter().map(fields).collect()
    }

    async fn command(&self, words: &[&str]) {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let _: redis::Value = command.query_async(&mut connection).await.unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn entry_ids(entries: &[[String; 4]]) -> Vec<String> {
    entries.iter().map(|e| e[0].clone()).collect()
}

#[tokio::test]
async fn file_holds_every_revision_on_its_own_line_and_only_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out/deep/records.jsonl");
    let outbox = open(folder.path());
    let dispatcher = start(&outbox, &file_sink(&path, ""));
    let mut records = append(&outbox, 300).await;
    let mut amended = records[3].clone();
    amended.revision = 2;
    records.push(outbox.append(amended, vec![]).await.unwrap());
    drained(&outbox, "archive").await;
    let written = lines(&path);
    assert_eq!(line_ids(&written), ids(&records));
    let stored: Vec<Value> =
        all_valid(&outbox).await.iter().map(|r| serde_json::to_value(r).unwrap()).collect();
    assert_eq!(written, stored, "sealed: exactly as stored");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let status = outbox.sinks().remove(0);
    assert_eq!((status.cursor, status.sequence, status.lag, status.parked), (301, 301, 0, 0));
    dispatcher.stop().await;
}

#[tokio::test]
async fn file_repairs_a_torn_line_and_repeats_nothing_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["record", "cloudevent"] {
        let path = folder.path().join(format!("{format}.jsonl"));
        let toml = file_sink(&path, &format!("format = {format:?}"));
        // First life: everything is written, nothing counted. A copy of the store from before the delivery
        // stands for a crash between writing the file and moving the cursor.
        let home = folder.path().join(format);
        let outbox = open(&home);
        let records = append(&outbox, 100).await;
        outbox.close().await;
        let before = std::fs::read(home.join("data/outbox.db")).unwrap();
        let outbox = open(&home);
        let dispatcher = start(&outbox, &toml);
        drained(&outbox, "archive").await;
        dispatcher.stop().await;
        outbox.close().await;
        std::fs::write(home.join("data/outbox.db"), before).unwrap();
        // And the last line was torn by the same crash.
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 400]).unwrap();

        let outbox = open(&home);
        let dispatcher = start(&outbox, &toml);
        drained(&outbox, "archive").await;
        assert_eq!(std::fs::read(&path).unwrap(), text, "{format}: the same bytes again");
        assert_eq!(lines(&path).len(), records.len());
        dispatcher.stop().await;
    }
}

#[tokio::test]
async fn file_that_was_rotated_away_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let outbox = open(folder.path());
    let dispatcher = start(&outbox, &file_sink(&path, ""));
    let first = append(&outbox, 3).await;
    drained(&outbox, "archive").await;
    let rotated = folder.path().join("records.jsonl.1");
    std::fs::rename(&path, &rotated).unwrap();
    let second = append(&outbox, 2).await;
    drained(&outbox, "archive").await;
    assert_eq!((line_ids(&lines(&rotated)), line_ids(&lines(&path))), (ids(&first), ids(&second)));
    dispatcher.stop().await;
}

#[tokio::test]
async fn file_away_is_retried_and_poison_is_parked() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    // A folder stands where the file should be.
    let path = folder.path().join("records.jsonl");
    std::fs::create_dir(&path).unwrap();
    let dispatcher = start(&outbox, &file_sink(&path, "max_line = \"20000B\""));
    let mut records = append(&outbox, 2).await;
    within("failure", outbox.wait_for_sink("archive", |s| s.last_error.is_some())).await;
    let poison = outbox.append(record("voice", &"长".repeat(20_000)), vec![]).await.unwrap();
    records.extend(append(&outbox, 2).await);
    std::fs::remove_dir(&path).unwrap();
    drained(&outbox, "archive").await;
    assert_eq!(line_ids(&lines(&path)), ids(&records));
    let status = outbox.sinks().remove(0);
    assert_eq!((status.cursor, status.sequence, status.parked, status.last_error), (5, 5, 1, None));
    let parked = outbox.reader().parked("archive", 0, 10).await.unwrap();
    assert_eq!((parked.len(), parked[0].seq, parked[0].sequence), (1, 3, 3));
    assert_eq!((parked[0].record_id, parked[0].reason.as_str()), (poison.record_id, "too_large"));
    dispatcher.stop().await;
    // It stays visible.
    outbox.close().await;
    assert_eq!(open(folder.path()).reader().parked("archive", 0, 10).await.unwrap(), parked);
}

#[tokio::test]
async fn a_cloudevent_has_the_published_shape() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let outbox = open(folder.path());
    let dispatcher = start(&outbox, &file_sink(&path, "format = \"cloudevent\""));
    let records = append(&outbox, 2).await;
    drained(&outbox, "archive").await;
    let published: Value =
        serde_json::from_str(include_str!("../../record/examples/example.cloudevent.json")).unwrap();
    for (event, record) in lines(&path).iter().zip(&records) {
        let event = event.as_object().unwrap();
        for name in event.keys() {
            assert!(name.len() <= 20 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        }
        // A trace belongs to a request, not to the store.
        let expected = published.as_object().unwrap().keys().filter(|k| *k != "traceparent");
        assert!(expected.eq(event.keys()), "{:?}", event.keys());
        assert_eq!(event["type"], "cn.12345.intake.record.final.v1");
        assert_eq!(event["source"], "//gw-a1");
        assert_eq!(event["id"], format!("{}.1", record.record_id));
        assert_eq!(event["sequence"], format!("{:020}", record.integrity.seq));
        assert_eq!(event["recordhash"], record.integrity.digest);
        assert_eq!(event["prevhash"], *record.integrity.previous.as_ref().unwrap());
        assert_eq!(event["time"], record.updated_at.to_string());
        assert_eq!(event["privacyview"], "sealed");
        assert_eq!(event["data"], serde_json::to_value(record).unwrap());
    }
    let schema: Value = serde_json::from_str(record::SCHEMA_JSON).unwrap();
    assert_eq!(schema["$id"], outbox::DATA_SCHEMA);
    dispatcher.stop().await;
}

#[tokio::test]
async fn a_masked_sink_never_sees_what_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("masked.jsonl");
    let outbox = open(folder.path());
    let dispatcher = start(&outbox, &file_sink(&path, "view = \"dispatch\""));
    let mut secret = record("voice", "来电");
    secret.reporter.name = Some("张三丰".into());
    let stored = outbox.append(secret, vec![]).await.unwrap();
    drained(&outbox, "archive").await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("张三丰"));
    let line: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(line["privacy"]["view"], View::Dispatch.as_str());
    assert_eq!(line["integrity"]["digest"], record_digest(&line).unwrap());
    assert_ne!(line["integrity"]["digest"], stored.integrity.digest);
    dispatcher.stop().await;
}

#[tokio::test]
async fn redis_gets_every_record_once_over_kills_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut redis = Redis::start(folder.path());
    let path = folder.path().join("beside.jsonl");
    let outbox = open(folder.path());
    let dispatcher = start(&outbox, &(redis_sink(redis.port, "") + &file_sink(&path, "")));
    let mut records = append(&outbox, 70).await;
    drained(&outbox, "bus").await;
    for round in 0..3 {
        // Killed with work under way, at whatever point it is.
        let more = append(&outbox, 20 * round).await;
        redis.kill();
        records.extend(more);
        records.extend(append(&outbox, 30).await);
        within("failure", outbox.wait_for_sink("bus", |s| s.last_error.is_some())).await;
        let failure = outbox.sinks().into_iter().find(|s| s.name == "bus").unwrap().last_error.unwrap();
        assert_eq!((failure.class, failure.reason), (ErrorClass::Retry, "connection"));
        // A dead sink delays nobody.
        drained(&outbox, "archive").await;
        redis.restart();
        drained(&outbox, "bus").await;
    }
    let entries = redis.entries().await;
    assert_eq!(entry_ids(&entries), ids(&records));
    for ([_, kind, digest, json], record) in entries.iter().zip(all_valid(&outbox).await) {
        assert_eq!(kind, "cn.12345.intake.record.final.v1");
        assert_eq!(*digest, record.integrity.digest);
        assert_eq!(serde_json::from_str::<Record>(json).unwrap(), record);
    }
    dispatcher.stop().await;
}

#[tokio::test]
async fn redis_repeats_nothing_after_a_crash_between_delivery_and_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path());
    let outbox = open(folder.path());
    let mut records = append(&outbox, 50).await;
    outbox.close().await;
    let store = folder.path().join("data/outbox.db");
    let before = std::fs::read(&store).unwrap();
    let outbox = open(folder.path());
    let dispatcher = start(&outbox, &redis_sink(redis.port, ""));
    drained(&outbox, "bus").await;
    dispatcher.stop().await;
    outbox.close().await;
    std::fs::write(&store, before).unwrap();

    let outbox = open(folder.path());
    let dispatcher = start(&outbox, &redis_sink(redis.port, ""));
    records.extend(append(&outbox, 5).await);
    drained(&outbox, "bus").await;
    assert_eq!(entry_ids(&redis.entries().await), ids(&records));
    dispatcher.stop().await;
}

#[tokio::test]
async fn redis_poison_is_parked_and_a_wrong_key_is_waited_out() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path());
    redis.command(&["SET", "intake", "not a stream"]).await;
    let outbox = open(folder.path());
    let dispatcher = start(&outbox, &redis_sink(redis.port, "max_record = \"20000B\""));
    let mut records = append(&outbox, 2).await;
    outbox.append(record("voice", &"长".repeat(20_000)), vec![]).await.unwrap();
    records.extend(append(&outbox, 2).await);
    within("failure", outbox.wait_for_sink("bus", |s| s.last_error.is_some())).await;
    let status = outbox.sinks().remove(0);
    let failure = status.last_error.unwrap();
    assert_eq!((failure.class, failure.reason, status.parked), (ErrorClass::Unknown, "wrong_type", 0));
    redis.command(&["DEL", "intake"]).await;
    drained(&outbox, "bus").await;
    assert_eq!(entry_ids(&redis.entries().await), ids(&records));
    assert_eq!(outbox.sinks()[0].parked, 1);
    assert_eq!(outbox.reader().parked("bus", 0, 9).await.unwrap()[0].reason, "too_large");
    dispatcher.stop().await;
}

/// Passes bytes on to `target` until told to be silent: then it takes everything and answers nothing.
async fn silent_proxy(target: SocketAddr, silent: watch::Receiver<bool>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            if *silent.borrow() {
                held.push(client);
                continue;
            }
            let mut silent = silent.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(target).await.unwrap();
                let silence = async {
                    let _ = silent.wait_for(|silent| *silent).await;
                };
                let ended = tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut server) => true,
                    () = silence => false,
                };
                if !ended {
                    // The peer is gone without a word; the connection stays open.
                    let _ = silent.wait_for(|silent| !*silent).await;
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn redis_that_went_silent_is_given_up_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path());
    let (silence, silent) = watch::channel(false);
    let port = silent_proxy(([127, 0, 0, 1], redis.port).into(), silent).await;
    let path = folder.path().join("beside.jsonl");
    let outbox = open(folder.path());
    let toml = redis_sink(port, "timeout = \"200ms\"") + &file_sink(&path, "");
    let dispatcher = start(&outbox, &toml);
    let mut records = append(&outbox, 5).await;
    drained(&outbox, "bus").await;
    silence.send_replace(true);
    records.extend(append(&outbox, 5).await);
    let timed_out =
        |s: &outbox::SinkStatus| s.last_error.is_some_and(|e| e.reason == "timeout" && e.attempts > 1);
    within("timeout", outbox.wait_for_sink("bus", timed_out)).await;
    drained(&outbox, "archive").await;
    silence.send_replace(false);
    drained(&outbox, "bus").await;
    assert_eq!(entry_ids(&redis.entries().await), ids(&records));
    dispatcher.stop().await;
}

#[tokio::test]
async fn a_panicking_or_empty_handed_sink_is_tried_again() {
    use support::{Behaviour, Memory, memory_route};
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let memory: Arc<std::sync::Mutex<Memory>> = Arc::default();
    memory.lock().unwrap().script.push_back(Behaviour::Panic);
    let dispatcher = Dispatcher::start(&outbox, vec![memory_route("odd", &memory)]);
    let records = append(&outbox, 3).await;
    drained(&outbox, "odd").await;
    let taken: Vec<_> =
        memory.lock().unwrap_or_else(|e| e.into_inner()).taken.iter().map(|t| t.2.clone()).collect();
    assert_eq!(taken, ids(&records));
    dispatcher.stop().await;
}

#[test]
fn configuration_faults_are_all_reported_and_secrets_never_printed() {
    let sinks = configured(
        r#"
        [[sinks]]
        name = "a b"
        kind = "file"
        path = "x.jsonl"
        format = "vcon"
        [[sinks]]
        name = "twice"
        kind = "file"
        path = "x.jsonl"
        [[sinks]]
        name = "twice"
        kind = "redis"
        url = "http://:s3cret@example.invalid"
        stream = ""
        "#,
    );
    let faults = check(&sinks);
    let keys: Vec<_> = faults.iter().map(|f| f.key.as_str()).collect();
    let expected = [
        "sinks[0].name",
        "sinks[0].format",
        "sinks[1].path",
        "sinks[2].name",
        "sinks[2].stream",
        "sinks[2].url",
    ];
    assert_eq!(keys, expected);
    assert!(faults[1].message.contains("comes with issue 6"));
    assert!(!format!("{sinks:?} {faults:?}").contains("s3cret"));
    assert!(build(sinks).is_err());

    let plain = configured("[[sinks]]\nname = \"a\"\nkind = \"file\"\npath = \"x\"");
    let SinkConfig::File(file) = &plain[0] else { panic!() };
    assert_eq!((file.view, file.format), (View::Sealed, Format::Record));
    let wrong = |toml: &str| toml::from_str::<Configured>(toml).err().unwrap().to_string();
    let kind = wrong("[[sinks]]\nname = \"a\"\nkind = \"kafka\"");
    assert!(kind.contains("kafka") && kind.contains("file") && kind.contains("redis"), "{kind}");
    let key = wrong("[[sinks]]\nname = \"a\"\nkind = \"file\"\npath = \"x\"\npaht = \"y\"");
    assert!(key.contains("paht"), "{key}");
}
