//! Which of the merged lines was dialled: History-Info and Diversion as switches send them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use gateway_sip::identity::{
    DivertReason, DivertSource, Diverting, PrivacyToken, TargetKind, diversions, first_diverting,
    read_diversion, read_history, sources_disagree,
};

fn first(history: &[&str], diversion: &[&str]) -> Option<Diverting> {
    first_diverting(&read_history(history, &[]), &read_diversion(diversion))
}

#[track_caller]
fn check(history: &[&str], user: &str, reason: DivertReason) {
    let found = first(history, &[]).expect("a diversion");
    assert_eq!((found.user.as_deref(), found.reason), (Some(user), reason));
    assert_eq!(found.source, DivertSource::HistoryInfo);
}

#[test]
fn a_reason_embedded_in_the_first_target() {
    check(
        &[
            "<sip:12319@x?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%22>;index=1, <sip:12345@gw>;index=1.1;mp=1",
        ],
        "12319",
        DivertReason::Unconditional,
    );
    check(
        &[
            "<sip:12319@x?Reason=Q.850%3Bcause%3D17&Reason=SIP%3Bcause%3D486>;index=1",
            "<sip:12345@gw>;index=1.1",
        ],
        "12319",
        DivertReason::UserBusy,
    );
    check(&["<sip:12319@x?Reason=SIP;cause=408>;index=1"], "12319", DivertReason::NoAnswer);
}

#[test]
fn a_cause_in_the_next_target_speaks_of_the_one_before() {
    for (cause, reason) in [
        (302, DivertReason::Unconditional),
        (486, DivertReason::UserBusy),
        (408, DivertReason::NoAnswer),
        (480, DivertReason::Deflection),
        (487, DivertReason::Deflection),
        (503, DivertReason::Unavailable),
        (404, DivertReason::Unknown),
    ] {
        let next = format!("<sip:12345@gw;cause={cause}>;index=1.1;mp=1");
        check(&["<sip:12319@x>;index=1", &next], "12319", reason);
    }
}

#[test]
fn the_lowest_index_wins_in_any_order_of_headers() {
    check(
        &[
            "<sip:12345@gw;cause=302>;index=1.1.1;mp=1.1, <sip:12328@x;cause=486>;index=1.1;mp=1",
            "<tel:12319>;index=1",
        ],
        "12319",
        DivertReason::UserBusy,
    );
    // 1.10 comes after 1.9: numbers, not text.
    let nine = "<sip:9@x?Reason=SIP%3Bcause%3D486>;index=1.9";
    check(&["<sip:10@x?Reason=SIP%3Bcause%3D486>;index=1.10", nine], "9", DivertReason::UserBusy);
}

#[test]
fn routing_without_change_of_user_is_no_diversion() {
    assert_eq!(first(&["<sip:12345@gw>;index=1"], &[]), None);
    assert_eq!(first(&["<sip:12345@a>;index=1, <sip:12345@b>;index=1.1"], &[]), None);
    assert_eq!(first(&["<sip:12345@a>;index=1, <sip:contact@b>;index=1.1;rc=1"], &[]), None);
    assert_eq!(first(&["<sip:12345@a>;index=1, <sip:12345@b>;index=1.1;np=1"], &[]), None);
    assert_eq!(first(&[], &[]), None);
    check(
        &["<sip:1@a>;index=1, <sip:1@b>;index=1.1;np=1, <sip:12345@c>;index=1.1.1;mp=1.1"],
        "1",
        DivertReason::Unknown,
    );
}

#[test]
fn older_switches_mark_nothing() {
    check(&["<sip:12319@x>;index=1, <sip:12345@gw>;index=1.1"], "12319", DivertReason::Unknown);
    check(&["<sip:12319@x>;index=1, <sip:12345@gw>;index=2"], "12319", DivertReason::Unknown);
    check(&["<sip:12319@x>, <sip:12345@gw>"], "12319", DivertReason::Unknown);
}

