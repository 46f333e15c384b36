//! The message path and the call path: one record each, numbered, chained, schema-valid; jobs survive.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use outbox::{DedupeKey, NewDraft, NewJob, Outbox, OutboxConfig, OutboxError};
use serde_json::json;
use support::{all_valid, open, record};

fn key(key: &str) -> DedupeKey {
    DedupeKey { channel: "wechat_mp".into(), account: "main".into(), key: key.into() }
}

fn job(kind: &str, key: Option<&str>, due_at_ms: i64) -> NewJob {
    NewJob { kind: kind.into(), key: key.map(Into::into), payload: json!({"media": "m1"}), due_at_ms }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_deliveries_of_one_message_at_once_make_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let deliver = |_| {
        let outbox = outbox.clone();
        tokio::spawn(async move {
            let jobs = vec![job("media", None, 0)];
            outbox.accept(key("m-1"), b"<xml/>", Some(record("wechat_mp", "路灯不亮")), jobs).await.unwrap()
        })
    };
    let deliveries: Vec<_> = (0..64).map(deliver).collect();
    let mut answers = Vec::new();
    for delivery in deliveries {
        answers.push(delivery.await.unwrap());
    }
    let stored = all_valid(&outbox).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(answers.iter().filter(|a| !a.duplicate).count(), 1);
    for answer in &answers {
        assert_eq!(answer.record_id, Some(stored[0].record_id));
        assert_eq!(answer.record_no.as_deref(), Some("150100-20250111-02-000001"));
    }
    assert_eq!(outbox.count_jobs("media").await, Ok(1));
    // After a restart it is still the same message; another account's is not.
    outbox.close().await;
    let outbox = open(folder.path());
    let again = outbox.accept(key("m-1"), b"", Some(record("wechat_mp", "x")), vec![]).await.unwrap();
    assert!(again.duplicate && again.record_id == Some(stored[0].record_id));
    let other = DedupeKey { account: "second".into(), ..key("m-1") };
    assert!(!outbox.accept(other, b"", Some(record("wechat_mp", "x")), vec![]).await.unwrap().duplicate);
}

#[tokio::test]
async fn a_kept_message_without_intake_makes_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let kept = outbox.accept(key("typing"), b"{}", None, vec![]).await.unwrap();
    assert_eq!((kept.duplicate, kept.record_id, kept.record_no), (false, None, None));
    assert!(outbox.accept(key("typing"), b"{}", None, vec![]).await.unwrap().duplicate);
    assert_eq!(outbox.head(), 0);
}

#[tokio::test]
async fn a_call_keeps_its_number_from_draft_through_crash_to_amendment() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let mut call = outbox.open_draft(NewDraft { record: record("voice", "") }).await.unwrap();
    assert_eq!(call.record_no, "150100-20250111-01-000001");
    let beside = outbox.append(record("voice", "另一个电话"), vec![]).await.unwrap();
    assert_eq!(beside.record_no, "150100-20250111-01-000002");
    assert_eq!(outbox.head(), 1, "a draft is not visible");
    call.request.text = "暖气不热".into();
    outbox.update_draft(call.clone()).await.unwrap();
    drop(outbox);

    let outbox = open(folder.path());
    let drafts = outbox.drafts().await.unwrap();
    assert_eq!(drafts, [call.clone()]);
    call.record_no = "999999-20200101-01-000009".into();
    let first = outbox.append(call.clone(), vec![]).await.unwrap();
    assert_eq!(first.record_no, "150100-20250111-01-000001", "the number is the store's, not the caller's");
    assert!(outbox.drafts().await.unwrap().is_empty());
    assert_eq!(outbox.update_draft(call.clone()).await, Err(OutboxError::UnknownDraft));
    let reopened = outbox.open_draft(NewDraft { record: call.clone() }).await;
    assert_eq!(reopened.unwrap_err(), OutboxError::Revision { expected: 2, got: 1 });
    for (revision, outcome) in [(1, false), (3, false), (2, true), (2, false)] {
        call.revision = revision;
        assert_eq!(outbox.append(call.clone(), vec![]).await.is_ok(), outcome, "revision {revision}");
    }
    let newest = outbox.get(call.record_id, None).await.unwrap().unwrap();
    assert_eq!((newest.revision, newest.seq), (2, 3));
    assert_eq!(outbox.get_by_number("150100-20250111-01-000001").await.unwrap(), Some(newest));
    assert_eq!(outbox.get(call.record_id, Some(1)).await.unwrap().unwrap().digest, first.integrity.digest);
    assert_eq!(outbox.get(call.record_id, Some(9)).await, Ok(None));
    assert_eq!(all_valid(&outbox).await.len(), 3);
}

