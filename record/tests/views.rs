//! No sealed value occurs in any other view, and every view is still a valid record.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use record::view::{apply, digest_of};
use record::{Record, SCHEMA_JSON, View};
use serde_json::{Value, json};

/// The published example with every sealed field filled with a word of its own.
fn sealed() -> Record {
    let mut value: Value = serde_json::from_str(include_str!("../examples/example.intake.json")).unwrap();
    value["privacy"]["view"] = "sealed".into();
    value["privacy"]["masked"] = json!([]);
    value["reporter"]["name"] = "SECRETname".into();
    value["reporter"]["email"] = "SECRET@mail.example".into();
    value["reporter"]["phones"][0]["e164"] = "+8613900000001".into();
    value["reporter"]["phones"][0]["raw"] = "SECRETraw".into();
    value["reporter"]["channel_user"] =
        json!({"provider": "wechat_mp", "user_key": "hmac-sha256:00", "user_id": "SECRETopenid"});
    value["channel"]["interaction_id"] = "SECRETopenid".into();
    value["handler"]["agent_name"] = "SECRETagent".into();
    value["subjects"][0] = json!({"kind": "person", "name": "SECRETsubject"});
    value["messages"] = json!([{"id": "1", "at": "2025-01-11T09:14:05.120+08:00", "from": "reporter",
        "kind": "event", "dedupe_key": "SECRETopenid|1|CLICK"}]);
    value["ext"] = json!({"pending_media": [{"media_id": "SECRETmedia"}]});
    serde_json::from_value(value).unwrap()
}

#[test]
fn no_sealed_value_occurs_in_another_view() {
    let schema = jsonschema::options()
        .should_validate_formats(true)
        .build(&serde_json::from_str(SCHEMA_JSON).unwrap())
        .unwrap();
    for &view in View::ALL {
        let seen = apply(&sealed(), view);
        let value = serde_json::to_value(&seen).unwrap();
        let errors: Vec<String> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{view:?}: {errors:?}");
        let text = value.to_string();
        let leaks = text.contains("SECRET") || text.contains("13900000001");
        assert_eq!(leaks, view == View::Sealed, "{view:?}");
        if view != View::Sealed {
            assert_eq!(seen.privacy.view, view);
            assert!(seen.privacy.masked.contains(&"reporter.name".to_owned()));
            assert_eq!(seen.integrity.digest, digest_of(&seen).unwrap());
            assert_ne!(seen.integrity.digest, sealed().integrity.digest);
        }
    }
}

#[test]
fn only_the_dispatching_platform_reads_the_request() {
    assert_eq!(apply(&sealed(), View::Dispatch).request.text, sealed().request.text);
    for view in [View::Command, View::Region, View::Statistics] {
        let seen = apply(&sealed(), view);
        assert_eq!(seen.request.text, "");
        assert_eq!(seen.location.unwrap().point, None);
        assert_eq!(seen.transcript, None);
    }
}

#[test]
fn masking_twice_is_masking_once() {
    let once = apply(&sealed(), View::Dispatch);
    assert_eq!(apply(&once, View::Dispatch), once);
}
