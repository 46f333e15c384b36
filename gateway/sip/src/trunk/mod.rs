//! A carrier's side: who may send calls, through which gateways ours go out, and in what manner.
//!
//! Values and small pure machines: `choice` orders gateways, `health` says which are up, `number` and
//! `caller` write numbers and identities as the carrier wants them, `profile` names its manners,
//! `credentials` answers its challenges. What moves them is in `endpoint/{trunks,attempt,trunk_register}.rs`.

pub(crate) mod caller;
pub(crate) mod choice;
pub(crate) mod credentials;
pub(crate) mod health;
pub(crate) mod number;
pub mod profile;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;

pub use profile::{CallerIdentity, DtmfPreference, Manner, NumberFormat, PrivacyStyle, Profile, Reliable};

use crate::{auth::Secret, config::Transport, fields};

/// A carrier's or PBX's side.
#[derive(Clone, Debug, Default)]
pub struct TrunkConfig {
    /// The name used in events, logs and metrics.
    pub name: String,
    /// The source networks of this trunk; the first trunk that matches a source wins. The addresses of its
    /// gateways belong to it as well.
    pub from: Vec<IpNet>,
    /// Send requests inside a call to the address the call came from and not to the peer's Contact
    /// (for a peer that writes a private address there). Default false, as RFC 3261 §12.2.1.1 wants.
    pub symmetric: bool,
    /// Where calls through this trunk go; none means that it only brings calls.
    pub gateways: Vec<GatewayConfig>,
    /// Proof of who we are, where the carrier asks (401, 407).
    pub credentials: Option<TrunkCredentials>,
    /// Our own registration with the carrier.
    pub registration: Option<RegistrationConfig>,
    /// The carrier's domain, the host of From, To and Request-URI; the gateway's address when absent.
    pub domain: Option<String>,
    /// The host this peer must use for us, in Via and Contact, where it is another than for the rest.
    pub external: Option<String>,
    /// How it wants numbers, identities and the rest.
    pub manner: Manner,
    /// Which number calls through this trunk show.
    pub caller_id: CallerId,
    /// The area code of local numbers, with its zero (`0471`).
    pub area_code: String,
    /// Probing, failover and recovery.
    pub health: HealthConfig,
}

/// One address of a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// `host` or `host:port`, IPv6 in brackets. A host that is no literal address is asked for by
    /// [`crate::Event::Resolve`]. It names the gateway in events and metrics.
    pub address: String,
    /// How it is spoken to: UDP, TCP or TLS.
    pub transport: Transport,
    /// Lower is tried first.
    pub priority: u16,
    /// The share of calls among gateways of the same priority (RFC 2782).
    pub weight: u16,
}

impl GatewayConfig {
    /// A gateway of priority 0 and weight 1.
    pub fn new(address: impl Into<String>, transport: Transport) -> Self {
        Self { address: address.into(), transport, priority: 0, weight: 1 }
    }

    /// The host without its port.
    pub fn host(&self) -> &str {
        fields::host_and_port(&self.address).map_or(self.address.as_str(), |(host, _)| host)
    }

    /// The port, the transport's own if none is written.
    pub fn port(&self) -> u16 {
        let port = fields::host_and_port(&self.address).and_then(|(_, port)| port);
        port.unwrap_or(self.transport.default_port())
    }

    /// The address, if the host is a literal one.
    pub fn literal(&self) -> Option<SocketAddr> {
        fields::literal(self.host()).map(|ip| SocketAddr::new(ip, self.port()))
    }
}

/// A digest user.
#[derive(Clone, Debug)]
pub struct TrunkCredentials {
    /// The digest user name.
    pub user: String,
    /// The password or its HA1.
    pub secret: Secret,
}

/// A registration of ours with a carrier.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistrationConfig {
    /// The user part of the address of record.
    pub user: String,
    /// How long a registration is asked for, in seconds.
    pub expires_s: u32,
}

impl std::fmt::Debug for RegistrationConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The user is a telephone number at most carriers.
        write!(f, "RegistrationConfig({} s)", self.expires_s)
    }
}

/// Which number calls through a trunk show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CallerId {
    /// Our own number at this carrier; without one the call is anonymous unless a number is passed through.
    pub number: Option<String>,
    /// What is shown.
    pub presentation: Presentation,
}

impl std::fmt::Debug for CallerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallerId({:?})", self.presentation)
    }
}

/// Whose number a call through a trunk shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presentation {
    /// Always our own.
    #[default]
    Own,
    /// Nobody's.
    Restricted,
    /// The one given with the call (the citizen's, at a transfer), else our own. Only where the carrier has
    /// agreed to it.
    PassThrough,
}

/// When a gateway is taken out of use and when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthConfig {
    /// Time between OPTIONS; `None` probes nothing.
    pub probe_every: Option<Duration>,
    /// How long the answer to a probe may take.
    pub probe_limit: Duration,
    /// So many failures in a row, of probes or calls, take a gateway out of use.
    pub down_after: u32,
    /// So many answered probes in a row bring it back.
    pub up_after: u32,
    /// Without probes: how long it stays out of use before a call may try it again.
    pub rest: Duration,
    /// How long an INVITE may stay without any answer before the next gateway is tried.
    pub answer_limit: Duration,
    /// The longest Retry-After that is honoured.
    pub retry_after_limit: Duration,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            probe_every: Some(Duration::from_secs(30)),
            probe_limit: Duration::from_secs(4),
            down_after: 3,
            up_after: 2,
            rest: Duration::from_secs(30),
            answer_limit: Duration::from_secs(4),
            retry_after_limit: Duration::from_secs(300),
        }
    }
}

/// What is known of one gateway now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayState {
    /// The trunk's name.
    pub trunk: String,
    /// The gateway's address, as configured.
    pub gateway: String,
    /// Whether calls may go through it.
    pub up: bool,
    /// Where it is, once its name is resolved.
    pub address: Option<SocketAddr>,
    /// Whether the last probe was answered; `None` before the first one came to something.
    pub answered: Option<bool>,
    /// Whether it holds our registration; `None` when we register nowhere.
    pub registered: Option<bool>,
}

/// The host of a URI: an IPv6 address needs its brackets.
pub(crate) fn uri_host(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    }
}
