//! How fast the store is on this disk: `cargo bench -p outbox`.
//!
//! Prints appended records a second and the 99th percentile of one append with 64 writers at once, then the
//! same for opening and updating a draft, the two that a caller waits for.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints and may fail")]

use std::time::{Duration, Instant};

use outbox::{NewDraft, Outbox, OutboxConfig};
use record::{Record, Uuid};

const WRITERS: usize = 64;
const EACH: usize = 100;

fn record() -> Record {
    let mut record: Record =
        serde_json::from_str(include_str!("../../record/examples/example.intake.json")).unwrap();
    record.record_id = Uuid::now_v7();
    record.channel.code = "voice".into();
    record
}

#[derive(Clone, Copy)]
enum Work {
    Append,
    OpenDraft,
    UpdateDraft,
}

async fn one(outbox: Outbox, work: Work) -> Vec<Duration> {
    let mut took = Vec::with_capacity(EACH);
    for _ in 0..EACH {
        let mut record = record();
        if matches!(work, Work::UpdateDraft) {
            record = outbox.open_draft(NewDraft { record }).await.unwrap();
        }
        let begun = Instant::now();
        match work {
            Work::Append => drop(outbox.append(record, vec![]).await.unwrap()),
            Work::OpenDraft => drop(outbox.open_draft(NewDraft { record }).await.unwrap()),
            Work::UpdateDraft => outbox.update_draft(record).await.unwrap(),
        }
        took.push(begun.elapsed());
    }
    took
}

async fn measure(name: &str, work: Work, writers: usize) {
    let folder = tempfile::tempdir_in(std::env::temp_dir()).unwrap();
    let outbox = Outbox::open(OutboxConfig::new(folder.path().join("outbox.db"), "bench", "150100")).unwrap();
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers).map(|_| tokio::spawn(one(outbox.clone(), work))).collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.unwrap());
    }
    let elapsed = begun.elapsed();
    took.sort();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    println!(
        "{name:<12} {writers:>3} writers: {:>6.0}/s, p50 {:>7.2?}, p99 {:>7.2?}, max {:>7.2?}",
        took.len() as f64 / elapsed.as_secs_f64(),
        at(50),
        at(99),
        at(100)
    );
    outbox.close().await;
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    for (name, work) in
        [("append", Work::Append), ("open_draft", Work::OpenDraft), ("update_draft", Work::UpdateDraft)]
    {
        measure(name, work, 1).await;
        measure(name, work, WRITERS).await;
    }
}
