//! An agent does not know the answer: asks a specialist, brings one in, or hands the caller over. Whatever
//! fails, the caller is back with the agent; the recording never stops.

use gateway_call::{CallId, Command, CommandRefused, Consultation, Event, LegId, PhaseName, Target, Watch};
use record::{EndBy, Lane, Outcome, TransferKind};

use crate::floor::{Floor, ms};

fn expert() -> Target {
    Target::Phone("sip:700@192.0.2.9".into())
}

fn agent(name: &str) -> Target {
    Target::Agent(name.into())
}

fn talking() -> (Floor, CallId) {
    let mut floor = Floor::agents(["anna", "berta", "clara"]);
    let call = floor.talking(Lane::Standard);
    floor.take(call);
    (floor, call)
}

fn leg(number: u32) -> LegId {
    LegId(number)
}

fn hangs_up(floor: &mut Floor, call: CallId, number: u32) {
    floor.event(call, Event::LegHungUp { leg: leg(number) });
}

#[test]
fn hold_and_resume_by_the_desk() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Hold).unwrap();
    assert_eq!(floor.take(call), ["unbridge", "tone Hold"]);
    floor.command(call, Command::Hold).unwrap();
    floor.command(call, Command::Resume).unwrap();
    assert_eq!(floor.take(call), ["stop playing", "bridge leg 1"]);
    assert_eq!(floor.command(call, Command::Resume), Err(CommandRefused::NothingToDo));
}

#[test]
fn hold_by_the_phone_and_by_the_desk_end_apart() {
    let (mut floor, call) = talking();
    floor.event(call, Event::LegHeld { leg: leg(1), held: true });
    floor.command(call, Command::Hold).unwrap();
    floor.event(call, Event::LegHeld { leg: leg(1), held: false });
    assert_eq!(floor.take(call), ["unbridge", "tone Hold"]);
    floor.command(call, Command::Resume).unwrap();
    assert_eq!(floor.take(call), ["stop playing", "bridge leg 1"]);
}

#[test]
fn a_long_hold_ends_nothing() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Hold).unwrap();
    floor.pass(ms(3_600_000));
    assert_eq!(floor.phase(call), PhaseName::Talking);
}

#[test]
fn consult_then_back_to_the_caller() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Consult { target: expert() }).unwrap();
    assert_eq!(floor.take(call), ["ring sip:700@192.0.2.9 leg 2", "unbridge", "tone Hold"]);
    floor.agent_answers(call);
    assert_eq!(floor.take(call), ["enter leg 2 Specialist"]);
    floor.command(call, Command::Resume).unwrap();
    assert_eq!(floor.take(call), ["hang up leg 2", "stop playing", "bridge leg 1"]);
    floor.hang_up(call);
    assert!(floor.summary(call).transfers.is_empty(), "nobody was handed over");
}

#[test]
fn consult_busy_and_the_caller_is_back() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Consult { target: expert() }).unwrap();
    floor.agent_fails(call, 486);
    assert_eq!(floor.take(call)[3..], ["stop playing", "bridge leg 1"]);
}

#[test]
fn attended_transfer_to_another_agent() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Consult { target: agent("berta") }).unwrap();
    assert_eq!(
        floor.take(call),
        ["hall: claim berta", "unbridge", "tone Hold", "hall: ringing berta", "ring berta leg 2"]
    );
    floor.agent_answers(call);
    assert_eq!(floor.take(call), ["hall: talking berta", "enter leg 2 Specialist"]);
    floor.command(call, Command::Transfer { target: None }).unwrap();
    assert_eq!(
        floor.take(call),
        ["hang up leg 1", "hall: released anna", "enter leg 2 Agent", "stop playing", "bridge leg 2"]
    );
    hangs_up(&mut floor, call, 2);
    let summary = floor.summary(call);
    assert_eq!((summary.outcome, summary.end_by), (Outcome::Answered, EndBy::Agent));
    let transfer = &summary.transfers[0];
    assert_eq!((transfer.kind, transfer.result), (TransferKind::Attended, "completed"));
    assert_eq!(transfer.target.to_string(), "agent:berta");
}

