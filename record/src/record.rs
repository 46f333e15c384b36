//! The normalised intake record, field by field as in `schema/intake-record.schema.json`.
//!
//! No floats anywhere: confidences are basis points, coordinates are strings. `Option<Vec<_>>` keeps
//! "absent" and "empty" apart, so that reading and writing a record never changes its digest.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::terms::*;
use crate::time::Timestamp;

/// The platform that handed the request over, and its own reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// `channel.upstream.system` of the published schema.
    pub system: String,
    /// `channel.upstream.ref` of the published schema.
    pub r#ref: String,
}

/// Where the request came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// `channel.code` of the published schema.
    pub code: String,
    /// `channel.medium` of the published schema.
    pub medium: Medium,
    /// `channel.provider` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// `channel.account` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `channel.interaction_id` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction_id: Option<String>,
    /// `channel.provider_ids` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_ids: Option<Vec<String>>,
    /// `channel.received_at`, RFC 3339 with offset.
    pub received_at: Timestamp,
    /// `channel.first_response_at`, RFC 3339 with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_response_at: Option<Timestamp>,
    /// `channel.upstream` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
}

/// One forwarding step of a merged line (RFC 7044 History-Info, RFC 5806 Diversion).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diversion {
    /// `call.diversion[].number` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// `call.diversion[].reason` of the published schema.
    pub reason: String,
    /// `call.diversion[].counter` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter: Option<i64>,
    /// `call.diversion[].source` of the published schema.
    pub source: DiversionSource,
}

crate::pii::redacted_debug!(Diversion);

/// One transfer of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// `call.transfers[].to` of the published schema.
    pub to: String,
    /// `call.transfers[].at`, RFC 3339 with offset.
    pub at: Timestamp,
    /// `call.transfers[].kind` of the published schema.
    pub kind: TransferKind,
    /// `call.transfers[].result` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// A sign noticed during the call; it annotates, it never decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// `call.signals[].code` of the published schema.
    pub code: String,
    /// `call.signals[].at_ms`, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// 0..=10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
}

/// The telephone call behind the request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// `call.call_id` of the published schema.
    pub call_id: String,
    /// `call.session_id` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// `call.dialled` of the published schema.
    pub dialled: String,
    /// `call.service_line` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_line: Option<String>,
    /// `call.legacy_line` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legacy_line: Option<String>,
    /// `call.diversion` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diversion: Option<Vec<Diversion>>,
    /// `call.lane` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// `call.queue` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// `call.invited_at`, RFC 3339 with offset.
    pub invited_at: Timestamp,
    /// `call.queued_at`, RFC 3339 with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// `call.answered_at`, RFC 3339 with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// `call.ended_at`, RFC 3339 with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// `call.wait_ms`, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<i64>,
    /// `call.talk_ms`, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub talk_ms: Option<i64>,
    /// `call.end_by` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_by: Option<EndBy>,
    /// `call.sip_code` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_code: Option<i64>,
    /// `call.q850` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q850: Option<i64>,
    /// `call.outcome` of the published schema.
    pub outcome: Outcome,
    /// `call.callback_id` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_id: Option<String>,
    /// `call.agent_key` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_key: Option<String>,
    /// `call.transfers` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfers: Option<Vec<Transfer>>,
    /// `call.signals` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signals: Option<Vec<Signal>>,
}

crate::pii::redacted_debug!(Call);

/// One message of a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// `messages[].id` of the published schema.
    pub id: String,
    /// `messages[].at`, RFC 3339 with offset.
    pub at: Timestamp,
    /// `messages[].from` of the published schema.
    pub from: MessageFrom,
    /// `messages[].kind` of the published schema.
    pub kind: MessageKind,
    /// `messages[].text` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `messages[].attachment` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment: Option<i64>,
    /// `messages[].dedupe_key` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedupe_key: Option<String>,
}

crate::pii::redacted_debug!(Message);

/// A telephone number with what is known about it. Plain digits only in the `sealed` view.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// `reporter.phones[].e164` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e164: Option<String>,
    /// `reporter.phones[].masked` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked: Option<String>,
    /// `reporter.phones[].key` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `reporter.phones[].kind` of the published schema.
    pub kind: PhoneKind,
    /// `reporter.phones[].presentation` of the published schema.
    pub presentation: Presentation,
    /// `reporter.phones[].trust` of the published schema.
    pub trust: Trust,
    /// `reporter.phones[].raw` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

crate::pii::redacted_debug!(Phone);

/// The person on a platform.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelUser {
    /// `reporter.channel_user.provider` of the published schema.
    pub provider: String,
    /// `reporter.channel_user.user_key` of the published schema.
    pub user_key: String,
    /// `reporter.channel_user.user_id` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

crate::pii::redacted_debug!(ChannelUser);

/// A deputy or committee member (两代表一委员).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Representative {
    /// `reporter.representative.kind` of the published schema.
    pub kind: RepresentativeKind,
    /// `reporter.representative.level` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<RepresentativeLevel>,
    /// `reporter.representative.verified_by` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_by: Option<String>,
    /// `reporter.representative.ref` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#ref: Option<String>,
}

