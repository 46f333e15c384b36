//! `[call]` as an operator writes it.

use gateway_call::config::NoticeConfig;
use gateway_call::{CallConfig, LaneRule, PromptId};
use record::Lane;
use record::units::duration;

use crate::floor::ms;

fn read(json: &str) -> Result<CallConfig, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn nothing_written_is_the_default_and_works() {
    assert_eq!(read("{}").unwrap(), CallConfig::default());
    assert_eq!(CallConfig::default().check(), []);
}

#[test]
fn durations_have_units() {
    for (text, expected) in [
        ("500ms", 500),
        ("30s", 30_000),
        ("2m", 120_000),
        ("4h", 14_400_000),
        ("1h30m", 5_400_000),
        ("0s", 0),
    ] {
        assert_eq!(duration::parse(text), Ok(ms(expected)), "{text}");
        assert_eq!(duration::parse(&duration::format(ms(expected))), Ok(ms(expected)));
    }
    for text in [
        "",
        "30",
        "s",
        "-1s",
        "1.5s",
        "30 s",
        "30x",
        "99999999999999999999s",
        "18446744073709551615h",
        "三十秒",
    ] {
        assert!(duration::parse(text).is_err(), "{text}");
    }
    assert!(read(r#"{"max_wait": 60}"#).unwrap_err().contains("30s"), "a bare number is refused with advice");
}

#[test]
fn what_is_written_is_what_holds() {
    let config = read(
        r#"{"notice": "leader_day", "ring_time": "12s", "wrap_up": "0s", "lanes": {"elderly": {"precedence": 1}}}"#,
    )
    .unwrap();
    assert_eq!(config.notice.prompt(), Some(PromptId::new("leader_day")));
    assert_eq!((config.ring_time, config.wrap_up), (ms(12_000), ms(0)));
    assert_eq!(config.lane_rule(Lane::Elderly), LaneRule { precedence: 1, absolute: false });
    assert_eq!(config.lane_rule(Lane::Crisis), LaneRule::default_for(Lane::Crisis));
    assert_eq!(read(r#"{"notice": false}"#).unwrap().notice, NoticeConfig::Switch(false));
    let written = serde_json::to_string(&config).unwrap();
    assert_eq!(read(&written).unwrap(), config);
}

#[test]
fn a_misspelt_key_is_refused() {
    assert!(read(r#"{"max_wiat": "60s"}"#).unwrap_err().contains("max_wiat"));
    assert!(read(r#"{"lanes": {"elderly": {"precedense": 1}}}"#).is_err());
    assert!(read(r#"{"lanes": {"vip": {"precedence": 1}}}"#).is_err());
}

#[test]
fn all_complaints_come_at_once() {
    let config = read(
        r#"{"ring_time": "0s", "max_wait": "5h", "queue_capacity": 0, "priority_burst": 1, "notice": "",
            "prompt_max": "8d", "service_line": ""}"#,
    )
    .unwrap();
    let complaints = config.check();
    let keys: Vec<&str> = complaints.iter().map(|complaint| &*complaint.key).collect();
    assert_eq!(
        keys,
        ["ring_time", "prompt_max", "max_call", "queue_capacity", "priority_burst", "notice", "service_line"]
    );
}
