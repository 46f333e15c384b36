//! A call through a trunk goes to the next gateway while nobody has it; a failed gateway gets no more calls.

use gateway_sip::{CommandError, GatewayConfig, Transport, TrunkConfig, trunk::HealthConfig};

use crate::{rig::*, timers::answer_to, trunk_rig::*};

#[test]
fn a_503_sends_the_call_to_the_next_gateway_before_anybody_hears_of_it() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    assert_eq!((first.method(), went_to(&first).as_str()), ("INVITE", FIRST));
    assert_eq!(first.message.request_uri(), "sip:04716666666@198.51.100.7");
    rig.udp(FIRST, &answer_to(&first, 100, "", "", ""));
    rig.udp(FIRST, &answer_to(&first, 503, "x", "", ""));
    let sent = rig.sent();
    assert_eq!(
        sent.iter().map(|sent| (sent.method(), went_to(sent))).collect::<Vec<_>>(),
        [("ACK", FIRST.to_owned()), ("INVITE", SECOND.to_owned())]
    );
    let second = &sent[1];
    assert_eq!(second.message.request_uri(), "sip:04716666666@198.51.100.8");
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(second.header("From"), first.header("From"));
    assert_eq!(second.header("CSeq"), "2 INVITE");
    assert_ne!(second.header("Via"), first.header("Via"));
    assert!(rig.heard().is_empty(), "the call hears nothing of it");
    rig.udp(SECOND, &answer_to(second, 200, "y", CONTACT_THERE, SDP));
    assert_eq!(rig.heard(), [format!("Answered({}, sdp: true)", call.as_u64())]);
    let ack = rig.sent().remove(0);
    assert_eq!((ack.method(), ack.header("CSeq")), ("ACK", "2 ACK"));
    rig.endpoint.hang_up(rig.now, call, None);
    let bye = rig.sent().remove(0);
    assert_eq!(bye.header("CSeq"), "3 BYE");
    rig.udp(SECOND, &answer_to(&bye, 200, "y", "", ""));
    rig.assert_nothing_left();
}

#[test]
fn when_all_gateways_fail_the_call_fails_with_the_last_answer() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.udp(FIRST, &answer_to(&first, 500, "x", "", ""));
    let second = rig.sent().remove(1);
    rig.udp(SECOND, &answer_to(&second, 502, "y", "", ""));
    assert_eq!(rig.heard(), [format!("Failed({}, 502, None)", call.as_u64())]);
    rig.assert_nothing_left();
}

#[test]
fn busy_is_an_answer_and_no_reason_for_another_gateway() {
    for status in [404, 480, 486, 488, 603] {
        let mut rig = Rig::with(through(trunk()));
        let call = dial(&mut rig).unwrap();
        let first = rig.sent().remove(0);
        rig.udp(FIRST, &answer_to(&first, status, "x", "Reason: Q.850;cause=17\n", ""));
        assert_eq!(rig.said(), ["ACK"]);
        assert_eq!(rig.heard(), [format!("Failed({}, {status}, Some(17))", call.as_u64())]);
    }
}

#[test]
fn a_gateway_that_rang_has_the_call() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.udp(FIRST, &answer_to(&first, 180, "x", CONTACT_THERE, ""));
    rig.udp(FIRST, &answer_to(&first, 503, "x", "", ""));
    assert_eq!(rig.said(), ["ACK"], "nobody is rung twice");
    assert_eq!(
        rig.heard(),
        [format!("Ringing({}, 180)", call.as_u64()), format!("Failed({}, 503, None)", call.as_u64())]
    );
}