#[test]
fn a_private_target_keeps_its_place_and_loses_its_number() {
    let entry = "<sip:12319@x?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1";
    for (values, privacy) in [
        (vec![entry], vec![]),
        (vec!["<sip:12319@x?Reason=SIP%3Bcause%3D302>;index=1"], vec![PrivacyToken::History]),
        (vec!["<sip:anonymous@anonymous.invalid;cause=1?Reason=SIP%3Bcause%3D302>;index=1"], vec![]),
    ] {
        let history = read_history(&values, &privacy);
        assert!(history[0].uri.is_none() && history[0].user.is_none());
        let found = first_diverting(&history, &read_diversion(&["<sip:12328@x>;reason=user-busy"])).unwrap();
        assert_eq!((found.user, found.reason), (None, DivertReason::Unconditional));
        assert!(found.restricted);
    }
}

#[test]
fn the_bottom_diversion_is_the_first() {
    let values = [
        "<sip:12328@x>;reason=\"no-answer\";counter=1;privacy=off;screen=yes",
        "\"Line, old\" <tel:12319>;reason=Unconditional;counter=2;privacy=full",
    ];
    let found = first(&[], &values).unwrap();
    assert_eq!((found.user.as_deref(), found.reason), (Some("12319"), DivertReason::Unconditional));
    assert_eq!((found.counter, found.source, found.restricted), (Some(2), DivertSource::Diversion, true));
    let all = diversions(&[], &read_diversion(&values));
    assert_eq!(all.iter().map(|one| one.user.as_deref()).collect::<Vec<_>>(), [Some("12319"), Some("12328")]);
    for (word, reason) in [
        ("user-busy", DivertReason::UserBusy),
        ("deflection", DivertReason::Deflection),
        ("unavailable", DivertReason::Unavailable),
        ("time-of-day", DivertReason::Unknown),
    ] {
        assert_eq!(first(&[], &[&format!("<sip:1@x>;reason={word}")]).unwrap().reason, reason);
    }
    assert_eq!(read_diversion(&["<sip:1@x>"])[0].reason, "unknown");
}

#[test]
fn history_wins_and_disagreement_is_told() {
    let history = read_history(&["<sip:12319@x>;index=1, <sip:12345@gw;cause=302>;index=1.1;mp=1"], &[]);
    let same = read_diversion(&["<sip:12319@y>;reason=unconditional"]);
    let other = read_diversion(&["<sip:12328@y>;reason=user-busy"]);
    assert_eq!(first_diverting(&history, &other).unwrap().user.as_deref(), Some("12319"));
    assert!(!sources_disagree(&history, &same) && sources_disagree(&history, &other));
    assert!(!sources_disagree(&history, &[]) && !sources_disagree(&[], &other));
    let sources: Vec<_> = diversions(&history, &other).iter().map(|one| one.source).collect();
    assert_eq!(sources, [DivertSource::HistoryInfo, DivertSource::Diversion]);
}

#[test]
fn entries_are_read_in_full() {
    let history = read_history(
        &[
            "<sip:12319@x;cause=302?Reason=Q.850%3Bcause%3D17>;index=1.2.3;rc=1.2;foo=\"a,b\", junk, <sip:1@x>;index=x.1",
        ],
        &[],
    );
    assert_eq!(history.len(), 2);
    assert_eq!(history[0].index, [1, 2, 3]);
    assert_eq!((history[0].reason_cause, history[0].arrival_cause), (None, Some(302)));
    assert_eq!(history[0].target_kind, TargetKind::RegisteredContact(vec![1, 2]));
    assert!(history[1].index.is_empty());
}

#[test]
fn counts_are_bounded() {
    let value = "<sip:1@x>;index=1,".repeat(400);
    assert_eq!(read_history(&[&value], &[]).len(), 64);
    assert_eq!(read_diversion(&vec!["<sip:1@x>"; 100]).len(), 64);
    assert_eq!(read_diversion(&[&format!("<sip:{}@x>", "1".repeat(9000))]).len(), 0);
    let deep = format!("<sip:1@x>;index=1{}", ".1".repeat(500));
    assert!(read_history(&[&deep], &[])[0].index.is_empty());
}

#[test]
fn debug_shows_no_number() {
    let history =
        read_history(&["<sip:13912345678@x;cause=302>;index=1, <tel:13912345678>;index=1.1;mp=1"], &[]);
    let diversion = read_diversion(&["<sip:13912345678@x>;reason=13912345678"]);
    let shown = format!("{history:?} {diversion:?} {:?}", diversions(&history, &diversion));
    assert!(!shown.contains("139"), "{shown}");
}
