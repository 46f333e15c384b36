//! THE middle: whatever reaches the city, by phone or by message, passes through here.
//!
//! A message: list check → record → outbox, durable before the platform is answered.
//! A call: list check before a session exists → durable draft before it is answered → completed at
//! hang-up → appended with its transcript, or without one when speech recognition is away or too slow.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use blacklist::Lists;
use outbox::{DedupeKey, NewDraft, NewJob, Outbox, OutboxError};
use record::{
    Caller, ChannelIdentity, Decision, Disposition, Inbound, Intake, IntakeError, IntakeFuture, Outcome,
    Receipt, Record, Segment, State, Timestamp, Uuid, Verdict,
};
use serde_json::json;

use crate::compose::{self, Node};
use crate::texts::SipText;

/// Job: transcribe a recording.
pub const JOB_TRANSCRIBE: &str = "transcribe";
/// Job: fetch a message's media from its platform.
pub const JOB_FETCH_MEDIA: &str = "fetch_media";
/// Records of calls kept in memory while the disk takes none; beyond it the oldest is given up, loudly.
const MAX_UNSAVED: usize = 10_000;

/// The middle.
#[derive(Clone)]
pub struct Middle {
    inner: Arc<Inner>,
}

struct Inner {
    node: Node,
    lists: Lists,
    outbox: Outbox,
    clock: fn() -> Timestamp,
    unsaved: Mutex<VecDeque<Unsaved>>,
}

struct Unsaved {
    record: Record,
    jobs: Vec<NewJob>,
}

impl Middle {
    /// Puts the parts together. `clock` is the wall clock.
    pub fn new(node: Node, lists: Lists, outbox: Outbox, clock: fn() -> Timestamp) -> Self {
        let unsaved = Mutex::new(VecDeque::new());
        Self { inner: Arc::new(Inner { node, lists, outbox, clock, unsaved }) }
    }

    /// The store.
    pub fn outbox(&self) -> &Outbox {
        &self.inner.outbox
    }

    /// The lists.
    pub fn lists(&self) -> &Lists {
        &self.inner.lists
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        (self.inner.clock)()
    }

    /// What of the node stands in every record.
    pub fn node(&self) -> &Node {
        &self.inner.node
    }

    /// Asks the lists. Every decision of the house passes here.
    pub fn check(&self, caller: &Caller) -> Verdict {
        self.inner.lists.check(caller, self.now())
    }

    /// A call will be answered: its draft is on disk when this returns. While the disk takes nothing the
    /// call goes on all the same (a burst pipe cannot wait) and its record is written when it ends.
    pub async fn call_admitted(&self, record: Record) -> Record {
        match self.inner.outbox.open_draft(NewDraft { record: record.clone() }).await {
            Ok(draft) => draft,
            Err(error) => {
                metrics::counter!("jiesu_drafts_failed_total").increment(1);
                tracing::error!(%error, record.id = %record.record_id, "A call is taken although its draft could not be written.");
                record
            }
        }
    }