#[tokio::test]
async fn numbers_are_dense_per_day_in_china_and_channel() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    for (channel, at, expected) in [
        ("voice", "2025-01-10T15:59:59Z", "150100-20250110-01-000001"),
        ("voice", "2025-01-10T16:00:00Z", "150100-20250111-01-000001"),
        ("sms", "2025-01-10T16:00:00Z", "150100-20250111-25-000001"),
        ("voice", "2025-01-11T00:00:00+08:00", "150100-20250111-01-000002"),
    ] {
        let mut record = record(channel, "x");
        record.created_at = at.parse().unwrap();
        assert_eq!(outbox.append(record, vec![]).await.unwrap().record_no, expected);
    }
    // A request that is refused gives its number back.
    let mut float = record("sms", "x");
    float.ext = json!({"confidence": 0.5}).as_object().cloned();
    float.created_at = "2025-01-11T00:00:00+08:00".parse().unwrap();
    assert_eq!(outbox.append(float.clone(), vec![]).await.unwrap_err(), OutboxError::NotCanonical);
    assert_eq!(outbox.append(record("fax", "x"), vec![]).await.unwrap_err(), OutboxError::UnknownChannel);
    let mut large = record("sms", &"长".repeat(2 << 20));
    large.created_at = float.created_at;
    assert!(matches!(outbox.append(large, vec![]).await, Err(OutboxError::TooLarge { .. })));
    float.ext = None;
    assert_eq!(outbox.append(float, vec![]).await.unwrap().record_no, "150100-20250111-25-000002");
    let sms = outbox.list(0, Some("sms".into()), 1).await.unwrap();
    assert_eq!((sms.records.len(), sms.next), (1, Some(3)));
    let rest = outbox.list(3, Some("sms".into()), 1).await.unwrap();
    assert_eq!((rest.records[0].seq, rest.next), (5, None));
    all_valid(&outbox).await;
}

#[tokio::test]
async fn a_job_comes_back_after_its_lease_and_at_once_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let jobs = vec![job("asr", Some("c1"), 100), job("asr", Some("c1"), 100), job("media", None, 0)];
    outbox.append(record("voice", "x"), jobs).await.unwrap();
    support::within("bell", outbox.wait_for_job("asr")).await;
    assert_eq!(outbox.claim_jobs("asr", 99, 9, 1000).await.unwrap(), []);
    let claimed = outbox.claim_jobs("asr", 100, 9, 1000).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].attempts), (1, 1));
    assert_eq!(claimed[0].payload, json!({"media": "m1"}));
    assert_eq!(outbox.claim_jobs("asr", 1099, 9, 1000).await.unwrap(), []);
    assert_eq!(outbox.reader().next_job_due("asr").await, Ok(Some(1100)));
    assert_eq!(outbox.claim_jobs("asr", 1100, 9, 1_000_000).await.unwrap()[0].attempts, 2);
    drop(outbox);
    let outbox = open(folder.path());
    let again = outbox.claim_jobs("asr", 1101, 9, 1000).await.unwrap().remove(0);
    assert_eq!(again.attempts, 3);
    let waiting = outbox.wait_for_job("asr");
    outbox.retry_job(again.id, 5000, "retry").await.unwrap();
    support::within("bell", waiting).await;
    assert_eq!(outbox.claim_jobs("asr", 4999, 9, 1000).await.unwrap(), []);
    let last = outbox.claim_jobs("asr", 5000, 9, 1000).await.unwrap().remove(0);
    outbox.finish_job(last.id).await.unwrap();
    assert_eq!((outbox.count_jobs("asr").await, outbox.count_jobs("media").await), (Ok(0), Ok(1)));
}

#[tokio::test]
async fn a_store_refuses_a_second_process_another_node_and_oversized_items() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let config = support::config(folder.path());
    assert_eq!(Outbox::open(config.clone()).unwrap_err(), OutboxError::InUse);
    let large = outbox.append(record("voice", &"长".repeat(2 << 20)), vec![]).await.unwrap_err();
    assert!(matches!(large, OutboxError::TooLarge { limit: 4_194_304, .. }));
    let raw = vec![0; (4 << 20) + 1];
    assert!(matches!(outbox.accept(key("r"), &raw, None, vec![]).await, Err(OutboxError::TooLarge { .. })));
    let handle = outbox.clone();
    outbox.close().await;
    assert_eq!(handle.append(record("voice", "x"), vec![]).await.unwrap_err(), OutboxError::Closed);
    assert_eq!(handle.health().reason, Some("closed"));
    drop(handle);
    let other = Outbox::open(OutboxConfig { node: "gw-b2".into(), ..config.clone() });
    assert!(matches!(other, Err(OutboxError::Config(why)) if why.contains("gw-a1")));
    for (node, jurisdiction) in [("", "150100"), ("a b", "150100"), ("gw-a1", "1501"), ("gw-a1", "15010x")] {
        let bad = OutboxConfig { node: node.into(), jurisdiction: jurisdiction.into(), ..config.clone() };
        assert!(matches!(Outbox::open(bad), Err(OutboxError::Config(_))));
    }
    assert!(Outbox::open(config).is_ok());
}
