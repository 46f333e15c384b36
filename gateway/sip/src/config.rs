//! What the endpoint must be told: addresses, trusted sources, agents' accounts, timers and limits.
//!
//! Reading a file is the business of the crate `config`; here are plain values with sound defaults.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;

use crate::{
    auth::{Algorithm, Secret},
    limits::Rate,
    trunk::TrunkConfig,
};

/// How bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A plain stream.
    Tcp,
    /// A stream in TLS; the caller does the TLS.
    Tls,
    /// WebSocket messages, one SIP message each (RFC 7118); the caller does the WebSocket.
    Ws,
    /// The same in TLS.
    Wss,
}

impl Transport {
    /// The token of the Via header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// Whether the transport itself repeats what is lost.
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// Whether messages come whole, so that nothing has to be cut out of a stream (RFC 7118 §4.2).
    pub(crate) fn keeps_boundaries(self) -> bool {
        matches!(self, Self::Udp | Self::Ws | Self::Wss)
    }

    /// Whether we may open a connection of this kind. A browser cannot be called: only its own connection,
    /// its flow, leads to it (RFC 7118 §5.2).
    pub(crate) fn can_connect(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    /// The port of a URI that writes none (RFC 3261 §19.1.2, RFC 7118 §5.3).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// What a URI's `transport` parameter says, case ignored; `None` for one we do not know.
    pub fn of_parameter(text: &str) -> Option<Self> {
        let known = [("udp", Self::Udp), ("tcp", Self::Tcp), ("tls", Self::Tls), ("ws", Self::Ws)];
        known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, transport)| transport)
    }

    pub(crate) fn uri_parameter(self) -> &'static str {
        match self {
            Self::Udp => "",
            Self::Tcp => ";transport=tcp",
            Self::Tls => ";transport=tls",
            // RFC 7118 §5.2.4: the parameter is the same with and without TLS.
            Self::Ws | Self::Wss => ";transport=ws",
        }
    }
}

/// One socket the caller listens on.
#[derive(Clone, Debug)]
pub struct LocalAddress {
    /// The kind of socket.
    pub transport: Transport,
    /// Where it is bound: `Input::Datagram::local` and `Input::StreamOpened::local` are compared with it.
    pub listen: SocketAddr,
    /// `host` or `host:port` written into Via and Contact; `None` writes `listen`.
    pub external: Option<String>,
}

impl LocalAddress {
    pub(crate) fn advertised(&self) -> String {
        self.external.clone().unwrap_or_else(|| self.listen.to_string())
    }
}

/// An agent's SIP phone.
#[derive(Clone, Debug)]
pub struct AgentAccount {
    /// The user part of the address of record and the digest user name.
    pub user: String,
    /// The password or its HA1.
    pub secret: Secret,
    /// How many contacts may ring; the newest win. Default 1 is set by [`AgentAccount::new`].
    pub max_contacts: usize,
}

impl AgentAccount {
    /// An account with one phone.
    pub fn new(user: impl Into<String>, secret: Secret) -> Self {
        Self { user: user.into(), secret, max_contacts: 1 }
    }
}

/// [RFC 3261 table 4](https://www.rfc-editor.org/rfc/rfc3261#appendix-A).
#[derive(Clone, Copy, Debug)]
pub struct TimerConfig {
    /// Round-trip estimate, 500 ms.
    pub t1: Duration,
    /// Longest interval between repeats, 4 s.
    pub t2: Duration,
    /// How long a message may live in the network, 5 s.
    pub t4: Duration,
    /// How long a call may wait for its answer, either way, 10 min.
    pub setup_limit: Duration,
    /// How long a connection that we ask for may take to stand, 5 s.
    pub connect_limit: Duration,
}

impl TimerConfig {
    /// 64*T1: how long a transaction waits for the other side.
    pub fn give_up(&self) -> Duration {
        self.t1.saturating_mul(64)
    }
}