    /// Something was added to the record of a call in progress. Whether it is on disk.
    pub async fn call_noted(&self, record: &Record) -> bool {
        match self.inner.outbox.update_draft(record.clone()).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, record.id = %record.record_id, "What was added to a call's record could not be written.");
                false
            }
        }
    }

    /// A text by SIP: list check, record, and on disk when this returns. Told twice it is kept once.
    ///
    /// # Errors
    /// The store did not take it.
    pub async fn text_came(&self, text: &SipText) -> Result<Receipt, OutboxError> {
        let verdict = self.check(&text.sender);
        if verdict.decision == Decision::Refuse {
            metrics::counter!("jiesu_messages_refused_total", "channel" => compose::CHANNEL_OF_TEXTS)
                .increment(1);
        }
        let record = compose::from_text(self.node(), Uuid::now_v7(), self.now(), text, &verdict);
        let key = DedupeKey {
            channel: compose::CHANNEL_OF_TEXTS.into(),
            account: text.account.clone(),
            key: text.key.clone(),
        };
        let raw = text.text.reveal().as_bytes();
        let accepted = self.inner.outbox.accept(key, raw, Some(record), Vec::new()).await?;
        Ok(Receipt {
            record_id: accepted.record_id,
            record_no: accepted.record_no,
            duplicate: accepted.duplicate,
        })
    }

    /// A call is over: what is known goes to disk at once, before the recording is closed and heard.
    pub async fn call_ended(&self, record: &Record) {
        if let Err(error) = self.inner.outbox.update_draft(record.clone()).await {
            tracing::error!(%error, record.id = %record.record_id, "A finished call's draft could not be written; it is kept and tried again.");
        }
    }

    /// A record is complete but for its transcript. `recording` is set when there is something to hear; with
    /// `hold` the record waits for its transcript, otherwise it goes out now and is amended later.
    pub async fn call_complete(&self, mut record: Record, recording: Option<&std::path::Path>, hold: bool) {
        record.state = State::Final;
        record.updated_at = self.now();
        let job = recording.map(|path| NewJob {
            kind: JOB_TRANSCRIBE.into(),
            key: Some(record.record_id.to_string()),
            payload: json!({ "record_id": record.record_id, "path": path }),
            due_at_ms: self.now().unix_ms(),
        });
        if let (Some(job), true) = (&job, hold) {
            let held = self.inner.outbox.hold_draft(record.clone(), vec![job.clone()]).await;
            match held {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(%error, record.id = %record.record_id, "A record could not wait for its transcript.");
                }
            }
        }
        self.append_or_keep(record, job.into_iter().collect()).await;
    }

    /// A refused or failed call leaves a record, too.
    pub async fn call_refused(&self, mut record: Record, outcome: Outcome, sip_code: i64) {
        let at = self.now();
        if let Some(call) = &mut record.call {
            call.outcome = outcome;
            call.sip_code = Some(sip_code);
            call.ended_at = Some(at);
            call.end_by = Some(record::EndBy::Gateway);
            call.lane = call.lane.filter(|_| outcome != Outcome::Blocked);
        }
        compose::assess(&mut record);
        record.state = State::Final;
        record.updated_at = at;
        self.append_or_keep(record, Vec::new()).await;
    }

    /// A recording was heard. The held draft is completed, or an appended record is amended when something
    /// was said. Done twice it does nothing the second time.
    pub async fn transcribed(
        &self,
        record_id: Uuid,
        segments: Vec<Segment>,
        engine: &str,
    ) -> Result<(), OutboxError> {
        let mut record = match self.inner.outbox.draft(record_id).await? {
            Some(draft) => draft,
            None => {
                let Some(stored) = self.inner.outbox.get(record_id, None).await? else {
                    return Err(OutboxError::UnknownDraft);
                };
                let mut record = stored.record()?;
                if record.transcript.is_some() || segments.is_empty() {
                    return Ok(());
                }
                record.revision += 1;
                record.state = State::Amended;
                record
            }
        };
        record.updated_at = self.now();
        compose::add_transcript(&mut record, segments, engine);
        self.inner.outbox.complete(record, Vec::new()).await.map(drop)
    }

    /// Held records whose transcript takes longer than `limit` go out without it.
    pub async fn release_overdue(&self, limit: std::time::Duration) -> Result<usize, OutboxError> {
        let oldest = self.now().plus_ms(-i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
        let mut released = 0;
        for draft in self.inner.outbox.drafts().await? {
            if draft.state == State::Final && draft.updated_at < oldest {
                self.inner.outbox.complete(draft, Vec::new()).await?;
                released += 1;
            }
        }
        Ok(released)
    }

    /// Tries again to write what the disk did not take. Returns how many still wait.
    pub async fn save_unsaved(&self) -> usize {
        let waiting = std::mem::take(&mut *self.unsaved());
        for Unsaved { record, jobs } in waiting {
            self.append_or_keep(record, jobs).await;
        }
        self.unsaved_count()
    }

    /// Records of finished calls that are only in memory.
    pub fn unsaved_count(&self) -> usize {
        self.unsaved().len()
    }

    /// Appends, or keeps the record in memory until the disk takes it.
    pub async fn append_or_keep(&self, record: Record, jobs: Vec<NewJob>) {
        let Err(error) = self.inner.outbox.complete(record.clone(), jobs.clone()).await else { return };
        tracing::error!(%error, record.id = %record.record_id, "A record could not be written; it is kept in memory and tried again.");
        let mut unsaved = self.unsaved();
        if unsaved.len() >= MAX_UNSAVED {
            unsaved.pop_front();
            metrics::counter!("jiesu_records_lost_total").increment(1);
            tracing::error!(
                "The disk has taken nothing for so long that the oldest unwritten record was given up."
            );
        }
        unsaved.push_back(Unsaved { record, jobs });
    }

    fn unsaved(&self) -> std::sync::MutexGuard<'_, VecDeque<Unsaved>> {
        self.inner.unsaved.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn take(&self, inbound: Inbound) -> Result<Receipt, IntakeError> {
        let at = self.now();
        let key = DedupeKey {
            channel: inbound.channel.clone(),
            account: inbound.account.clone(),
            key: inbound.dedupe_key.clone(),
        };
        let (record, jobs) = match inbound.disposition {
            Disposition::KeepOnly => (None, Vec::new()),
            Disposition::Intake => {
                let verdict = self.check(&caller_of(&inbound));
                if verdict.decision == Decision::Refuse {
                    metrics::counter!("jiesu_messages_refused_total", "channel" => inbound.channel.clone())
                        .increment(1);
                }
                let record = compose::from_inbound(self.node(), Uuid::now_v7(), at, &inbound, &verdict);
                let jobs = media_jobs(&inbound, &record, at);
                (Some(record), jobs)
            }
        };
        let accepted =
            self.inner.outbox.accept(key, inbound.raw.reveal(), record, jobs).await.map_err(|error| {
                match error {
                    OutboxError::Overloaded => IntakeError::Overloaded,
                    _ => IntakeError::StoreUnavailable,
                }
            })?;
        Ok(Receipt {
            record_id: accepted.record_id,
            record_no: accepted.record_no,
            duplicate: accepted.duplicate,
        })
    }
}

impl Intake for Middle {
    fn accept(&self, inbound: Inbound) -> IntakeFuture<'_> {
        Box::pin(self.take(inbound))
    }
}

/// The sender as the lists see them.
fn caller_of(inbound: &Inbound) -> Caller {
    let identity =
        ChannelIdentity { channel: inbound.channel.clone(), user_id: inbound.sender.user_id.clone() };
    Caller {
        channel_identity: Some(identity),
        email: inbound.sender.email.as_ref().map(|email| record::Pii::new(email.reveal().to_lowercase())),
        ..Caller::unknown()
    }
}

fn media_jobs(inbound: &Inbound, record: &Record, at: Timestamp) -> Vec<NewJob> {
    inbound
        .media
        .iter()
        .enumerate()
        .map(|(index, media)| NewJob {
            kind: JOB_FETCH_MEDIA.into(),
            key: Some(format!("{}/{index}", record.record_id)),
            payload: json!({
                "record_id": record.record_id,
                "channel": inbound.channel,
                "account": inbound.account,
                "kind": media.kind,
                "reference": media.reference,
            }),
            due_at_ms: at.unix_ms(),
        })
        .collect()
}
