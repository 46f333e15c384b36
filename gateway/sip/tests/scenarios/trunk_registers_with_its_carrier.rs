//! Our own registration: made, refreshed in time, moved to the next gateway, taken back at the end.

use gateway_sip::{ConnectionId, EndpointConfig, Transport, auth::Credentials, trunk::RegistrationConfig};

use crate::{rig::*, timers::answer_to, trunk_rig::*};

fn registering() -> EndpointConfig {
    let mut config = trunk();
    config.domain = Some("ims.example".into());
    config.registration = Some(RegistrationConfig { user: "+8647112345".into(), expires_s: 600 });
    through(config)
}

fn next_register(rig: &mut Rig) -> Sent {
    let mut all: Vec<Sent> = rig.sent().into_iter().filter(|sent| sent.method() == "REGISTER").collect();
    assert_eq!(all.len(), 1, "wanted exactly one REGISTER");
    all.remove(0)
}

const GRANTED: &str = "Contact: <sip:+8647112345@gw.test:5060>;expires=300\n";

fn registered() -> (Rig, Sent) {
    let mut rig = Rig::with(registering());
    rig.endpoint.start(rig.now);
    let request = next_register(&mut rig);
    rig.udp(FIRST, &answer_to(&request, 200, "r", GRANTED, ""));
    assert_eq!(rig.heard(), [format!("TrunkRegistration(carrier, {FIRST}, true, 200)")]);
    (rig, request)
}

#[test]
fn it_is_asked_for_with_the_proof_and_refreshed_in_time() {
    let mut rig = Rig::with(registering());
    rig.endpoint.start(rig.now);
    let first = next_register(&mut rig);
    assert_eq!((went_to(&first).as_str(), first.message.request_uri()), (FIRST, "sip:ims.example"));
    assert_eq!(first.header("To"), "<sip:+8647112345@ims.example>");
    assert_eq!(first.header("Contact"), "<sip:+8647112345@gw.test:5060>");
    assert_eq!(first.header("Expires"), "600");
    rig.udp(FIRST, &challenge(&first, 401, "n1", false));
    let proved = next_register(&mut rig);
    assert_eq!(proved.header("CSeq"), "2 REGISTER");
    assert_eq!(Credentials::parse(proved.header("Authorization")).unwrap().nonce_count(), Some(1));
    rig.udp(FIRST, &answer_to(&proved, 200, "r", GRANTED, ""));
    assert_eq!(rig.heard(), [format!("TrunkRegistration(carrier, {FIRST}, true, 200)")]);
    rig.seconds(239);
    assert!(rig.sent().is_empty());
    rig.seconds(1);
    let refresh = next_register(&mut rig);
    assert_eq!(refresh.at.as_secs(), 240, "four fifths of what was granted, not of what was asked");
    assert_eq!((refresh.header("Call-ID"), refresh.header("CSeq")), (first.header("Call-ID"), "3 REGISTER"));
    assert_eq!(Credentials::parse(refresh.header("Authorization")).unwrap().nonce_count(), Some(2));
    rig.udp(FIRST, &answer_to(&refresh, 200, "r", GRANTED, ""));
    assert!(rig.heard().is_empty(), "a refresh is no news");
}

#[test]
fn too_short_a_time_is_asked_for_anew() {
    let mut rig = Rig::with(registering());
    rig.endpoint.start(rig.now);
    let first = next_register(&mut rig);
    rig.udp(FIRST, &answer_to(&first, 423, "r", "Min-Expires: 3600\n", ""));
    let second = next_register(&mut rig);
    assert_eq!((second.header("Expires"), second.header("CSeq")), ("3600", "2 REGISTER"));
    // A registrar that says 423 to its own number is no use.
    rig.udp(FIRST, &answer_to(&second, 423, "r", "Min-Expires: 3600\n", ""));
    assert_eq!(went_to(&next_register(&mut rig)), SECOND);
}

