//! Random traffic against the hall, beside a naive model of who may be offered to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gateway_call::*;
use proptest::prelude::*;
use record::Lane;

use crate::floor::{ms, origin};

#[derive(Clone, Debug)]
enum Step {
    Join(u64, usize),
    Leave(u64),
    Ringing(u64),
    Fail(u64),
    Talk(u64),
    Release(u64),
    Cleared(u64, u8),
    Register(u8),
    Unregister(u8),
    Pause(u8),
    Resume(u8),
    /// A call in no queue wants this agent.
    Claim(u64, u8),
    Unclaim(u64),
    /// A session's message about any agent, right or wrong.
    Stray(u64, u8, u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (call, agent) = (0u64..8, 0u8..5);
    prop_oneof![
        6 => (call.clone(), 0..Lane::ALL.len()).prop_map(|(call, lane)| Step::Join(call, lane)),
        2 => call.clone().prop_map(Step::Leave),
        6 => call.clone().prop_map(Step::Ringing),
        2 => call.clone().prop_map(Step::Fail),
        4 => call.clone().prop_map(Step::Talk),
        4 => call.clone().prop_map(Step::Release),
        2 => (call.clone(), agent.clone()).prop_map(|(call, agent)| Step::Cleared(call, agent)),
        6 => agent.clone().prop_map(Step::Register),
        3 => (call.clone(), agent.clone()).prop_map(|(call, agent)| Step::Claim(call, agent)),
        1 => call.clone().prop_map(Step::Unclaim),
        1 => agent.clone().prop_map(Step::Unregister),
        1 => agent.clone().prop_map(Step::Pause),
        1 => agent.clone().prop_map(Step::Resume),
        1 => (call, agent, 0u8..4).prop_map(|(call, agent, kind)| Step::Stray(call, agent, kind)),
        4 => (0u64..30_000).prop_map(Step::Pass),
    ]
}

fn agent(number: u8) -> AgentId {
    format!("agent-{number}").as_str().into()
}

/// What an outsider can know: who is in line, whom the hall has promised to whom, which phones are there.
#[derive(Default)]
struct Model {
    in_line: BTreeSet<CallId>,
    promised: BTreeMap<CallId, AgentId>,
    /// Claimed by calls in no queue.
    claimed: BTreeMap<CallId, AgentId>,
    talking: BTreeMap<CallId, AgentId>,
    registered: BTreeSet<AgentId>,
    paused: BTreeSet<AgentId>,
}

impl Model {
    fn hear(&mut self, output: HallOutput) {
        match output {
            HallOutput::Offer { call, agent } => {
                let claimed = self.claimed.remove(&call).is_some_and(|wanted| wanted == agent);
                assert!(claimed || self.in_line.contains(&call), "{call} is not in line");
                assert!(self.registered.contains(&agent), "{agent} is not there");
                assert!(claimed || !self.paused.contains(&agent), "{agent} rests");
                assert!(!self.promised.values().any(|held| *held == agent), "{agent} promised twice");
                assert!(!self.talking.values().any(|busy| *busy == agent), "{agent} is talking");
                assert!(self.promised.insert(call, agent).is_none(), "{call} has two agents");
            }
            HallOutput::Withdraw { call, agent } => {
                if self.promised.get(&call) == Some(&agent) {
                    self.promised.remove(&call);
                }
            }
            HallOutput::Busy { call, agent } => {
                assert_eq!(self.claimed.remove(&call), Some(agent), "{call} hears of whom it did not claim");
            }
            HallOutput::TurnAway { call, .. } => {
                assert!(self.in_line.remove(&call), "{call} was not in line");
                assert!(!self.promised.contains_key(&call), "{call} is turned away with an agent at hand");
            }
        }
    }

