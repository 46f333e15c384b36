//! Scanners find nobody: ten thousand packets from unknown sources get silence and leave nothing; packets made
//! like those that crashed other stacks (CVE-2026-57191: one NOTIFY) change nothing either.

use std::collections::BTreeSet;

use gateway_sip::{Counts, Event};

use crate::rig::*;

/// What the usual scanners send: their own User-Agent, a Contact nobody could reach, a number to guess.
fn scan(number: u32) -> String {
    let method = ["REGISTER", "OPTIONS", "INVITE", "SUBSCRIBE", "MESSAGE"][number as usize % 5];
    let agent = ["friendly-scanner", "sipvicious", "VaxSIPUserAgent", "pplsip"][number as usize % 4];
    format!(
        "{method} sip:{number}@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 127.0.1.1:5060;branch=z9hG4bK-{number};rport\n\
         Content-Length: 0\nFrom: \"{number}\"<sip:{number}@192.0.2.1>;tag=61{number}\nAccept: application/sdp\n\
         User-Agent: {agent}\nTo: \"sipvicious\"<sip:{number}@1.1.1.1>\nContact: sip:{number}@127.0.1.1:5060\n\
         CSeq: 1 {method}\nCall-ID: {number}\nMax-Forwards: 70\n\n"
    )
}

#[test]
fn ten_thousand_scans_get_silence_and_leave_nothing() {
    let mut rig = Rig::new();
    let mut rules = BTreeSet::new();
    for number in 0..10_000 {
        rig.udp(&format!("233.252.{}.{}:5060", number % 7, number % 251), &scan(number));
        assert!(rig.endpoint.poll_timeout().is_none(), "no timer is set for a stranger");
        for event in rig.events() {
            let Event::Refused { rule, .. } = event else { panic!("{event:?}") };
            rules.insert(rule);
        }
    }
    assert!(rig.sent().is_empty());
    assert_eq!(rig.endpoint.counts(), Counts::default());
    // One word for the metric, whatever they say: labels do not grow with what strangers write.
    assert_eq!(rules.into_iter().collect::<Vec<_>>(), ["unknown-source"]);
}

#[test]
fn scans_over_streams_are_cut_off_at_the_door() {
    let mut rig = Rig::new();
    for number in 0..2_000 {
        rig.open(u64::from(number), STRANGER);
        rig.tcp(u64::from(number), &scan(number));
        let heard = rig.heard();
        assert!(heard.contains(&format!("Disconnect({number})")), "{heard:?}");
    }
    assert!(rig.sent().is_empty());
    assert_eq!(rig.endpoint.counts(), Counts::default());
}

/// A call goes on while the carrier's own address sends what breaks others: each is answered or dropped, once.
#[test]
fn odd_requests_from_a_known_source_leave_the_running_call_alone() {
    let mut rig = Rig::new();
    let (call, tag) = confirmed(&mut rig);
    let before = rig.endpoint.counts();
    let strange = [
        ("NOTIFY", "Event: \nSubscription-State: \n"),
        ("NOTIFY", "Event: refer;id=99999999999999999999\nSubscription-State: terminated;reason=\n"),
        (
            "NOTIFY",
            "Event: presence\nSubscription-State: active;expires=-1\nContent-Type: application/pidf+xml\n",
        ),
        ("SUBSCRIBE", "Event: dialog\nExpires: 0\nAccept: \n"),
        ("PUBLISH", "SIP-If-Match: \nEvent: x\n"),
        ("REFER", "Refer-To: \n"),
        ("REFER", "Refer-To: <sip:\nReferred-By: <>\n"),
        ("MESSAGE", "Content-Type: \n"),
        ("PRACK", "RAck: 0 0\n"),
        ("UPDATE", "Contact: <sip:198.51.100.7:5060>\nSession-Expires: \nMin-SE: -\n"),
        ("INFO", "Content-Type: application/dtmf-relay\n"),
        ("OPTIONS", "Accept: \nSupported: ,,,\n"),
    ];
    for (number, (method, extra)) in strange.iter().enumerate() {
        for inside in [false, true] {
            let branch = format!("odd{number}{inside}");
            let other = format!("other{number}");
            let ask = Ask {
                method,
                branch: &branch,
                call: if inside { "c1" } else { &other },
                // Not the next number by far: what is old or odd must not end the call.
                cseq: 1_000 + number as u32,
                to_tag: if inside { &tag } else { "" },
                extra,
                ..Ask::default()
            };
            rig.udp(CARRIER, &ask.text());
            let statuses: Vec<u16> =
                rig.sent().iter().map(Sent::status).filter(|status| *status >= 200).collect();
            assert!(statuses.len() <= 1, "{method} {statuses:?}");
            let ended = rig.events().iter().any(|event| matches!(event, Event::Ended { .. }));
            assert!(!ended, "{method} ended a call");
        }
    }
    rig.seconds(60);
    assert_eq!(rig.endpoint.counts().calls, before.calls);
    rig.endpoint.hang_up(rig.now, call, None);
    assert!(rig.said().contains(&"BYE".to_owned()), "the call was there to be ended");
    rig.assert_nothing_left();
}
