//! The gateways of the trunks: their names and addresses, probes, and what their answers say of their health.
//!
//! The rules are in `trunk/health.rs`; this file moves them. Nothing here happens before [`Endpoint::start`], so
//! that a rig without carriers stays silent.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::Endpoint;
use crate::{
    config::Transport,
    event::{Event, Path},
    fields,
    message::{Message, Method},
    timers::{Timer, TimerKey},
    transaction::Purpose,
    trunk::{
        GatewayConfig, GatewayState, TrunkConfig,
        choice::{Candidate, order},
        credentials::Proof,
        health::{Health, Sign},
        uri_host,
    },
};

/// How often names are looked up anew.
const RESOLVE_EVERY: Duration = Duration::from_secs(60);

/// What is known of one gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) trunk: String,
    pub(super) config: GatewayConfig,
    /// Where it may be; the one in use first.
    addresses: Vec<SocketAddr>,
    health: Health,
    pub(super) proof: Proof,
    /// What the last probe came to.
    answered: Option<bool>,
    probe: Option<TimerKey>,
    resume: Option<TimerKey>,
}

/// All gateways, by a number of their own, so that timers and calls survive a reload.
pub(super) type Gateways = BTreeMap<u64, Gateway>;

impl Endpoint {
    /// Begins to probe gateways, to look names up and to register with carriers. Call it once, before the loop.
    pub fn start(&mut self, now: Instant) {
        self.epoch.get_or_insert(now);
        self.started = true;
        let ids: Vec<u64> = self.gateways.keys().copied().collect();
        for id in ids {
            self.schedule_probe(now, id, Duration::ZERO);
        }
        self.on_resolve(now);
        self.begin_registrations(now);
    }

    /// New trunks from now on; calls in progress go on, gateways that stay keep their state.
    pub fn set_trunks(&mut self, now: Instant, trunks: Vec<TrunkConfig>) {
        self.config.trunks = trunks;
        let before = std::mem::take(&mut self.gateways);
        self.load_gateways(before);
        if self.started {
            self.start(now);
        }
    }

    /// Makes the table fit the configuration; what was there before and still is keeps its number and state.
    pub(super) fn load_gateways(&mut self, mut before: Gateways) {
        for index in 0..self.config.trunks.len() {
            let Some(trunk) = self.config.trunks.get(index) else { continue };
            let name = trunk.name.clone();
            for config in trunk.gateways.clone() {
                let known = before.iter().find(|(_, old)| {
                    old.trunk == name
                        && old.config.address == config.address
                        && old.config.transport == config.transport
                });
                let known = known.map(|(id, _)| *id).and_then(|id| Some((id, before.remove(&id)?)));
                let (id, gateway) = match known {
                    Some((id, old)) => (id, Gateway { config, ..old }),
                    None => (self.fresh_id(), Gateway::new(&name, config)),
                };
                self.gateways.insert(id, gateway);
            }
        }
        for gone in before.into_values() {
            self.timers.cancel(gone.probe);
            self.timers.cancel(gone.resume);
        }
        self.load_addresses();
    }

    fn load_addresses(&mut self) {
        let trunk_of = |gateway: &Gateway| gateway.trunk.clone();
        self.gateway_addresses = self
            .gateways
            .values()
            .flat_map(|gateway| {
                gateway.addresses.iter().map(|at| (at.ip().to_canonical(), trunk_of(gateway)))
            })
            .collect();
    }

