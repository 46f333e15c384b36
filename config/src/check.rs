//! Checks that no single section can make: they look across.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::Config;
use crate::fault::Fault;
use crate::layers::Layers;
use crate::sections::{Listen, Role};
use crate::trunks::{GatewayConfig, GatewayTransport, TrunkConfig};
use gateway_sip::Transport;

/// Shortest secret that is accepted for a token.
const MIN_TOKEN_CHARS: usize = 16;

/// Adds what is wrong to `faults` and what is odd to `warnings`.
pub fn check(config: &Config, layers: &Layers, faults: &mut Vec<Fault>, warnings: &mut Vec<Fault>) {
    let mut note = Note { layers, faults };
    node(config, &mut note);
    sockets(config, &mut note);
    names(config, &mut note);
    components(config, &mut note);
    if config.trunks.is_empty() {
        warnings.push(Fault::new(None, "trunks", "no trunk is configured: nobody can call"));
    }
    if config.sinks.is_empty() {
        warnings.push(Fault::new(
            None,
            "sinks",
            "no sink is configured: records stay in the node and its API",
        ));
    }
}

struct Note<'a> {
    layers: &'a Layers,
    faults: &'a mut Vec<Fault>,
}

impl Note<'_> {
    fn fault(&mut self, path: &str, message: impl Into<String>) {
        // What could not be read was taken out of the tree; that it is missing now is no second fault.
        if self.faults.iter().any(|known| known.path.starts_with(path)) {
            return;
        }
        self.faults.push(Fault::new(self.layers.origin(path).cloned(), path, message));
    }
}

/// What each component finds in its own section.
fn components(config: &Config, note: &mut Note<'_>) {
    for error in config.call.check() {
        note.fault(&format!("call.{}", error.key), error.complaint);
    }
    for (path, complaint) in config.media.complaints() {
        note.fault(path, complaint);
    }
    for (key, complaint) in config.speech.faults() {
        note.fault(&format!("speech.{key}"), complaint);
    }
    for fault in outbox::sinks::check(&config.sinks) {
        note.fault(&fault.key, fault.message);
    }
    if let Err(faults) = channels::Channels::build(&config.channels) {
        for fault in faults {
            note.fault(&fault.path, fault.message);
        }
    }
}

fn node(config: &Config, note: &mut Note<'_>) {
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let code = &config.node.jurisdiction;
    if !digits(code) || !matches!(code.len(), 6 | 9 | 12) {
        note.fault("node.jurisdiction", "expected a division code of 6, 9 or 12 digits (GB/T 2260)");
    } else if code.len() != 6 {
        note.fault("node.jurisdiction", "record numbers carry 6 digits: give the code of the city or county");
    }
    let area = &config.node.area_code;
    if !digits(area) || !area.starts_with('0') || !(3..=4).contains(&area.len()) {
        note.fault("node.area_code", "expected an area code such as \"0471\"");
    }
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    if config.node.name.is_empty() || config.node.name.len() > 63 || !config.node.name.bytes().all(plain) {
        note.fault("node.name", "expected 1 to 63 of a-z, 0-9, dot and hyphen: it stands in every record");
    }
    if let Some(key) = &config.node.identity_key
        && key.reveal().len() < MIN_TOKEN_CHARS
    {
        note.fault("node.identity_key", "shorter than 16 characters");
    }
}

fn sockets(config: &Config, note: &mut Note<'_>) {
    let [first, last] = config.media.rtp_ports;
    if last.saturating_sub(first) < 3 {
        note.fault(
            "media.rtp_ports",
            "a call needs two pairs of ports: one for the caller, one for the agent",
        );
    }
    if config.sip.listen.is_empty() {
        note.fault("sip.listen", "at least one listener is needed");
    }
    let unspecified = config.sip.listen.iter().map(Listen::address).any(|at| at.ip().is_unspecified());
    if unspecified && config.sip.external_address.is_none() {
        note.fault(
            "sip.external_address",
            "needed when listening on 0.0.0.0 or [::]: it is written into Contact and SDP",
        );
    }
    for (path, address) in [
        ("sip.external_address", config.sip.external_address),
        ("media.external_address", config.media.external_address),
    ] {
        if address.is_some_and(|a: IpAddr| a.is_unspecified() || a.is_multicast()) {
            note.fault(path, "must be an address that the carrier can reach");
        }
    }
    if config.sip.tls.is_none()
        && let Some(listen) = config.sip.listen.iter().find(|listen| listen.is_secure())
    {
        note.fault("sip.tls", format!("needed for the listener {listen}: certificate and key"));
    }
    if config.sip.tls.as_ref().is_some_and(|tls| tls.require_client && tls.client_ca.is_none()) {
        note.fault("sip.tls.client_ca", "needed to require certificates of peers");
    }
    if config.sip.digest.is_empty() {
        note.fault("sip.digest", "at least one of \"sha-256\" and \"md5\" is needed");
    }
    if config.sip.max_calls == 0 {
        note.fault("sip.max_calls", "must be at least 1");
    }
    if config.sip.min_se.as_secs() < 90 {
        note.fault("sip.min_se", "RFC 4028 wants at least 90s");
    }
    if !config.sip.session_expires.is_zero() && config.sip.session_expires < config.sip.min_se {
        note.fault("sip.session_expires", "must be \"0s\" (off) or at least sip.min_se");
    }
    if config.http.max_concurrent == 0 {
        note.fault("http.max_concurrent", "must be at least 1");
    }
}