/// mikopbx Core #1125, asterisk #507: after a transfer the rest of the talk was not on the recording.
#[test]
fn the_recording_goes_on_after_every_transfer() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Transfer { target: Some(agent("berta")) }).unwrap();
    floor.agent_answers(call);
    floor.command(call, Command::Conference { target: Some(expert()) }).unwrap();
    floor.agent_answers(call);
    hangs_up(&mut floor, call, 2);
    assert_eq!(floor.phase(call), PhaseName::Talking, "the expert goes on with the caller");
    assert!(!floor.take(call).iter().any(|line| line.contains("recording")));
    floor.hang_up(call);
    assert!(floor.take(call).contains(&"stop recording".to_owned()));
}

#[test]
fn an_agent_who_is_busy_is_not_rung_twice() {
    let (mut floor, call) = talking();
    let other = floor.talking(Lane::Standard);
    floor.rings();
    assert_eq!(floor.phase(other), PhaseName::Talking);
    floor.command(call, Command::Consult { target: agent("berta") }).unwrap();
    assert_eq!(floor.rings(), []);
    assert_eq!(
        floor.take(call),
        ["hall: claim berta", "unbridge", "tone Hold", "stop playing", "bridge leg 1"]
    );
    assert_eq!(
        floor.command(call, Command::Consult { target: agent("anna") }),
        Err(CommandRefused::InThisCall)
    );
}

#[test]
fn a_consulted_agent_is_offered_no_caller_and_free_afterwards() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Consult { target: agent("berta") }).unwrap();
    floor.command(call, Command::Resume).unwrap();
    assert_eq!(
        floor.take(call)[5..],
        ["hall: unclaim berta", "cancel leg 2", "stop playing", "bridge leg 1"]
    );
    let next = floor.greeted(Lane::Standard);
    assert_eq!(floor.rings().last().unwrap(), &(next, "clara".to_owned()), "berta's phone may still ring");
    floor.event(call, Event::LegFailed { leg: leg(2), sip_code: 487 });
    let last = floor.greeted(Lane::Standard);
    assert_eq!(floor.rings(), [(last, "berta".to_owned())]);
}

#[test]
fn blind_transfer_by_the_phones_refer() {
    let (mut floor, call) = talking();
    floor.event(call, Event::Referred { leg: leg(1), target: expert() });
    assert_eq!(
        floor.take(call),
        [
            "ring sip:700@192.0.2.9 leg 2",
            "unbridge",
            "tone RingBack",
            "accept refer of leg 1",
            "notify leg 1 100"
        ]
    );
    floor.event(call, Event::LegRinging { leg: leg(2) });
    floor.agent_answers(call);
    assert_eq!(
        floor.take(call),
        [
            "notify leg 1 180",
            "notify leg 1 200 last",
            "hang up leg 1",
            "hall: released anna",
            "stop playing",
            "bridge leg 2"
        ]
    );
    assert_eq!(floor.summaries.len(), 0);
}

/// The phone made a second call to the expert, and hands the caller over to that one (REFER with Replaces).
#[test]
fn attended_transfer_by_the_phones_refer() {
    let (mut floor, call) = talking();
    floor.event(call, Event::ReferredToConsulted { leg: leg(1) });
    assert_eq!(floor.take(call), ["refuse refer of leg 1 481"], "nobody is consulted");
    floor.command(call, Command::Consult { target: expert() }).unwrap();
    assert_eq!(floor.consultation(call), Some(Consultation::Called));
    floor.agent_answers(call);
    assert_eq!(floor.consultation(call), Some(Consultation::There));
    floor.take(call);
    floor.event(call, Event::ReferredToConsulted { leg: leg(2) });
    assert_eq!(floor.take(call), ["refuse refer of leg 2 481"], "the expert is not in charge");
    floor.event(call, Event::ReferredToConsulted { leg: leg(1) });
    assert_eq!(
        floor.take(call),
        [
            "accept refer of leg 1",
            "notify leg 1 200 last",
            "hang up leg 1",
            "hall: released anna",
            "enter leg 2 Agent",
            "stop playing",
            "bridge leg 2"
        ]
    );
    assert_eq!(floor.consultation(call), None);
    floor.hang_up(call);
    let transfer = &floor.summary(call).transfers[0];
    assert_eq!((transfer.kind, transfer.result), (TransferKind::Attended, "completed"));
}

