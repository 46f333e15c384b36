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
    event::{Path, Target},
    fields::{self, SipUri},
};

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
}

impl Endpoint {
    pub(super) fn route(&mut self, now: Instant, target: Target<'_>) -> Result<Route, CommandError> {
        match target {
            Target::Agent(user) => self.route_to_agent(user),
            Target::Phone { uri } => self.route_to_phone(now, uri),
            Target::Trunk { .. } => Err(CommandError::NoGateway),
        }
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
        if self.config.local(transport, None).is_none() {
            return Err(CommandError::NoLocalAddress);
        }
        Ok(self.connect(now, remote, transport))
    }
}
