//! From the configuration to what each part wants to know.

use std::net::IpAddr;
use std::path::Path;

use config::{Config, Role};
use gateway_sip::auth::Algorithm;
use gateway_sip::{AgentAccount, EndpointConfig, Reliability};
use outbox::SinkConfig;
use record::IdentityKey;

use crate::calls::number_context;
use crate::compose::Node;
use crate::switch::Sockets;

/// A file sink's relative path lies in the data directory.
pub fn below(mut sink: SinkConfig, data: &Path) -> SinkConfig {
    if let SinkConfig::File(file) = &mut sink {
        file.path = data.join(&file.path);
    }
    sink
}

/// What of the node stands in every record.
pub fn node(config: &Config) -> Node {
    let key = config.node.identity_key.as_ref().map(|key| key.reveal().to_owned()).unwrap_or_default();
    Node {
        jurisdiction: config.node.jurisdiction.clone(),
        test: config.node.test,
        retention: config.node.retention.clone(),
        identity_key: IdentityKey::new(key),
        numbers: number_context(config),
    }
}

/// The API's tokens.
pub fn tokens(config: &Config) -> Vec<console::Token> {
    let token = |token: &config::TokenConfig| {
        if let (Role::Agent, Some(agent)) = (token.role, &token.agent) {
            return console::Token::of_agent(&token.name, agent, token.token.reveal());
        }
        let role = match token.role {
            Role::Admin => console::Role::Admin,
            Role::Supervisor => console::Role::Supervisor,
            Role::Reader => console::Role::Reader,
            // Without an account: it may touch nobody's calls.
            Role::Agent => console::Role::Agent,
        };
        console::Token::new(&token.name, role, token.token.reveal())
    };
    config.api.tokens.iter().map(token).collect()
}

/// The SIP endpoint's settings.
pub fn endpoint_config(config: &Config, sockets: &Sockets) -> EndpointConfig {
    EndpointConfig {
        user_agent: format!("jiesu/{}", env!("CARGO_PKG_VERSION")),
        realm: config.sip.realm.clone(),
        digest: config.sip.digest.iter().map(digest).collect(),
        local: sockets.local_addresses(config.sip.external_address),
        trunks: crate::trunks::sip_trunks(config),
        agents: agent_accounts(config),
        agent_networks: config.sip.agent_networks.clone(),
        agent_calls: config.sip.agent_calls,
        max_calls: config.sip.max_calls,
        session_expires: session_expires(config),
        min_se: u32::try_from(config.sip.min_se.as_secs()).unwrap_or(u32::MAX),
        reliability: match config.sip.reliable_ringing {
            config::ReliableRinging::Off => Reliability::Off,
            config::ReliableRinging::Supported => Reliability::Supported,
            config::ReliableRinging::Demanded => Reliability::Demanded,
        },
        source_rate: rate(config.sip.limits.source_per_second),
        invite_rate: rate(config.sip.limits.calls_per_second),
        ..EndpointConfig::default()
    }
}

fn session_expires(config: &Config) -> Option<u32> {
    let interval = config.sip.session_expires;
    (!interval.is_zero()).then(|| u32::try_from(interval.as_secs()).unwrap_or(u32::MAX))
}

/// So many a second, a second's worth at once; none for 0.
fn rate(per_second: u32) -> Option<gateway_sip::limits::Rate> {
    (per_second > 0).then(|| gateway_sip::limits::Rate { per_second: per_second.into(), burst: per_second })
}

fn digest(digest: &config::Digest) -> Algorithm {
    match digest {
        config::Digest::Sha256 => Algorithm::Sha256,
        config::Digest::Md5 => Algorithm::Md5,
    }
}

/// Whose phones may register.
pub fn agent_accounts(config: &Config) -> Vec<AgentAccount> {
    let secret =
        |agent: &config::AgentConfig| gateway_sip::auth::Secret::Plain(agent.secret.reveal().to_owned());
    config.agents.iter().map(|agent| AgentAccount::new(&agent.user, secret(agent))).collect()
}

/// The address in SDP: the one for media, else the one for signalling, else the listener's own.
pub fn media_address(config: &Config, sockets: &Sockets) -> IpAddr {
    let listen = sockets.addresses().into_iter().map(|listen| listen.address().ip());
    let own = listen.clone().find(|ip| !ip.is_unspecified());
    let loopback = IpAddr::from([127, 0, 0, 1]);
    config.media.external_address.or(config.sip.external_address).or(own).unwrap_or(loopback)
}

/// Where RTP sockets are bound: the written address when it is one of this machine's, else all of them.
pub fn rtp_address(config: &Config, written: IpAddr) -> IpAddr {
    let outside = config.media.external_address.or(config.sip.external_address).is_some();
    // A carrier that must use another address of ours may reach us at another interface.
    let another = |own: &IpAddr| *own != written && own.is_ipv4() == written.is_ipv4();
    let several = config.trunks.iter().any(|trunk| trunk.external_address.as_ref().is_some_and(another));
    if several || (outside && std::net::UdpSocket::bind((written, 0)).is_err()) {
        return if written.is_ipv4() {
            std::net::Ipv4Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_trunks(own: Option<&str>) -> Config {
        let trunk = |name: &str, own: Option<&str>| config::TrunkConfig {
            name: name.into(),
            external_address: own.map(|address| address.parse().unwrap()),
            ..config::TrunkConfig::default()
        };
        Config { trunks: vec![trunk("plain", None), trunk("other", own)], ..Config::default() }
    }

    #[test]
    fn sound_of_a_carrier_that_uses_another_address_arrives_whatever_interface_it_comes_in_by() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(rtp_address(&with_trunks(None), loopback), loopback);
        assert_eq!(rtp_address(&with_trunks(Some("127.0.0.1")), loopback), loopback);
        assert!(rtp_address(&with_trunks(Some("203.0.113.77")), loopback).is_unspecified());
        let other_family = with_trunks(Some("2001:db8::7"));
        assert_eq!(rtp_address(&other_family, loopback), loopback, "it cannot be used for sound");
    }
}
