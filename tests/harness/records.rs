//! Records as a consumer sees them: every one is held against the published schema and its own digest.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use crate::audio;

/// Complaints of one record, none when it is good.
pub fn complaints(record: &Value) -> Vec<String> {
    static VALIDATOR: OnceLock<jsonschema::Validator> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| {
        let schema: Value = serde_json::from_str(record::SCHEMA_JSON).expect("the schema is JSON");
        jsonschema::validator_for(&schema).expect("the schema is a schema")
    });
    let mut complaints: Vec<String> =
        validator.iter_errors(record).map(|error| format!("{}: {error}", error.instance_path)).collect();
    match record::canonical::record_digest(record) {
        Ok(digest) if record["integrity"]["digest"] == digest.as_str() => {}
        Ok(_) => complaints.push("integrity.digest is not that of the record".into()),
        Err(error) => complaints.push(format!("no digest: {error}")),
    }
    complaints
}

/// Panics unless the record is good.
pub fn check(record: &Value) {
    let complaints = complaints(record);
    assert!(complaints.is_empty(), "{complaints:#?}\nin {record:#}");
}

/// The whole lines of a file sink, each checked. A line still being written is left out.
pub fn read(path: &Path) -> Vec<Value> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("a line of the file sink is JSON");
        check(&record);
        record
    };
    whole.lines().filter(|line| !line.is_empty()).map(parse).collect()
}

/// `record_id.revision`, the id under which consumers know a delivery.
pub fn id(record: &Value) -> String {
    format!("{}.{}", record["record_id"].as_str().unwrap_or_default(), record["revision"])
}

/// Panics when a delivery, a number or a place in the chain occurs twice, or the chain has a gap.
pub fn check_once_each(records: &[Value]) {
    let ids: BTreeSet<String> = records.iter().map(id).collect();
    assert_eq!(ids.len(), records.len(), "a delivery occurs twice");
    let order: Vec<u64> = records.iter().filter_map(|record| record["integrity"]["seq"].as_u64()).collect();
    let dense: Vec<u64> = (order[0]..order[0] + order.len() as u64).collect();
    assert_eq!(order, dense, "the chain is dense and in order");
    for pair in records.windows(2) {
        assert_eq!(
            pair[1]["integrity"]["previous"], pair[0]["integrity"]["digest"],
            "each names the one before"
        );
    }
}

/// The text of `outcome` of a call.
pub fn outcome(record: &Value) -> &str {
    record["call"]["outcome"].as_str().unwrap_or_default()
}

/// The two channels of a record's recording: caller left, whomever the caller heard right.
pub fn recording(record: &Value) -> [Vec<i16>; 2] {
    let attachment = &record["attachments"][0];
    assert_eq!(attachment["kind"], "recording", "{record:#}");
    assert_eq!(attachment["media_type"], "audio/wav");
    let path = attachment["uri"].as_str().and_then(|uri| uri.strip_prefix("file://")).expect("a file");
    let channels = audio::read_wav(path.as_ref());
    let size = std::fs::metadata(path).expect("the recording is there").len();
    assert_eq!(attachment["bytes"], size);
    channels.try_into().expect("two channels")
}