impl Default for TimerConfig {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            setup_limit: Duration::from_secs(600),
            connect_limit: Duration::from_secs(5),
        }
    }
}

/// Whether ringing is sent reliably (100rel, [RFC 3262](https://www.rfc-editor.org/rfc/rfc3262)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reliability {
    /// Not at all: `Require: 100rel` gets 420.
    Off,
    /// Towards whoever requires it, and early media (183) towards whoever supports it.
    #[default]
    Supported,
    /// Towards everyone: an INVITE that does not support it gets 421.
    Demanded,
}

/// Everything the endpoint needs. Start from `EndpointConfig::default()`.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The text of `Server` and `User-Agent`.
    pub user_agent: String,
    /// The digest realm and the domain of our own addresses.
    pub realm: String,
    /// The digest algorithms offered to agents' phones and accepted from them, the preferred one first.
    pub digest: Vec<Algorithm>,
    /// The sockets, the preferred one of each transport first.
    pub local: Vec<LocalAddress>,
    /// Who may send calls.
    pub trunks: Vec<TrunkConfig>,
    /// Who may register.
    pub agents: Vec<AgentAccount>,
    /// Agents' phones may call us (with their secret); default false: such an INVITE gets no answer.
    pub agent_calls: bool,
    /// Where agents' phones may register from.
    pub agent_networks: Vec<IpNet>,
    /// Timers.
    pub timers: TimerConfig,
    /// Reliable ringing.
    pub reliability: Reliability,
    /// The session interval asked for and granted at most (RFC 4028), in seconds; `None` turns session timers
    /// off.
    pub session_expires: Option<u32>,
    /// The shortest session interval accepted (else 422), in seconds; at least 90.
    pub min_se: u32,
    /// Calls at the same time, both directions together; above it 503.
    pub max_calls: usize,
    /// Finally answered INVITEs without an ACK from one source address; above it 503.
    pub max_unacked_per_source: usize,
    /// The same over all sources.
    pub max_unacked: usize,
    /// New calls and registrations of one source address; above it 503. `None`: no limit.
    pub source_rate: Option<Rate>,
    /// New calls of all sources together; above it 503. `None`: no limit.
    pub invite_rate: Option<Rate>,
    /// Largest message in bytes; a longer one is refused.
    pub max_message_bytes: usize,
    /// Stream connections kept; more are not served.
    pub max_connections: usize,
    /// Retry-After of an overload 503, in seconds.
    pub overload_retry_after: u32,
    /// Shortest registration accepted (else 423), in seconds.
    pub min_expires: u32,
    /// Longest registration granted, in seconds.
    pub max_expires: u32,
    /// Registration granted when the phone asks for none, in seconds.
    pub default_expires: u32,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            user_agent: "jiesu".to_owned(),
            realm: "jiesu".to_owned(),
            digest: vec![Algorithm::Sha256, Algorithm::Md5],
            local: Vec::new(),
            trunks: Vec::new(),
            agents: Vec::new(),
            agent_calls: false,
            agent_networks: Vec::new(),
            timers: TimerConfig::default(),
            reliability: Reliability::Supported,
            session_expires: Some(1_800),
            min_se: 90,
            max_calls: 2_000,
            max_unacked_per_source: 500,
            max_unacked: 2_000,
            source_rate: None,
            invite_rate: None,
            max_message_bytes: 64 * 1024,
            max_connections: 2_000,
            overload_retry_after: 10,
            min_expires: 30,
            max_expires: 3_600,
            default_expires: 300,
        }
    }
}

impl EndpointConfig {
    pub(crate) fn is_agent_network(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.agent_networks.iter().any(|network| network.contains(&source))
    }

    /// The listener of that kind that can speak to `remote`: of the same family.
    pub(crate) fn local_towards(&self, transport: Transport, remote: SocketAddr) -> Option<&LocalAddress> {
        let mut same = self.local.iter().filter(|local| local.transport == transport);
        same.find(|local| local.listen.is_ipv4() == remote.is_ipv4())
    }
}
