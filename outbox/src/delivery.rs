//! What a sink is handed, and the forms in which a record leaves: bare, or as a CloudEvent 1.0 in
//! structured JSON (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>).

use record::canonical::canonical;
use record::{Record, Uuid, View};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::OutboxError;
use crate::reader::Stored;

/// `dataschema` of every event: the `$id` of the published schema.
pub const DATA_SCHEMA: &str = "https://schemas.jiesu.example/intake-record/1.0";

/// Event types are this, the record's state, and `.v1`.
pub const EVENT_TYPE_PREFIX: &str = "cn.12345.intake.record.";

/// The form of a record outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The record itself.
    #[default]
    Record,
    /// A CloudEvent with the record as `data`.
    CloudEvent,
    /// A vCon; not in this version.
    Vcon,
}

/// One record on its way to one sink, in that sink's view.
#[derive(Clone)]
pub struct Delivery {
    /// Dense per sink, from 1: a gap shows that something is missing.
    pub sequence: u64,
    /// The record's place in the order of acceptance.
    pub seq: u64,
    /// The record.
    pub record_id: Uuid,
    /// Its revision.
    pub revision: u32,
    /// `record_id.revision`: what consumers are idempotent on.
    pub id: String,
    /// The event type, e.g. `cn.12345.intake.record.final.v1`.
    pub event_type: String,
    /// `integrity.digest` of the text in `json`.
    pub digest: String,
    /// The record in the sink's view, canonical JSON.
    pub json: String,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delivery({} {}, <redacted>)", self.sequence, self.id)
    }
}

impl Delivery {
    /// Makes what the sink with this `view` is handed.
    pub(crate) fn new(stored: &Stored, sequence: u64, view: View) -> Result<Self, OutboxError> {
        let (json, digest) = match view {
            View::Sealed => (stored.json.clone(), stored.digest.clone()),
            _ => masked(&stored.record()?, view)?,
        };
        Ok(Self {
            sequence,
            seq: stored.seq,
            record_id: stored.record_id,
            revision: stored.revision,
            id: format!("{}.{}", stored.record_id, stored.revision),
            event_type: event_type(&stored.state),
            digest,
            json,
        })
    }

    /// The record in the form asked for, on one line. `None` when the stored text cannot be read.
    pub fn render(&self, format: Format) -> Option<String> {
        match format {
            Format::Record => Some(self.json.clone()),
            Format::CloudEvent => self.cloud_event(),
            Format::Vcon => None,
        }
    }

    fn cloud_event(&self) -> Option<String> {
        canonical(&cloud_event(serde_json::from_str(&self.json).ok()?)?).ok()
    }
}

/// A record in whatever view as a CloudEvent 1.0 in structured mode; `None` when it is no whole record.
pub fn cloud_event(data: Value) -> Option<Value> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let integrity = data.get("integrity")?;
    let record_id = text(data.get("record_id")?)?;
    Some(json!({
        "specversion": "1.0",
        "type": event_type(data.get("state")?.as_str()?),
        "source": format!("//{}", integrity.get("node")?.as_str()?),
        "id": format!("{record_id}.{}", data.get("revision")?),
        "subject": record_id,
        "time": data.get("updated_at")?,
        "datacontenttype": "application/json",
        "dataschema": DATA_SCHEMA,
        "partitionkey": record_id,
        "sequence": format!("{:020}", integrity.get("seq")?.as_u64()?),
        "recordhash": integrity.get("digest")?,
        "prevhash": integrity.get("previous")?,
        "privacyview": data.get("privacy")?.get("view")?,
        "data": data,
    }))
}

fn event_type(state: &str) -> String {
    format!("{EVENT_TYPE_PREFIX}{state}.v1")
}

fn masked(record: &Record, view: View) -> Result<(String, String), OutboxError> {
    let masked = record::view::apply(record, view);
    let value = serde_json::to_value(&masked).map_err(|_| OutboxError::NotCanonical)?;
    Ok((canonical(&value).map_err(|_| OutboxError::NotCanonical)?, masked.integrity.digest))
}