#[test]
fn when_the_gateway_is_silent_the_next_one_is_asked_and_calls_follow() {
    let (mut rig, _) = registered();
    rig.seconds(240);
    rig.sent();
    rig.seconds(5);
    let elsewhere = rig.sent().into_iter().rfind(|sent| sent.method() == "REGISTER").unwrap();
    assert_eq!(went_to(&elsewhere), SECOND);
    assert_eq!(rig.heard(), [format!("TrunkRegistration(carrier, {FIRST}, false, 408)")]);
    rig.udp(SECOND, &answer_to(&elsewhere, 200, "r", GRANTED, ""));
    assert_eq!(rig.heard(), [format!("TrunkRegistration(carrier, {SECOND}, true, 200)")]);
    dial(&mut rig).unwrap();
    let invite = rig.sent().into_iter().find(|sent| sent.method() == "INVITE").unwrap();
    assert_eq!(went_to(&invite), SECOND, "the carrier knows us there");
    assert_eq!(invite.header("Contact"), "<sip:+8647112345@gw.test:5060>");
    assert!(invite.header("From").contains("@ims.example"), "{}", invite.header("From"));
}

#[test]
fn refused_everywhere_it_waits_longer_and_longer() {
    let mut rig = Rig::with(registering());
    rig.endpoint.start(rig.now);
    let (mut times, mut asked) = (Vec::new(), std::collections::BTreeSet::new());
    for _ in 0..800 {
        for sent in rig.sent().into_iter().filter(|sent| sent.method() == "REGISTER") {
            let new = asked.insert(sent.header("CSeq").to_owned());
            if new && went_to(&sent) == FIRST {
                times.push(sent.at.as_secs());
            }
            rig.udp(&went_to(&sent), &answer_to(&sent, 403, "r", "", ""));
        }
        rig.seconds(1);
    }
    let waits: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.len() >= 5 && waits.windows(2).all(|pair| pair[1] >= pair[0]), "{waits:?}");
    assert!((5..=9).contains(&waits[0]), "{waits:?}");
    assert_eq!(
        rig.heard().iter().filter(|event| event.contains("403")).count(),
        2,
        "told once, not each time"
    );
}

#[test]
fn at_the_end_it_is_taken_back() {
    let (mut rig, first) = registered();
    rig.endpoint.unregister_trunks(rig.now);
    let last = next_register(&mut rig);
    assert_eq!((last.header("Expires"), last.header("Call-ID")), ("0", first.header("Call-ID")));
    rig.udp(FIRST, &answer_to(&last, 200, "r", "", ""));
    assert_eq!(rig.heard(), [format!("TrunkRegistration(carrier, {FIRST}, false, 200)")]);
    rig.assert_nothing_left();
}

#[test]
fn a_trunk_that_is_gone_from_the_configuration_is_unregistered() {
    let (mut rig, _) = registered();
    rig.endpoint.set_trunks(rig.now, vec![trunk()]);
    assert_eq!(next_register(&mut rig).header("Expires"), "0");
}

#[test]
fn a_lost_connection_is_registered_anew_at_once() {
    let mut config = registering();
    config.trunks[0].gateways[0].transport = Transport::Tcp;
    let mut rig = Rig::with(config);
    rig.endpoint.start(rig.now);
    let (asked, _) = asked_for(&mut rig);
    let connection = asked[0].0;
    stand(&mut rig, connection, FIRST, Transport::Tcp);
    let first = next_register(&mut rig);
    assert!(first.header("Via").starts_with("SIP/2.0/TCP"));
    on_stream(&mut rig, connection, &answer_to(&first, 200, "r", GRANTED, ""));
    // Calls come in along it.
    on_stream(&mut rig, connection, &Ask { body: SDP, ..Ask::default() }.over("TCP"));
    rig.incoming();
    rig.close(connection.0);
    rig.sent();
    rig.seconds(2);
    let (asked, heard) = asked_for(&mut rig);
    assert!(heard.contains(&format!("TrunkRegistration(carrier, {FIRST}, false, 503)")), "{heard:?}");
    assert_eq!(asked.len(), 1);
    assert_ne!(asked[0].0, ConnectionId(connection.0));
}