    /// The addresses of a name asked for by [`Event::Resolve`]; empty when there are none.
    pub fn set_addresses(&mut self, now: Instant, host: &str, addresses: &[IpAddr]) {
        let ids: Vec<u64> = self
            .gateways
            .iter()
            .filter(|(_, gateway)| gateway.config.host().eq_ignore_ascii_case(host))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            let Some(gateway) = self.gateways.get_mut(&id) else { continue };
            let port = gateway.config.port();
            let in_use = gateway.addresses.first().copied();
            let mut new: Vec<SocketAddr> = addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
            // The one in use stays in use while the name still means it; a name that cannot be looked up for a
            // while does not take the gateway away.
            new.sort_by_key(|address| Some(*address) != in_use);
            let first = gateway.addresses.is_empty();
            if !new.is_empty() {
                gateway.addresses = new;
            } else if first {
                self.tell_gateway(id, false, "unresolved");
            }
            if first && !addresses.is_empty() && self.started {
                self.schedule_probe(now, id, Duration::ZERO);
            }
        }
        self.load_addresses();
        if self.started {
            self.begin_registrations(now);
        }
    }

    /// Every gateway and whether calls may go through it.
    pub fn trunk_states(&self, now: Instant) -> Vec<GatewayState> {
        self.gateways
            .iter()
            .map(|(id, gateway)| GatewayState {
                trunk: gateway.trunk.clone(),
                gateway: gateway.config.address.clone(),
                up: gateway.health.is_up(now) && !gateway.addresses.is_empty(),
                address: gateway.addresses.first().copied(),
                answered: gateway.answered,
                registered: self.is_registered(&gateway.trunk, *id),
            })
            .collect()
    }

    /// The gateways of a trunk that would take a call now, in the order of trying.
    pub fn gateways_in_order(&mut self, now: Instant, trunk: &str) -> Vec<GatewayState> {
        let states = self.trunk_states(now);
        let ids: Vec<u64> = self.gateways.keys().copied().collect();
        let order = self.gateway_order(now, trunk);
        // `trunk_states` follows the order of the table.
        let state =
            |id: &u64| ids.iter().position(|known| known == id).and_then(|at| states.get(at).cloned());
        order.iter().filter_map(state).collect()
    }

    /// The trunk a source belongs to: by its networks, or because it is one of its gateways.
    pub(super) fn trunk_at(&self, source: IpAddr) -> Option<&TrunkConfig> {
        let source = source.to_canonical();
        let trunks = &self.config.trunks;
        let by_network = || trunks.iter().find(|trunk| trunk.from.iter().any(|net| net.contains(&source)));
        let by_gateway = || {
            let name = self.gateway_addresses.get(&source)?;
            trunks.iter().find(|trunk| trunk.name == *name)
        };
        by_network().or_else(by_gateway)
    }

    pub(super) fn trunk_named(&self, name: &str) -> Option<&TrunkConfig> {
        self.config.trunks.iter().find(|trunk| trunk.name == name)
    }

    /// `host:port` of ours in Via and Contact towards that peer.
    pub(super) fn host_towards(
        &self,
        transport: Transport,
        at: Option<SocketAddr>,
        remote: SocketAddr,
    ) -> Option<String> {
        let own =
            self.config.local.iter().find(|local| local.transport == transport && Some(local.listen) == at);
        let local = own.or_else(|| self.config.local_towards(transport, remote))?;
        let external = self.trunk_at(remote.ip()).and_then(|trunk| trunk.external.as_deref());
        Some(match external.map(|host| (host, fields::host_and_port(host))) {
            Some((host, Some((_, Some(_))))) => host.to_owned(),
            Some((host, _)) => format!("{host}:{}", local.listen.port()),
            None => local.advertised(),
        })
    }

    /// The gateways of a trunk that take calls, in the order of trying.
    pub(super) fn gateway_order(&mut self, now: Instant, trunk: &str) -> Vec<u64> {
        let Some(health) = self.trunk_named(trunk).map(|trunk| trunk.health) else { return Vec::new() };
        let candidates: Vec<Candidate> = self
            .gateways
            .iter()
            .filter(|(_, gateway)| gateway.trunk == trunk && !gateway.addresses.is_empty())
            .filter(|(_, gateway)| gateway.health.takes_calls(now, &health))
            .map(|(id, gateway)| Candidate {
                id: *id,
                priority: gateway.config.priority,
                weight: gateway.config.weight,
            })
            .collect();
        let mut ordered = order(candidates, |limit| self.tokens.below(limit));
        // The carrier knows us where we are registered.
        ordered.sort_by_key(|id| self.is_registered(trunk, *id) == Some(false));
        ordered
    }

    /// The way to a gateway, and the transport.
    pub(super) fn way_to_gateway(&mut self, now: Instant, id: u64) -> Option<(Path, Transport)> {
        let gateway = self.gateways.get(&id)?;
        let (transport, remote) = (gateway.config.transport, *gateway.addresses.first()?);
        self.way_to(now, transport, remote).ok().map(|path| (path, transport))
    }

    pub(super) fn gateway_address(&self, id: u64) -> Option<SocketAddr> {
        self.gateways.get(&id)?.addresses.first().copied()
    }

    /// The host of a Request-URI to that gateway: the carrier's domain, else its address.
    pub(super) fn gateway_host(&self, id: u64) -> Option<String> {
        let gateway = self.gateways.get(&id)?;
        let domain = self.trunk_named(&gateway.trunk).and_then(|trunk| trunk.domain.clone());
        let written = || match gateway.config.literal() {
            Some(address) if address.port() == gateway.config.transport.default_port() => {
                uri_host(address.ip())
            }
            _ => gateway.config.address.clone(),
        };
        Some(domain.unwrap_or_else(written))
    }

    /// What a request to the gateway came to: `None` for nothing at all.
    pub(super) fn judge_gateway(&mut self, now: Instant, id: u64, response: Option<&Message>, probe: bool) {
        let Some(trunk) = self.gateways.get(&id).and_then(|gateway| self.trunk_named(&gateway.trunk)) else {
            return;
        };
        let config = trunk.health;
        let status = response.and_then(Message::status);
        let wait = response.filter(|_| status == Some(503)).and_then(retry_after);
        let Some(gateway) = self.gateways.get_mut(&id) else { return };
        if probe {
            gateway.answered = Some(response.is_some());
        }
        if let Some(wait) = wait {
            let until = now + wait.min(config.retry_after_limit);
            let changed = gateway.health.pause(now, until);
            let old = gateway.resume.replace(self.timers.set(until, Timer::GatewayResume(id)));
            self.timers.cancel(old);
            if changed.is_some() {
                self.tell_gateway(id, false, "retry-after");
            }
            return;
        }
        let sign = if matches!(status, None | Some(408 | 503)) { Sign::Failed } else { Sign::Alive };
        if sign == Sign::Failed && gateway.addresses.len() > 1 {
            // A name with several addresses: the next one has its turn.
            gateway.addresses.rotate_left(1);
        }
        let changed = match probe {
            true => gateway.health.probed(now, sign, &config),
            false => gateway.health.called(now, sign, &config),
        };
        if let Some(up) = changed {
            let reason = match (up, probe) {
                (true, _) => "answered",
                (false, true) => "probe",
                (false, false) => "calls",
            };
            self.tell_gateway(id, up, reason);
        }
    }

    pub(super) fn on_gateway_resume(&mut self, now: Instant, id: u64) {
        let Some(gateway) = self.gateways.get_mut(&id) else { return };
        gateway.resume = None;
        if gateway.health.resume(now).is_some() {
            self.tell_gateway(id, true, "retry-after");
        }
    }

    fn tell_gateway(&mut self, id: u64, up: bool, reason: &'static str) {
        let Some(gateway) = self.gateways.get(&id) else { return };
        let (trunk, gateway) = (gateway.trunk.clone(), gateway.config.address.clone());
        self.emit(Event::TrunkGateway { trunk, gateway, up, reason });
    }

    fn schedule_probe(&mut self, now: Instant, id: u64, wait: Duration) {
        let every = self
            .gateways
            .get(&id)
            .and_then(|gateway| self.trunk_named(&gateway.trunk))
            .and_then(|trunk| trunk.health.probe_every);
        if every.is_none() {
            return;
        }
        let timer = self.timers.set(now + wait, Timer::Probe(id));
        let old = self.gateways.get_mut(&id).and_then(|gateway| gateway.probe.replace(timer));
        self.timers.cancel(old);
    }

    pub(super) fn on_probe(&mut self, now: Instant, id: u64) {
        let Some(gateway) = self.gateways.get_mut(&id) else { return };
        gateway.probe = None;
        let name = gateway.trunk.clone();
        let Some(trunk) = self.trunk_named(&name) else { return };
        let (health, own) = (trunk.health, trunk.caller_id.number.clone());
        let Some(host) = self.gateway_host(id) else { return };
        let every = health.probe_every.unwrap_or(RESOLVE_EVERY);
        let jitter = every.mul_f64(f64::from(self.tokens.below(200)) / 1_000.0);
        let sent = self.way_to_gateway(now, id).and_then(|(path, _)| {
            let user = own.map(|number| format!("{}@", fields::escape_user(&number))).unwrap_or_default();
            let request = self.request_outside(Method::Options, &format!("sip:{host}"), path, &user, 1)?;
            let client = self.begin_client(now, request, path, Purpose::Probe(id))?;
            self.limit_client(now, client, health.probe_limit);
            Some(())
        });
        if sent.is_none() {
            self.judge_gateway(now, id, None, true);
        }
        self.schedule_probe(now, id, every.mul_f64(0.9) + jitter);
    }

    /// A request outside of any call: `user` is the user part of From with its `@`, or empty.
    pub(super) fn request_outside(
        &mut self,
        method: Method,
        uri: &str,
        path: Path,
        user: &str,
        cseq: u32,
    ) -> Option<Message> {
        let via = self.new_via(path)?;
        let (transport, at) = self.path_transport(path)?;
        let host = self.host_towards(transport, at, self.path_remote(path)?)?;
        let (call_id, tag) = (self.tokens.next(), self.tokens.next());
        let cseq = format!("{cseq} {}", method.as_str());
        let mut request = Message::request(method, uri);
        request.push("Via", via);
        request.push("Max-Forwards", "70");
        request.push("From", format!("<sip:{user}{host}>;tag={tag}"));
        request.push("To", format!("<{uri}>"));
        request.push("Call-ID", format!("{call_id}@{}", self.config.realm));
        request.push("CSeq", cseq);
        request.push("Contact", format!("<sip:{user}{host}{}>", transport.uri_parameter()));
        request.push("User-Agent", self.config.user_agent.clone());
        Some(request)
    }

    pub(super) fn path_remote(&self, path: Path) -> Option<SocketAddr> {
        match path {
            Path::Udp { remote, .. } => Some(remote),
            Path::Stream { connection } => self.connections.get(&connection).map(|stream| stream.remote),
        }
    }

    /// Asks for the addresses of all names, and again in a minute.
    pub(super) fn on_resolve(&mut self, now: Instant) {
        let mut names: Vec<String> = self
            .gateways
            .values()
            .filter(|gateway| gateway.config.literal().is_none())
            .map(|gateway| gateway.config.host().to_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        let old = self.resolve.take();
        self.timers.cancel(old);
        if names.is_empty() {
            return;
        }
        for host in names {
            self.emit(Event::Resolve { host });
        }
        self.resolve = Some(self.timers.set(now + RESOLVE_EVERY, Timer::Resolve));
    }
}

impl Gateway {
    pub(super) fn is_at(&self, remote: SocketAddr) -> bool {
        self.addresses.contains(&remote)
    }

    fn new(trunk: &str, config: GatewayConfig) -> Self {
        Self {
            trunk: trunk.to_owned(),
            addresses: config.literal().into_iter().collect(),
            config,
            health: Health::default(),
            proof: Proof::default(),
            answered: None,
            probe: None,
            resume: None,
        }
    }
}

/// Retry-After in seconds; comments and parameters may follow (RFC 3261 §20.33).
fn retry_after(response: &Message) -> Option<Duration> {
    let text = response.value("Retry-After")?;
    let digits = text.split([';', '(', ' ']).next().unwrap_or_default();
    fields::seconds(digits).map(|seconds| Duration::from_secs(u64::from(seconds)))
}
