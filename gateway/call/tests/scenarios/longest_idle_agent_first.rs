//! Who rests longest is rung; a ring the caller gave up does not count as work; skills decide who may.

use gateway_call::{CallConfig, Hall, HallEvent, HallOutput};
use record::Lane;

use crate::floor::{Floor, ms, origin};

#[test]
fn turns_go_round() {
    let mut floor = Floor::with(CallConfig { wrap_up: ms(0), ..CallConfig::default() });
    floor.register(["a", "b"]);
    for _ in 0..4 {
        let call = floor.talking(Lane::Standard);
        floor.pass(ms(1_000));
        floor.hang_up(call);
    }
    let agents: Vec<String> = floor.rings().into_iter().map(|(_, agent)| agent).collect();
    assert_eq!(agents, ["a", "b", "a", "b"]);
}

#[test]
fn a_ring_the_caller_gave_up_does_not_move_the_agent_back() {
    let mut floor = Floor::agents(["a", "b"]);
    let call = floor.greeted(Lane::Standard);
    floor.hang_up(call);
    floor.agent_fails(call, 487);
    floor.rings();
    let next = floor.greeted(Lane::Standard);
    assert_eq!(floor.rings(), [(next, "a".to_owned())]);
}

#[test]
fn a_skill_nobody_free_has_does_not_block_the_line() {
    let now = origin();
    let mut hall = Hall::new(CallConfig::default().into(), now);
    let join = |call, skills: &[&str]| HallEvent::Join {
        call: gateway_call::CallId(call),
        lane: Lane::Standard,
        skills: skills.iter().map(|skill| (*skill).into()).collect(),
    };
    hall.handle(now, HallEvent::AgentRegistered { agent: "han".into(), skills: vec!["zh".into()] });
    hall.handle(now, join(1, &["mn"]));
    hall.handle(now, join(2, &["zh"]));
    let offers: Vec<_> = std::iter::from_fn(|| hall.poll_output()).collect();
    assert_eq!(offers, [HallOutput::Offer { call: gateway_call::CallId(2), agent: "han".into() }]);
    hall.handle(
        now,
        HallEvent::AgentRegistered { agent: "mongol".into(), skills: vec!["mn".into(), "zh".into()] },
    );
    assert_eq!(
        hall.poll_output(),
        Some(HallOutput::Offer { call: gateway_call::CallId(1), agent: "mongol".into() })
    );
}