#[test]
fn the_phone_hands_over_before_the_expert_answers() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Consult { target: expert() }).unwrap();
    floor.take(call);
    floor.event(call, Event::ReferredToConsulted { leg: leg(1) });
    assert_eq!(floor.take(call), ["accept refer of leg 1", "tone RingBack"]);
    floor.agent_fails(call, 486);
    assert_eq!(floor.take(call), ["notify leg 1 486 last", "stop playing", "bridge leg 1"]);
}

#[test]
fn a_refer_while_nobody_talks_with_the_caller_is_refused() {
    let mut floor = Floor::agents(["anna"]);
    let call = floor.call_out("anna");
    floor.agent_answers(call);
    floor.take(call);
    floor.event(call, Event::Referred { leg: leg(1), target: expert() });
    floor.event(call, Event::ReferredToConsulted { leg: leg(1) });
    assert_eq!(floor.take(call), ["refuse refer of leg 1 486", "refuse refer of leg 1 486"]);
}

#[test]
fn a_transfer_that_fails_gives_the_caller_back() {
    let (mut floor, call) = talking();
    floor.event(call, Event::Referred { leg: leg(1), target: expert() });
    floor.take(call);
    floor.agent_fails(call, 486);
    assert_eq!(floor.take(call), ["notify leg 1 486 last", "stop playing", "bridge leg 1"]);
    floor.hang_up(call);
    assert_eq!(floor.summary(call).transfers[0].result, "busy");
}

#[test]
fn a_transfer_nobody_answers_gives_the_caller_back() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Transfer { target: Some(expert()) }).unwrap();
    floor.take(call);
    floor.pass(ms(20_000));
    assert_eq!(floor.take(call), ["cancel leg 2", "stop playing", "bridge leg 1"]);
}

#[test]
fn the_agent_who_hung_up_too_early_is_rung_again() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Transfer { target: Some(expert()) }).unwrap();
    hangs_up(&mut floor, call, 1);
    floor.take(call);
    floor.event(call, Event::LegFailed { leg: leg(2), sip_code: 603 });
    assert_eq!(floor.take(call), ["ring anna leg 3"]);
    floor.agent_answers(call);
    assert_eq!(floor.take(call), ["stop playing", "bridge leg 3"]);
    hangs_up(&mut floor, call, 3);
    assert_eq!(floor.take(call)[..2], ["unbridge", "hall: released anna"]);
}

#[test]
fn a_caller_whom_nobody_takes_back_waits_for_the_next_agent() {
    let (mut floor, call) = talking();
    floor.command(call, Command::Transfer { target: Some(expert()) }).unwrap();
    hangs_up(&mut floor, call, 1);
    floor.event(call, Event::LegFailed { leg: leg(2), sip_code: 603 });
    floor.take(call);
    floor.agent_fails(call, 480);
    assert_eq!(
        floor.take(call),
        [
            "hall: anna no_answer",
            "hall: released anna",
            "hall: join",
            "play waiting",
            "hall: ringing berta",
            "ring berta leg 4"
        ]
    );
    floor.agent_answers(call);
    assert_eq!(floor.phase(call), PhaseName::Talking);
}

