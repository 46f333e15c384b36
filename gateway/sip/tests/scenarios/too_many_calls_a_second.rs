//! Limits by the second: one source that floods, all together, and strangers, who hear nothing at all.

use std::collections::BTreeMap;

use gateway_sip::{EndpointConfig, Event, limits::Rate};

use crate::rig::*;

fn invite(rig: &mut Rig, from: &str, serial: usize) {
    let (branch, call) = (format!("r{serial}"), format!("call{serial}"));
    rig.udp(from, &Ask { branch: &branch, call: &call, body: SDP, ..Ask::default() }.text());
}

fn statuses(rig: &mut Rig) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for said in rig.said() {
        *counts.entry(said).or_default() += 1;
    }
    counts
}

fn limited(source: Option<Rate>, all: Option<Rate>) -> Rig {
    Rig::with(EndpointConfig { source_rate: source, invite_rate: all, ..config() })
}

#[test]
fn a_source_that_floods_gets_503_with_retry_after_and_others_do_not() {
    let mut rig = limited(Some(Rate { per_second: 10.0, burst: 20 }), None);
    for serial in 0..100 {
        invite(&mut rig, CARRIER, serial);
    }
    let refused = rig.sent().into_iter().filter(|sent| sent.status() == 503).collect::<Vec<_>>();
    assert_eq!(refused.len(), 80);
    assert!(refused.iter().all(|sent| sent.header("Retry-After") == "10"));
    assert_eq!(rig.heard().iter().filter(|event| event.contains("source-rate")).count(), 80);
    invite(&mut rig, "198.51.100.8:5060", 1_000);
    rig.incoming();
    rig.sent();
    rig.seconds(1);
    for serial in 200..300 {
        invite(&mut rig, CARRIER, serial);
    }
    assert_eq!(statuses(&mut rig)["100"], 10);
}

#[test]
fn all_together_are_shed_cleanly_and_calls_in_progress_are_not_touched() {
    let mut rig = limited(None, Some(Rate { per_second: 5.0, burst: 5 }));
    let (call, tag) = confirmed(&mut rig);
    for serial in 0..50 {
        invite(&mut rig, &format!("198.51.100.{}:5060", 10 + serial), serial);
    }
    let counts = statuses(&mut rig);
    assert_eq!((counts["100"], counts["503"]), (4, 46));
    rig.events();
    let bye = Ask { method: "BYE", branch: "bye", cseq: 2, to_tag: &tag, ..Ask::default() };
    rig.udp(CARRIER, &bye.text());
    assert_eq!(rig.said(), ["200"]);
    assert_eq!(rig.heard(), [format!("Ended({}, RemoteHangup {{ q850: None, sip: None }})", call.as_u64())]);
}

#[test]
fn a_repeated_invite_costs_no_second_token() {
    let mut rig = limited(Some(Rate { per_second: 1.0, burst: 1 }), None);
    for _ in 0..5 {
        invite(&mut rig, CARRIER, 1);
    }
    assert!(!statuses(&mut rig).contains_key("503"));
}

#[test]
fn scanners_hear_nothing_and_each_is_counted_with_its_rule() {
    let mut rig = limited(Some(Rate { per_second: 1.0, burst: 1 }), None);
    for serial in 0..1_000 {
        invite(&mut rig, STRANGER, serial);
    }
    assert!(rig.sent().is_empty());
    assert_eq!(rig.heard().len(), 1_000);
    assert_eq!(rig.endpoint.counts(), gateway_sip::Counts::default());
}

#[test]
fn phones_that_register_too_often_are_told_to_wait() {
    let mut rig = limited(Some(Rate { per_second: 1.0, burst: 2 }), None);
    for cseq in 1..5 {
        rig.udp(PHONE, &register(None, cseq, 0, CONTACT));
    }
    assert_eq!(rig.said(), ["401", "401", "503", "503"]);
}

#[test]
fn a_refusal_names_the_rule_and_the_value_that_failed_it() {
    let mut rig = Rig::new();
    let text = |ask: Ask<'_>| ask.text();
    rig.udp(PHONE, &text(Ask { method: "INVITE", body: SDP, ..Ask::default() }));
    rig.udp(CARRIER, &text(Ask::default()).replacen("\nCall-ID:", "\nX-Gone:", 1));
    rig.udp(
        CARRIER,
        &text(Ask { method: "OPTIONS", ..Ask::default() }).replace("Max-Forwards: 70", "Max-Forwards: many"),
    );
    let told: Vec<(&str, String)> = rig
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Refused { rule, value, .. } => Some((rule, value.unwrap_or_default())),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            ("not-from-a-trunk", "INVITE".to_owned()),
            ("mandatory-header-missing", "Call-ID".to_owned()),
            ("malformed", "Max-Forwards is not a number".to_owned()),
        ]
    );
}
