//! The published examples, read and written by our types, validated by the published schema.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use record::canonical::{canonical, record_digest};
use record::{Record, SCHEMA_JSON};
use serde_json::Value;

const EXAMPLE: &str = include_str!("../examples/example.intake.json");

fn schema() -> jsonschema::Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&serde_json::from_str(SCHEMA_JSON).unwrap())
        .unwrap()
}

#[test]
fn the_published_example_is_valid_and_its_digest_reproduces() {
    let value: Value = serde_json::from_str(EXAMPLE).unwrap();
    let errors: Vec<String> = schema().iter_errors(&value).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(record_digest(&value).unwrap(), value["integrity"]["digest"].as_str().unwrap());
}

#[test]
fn reading_and_writing_a_record_changes_no_canonical_byte() {
    let value: Value = serde_json::from_str(EXAMPLE).unwrap();
    let typed: Record = serde_json::from_value(value.clone()).unwrap();
    let written = serde_json::to_value(&typed).unwrap();
    assert_eq!(canonical(&written).unwrap(), canonical(&value).unwrap());
    assert_eq!(record_digest(&written).unwrap(), typed.integrity.digest);
}

#[test]
fn the_record_inside_the_other_examples_is_the_same_record() {
    let bare: Value = serde_json::from_str(EXAMPLE).unwrap();
    let event: Value = serde_json::from_str(include_str!("../examples/example.cloudevent.json")).unwrap();
    assert_eq!(canonical(&event["data"]).unwrap(), canonical(&bare).unwrap());
}

#[test]
fn a_changed_letter_changes_the_digest() {
    let mut value: Value = serde_json::from_str(EXAMPLE).unwrap();
    value["request"]["text"] = "暖气不热。".into();
    assert_ne!(record_digest(&value).unwrap(), value["integrity"]["digest"].as_str().unwrap());
}

#[test]
fn an_unknown_field_is_refused_not_dropped() {
    let mut value: Value = serde_json::from_str(EXAMPLE).unwrap();
    value["reporter"]["nickname"] = "x".into();
    assert!(serde_json::from_value::<Record>(value.clone()).is_err());
    assert!(!schema().is_valid(&value));
}

#[test]
fn printing_a_record_for_debugging_shows_nothing_of_it() {
    let typed: Record = serde_json::from_str(EXAMPLE).unwrap();
    let printed = format!("{typed:?} {:?} {:?}", typed.reporter, typed.request);
    assert!(!printed.contains("139") && !printed.contains("暖气"), "{printed}");
}