/// What a trunk's way out needs.
fn trunk(config: &Config, i: usize, trunk: &TrunkConfig, note: &mut Note<'_>) {
    for (j, gateway) in trunk.gateways.iter().enumerate() {
        let at = format!("trunks[{i}].gateways[{j}]");
        let (transport, kind) = match gateway.transport {
            GatewayTransport::Udp => (Transport::Udp, "udp"),
            GatewayTransport::Tcp => (Transport::Tcp, "tcp"),
            GatewayTransport::Tls => (Transport::Tls, "tls"),
        };
        if gateway_sip::fields::host_and_port(&gateway.address).is_none() {
            note.fault(&format!("{at}.address"), "expected \"host\" or \"host:port\", IPv6 in brackets");
        }
        // Its address stands in Via and Contact of what we send there.
        if !config.sip.listen.iter().any(|listen| listen.transport() == transport) {
            note.fault(&format!("{at}.transport"), format!("sip.listen has no {kind} listener"));
        }
        let twice =
            |other: &GatewayConfig| other.address == gateway.address && other.transport == gateway.transport;
        if trunk.gateways.iter().take(j).any(twice) {
            note.fault(&format!("{at}.address"), "used twice");
        }
    }
    let needs_gateway =
        [("registration", trunk.registration.is_some()), ("credentials", trunk.credentials.is_some())];
    for (key, set) in needs_gateway {
        if set && trunk.gateways.is_empty() {
            note.fault(&format!("trunks[{i}].{key}"), "needs at least one of trunks.gateways");
        }
    }
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+*#".contains(&b))
    };
    if trunk.caller_id.number.as_deref().is_some_and(|number| !plain(number)) {
        note.fault(
            &format!("trunks[{i}].caller_id.number"),
            "expected digits, with + in front for the international form",
        );
    }
    if trunk.registration.as_ref().is_some_and(|registration| registration.expires.as_secs() < 60) {
        note.fault(&format!("trunks[{i}].registration.expires"), "must be at least \"60s\"");
    }
    if trunk.domain.as_deref().is_some_and(|domain| gateway_sip::fields::host_and_port(domain).is_none()) {
        note.fault(&format!("trunks[{i}].domain"), "expected a host name");
    }
    let health = &trunk.health;
    if health.down_after == 0 || health.up_after == 0 {
        note.fault(&format!("trunks[{i}].health"), "down_after and up_after must be at least 1");
    }
    if health.answer_limit.is_zero() || health.probe_limit.is_zero() {
        note.fault(&format!("trunks[{i}].health"), "answer_limit and probe_limit must be more than nothing");
    }
    if trunk.tls.certificate.is_some() != trunk.tls.key.is_some() {
        note.fault(&format!("trunks[{i}].tls.key"), "certificate and key go together");
    }
}

fn names(config: &Config, note: &mut Note<'_>) {
    let mut seen = HashSet::new();
    for (i, trunk) in config.trunks.iter().enumerate() {
        if trunk.name.is_empty() || !seen.insert(trunk.name.as_str()) {
            note.fault(&format!("trunks[{i}].name"), "empty or used twice");
        }
        if trunk.from.is_empty() && trunk.gateways.is_empty() {
            note.fault(&format!("trunks[{i}].from"), "at least one network or gateway is needed");
        }
        self::trunk(config, i, trunk, note);
    }
    let mut seen = HashSet::new();
    for (i, agent) in config.agents.iter().enumerate() {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if agent.user.is_empty() || !agent.user.chars().all(plain) || !seen.insert(agent.user.as_str()) {
            note.fault(&format!("agents[{i}].user"), "expected letters, digits, - _ . and no name twice");
        }
        if agent.secret.reveal().is_empty() {
            note.fault(&format!("agents[{i}].secret"), "must not be empty");
        }
    }
    let mut seen = HashSet::new();
    for (i, token) in config.api.tokens.iter().enumerate() {
        if token.name.is_empty() || !seen.insert(token.name.as_str()) {
            note.fault(&format!("api.tokens[{i}].name"), "empty or used twice");
        }
        let known = |user: &String| config.agents.iter().any(|agent| agent.user == *user);
        match (&token.agent, token.role) {
            (None, Role::Agent) => {
                note.fault(&format!("api.tokens[{i}].agent"), "missing: the role is `agent`")
            }
            (Some(user), Role::Agent) if !known(user) => {
                note.fault(&format!("api.tokens[{i}].agent"), "there is no such agent");
            }
            (Some(_), Role::Agent) | (None, _) => {}
            (Some(_), _) => note.fault(&format!("api.tokens[{i}].agent"), "only for the role `agent`"),
        }
        if token.token.reveal().len() < MIN_TOKEN_CHARS {
            note.fault(&format!("api.tokens[{i}].token"), "shorter than 16 characters");
        }
    }
}