#[test]
fn a_silent_gateway_is_left_after_four_seconds_and_its_late_answer_is_hung_up() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.seconds(5);
    let sent = rig.sent();
    let second = sent.iter().find(|sent| went_to(sent) == SECOND).expect("the next gateway");
    assert_eq!(second.at.as_secs(), 4);
    assert!(sent.iter().filter(|sent| went_to(sent) == FIRST).all(|sent| sent.at.as_secs() < 4));
    // It wakes up: cancelled at its 1xx, and hung up if it answers all the same.
    rig.udp(FIRST, &answer_to(&first, 180, "late", CONTACT_THERE, ""));
    let cancel = rig.sent().remove(0);
    assert_eq!((cancel.method(), went_to(&cancel).as_str()), ("CANCEL", FIRST));
    rig.udp(FIRST, &answer_to(&first, 200, "late", CONTACT_THERE, SDP));
    assert_eq!(rig.said(), ["ACK", "BYE"]);
    assert!(rig.heard().is_empty());
    rig.udp(SECOND, &answer_to(second, 200, "y", CONTACT_THERE, SDP));
    assert_eq!(rig.heard(), [format!("Answered({}, sdp: true)", call.as_u64())]);
    rig.endpoint.hang_up(rig.now, call, None);
    rig.assert_nothing_left();
}

#[test]
fn a_caller_who_left_is_tried_nowhere_else() {
    let mut rig = Rig::with(through(trunk()));
    let call = dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.endpoint.hang_up(rig.now, call, None);
    rig.udp(FIRST, &answer_to(&first, 503, "x", "", ""));
    assert_eq!(rig.said(), ["ACK"]);
    rig.assert_nothing_left();
}

#[test]
fn after_three_failures_a_gateway_gets_no_calls_until_probes_are_answered_twice() {
    let health = HealthConfig { answer_limit: std::time::Duration::from_secs(1), ..HealthConfig::default() };
    let mut rig = Rig::with(through(TrunkConfig { health, ..trunk() }));
    for _ in 0..3 {
        dial(&mut rig).unwrap();
        let first = rig.sent().remove(0);
        assert_eq!(went_to(&first), FIRST);
        rig.udp(FIRST, &answer_to(&first, 503, "x", "", ""));
        rig.sent();
    }
    assert_eq!(rig.heard(), [format!("TrunkGateway(carrier, {FIRST}, up: false, calls)")]);
    dial(&mut rig).unwrap();
    assert_eq!(went_to(&rig.sent().remove(0)), SECOND);
    let down = |rig: &Rig| rig.endpoint.trunk_states(rig.now).iter().filter(|gateway| !gateway.up).count();
    assert_eq!(down(&rig), 1);
    rig.endpoint.start(rig.now);
    for answered in 1..=2 {
        let mut probes: Vec<Sent> = Vec::new();
        for _ in 0..40 {
            probes.extend(
                rig.sent().into_iter().filter(|sent| sent.method() == "OPTIONS" && went_to(sent) == FIRST),
            );
            if !probes.is_empty() {
                break;
            }
            rig.seconds(1);
        }
        assert_eq!(probes[0].message.request_uri(), "sip:198.51.100.7");
        assert_eq!(down(&rig), 1, "before answer {answered}");
        rig.udp(FIRST, &answer_to(&probes[0], 200, "o", "", ""));
    }
    assert!(rig.heard().contains(&format!("TrunkGateway(carrier, {FIRST}, up: true, answered)")));
    dial(&mut rig).unwrap();
    let invite = rig.sent().into_iter().find(|sent| sent.method() == "INVITE").unwrap();
    assert_eq!(went_to(&invite), FIRST);
}

#[test]
fn silent_probes_take_a_gateway_out_of_use_and_all_down_means_no_gateway() {
    let mut rig = Rig::with(through(TrunkConfig { health: HealthConfig::default(), ..trunk() }));
    rig.endpoint.start(rig.now);
    rig.seconds(150);
    let heard = rig.heard();
    for gateway in [FIRST, SECOND] {
        let told = format!("TrunkGateway(carrier, {gateway}, up: false, probe)");
        assert_eq!(heard.iter().filter(|event| **event == told).count(), 1, "{heard:?}");
    }
    assert_eq!(dial(&mut rig), Err(CommandError::NoGateway));
}