    /// The hall's event for this step, when a well-behaved shell would send it.
    fn event(&mut self, step: &Step) -> Option<HallEvent> {
        match *step {
            Step::Join(call, lane) => {
                let call = CallId(call);
                if self.talking.contains_key(&call) || self.promised.contains_key(&call) {
                    return None;
                }
                self.in_line.insert(call);
                Some(HallEvent::Join { call, lane: Lane::ALL[lane], skills: Vec::new() })
            }
            Step::Claim(call, number) => {
                let call = CallId(call);
                let known = self.in_line.contains(&call) || self.promised.contains_key(&call);
                if known || self.talking.contains_key(&call) {
                    return None;
                }
                self.claimed.insert(call, agent(number));
                Some(HallEvent::Claim { call, agent: agent(number) })
            }
            Step::Unclaim(call) => {
                let call = CallId(call);
                if self.in_line.contains(&call) {
                    return None;
                }
                let agent = self.promised.remove(&call)?;
                Some(HallEvent::Unclaim { call, agent })
            }
            Step::Leave(call) => {
                let call = CallId(call);
                self.in_line.remove(&call);
                self.promised.remove(&call);
                Some(HallEvent::Leave { call })
            }
            Step::Ringing(call) => {
                let call = CallId(call);
                Some(HallEvent::Ringing { call, agent: self.promised.get(&call)?.clone() })
            }
            Step::Fail(call) => {
                let call = CallId(call);
                let agent = self.promised.remove(&call)?;
                Some(HallEvent::RingFailed { call, agent, failure: RingFailure::Busy })
            }
            Step::Talk(call) => {
                let call = CallId(call);
                let agent = self.promised.remove(&call)?;
                self.in_line.remove(&call);
                self.talking.insert(call, agent.clone());
                Some(HallEvent::Talking { call, agent })
            }
            Step::Release(call) => {
                let call = CallId(call);
                Some(HallEvent::Released { call, agent: self.talking.remove(&call)? })
            }
            Step::Cleared(call, number) => {
                Some(HallEvent::Cleared { call: CallId(call), agent: agent(number) })
            }
            Step::Register(number) => {
                self.registered.insert(agent(number));
                Some(HallEvent::AgentRegistered { agent: agent(number), skills: Vec::new() })
            }
            Step::Unregister(number) => {
                self.registered.remove(&agent(number));
                Some(HallEvent::AgentUnregistered { agent: agent(number) })
            }
            Step::Pause(number) => {
                self.paused.insert(agent(number));
                Some(HallEvent::AgentPaused { agent: agent(number) })
            }
            Step::Resume(number) => {
                self.paused.remove(&agent(number));
                Some(HallEvent::AgentResumed { agent: agent(number) })
            }
            Step::Stray(..) | Step::Pass(_) => None,
        }
    }
}

fn run(steps: Vec<Step>, stray: bool) {
    let config = CallConfig { queue_capacity: 5, ..CallConfig::default() };
    let mut now = origin();
    let mut hall = Hall::new(config.into(), now);
    let mut model = Model::default();
    let listen = |hall: &mut Hall, model: &mut Model| {
        hall.check_invariants().expect("the books agree");
        while let Some(output) = hall.poll_output() {
            if !stray {
                model.hear(output);
            }
        }
    };
    for step in steps {
        match &step {
            Step::Pass(span_ms) => {
                let end = now + ms(*span_ms);
                while let Some(at) = hall.poll_timeout().filter(|at| *at <= end) {
                    now = now.max(at);
                    hall.handle_timeout(now);
                    assert!(hall.poll_timeout().is_none_or(|next| next > now), "a timer that does not end");
                    listen(&mut hall, &mut model);
                }
                now = end;
            }
            Step::Stray(call, number, kind) if stray => {
                let (call, agent) = (CallId(*call), agent(*number));
                let failure = RingFailure::NoAnswer;
                let event = match kind {
                    0 => HallEvent::Ringing { call, agent },
                    1 => HallEvent::RingFailed { call, agent, failure },
                    2 => HallEvent::Talking { call, agent },
                    _ => HallEvent::Released { call, agent },
                };
                hall.handle(now, event);
            }
            step => {
                if let Some(event) = model.event(step) {
                    hall.handle(now, event);
                }
            }
        }
        listen(&mut hall, &mut model);
        if !stray {
            let waiting: usize = hall.snapshot(now).waiting.values().sum();
            assert_eq!(waiting, model.in_line.len(), "nobody is lost, nobody counted twice");
            let free = hall.snapshot(now).agents_free;
            let served = model.promised.keys().filter(|call| model.in_line.contains(call)).count();
            assert!(free == 0 || waiting == served, "an agent is free and a caller waits");
        }
    }
    // With everybody gone quiet, deadlines alone must clear the hall.
    let end = now + Duration::from_secs(10 * 3_600);
    while let Some(at) = hall.poll_timeout().filter(|at| *at <= end) {
        now = now.max(at);
        hall.handle_timeout(now);
        listen(&mut hall, &mut model);
    }
    assert_eq!(hall.poll_timeout(), None, "nobody is held for ever");
    let snapshot = hall.snapshot(now);
    assert!(snapshot.waiting.is_empty(), "nobody waits for ever");
    assert_eq!(snapshot.agents_ringing + snapshot.agents_talking + snapshot.agents_wrap_up, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_hall_keeps_its_promises(steps in prop::collection::vec(step(), 0..120)) {
        run(steps, false);
    }

    #[test]
    fn stray_messages_do_not_confuse_the_books(steps in prop::collection::vec(step(), 0..120)) {
        run(steps, true);
    }
}
