//! From the target of an outgoing call to its Request-URI and the way there.
//!
//! An agent is reached over the flow its phone registered on, never at the address it claims: what a browser or
//! a phone behind NAT writes (`….invalid`, RFC 7118 §5.2; private addresses) is not resolved. A fixed phone is
//! reached at its literal address, over a connection we have already if it is a stream (RFC 3261 §18.1.1).

use std::{net::SocketAddr, time::Instant};

use super::Endpoint;
use crate::{
    config::Transport,
    error::CommandError,
    event::{Invitation, Path, Target},
    fields::{self, SipUri},
    trunk::{
        caller::{CallerHeaders, caller_headers},
        number::user_part,
    },
};

/// The longest number that is dialled.
const MAX_NUMBER: usize = 40;

/// Where an outgoing call goes.
pub(super) struct Route {
    pub(super) path: Path,
    pub(super) transport: Transport,
    /// The Request-URI.
    pub(super) uri: String,
    /// The URI of To.
    pub(super) to: String,
    /// The agent, for finding a new flow when the old one breaks.
    pub(super) agent: Option<String>,
    /// The address, where it is not an agent's.
    pub(super) peer: Option<SocketAddr>,
    /// Through a trunk: what its manner makes of the caller, and the gateways to try.
    pub(super) through: Option<Through>,
}

/// What a call through a trunk has besides.
pub(super) struct Through {
    pub(super) caller: CallerHeaders,
    /// The user of our Contact.
    pub(super) contact: Option<String>,
    pub(super) gateway: u64,
    /// The others, the next one last.
    pub(super) left: Vec<u64>,
    /// The number dialled, with the parameters of its URI.
    pub(super) user: (String, &'static str),
    pub(super) symmetric: bool,
}

impl Endpoint {
    pub(super) fn route(&mut self, now: Instant, invitation: &Invitation<'_>) -> Result<Route, CommandError> {
        match invitation.target {
            Target::Agent(user) => self.route_to_agent(user),
            Target::Phone { uri } => self.route_to_phone(now, uri),
            Target::Trunk { trunk, number } => self.route_through(now, trunk, number, invitation),
        }
    }

    fn route_through(
        &mut self,
        now: Instant,
        name: &str,
        number: &str,
        invitation: &Invitation<'_>,
    ) -> Result<Route, CommandError> {
        let dialable = |character: char| character.is_ascii_alphanumeric() || "+*#-.() ".contains(character);
        if number.is_empty() || number.len() > MAX_NUMBER || !number.chars().all(dialable) {
            return Err(CommandError::BadTarget);
        }
        let mut left = self.gateway_order(now, name);
        left.reverse();
        while let Some(gateway) = left.pop() {
            let Some((path, transport)) = self.way_to_gateway(now, gateway) else { continue };
            let (Some(host), Some(remote)) = (self.gateway_host(gateway), self.gateway_address(gateway))
            else {
                continue;
            };
            let at = self.path_transport(path).and_then(|(_, at)| at);
            let ours = self.host_towards(transport, at, remote).ok_or(CommandError::NoLocalAddress)?;
            let trunk = self.trunk_named(name).ok_or(CommandError::NoGateway)?;
            let user = user_part(number, &trunk.manner, &trunk.area_code);
            let uri = format!("sip:{}@{host}{}", user.0, user.1);
            // The carrier knows us by its own domain, else by our address.
            let from_host = trunk.domain.clone().unwrap_or_else(|| host_of(&ours));
            let caller = caller_headers(
                trunk,
                invitation.caller_user,
                invitation.caller_display,
                invitation.privacy,
                &from_host,
            );
            let through = Through {
                caller,
                contact: trunk.registration.as_ref().map(|registration| registration.user.clone()),
                gateway,
                left,
                user,
                symmetric: trunk.symmetric || trunk.manner.symmetric,
            };
            return Ok(Route {
                path,
                transport,
                to: uri.clone(),
                uri,
                agent: None,
                peer: Some(remote),
                through: Some(through),
            });
        }
        Err(CommandError::NoGateway)
    }

    fn route_to_agent(&self, user: &str) -> Result<Route, CommandError> {
        let binding = self.registrar.newest(user).ok_or(CommandError::NotRegistered)?;
        let (transport, _) = self.path_transport(binding.path).ok_or(CommandError::NotRegistered)?;
        Ok(Route {
            path: binding.path,
            transport,
            uri: binding.contact.clone(),
            to: format!("sip:{}@{}", fields::escape_user(user), self.config.realm),
            agent: Some(user.to_owned()),
            peer: None,
            through: None,
        })
    }

    fn route_to_phone(&mut self, now: Instant, uri: &str) -> Result<Route, CommandError> {
        let parsed = SipUri::parse(uri).ok_or(CommandError::BadTarget)?;
        let sound = !uri.contains(|c: char| c.is_control() || c.is_whitespace() || "<>\"".contains(c));
        let secure = uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"));
        let transport = match parsed.parameter("transport") {
            None if secure => Transport::Tls,
            None => Transport::Udp,
            Some(name) => Transport::of_parameter(name).ok_or(CommandError::BadTarget)?,
        };
        let ip = fields::literal(parsed.host).filter(|_| sound).ok_or(CommandError::BadTarget)?;
        let remote = SocketAddr::new(ip, parsed.port.unwrap_or(transport.default_port()));
        let path = self.way_to(now, transport, remote)?;
        Ok(Route {
            path,
            transport,
            uri: uri.to_owned(),
            to: uri.to_owned(),
            agent: None,
            peer: Some(remote),
            through: None,
        })
    }

    /// The way to an address: a datagram from the listener of its family, or a connection, reused if we opened
    /// one before.
    pub(super) fn way_to(
        &mut self,
        now: Instant,
        transport: Transport,
        remote: SocketAddr,
    ) -> Result<Path, CommandError> {
        if transport == Transport::Udp {
            let local = self.config.local_towards(transport, remote).ok_or(CommandError::NoLocalAddress)?;
            return Ok(Path::Udp { local: local.listen, remote });
        }
        if !transport.can_connect() {
            return Err(CommandError::BadTarget);
        }
        if self.config.local_towards(transport, remote).is_none() {
            return Err(CommandError::NoLocalAddress);
        }
        Ok(self.connect(now, remote, transport))
    }
}

/// The host of `host:port`.
fn host_of(text: &str) -> String {
    fields::host_and_port(text).map_or(text, |(host, _)| host).to_owned()
}
