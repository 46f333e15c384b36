//! A carrier with two gateways, for the scenarios of calls through trunks.

use gateway_sip::{
    CallHandle, CommandError, ConnectionId, EndpointConfig, Event, GatewayConfig, Input, Invitation, Target,
    Transport, TrunkConfig,
    auth::{Algorithm, Secret, challenges},
    trunk::{CallerId, HealthConfig, Presentation, Profile, TrunkCredentials},
};

use crate::{rig::*, timers::answer_to};

pub const FIRST: &str = "198.51.100.7:5060";
pub const SECOND: &str = "198.51.100.8:5060";
pub const CONTACT_THERE: &str = "Contact: <sip:pstn@198.51.100.7:5060>\n";

/// A trunk with two gateways, the second one for when the first fails; no probes.
pub fn trunk() -> TrunkConfig {
    TrunkConfig {
        name: "carrier".into(),
        from: vec!["198.51.100.0/24".parse().unwrap()],
        gateways: vec![
            GatewayConfig::new(FIRST, Transport::Udp),
            GatewayConfig { priority: 10, ..GatewayConfig::new(SECOND, Transport::Udp) },
        ],
        credentials: Some(TrunkCredentials {
            user: "hotline".into(),
            secret: Secret::Plain("secret".into()),
        }),
        caller_id: CallerId { number: Some("+8647112345".into()), presentation: Presentation::Own },
        area_code: "0471".into(),
        manner: Profile::Generic.manner(),
        health: HealthConfig { probe_every: None, ..HealthConfig::default() },
        ..TrunkConfig::default()
    }
}

pub fn through(trunk: TrunkConfig) -> EndpointConfig {
    EndpointConfig { trunks: vec![trunk], ..config() }
}

pub fn dial(rig: &mut Rig) -> Result<CallHandle, CommandError> {
    let target = Target::Trunk { trunk: "carrier", number: "04716666666" };
    rig.endpoint.invite(rig.now, Invitation { target, sdp: SDP, ..Invitation::default() })
}

/// The address a message went to.
pub fn went_to(sent: &Sent) -> String {
    match sent.path {
        gateway_sip::Path::Udp { remote, .. } => remote.to_string(),
        gateway_sip::Path::Stream { connection } => format!("connection {}", connection.0 & !(1 << 63)),
    }
}

/// 401 or 407 with one challenge.
pub fn challenge(request: &Sent, status: u16, nonce: &str, stale: bool) -> String {
    let name = if status == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
    let value = challenges(&[Algorithm::Md5], "ims.example", nonce, stale).next().unwrap();
    answer_to(request, status, "c", &format!("{name}: {value}\n"), "")
}

/// The connections asked for since the last look; other events are given as text.
pub fn asked_for(rig: &mut Rig) -> (Vec<(ConnectionId, String, Transport)>, Vec<String>) {
    let (mut asked, mut other) = (Vec::new(), Vec::new());
    for event in rig.events() {
        match event {
            Event::Connect { connection, remote, transport, .. } => {
                asked.push((connection, remote.to_string(), transport));
            }
            event => other.push(format!("{event:?}")),
        }
    }
    (asked, other)
}

/// A connection we asked for stands.
pub fn stand(rig: &mut Rig, connection: ConnectionId, remote: &str, transport: Transport) {
    let (local, remote) = (address("192.0.2.1:40001"), address(remote));
    rig.endpoint.handle_input(rig.now, Input::StreamOpened { connection, local, remote, transport });
    rig.collect();
}

pub fn on_stream(rig: &mut Rig, connection: ConnectionId, text: &str) {
    rig.tcp(connection.0, text);
}