#[test]
fn retry_after_gives_the_gateway_the_pause_it_asks_for() {
    let mut rig = Rig::with(through(trunk()));
    dial(&mut rig).unwrap();
    let first = rig.sent().remove(0);
    rig.udp(FIRST, &answer_to(&first, 503, "x", "Retry-After: 20 (maintenance)\n", ""));
    assert_eq!(went_to(&rig.sent().remove(1)), SECOND);
    assert_eq!(rig.heard(), [format!("TrunkGateway(carrier, {FIRST}, up: false, retry-after)")]);
    rig.seconds(19);
    rig.sent();
    dial(&mut rig).unwrap();
    assert_eq!(went_to(&rig.sent().remove(0)), SECOND);
    rig.seconds(1);
    rig.sent();
    assert_eq!(
        rig.heard().last().unwrap(),
        &format!("TrunkGateway(carrier, {FIRST}, up: true, retry-after)")
    );
    dial(&mut rig).unwrap();
    assert_eq!(went_to(&rig.sent().remove(0)), FIRST);
}

#[test]
fn weights_share_the_calls() {
    let mut config = trunk();
    config.gateways[1].priority = 0;
    config.gateways[1].weight = 3;
    let mut rig = Rig::with(through(config));
    let mut second = 0;
    for _ in 0..400 {
        let call = dial(&mut rig).unwrap();
        let invite = rig.sent().remove(0);
        let there = went_to(&invite);
        second += usize::from(there == SECOND);
        rig.udp(&there, &answer_to(&invite, 486, "x", "", ""));
        assert_eq!(rig.heard(), [format!("Failed({}, 486, None)", call.as_u64())]);
        rig.sent();
    }
    assert!((250..350).contains(&second), "three of four, not {second} of 400");
}

#[test]
fn a_connection_that_is_refused_is_a_failed_gateway() {
    let mut config = trunk();
    config.gateways[0].transport = Transport::Tcp;
    let mut rig = Rig::with(through(config));
    dial(&mut rig).unwrap();
    let (asked, _) = asked_for(&mut rig);
    assert_eq!(asked[0].1, FIRST);
    rig.close(asked[0].0.0);
    let second = rig.sent().remove(0);
    assert_eq!((second.method(), went_to(&second).as_str()), ("INVITE", SECOND));
    assert!(second.header("Via").starts_with("SIP/2.0/UDP"));
    assert_eq!(second.header("Contact"), "<sip:gw.test:5060>");
    assert!(rig.heard().is_empty());
}

#[test]
fn a_connection_that_does_not_stand_in_time_is_closed_and_the_next_gateway_tried() {
    let mut config = trunk();
    config.gateways[0].transport = Transport::Tcp;
    config.health.answer_limit = std::time::Duration::from_secs(60);
    let mut rig = Rig::with(through(config));
    dial(&mut rig).unwrap();
    let (asked, _) = asked_for(&mut rig);
    rig.seconds(6);
    assert!(rig.sent().iter().any(|sent| went_to(sent) == SECOND));
    let (_, heard) = asked_for(&mut rig);
    assert_eq!(heard, [format!("Disconnect({})", asked[0].0.0)]);
    // Standing after all, it is closed again.
    stand(&mut rig, asked[0].0, FIRST, Transport::Tcp);
    assert_eq!(rig.heard(), [format!("Disconnect({})", asked[0].0.0)]);
}