/// What the reporter asked to keep confidential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confidential {
    /// `reporter.confidential.requested` of the published schema.
    pub requested: bool,
    /// `reporter.confidential.level` of the published schema.
    pub level: ConfidentialLevel,
    /// `reporter.confidential.basis` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
}

/// Who reports, as far as known and allowed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reporter {
    /// `reporter.kind` of the published schema.
    pub kind: ReporterKind,
    /// `reporter.name` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `reporter.name_masked` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_masked: Option<String>,
    /// `reporter.name_key` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_key: Option<String>,
    /// `reporter.gender` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
    /// `reporter.phones` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phones: Option<Vec<Phone>>,
    /// `reporter.channel_user` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_user: Option<ChannelUser>,
    /// `reporter.email` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `reporter.email_masked` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_masked: Option<String>,
    /// `reporter.email_key` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_key: Option<String>,
    /// `reporter.labels` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// `reporter.org_name` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_name: Option<String>,
    /// `reporter.org_uscc` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_uscc: Option<String>,
    /// `reporter.language` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// `reporter.needs` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<Vec<String>>,
    /// `reporter.involved` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub involved: Option<Involved>,
    /// `reporter.representative` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub representative: Option<Representative>,
    /// `reporter.confidential` of the published schema.
    pub confidential: Confidential,
    /// `reporter.reply` of the published schema.
    pub reply: ReplyBy,
    /// `reporter.callback_phone` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_phone: Option<i64>,
}

crate::pii::redacted_debug!(Reporter);

/// One list decision, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListDecision {
    /// `lists[].list` of the published schema.
    pub list: ListName,
    /// `lists[].entry` of the published schema.
    pub entry: String,
    /// `lists[].effect` of the published schema.
    pub effect: ListEffect,
    /// `lists[].reason` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `lists[].policy` of the published schema.
    pub policy: String,
    /// `lists[].decided_at`, RFC 3339 with offset.
    pub decided_at: Timestamp,
}

/// Who derived a value, and how sure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// `request.categories[].provenance.by` of the published schema.
    pub by: ProvenanceBy,
    /// `request.categories[].provenance.engine` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// 0..=10000 (basis points; no floats in a record).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<i64>,
}

/// One classification; several schemes may stand side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// `request.categories[].scheme` of the published schema.
    pub scheme: String,
    /// `request.categories[].code` of the published schema.
    pub code: String,
    /// `request.categories[].label` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `request.categories[].provenance` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// What the citizen asks for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `request.kind` of the published schema.
    pub kind: RequestKind,
    /// `request.title` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// `request.text` of the published schema.
    pub text: String,
    /// `request.original_language` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_language: Option<String>,
    /// `request.occurred_at`, RFC 3339 with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// `request.occurred_note` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_note: Option<String>,
    /// `request.categories` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<Category>>,
    /// `request.tags` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// `request.urgency` of the published schema.
    pub urgency: Urgency,
    /// `request.enterprise_related` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enterprise_related: Option<bool>,
    /// `request.wanted` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// `request.provenance` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

crate::pii::redacted_debug!(Request);

/// A coordinate, as strings so that no digit is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// `location.point.lat` of the published schema.
    pub lat: String,
    /// `location.point.lon` of the published schema.
    pub lon: String,
    /// `location.point.crs` of the published schema.
    pub crs: CoordinateSystem,
    /// `location.point.accuracy_m` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<i64>,
}

/// Where it happened.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// `location.division` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub division: Option<String>,
    /// `location.path` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Vec<String>>,
    /// `location.detail` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// `location.poi` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poi: Option<String>,
    /// `location.point` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
    /// `location.grid` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<String>,
    /// `location.provenance` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

crate::pii::redacted_debug!(Location);

/// Whom or what the request concerns.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// `subjects[].kind` of the published schema.
    pub kind: SubjectKind,
    /// `subjects[].name` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `subjects[].name_masked` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_masked: Option<String>,
    /// `subjects[].uscc` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uscc: Option<String>,
    /// `subjects[].phone` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// `subjects[].detail` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

crate::pii::redacted_debug!(Subject);

/// The call-taker.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handler {
    /// `handler.agent_key` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_key: Option<String>,
    /// `handler.agent_name` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// `handler.office` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// `handler.submitted_at`, RFC 3339 with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<Timestamp>,
    /// `handler.assisted` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assisted: Option<bool>,
    /// `handler.notes` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Vec<String>>,
    /// `handler.dispatch_note` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch_note: Option<String>,
}

crate::pii::redacted_debug!(Handler);

/// A file that belongs to the record; never its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// `attachments[].kind` of the published schema.
    pub kind: AttachmentKind,
    /// `attachments[].media_type` of the published schema.
    pub media_type: String,
    /// `attachments[].bytes` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
    /// `attachments[].digest` of the published schema.
    pub digest: String,
    /// `attachments[].uri` of the published schema.
    pub uri: String,
    /// `attachments[].access` of the published schema.
    pub access: Access,
    /// `attachments[].party` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// `attachments[].duration_ms`, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// `attachments[].derived_from` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<i64>,
    /// `attachments[].scan` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan>,
}

