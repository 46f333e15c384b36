//! Connections we opened: pinged (RFC 5626 §4.4.1), found dead, closed when nobody needs them.

use gateway_sip::{ConnectionId, Event, Invitation, Target, Transport, TrunkConfig, trunk::Manner};

use crate::{rig::*, timers::answer_to, trunk_rig::*};

fn connected(trunk: TrunkConfig) -> (Rig, ConnectionId) {
    let mut rig = Rig::with(through(trunk));
    dial(&mut rig).unwrap();
    let (asked, _) = asked_for(&mut rig);
    stand(&mut rig, asked[0].0, FIRST, Transport::Tcp);
    let invite = rig.sent().remove(0);
    on_stream(&mut rig, asked[0].0, &answer_to(&invite, 200, "y", CONTACT_THERE, SDP));
    rig.sent();
    rig.events();
    (rig, asked[0].0)
}

fn over_tcp() -> TrunkConfig {
    let mut config = trunk();
    config.gateways.truncate(1);
    config.gateways[0].transport = Transport::Tcp;
    config
}

fn pings(rig: &mut Rig) -> usize {
    rig.sent().iter().filter(|sent| sent.bytes == b"\r\n\r\n").count()
}

#[test]
fn a_peer_that_answered_pings_and_stops_is_dead() {
    let (mut rig, connection) = connected(over_tcp());
    rig.seconds(30);
    assert_eq!(pings(&mut rig), 1);
    on_stream(&mut rig, connection, "\n");
    rig.seconds(41);
    assert_eq!(pings(&mut rig), 1);
    on_stream(&mut rig, connection, "\n");
    rig.seconds(49);
    let heard = rig.heard();
    assert!(heard.contains(&format!("Disconnect({})", connection.0)), "{heard:?}");
}

#[test]
fn a_peer_that_never_answered_a_ping_is_left_alone() {
    let (mut rig, _) = connected(over_tcp());
    rig.seconds(600);
    assert!(pings(&mut rig) > 10);
    assert!(!rig.events().iter().any(|event| matches!(event, Event::Disconnect { .. })));
}

#[test]
fn a_carrier_that_wants_no_pings_gets_none() {
    let manner = Manner { keep_alive: None, ..Manner::default() };
    let (mut rig, _) = connected(TrunkConfig { manner, ..over_tcp() });
    rig.seconds(600);
    assert_eq!(pings(&mut rig), 0);
}

#[test]
fn a_connection_to_a_phone_is_closed_when_nobody_talks_any_more() {
    let mut rig = Rig::new();
    let uri = "sip:600@233.252.0.40:5070;transport=tcp";
    let invitation = Invitation { target: Target::Phone { uri }, sdp: SDP, ..Invitation::default() };
    rig.endpoint.invite(rig.now, invitation).unwrap();
    let (asked, _) = asked_for(&mut rig);
    stand(&mut rig, asked[0].0, "233.252.0.40:5070", Transport::Tcp);
    let invite = rig.sent().remove(0);
    on_stream(&mut rig, asked[0].0, &answer_to(&invite, 486, "y", "", ""));
    rig.events();
    rig.seconds(240);
    assert_eq!(rig.heard(), [format!("Disconnect({})", asked[0].0.0)]);
    rig.assert_nothing_left();
}
