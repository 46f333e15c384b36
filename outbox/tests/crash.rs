//! `kill -9` at random moments: what was acknowledged is there, once, and the chain holds.
//!
//! The test starts itself again as a child that appends and prints one line for each acknowledgement; the
//! parent kills it after a random number of lines and opens the store that is left behind.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use outbox::{DedupeKey, NewDraft};
use record::Uuid;
use support::{all_valid, open, record};

const CHILD: &str = "OUTBOX_CRASH_TEST_FOLDER";
const ROUNDS: usize = 24;

/// The child's life: appends for ever, from eight tasks at once.
async fn append_until_killed(folder: PathBuf, round: String) {
    let outbox = open(&folder);
    let task = |task: usize| {
        let (outbox, round) = (outbox.clone(), round.clone());
        async move {
            for i in 0.. {
                let draft = NewDraft { record: record("voice", "") };
                let call = outbox.open_draft(draft).await.unwrap();
                acknowledge("draft", &call.record_no, call.record_id);
                let call = outbox.append(call, vec![]).await.unwrap();
                acknowledge("record", &call.record_no, call.record_id);
                let key = format!("{round}-{task}-{i}");
                let id = DedupeKey { channel: "sms".into(), account: "a".into(), key: key.clone() };
                let accepted = outbox.accept(id, b"raw", Some(record("sms", "x")), vec![]).await.unwrap();
                acknowledge("message", &key, accepted.record_id.unwrap());
            }
        }
    };
    let tasks: Vec<_> = (0..8).map(|i| tokio::spawn(task(i))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn acknowledge(what: &str, name: &str, id: Uuid) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "@ {what} {name} {id}").unwrap();
    out.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return append_until_killed(folder.into(), std::env::var("OUTBOX_CRASH_TEST_ROUND").unwrap()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_acknowledged_survives_kill_9", "--nocapture"])
            .env(CHILD, folder.path())
            .env("OUTBOX_CRASH_TEST_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let kill_after = usize::from(Uuid::new_v4().as_bytes()[0]) % 120;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while let Some(Ok(line)) = lines.next() {
            // The harness may print on the same line before our mark.
            if let Some((_, line)) = line.split_once("@ ") {
                acknowledged.push(line.to_owned());
                seen += 1;
            }
            if seen == kill_after + 1 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen > kill_after, "the child ended by itself after {seen} acknowledgements");
    }

    let outbox = open(folder.path());
    let records = all_valid(&outbox).await;
    let drafts = outbox.drafts().await.unwrap();
    let mut times = BTreeMap::<Uuid, usize>::new();
    for record in &records {
        *times.entry(record.record_id).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1));
    let mut numbers: Vec<_> = records.iter().chain(&drafts).map(|r| r.record_no.clone()).collect();
    for line in &acknowledged {
        let [what, name, id] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let id: Uuid = id.parse().unwrap();
        let held =
            records.iter().chain(drafts.iter().filter(|_| what == "draft")).find(|r| r.record_id == id);
        let held = held.unwrap_or_else(|| panic!("acknowledged and lost: {line}"));
        if what == "message" {
            let key = DedupeKey { channel: "sms".into(), account: "a".into(), key: name.into() };
            let again = outbox.accept(key, b"raw", Some(record("sms", "x")), vec![]).await.unwrap();
            assert!(again.duplicate && again.record_id == Some(id), "{line}");
        } else {
            assert_eq!(held.record_no, name);
        }
    }
    // Numbers are dense over records and drafts together, kills or not.
    numbers.sort();
    let voice: Vec<_> = numbers.iter().filter(|n| n.contains("-01-")).collect();
    for (i, number) in voice.iter().enumerate() {
        assert_eq!(**number, format!("150100-20250111-01-{:06}", i + 1));
    }
    assert!(acknowledged.len() >= ROUNDS && !voice.is_empty());
}