#[test]
fn a_name_is_looked_up_outside_and_kept_while_it_cannot_be() {
    let mut config = trunk();
    config.gateways = vec![GatewayConfig::new("sbc.carrier.example:5066", Transport::Udp)];
    let mut rig = Rig::with(through(config));
    rig.endpoint.start(rig.now);
    assert_eq!(rig.heard(), ["Resolve(sbc.carrier.example)"]);
    assert_eq!(dial(&mut rig), Err(CommandError::NoGateway), "not known yet");
    let [here, there] = ["203.0.113.5".parse().unwrap(), "203.0.113.6".parse().unwrap()];
    rig.endpoint.set_addresses(rig.now, "sbc.carrier.example", &[here, there]);
    dial(&mut rig).unwrap();
    let invite = rig.sent().remove(0);
    assert_eq!(went_to(&invite), "203.0.113.5:5066");
    assert_eq!(invite.message.request_uri(), "sip:04716666666@sbc.carrier.example:5066");
    // Its address belongs to the trunk: it may call.
    rig.udp("203.0.113.6:5066", &Ask { body: SDP, ..Ask::default() }.text());
    rig.incoming();
    rig.seconds(60);
    assert!(rig.heard().contains(&"Resolve(sbc.carrier.example)".to_owned()));
    rig.endpoint.set_addresses(rig.now, "sbc.carrier.example", &[]);
    rig.sent();
    dial(&mut rig).unwrap();
    assert_eq!(rig.sent().iter().filter(|sent| sent.method() == "INVITE").count(), 1);
}

#[test]
fn what_cannot_be_dialled_is_refused() {
    let mut rig = Rig::with(through(trunk()));
    for number in ["", "110@evil.example", "110>;x", "1\r\nX: y", "李四", &"1".repeat(60)] {
        let target = gateway_sip::Target::Trunk { trunk: "carrier", number };
        let invitation = gateway_sip::Invitation { target, sdp: SDP, ..Default::default() };
        assert_eq!(rig.endpoint.invite(rig.now, invitation), Err(CommandError::BadTarget), "{number:?}");
    }
    let target = gateway_sip::Target::Trunk { trunk: "nobody", number: "110" };
    let invitation = gateway_sip::Invitation { target, sdp: SDP, ..Default::default() };
    assert_eq!(rig.endpoint.invite(rig.now, invitation), Err(CommandError::NoGateway));
}

#[test]
fn a_reload_keeps_what_is_known_of_gateways_that_stay() {
    let mut rig = Rig::with(through(trunk()));
    for _ in 0..3 {
        dial(&mut rig).unwrap();
        let first = rig.sent().remove(0);
        rig.udp(FIRST, &answer_to(&first, 503, "x", "", ""));
        rig.sent();
    }
    let mut changed = trunk();
    changed.gateways[0].weight = 7;
    changed
        .gateways
        .push(GatewayConfig { priority: 20, ..GatewayConfig::new("198.51.100.9", Transport::Udp) });
    rig.endpoint.set_trunks(rig.now, vec![changed]);
    let states = rig.endpoint.trunk_states(rig.now);
    let up: Vec<(&str, bool)> = states.iter().map(|state| (state.gateway.as_str(), state.up)).collect();
    assert_eq!(up, [(FIRST, false), (SECOND, true), ("198.51.100.9", true)]);
}

#[test]
fn whether_a_gateway_answers_is_not_known_before_its_probe_came_to_something() {
    let health = HealthConfig { probe_every: Some(std::time::Duration::from_secs(60)), ..trunk().health };
    let mut rig = Rig::with(through(TrunkConfig { health, ..trunk() }));
    let answered = |rig: &Rig| -> Vec<Option<bool>> {
        rig.endpoint.trunk_states(rig.now).iter().map(|state| state.answered).collect()
    };
    rig.endpoint.start(rig.now);
    rig.seconds(1);
    assert_eq!(answered(&rig), [None, None]);
    let probe = rig.sent().into_iter().find(|sent| went_to(sent) == FIRST).unwrap();
    assert_eq!(probe.method(), "OPTIONS");
    rig.udp(FIRST, &answer_to(&probe, 404, "x", "", ""));
    assert_eq!(answered(&rig), [Some(true), None], "any answer shows that it lives");
    rig.seconds(5);
    assert_eq!(answered(&rig), [Some(true), Some(false)]);
}