/// A stretch of transcribed speech on the recording's timeline.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// `transcript[].from_ms`, milliseconds.
    pub from_ms: i64,
    /// `transcript[].to_ms`, milliseconds.
    pub to_ms: i64,
    /// `transcript[].speaker` of the published schema.
    pub speaker: Speaker,
    /// `transcript[].text` of the published schema.
    pub text: String,
    /// 0..=10000 (basis points; no floats in a record).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<i64>,
    /// `transcript[].language` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

crate::pii::redacted_debug!(Segment);

/// First assessment of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triage {
    /// `triage.acceptability` of the published schema.
    pub acceptability: Acceptability,
    /// `triage.non_accept_code` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_accept_code: Option<String>,
    /// `triage.online_class` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online_class: Option<OnlineClass>,
    /// `triage.handover_110` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handover_110: Option<bool>,
    /// `triage.answered_from` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_from: Option<Vec<String>>,
    /// `triage.provenance` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// A link to another record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// `relations[].kind` of the published schema.
    pub kind: RelationKind,
    /// `relations[].record` of the published schema.
    pub record: String,
    /// 0..=10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
    /// `relations[].provenance` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// An early warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// `alerts[].kind` of the published schema.
    pub kind: AlertKind,
    /// `alerts[].ref` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#ref: Option<String>,
    /// `alerts[].count` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// `alerts[].window` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
}

/// A proposal who should handle it; never binding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingHint {
    /// `routing_hint[].unit` of the published schema.
    pub unit: String,
    /// `routing_hint[].role` of the published schema.
    pub role: RoutingRole,
    /// `routing_hint[].item` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// 0..=10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
    /// `routing_hint[].provenance` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// The clock that counts in law.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceLevel {
    /// `service_level.received_at`, RFC 3339 with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
    /// `service_level.due_hint`, RFC 3339 with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_hint: Option<Timestamp>,
    /// `service_level.policy` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// The rating after the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// `evaluation.gateway_score` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_score: Option<i64>,
    /// `evaluation.method` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<EvaluationMethod>,
    /// `evaluation.at`, RFC 3339 with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// A notice sent to the citizen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// `push[].kind` of the published schema.
    pub kind: PushKind,
    /// `push[].to_phone` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_phone: Option<i64>,
    /// `push[].template` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// `push[].consent` of the published schema.
    pub consent: Consent,
    /// `push[].status` of the published schema.
    pub status: String,
    /// `push[].at`, RFC 3339 with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Legal basis, view and what was masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    /// `privacy.basis` of the published schema.
    pub basis: PrivacyBasis,
    /// `privacy.notice` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// `privacy.sensitive` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitive: Option<Vec<String>>,
    /// `privacy.view` of the published schema.
    pub view: View,
    /// `privacy.masked` of the published schema.
    pub masked: Vec<String>,
    /// `privacy.retention` of the published schema.
    pub retention: String,
}

/// Digest, chain position and signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Integrity {
    /// `integrity.canon` of the published schema.
    pub canon: String,
    /// `integrity.digest` of the published schema.
    pub digest: String,
    /// `integrity.previous` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// `integrity.node` of the published schema.
    pub node: String,
    /// `integrity.seq` of the published schema.
    pub seq: u64,
    /// `integrity.key_id` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// `integrity.alg` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<SignatureAlgorithm>,
    /// `integrity.signature` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// One normalised citizen request, `12345.intake/1.0`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// `schema` of the published schema.
    pub schema: String,
    /// `record_id` of the published schema.
    pub record_id: Uuid,
    /// `record_no` of the published schema.
    pub record_no: String,
    /// `revision` of the published schema.
    pub revision: u32,
    /// `state` of the published schema.
    pub state: State,
    /// `jurisdiction` of the published schema.
    pub jurisdiction: String,
    /// `test` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<bool>,
    /// `created_at`, RFC 3339 with offset.
    pub created_at: Timestamp,
    /// `updated_at`, RFC 3339 with offset.
    pub updated_at: Timestamp,
    /// `channel` of the published schema.
    pub channel: Channel,
    /// `call` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// `messages` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// `reporter` of the published schema.
    pub reporter: Reporter,
    /// `lists` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lists: Option<Vec<ListDecision>>,
    /// `request` of the published schema.
    pub request: Request,
    /// `location` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// `subjects` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Vec<Subject>>,
    /// `handler` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handler: Option<Handler>,
    /// `attachments` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<Attachment>>,
    /// `transcript` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Vec<Segment>>,
    /// `triage` of the published schema.
    pub triage: Triage,
    /// `relations` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relations: Option<Vec<Relation>>,
    /// `alerts` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Vec<Alert>>,
    /// `routing_hint` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_hint: Option<Vec<RoutingHint>>,
    /// `service_level` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_level: Option<ServiceLevel>,
    /// `evaluation` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,
    /// `push` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<Vec<Push>>,
    /// `privacy` of the published schema.
    pub privacy: Privacy,
    /// `integrity` of the published schema.
    pub integrity: Integrity,
    /// `ext` of the published schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ext: Option<serde_json::Map<String, serde_json::Value>>,
}

crate::pii::redacted_debug!(Record);