#[test]
fn three_way_with_a_specialist_and_who_hangs_up_when() {
    for (who, rest) in [(1, true), (3, true), (2, true)] {
        let (mut floor, call) = talking();
        floor.command(call, Command::Consult { target: expert() }).unwrap();
        floor.agent_answers(call);
        floor.command(call, Command::Conference { target: None }).unwrap();
        assert_eq!(floor.take(call)[4..], ["stop playing", "bridge leg 1"], "all three hear each other");
        match who {
            // The caller: everybody is let go.
            3 => {
                floor.hang_up(call);
                assert_eq!(
                    floor.take(call)[..4],
                    ["unbridge", "hang up leg 2", "hang up leg 1", "hall: released anna"]
                );
                assert_eq!(floor.summary(call).transfers[0].kind, TransferKind::ThreeWay);
            }
            // The agent: the specialist goes on with the caller.
            1 => {
                hangs_up(&mut floor, call, 1);
                assert_eq!(floor.take(call), ["hall: released anna", "enter leg 2 Agent"]);
                hangs_up(&mut floor, call, 2);
                assert_eq!(floor.take(call)[0], "unbridge");
            }
            // The specialist: the two go on.
            _ => {
                hangs_up(&mut floor, call, 2);
                assert_eq!(floor.take(call), [""; 0]);
                floor.hang_up(call);
            }
        }
        assert_eq!(floor.summaries.len() == 1, rest);
    }
}

#[test]
fn an_emergency_call_keeps_caller_and_agent_together_while_110_rings() {
    let (mut floor, call) = talking();
    let target = Target::Trunk { trunk: Some("carrier".into()), number: record::Pii::new("110".into()) };
    floor.command(call, Command::Conference { target: Some(target) }).unwrap();
    assert_eq!(floor.take(call), ["ring 110 leg 2"]);
    floor.agent_answers(call);
    assert_eq!(floor.take(call), ["enter leg 2 Specialist"]);
    hangs_up(&mut floor, call, 1);
    assert_eq!(floor.phase(call), PhaseName::Talking);
    floor.hang_up(call);
    let transfer = &floor.summary(call).transfers[0];
    assert_eq!((transfer.kind, transfer.target.to_string().as_str()), (TransferKind::Emergency, "tel:110"));
}

#[test]
fn a_supervisor_listens_whispers_barges_and_leaves_without_a_trace() {
    let (mut floor, call) = talking();
    let supervise = |watch| Command::Supervise { target: agent("clara"), watch };
    floor.command(call, supervise(Watch::Listen)).unwrap();
    floor.agent_answers(call);
    assert_eq!(floor.take(call)[3..], ["hall: talking clara", "enter leg 2 Supervisor(Listen)"]);
    floor.command(call, supervise(Watch::Whisper)).unwrap();
    floor.command(call, supervise(Watch::Barge)).unwrap();
    assert_eq!(floor.take(call), ["enter leg 2 Supervisor(Whisper)", "enter leg 2 Supervisor(Barge)"]);
    floor.command(call, Command::Transfer { target: Some(expert()) }).unwrap();
    floor.agent_answers(call);
    hangs_up(&mut floor, call, 2);
    assert_eq!(floor.phase(call), PhaseName::Talking);
    for watch in [Watch::Listen, Watch::Barge] {
        floor.command(call, Command::Supervise { target: agent("clara"), watch }).unwrap();
    }
    let phone = |name: &str| Target::Phone(format!("sip:{name}@192.0.2.9"));
    floor.command(call, Command::Supervise { target: phone("s1"), watch: Watch::Listen }).unwrap();
    let refused = floor.command(call, Command::Supervise { target: phone("s2"), watch: Watch::Listen });
    assert_eq!(refused, Err(CommandRefused::TooMany));
}

#[test]
fn the_desk_hangs_up() {
    let (mut floor, call) = talking();
    floor.command(call, Command::HangUp).unwrap();
    assert_eq!(floor.take(call).last().unwrap(), "finished");
    assert_eq!(floor.summary(call).end_by, EndBy::Agent);
    assert_eq!(floor.command(call, Command::Hold), Err(CommandRefused::NotTalking));
}
