//! What only the inside can show: the writer survives a panic, and a failing disk.

use std::future::Future;
use std::task;
use std::time::Duration;

use record::Record;

use super::*;

fn record(text: &str) -> Record {
    let mut record: Record =
        serde_json::from_str(include_str!("../../record/examples/example.intake.json")).unwrap();
    (record.record_id, record.revision) = (Uuid::now_v7(), 1);
    record.channel.code = "voice".into();
    record.request.text = text.into();
    record
}

fn open(folder: &tempfile::TempDir) -> Outbox {
    Outbox::open(OutboxConfig::new(folder.path().join("outbox.db"), "node-1", "150100")).unwrap()
}

#[tokio::test]
async fn a_panic_while_writing_fails_that_write_alone() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(&folder);
    let first = outbox.append(record("一"), vec![]).await.unwrap();
    let panic = outbox.write(Purpose::Progress, |tx| -> Result<(), OutboxError> {
        // Some work first, which must not stay.
        tx.append(&record("二"), &[])?;
        panic!("on purpose")
    });
    let (panicked, beside) = tokio::join!(panic, outbox.append(record("三"), vec![]));
    assert_eq!(panicked, Err(OutboxError::Internal));
    let beside = beside.unwrap();
    assert_eq!((first.integrity.seq, beside.integrity.seq), (1, 2));
    assert_eq!(beside.integrity.previous.as_deref(), Some(first.integrity.digest.as_str()));
    assert_eq!(outbox.reader().verify_chain().await, Ok(ChainReport::Whole { records: 2 }));
    assert!(outbox.health().writable);
}

#[tokio::test]
async fn a_commit_is_an_fsync() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(&folder);
    let pragma = |name: &'static str| {
        let read = move |tx: &mut Tx<'_>| {
            Ok(tx.sql.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))?)
        };
        outbox.write(Purpose::Progress, read)
    };
    assert_eq!(pragma("journal_mode").await, Ok("wal".to_owned().into()));
    // 2 is FULL.
    assert_eq!(pragma("synchronous").await, Ok(2.into()));
}

#[tokio::test]
async fn what_waits_in_a_full_queue_is_done_and_the_rest_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = OutboxConfig::new(folder.path().join("outbox.db"), "node-1", "150100");
    config.queue_capacity = 4;
    let outbox = Outbox::open(config).unwrap();
    // The writer is held inside a request, so nothing leaves the queue.
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (inside, entered) = oneshot::channel();
    let mut inside = Some(inside);
    let holder = outbox.clone();
    let holding = tokio::spawn(async move {
        let wait = move |_: &mut Tx<'_>| {
            inside.take().map(|inside| inside.send(()));
            let _ = held.recv();
            Ok(())
        };
        holder.write(Purpose::Progress, wait).await
    });
    entered.await.unwrap();
    let mut waiting = Vec::new();
    for i in 0..7 {
        let mut append = Box::pin({
            let outbox = outbox.clone();
            async move { outbox.append(record(&i.to_string()), vec![]).await }
        });
        match append.as_mut().poll(&mut task::Context::from_waker(task::Waker::noop())) {
            task::Poll::Ready(answer) => assert_eq!(answer.unwrap_err(), OutboxError::Overloaded),
            task::Poll::Pending => waiting.push(append),
        }
    }
    assert_eq!(outbox.health().queue_len, 4);
    drop(hold);
    holding.await.unwrap().unwrap();
    assert_eq!(waiting.len(), 4);
    for append in waiting {
        append.await.unwrap();
    }
    assert_eq!(outbox.head(), 4);
}

/// Asks for the health until it is writable, as `/readyz` would; each asking lets the writer probe.
async fn becomes_writable(outbox: &Outbox) -> bool {
    let asking = async {
        while !outbox.health().writable {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.is_ok()
}

#[tokio::test]
async fn a_full_disk_refuses_and_heals_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(&folder);
    outbox.append(record("以前"), vec![]).await.unwrap();
    // Smaller than the file: no page can be added.
    outbox.set_limits(Limits { max_bytes: Some(4096), ..Limits::default() });
    let large = "水管爆裂。".repeat(20_000);
    let refused = outbox.append(record(&large), vec![]).await;
    assert_eq!(refused.unwrap_err(), OutboxError::StoreUnavailable { reason: "disk_full" });
    let health = outbox.health();
    assert_eq!((health.writable, health.reason), (false, Some("disk_full")));
    outbox.set_limits(Limits::default());
    assert!(becomes_writable(&outbox).await);
    let later = outbox.append(record(&large), vec![]).await.unwrap();
    assert_eq!((later.integrity.seq, later.record_no.as_str()), (2, "150100-20250111-01-000002"));
    assert_eq!(outbox.reader().verify_chain().await, Ok(ChainReport::Whole { records: 2 }));
}

#[tokio::test]
async fn a_disk_below_its_reserve_refuses_new_intake_but_lets_running_calls_end() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(&folder);
    let draft = outbox.open_draft(NewDraft { record: record("通话中") }).await.unwrap();
    outbox.set_limits(Limits { min_free_bytes: u64::MAX, max_bytes: None });
    let low = OutboxError::StoreUnavailable { reason: "disk_low" };
    assert_eq!(outbox.open_draft(NewDraft { record: record("新") }).await.unwrap_err(), low);
    assert_eq!(outbox.append(record("新"), vec![]).await.unwrap_err(), low);
    let key = DedupeKey { channel: "sms".into(), account: "a".into(), key: "1".into() };
    assert_eq!(outbox.accept(key.clone(), b"x", None, vec![]).await.unwrap_err(), low);
    assert!(!outbox.health().writable);
    outbox.update_draft(draft).await.unwrap();
    assert!(!outbox.health().writable, "a write from the reserve must not hide that the disk is low");
    outbox.set_limits(Limits::default());
    assert!(becomes_writable(&outbox).await);
    assert!(!outbox.accept(key, b"x", None, vec![]).await.unwrap().duplicate);
}
