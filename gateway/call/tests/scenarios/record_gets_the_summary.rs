//! The summary as it stands in the record.

use gateway_call::Event;
use record::{Call, EndBy, Lane, Outcome, Timestamp};

use crate::floor::{Floor, ms};

fn empty(invited_at: Timestamp) -> Call {
    serde_json::from_value(serde_json::json!({
        "call_id": "a84b4c76e66710@192.0.2.4",
        "dialled": "12319",
        "invited_at": invited_at,
        "outcome": "failed",
    }))
    .expect("a call with the required fields")
}

#[test]
fn answered_means_by_a_person() {
    let started: Timestamp = "2025-01-11T09:14:05.120+08:00".parse().unwrap();
    let mut floor = Floor::agents(["a"]);
    let call = floor.invite(Lane::PriorityRep);
    floor.pass(ms(290));
    floor.event(call, Event::Confirmed);
    floor.pass(ms(900));
    floor.event(call, Event::SpeechHeard);
    floor.pass(ms(6_710));
    floor.prompt_ends(call);
    floor.agent_answers(call);
    floor.pass(ms(188_680));
    floor.hang_up(call);
    let mut filled = empty(started);
    floor.summary(call).fill(&mut filled, started);
    assert_eq!(filled.queued_at, Some(started.plus_ms(290)));
    assert_eq!(filled.answered_at, Some(started.plus_ms(7_900)));
    assert_eq!(filled.ended_at, Some(started.plus_ms(196_580)));
    assert_eq!((filled.wait_ms, filled.talk_ms), (Some(7_610), Some(188_680)));
    assert_eq!((filled.outcome, filled.end_by), (Outcome::Answered, Some(EndBy::Caller)));
    assert_eq!((filled.sip_code, filled.q850), (Some(200), Some(16)));
    assert_eq!((filled.lane, filled.queue.as_deref()), (Some(Lane::PriorityRep), Some("general")));
    assert_eq!(
        (filled.service_line.as_deref(), filled.agent_key.as_deref()),
        (Some("12345"), Some("agent:a"))
    );
    let signals = filled.signals.unwrap();
    assert_eq!(signals.len(), 1);
    assert_eq!((signals[0].code.as_str(), signals[0].at_ms), ("speech_caller", Some(900)));
}

#[test]
fn what_never_happened_is_absent() {
    let started: Timestamp = "2025-01-11T09:14:05.120+08:00".parse().unwrap();
    let mut floor = Floor::agents([]);
    let call = floor.invite(Lane::Standard);
    floor.hang_up(call);
    let mut filled = empty(started);
    filled.agent_key = Some("agent:kept".into());
    floor.summary(call).fill(&mut filled, started);
    assert_eq!((filled.queued_at, filled.answered_at, filled.queue), (None, None, None));
    assert_eq!((filled.wait_ms, filled.talk_ms, filled.signals), (None, None, None));
    assert_eq!(filled.agent_key.as_deref(), Some("agent:kept"));
}
