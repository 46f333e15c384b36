//! The sections that belong to no single crate: node, sockets, trunks, agents, API.
//! What belongs to one (call, lists, speech, channels, sinks) has its type beside the component.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gateway_sip::Transport;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A text that must not be printed: `Debug` hides it, and `config print` writes it only unredacted.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

/// `[node]`: this machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// Name of the node in records and metrics, unique in the installation.
    pub name: String,
    /// Where records, recordings and models lie.
    pub data_dir: PathBuf,
    /// Division code of the jurisdiction (GB/T 2260), 6, 9 or 12 digits. Hohhot is 150100.
    pub jurisdiction: String,
    /// Area code for local numbers, with the leading zero.
    pub area_code: String,
    /// Secret of the keyed identity hashes; all nodes of an installation share it. Made once and kept in
    /// `data_dir/secrets.toml` when absent.
    pub identity_key: Option<Secret>,
    /// Marks every record as a drill (`test: true`).
    pub test: bool,
    /// Retention class written into the records.
    pub retention: String,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            name: "gw-1".into(),
            data_dir: "jiesu-data".into(),
            jurisdiction: "150100".into(),
            area_code: "0471".into(),
            identity_key: None,
            test: false,
            retention: "class-B".into(),
        }
    }
}

/// `[http]`: webhooks, API and console.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Proxies whose `Forwarded`/`X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests in work at once; more are answered 503.
    pub max_concurrent: usize,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            trusted_proxies: Vec::new(),
            max_concurrent: 512,
        }
    }
}

/// `[metrics]`: the Prometheus listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Address of `/metrics`.
    pub listen: SocketAddr,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9464)) }
    }
}

/// A SIP listener, written `udp:127.0.0.1:5060`; `tcp`, `tls`, `ws` and `wss` alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listen {
    /// A UDP socket.
    Udp(SocketAddr),
    /// A TCP listener.
    Tcp(SocketAddr),
    /// A TCP listener that speaks TLS.
    Tls(SocketAddr),
    /// A WebSocket listener (RFC 7118), for browsers behind a proxy that does the TLS.
    Ws(SocketAddr),
    /// A WebSocket listener in TLS.
    Wss(SocketAddr),
}

impl Listen {
    /// Where it is bound.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(at) | Self::Tcp(at) | Self::Tls(at) | Self::Ws(at) | Self::Wss(at) => *at,
        }
    }

    /// What it speaks.
    pub fn transport(&self) -> Transport {
        match self {
            Self::Udp(_) => Transport::Udp,
            Self::Tcp(_) => Transport::Tcp,
            Self::Tls(_) => Transport::Tls,
            Self::Ws(_) => Transport::Ws,
            Self::Wss(_) => Transport::Wss,
        }
    }

    /// A listener of that kind.
    pub fn new(transport: Transport, at: SocketAddr) -> Self {
        match transport {
            Transport::Udp => Self::Udp(at),
            Transport::Tcp => Self::Tcp(at),
            Transport::Tls => Self::Tls(at),
            Transport::Ws => Self::Ws(at),
            Transport::Wss => Self::Wss(at),
        }
    }

    /// Whether it needs `[sip.tls]`.
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::Wss(_))
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.transport().as_str().to_ascii_lowercase(), self.address())
    }
}

impl Serialize for Listen {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom("expected \"udp:ADDRESS:PORT\"; tcp, tls, ws and wss alike");
        let (transport, address) = text.split_once(':').ok_or_else(wrong)?;
        let address = address.parse().map_err(|_| wrong())?;
        let transport = match transport {
            "wss" => Transport::Wss,
            known => Transport::of_parameter(known).ok_or_else(wrong)?,
        };
        Ok(Self::new(transport, address))
    }
}

/// A digest algorithm of SIP (RFC 8760).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Digest {
    /// RFC 8760; newer phones.
    #[serde(rename = "sha-256")]
    Sha256,
    /// RFC 3261; every phone.
    #[serde(rename = "md5")]
    Md5,
}

/// `[sip]`: signalling.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SipConfig {
    /// Listeners.
    pub listen: Vec<Listen>,
    /// Our certificate, for `tls` and `wss` listeners.
    pub tls: Option<SipTlsConfig>,
    /// Pages that may connect by WebSocket, as browsers write them (`https://desk.example`); any when empty.
    pub websocket_origins: Vec<String>,
    /// Address written into Contact and Via when the carrier sees another than the socket's own.
    pub external_address: Option<IpAddr>,
    /// Digest realm of the agents' phones.
    pub realm: String,
    /// Digest algorithms offered to agents' phones and accepted from them, the preferred one first.
    pub digest: Vec<Digest>,
    /// Networks from which agents' phones may register. Anyone else gets no answer.
    pub agent_networks: Vec<IpNet>,
    /// Whether an agent's phone may call somebody else while it talks with a caller, to ask or to hand over.
    pub agent_calls: bool,
    /// Calls at once, agents' legs included; more are answered 503 with Retry-After.
    pub max_calls: usize,
    /// The session interval asked for and granted at most (RFC 4028); `"0s"` turns session timers off.
    #[serde(with = "record::units::duration")]
    pub session_expires: Duration,
    /// The shortest session interval accepted; a shorter one gets 422.
    #[serde(with = "record::units::duration")]
    pub min_se: Duration,
    /// Reliable ringing (100rel, RFC 3262).
    pub reliable_ringing: ReliableRinging,
    /// Limits by the second, and the share kept for lanes that go first.
    pub limits: LimitsConfig,
}

/// `[sip.tls]`: PEM files, read again when they change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SipTlsConfig {
    /// The certificate with its chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Authorities whose certificates peers may show; a bad one is refused.
    pub client_ca: Option<PathBuf>,
    /// Whether every peer must show one.
    #[serde(default)]
    pub require_client: bool,
}

/// `[sip.limits]`. 0 turns a limit off.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Of `max_calls`, so many are kept for lanes that go first, at most a tenth.
    pub reserve: usize,
    /// New calls a second of all together.
    pub calls_per_second: u32,
    /// New calls and registrations a second of one source address.
    pub source_per_second: u32,
    /// Calls a minute of one number; lanes that go first are not counted.
    pub caller_per_minute: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { reserve: 50, calls_per_second: 0, source_per_second: 0, caller_per_minute: 0 }
    }
}

impl Default for SipConfig {
    fn default() -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        Self {
            listen: vec![Listen::Udp(local), Listen::Tcp(local)],
            tls: None,
            websocket_origins: Vec::new(),
            external_address: None,
            realm: "jiesu".into(),
            digest: vec![Digest::Sha256, Digest::Md5],
            agent_networks: [
                "127.0.0.0/8",
                "10.0.0.0/8",
                "172.16.0.0/12",
                "192.168.0.0/16",
                "::1/128",
                "fc00::/7",
            ]
            .iter()
            .filter_map(|network| network.parse().ok())
            .collect(),
            agent_calls: true,
            max_calls: 2000,
            session_expires: Duration::from_secs(1800),
            min_se: Duration::from_secs(90),
            reliable_ringing: ReliableRinging::Supported,
            limits: LimitsConfig::default(),
        }
    }
}

/// Whether ringing is repeated until the other side confirms it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReliableRinging {
    /// Never; who requires it is refused with 420.
    Off,
    /// With who requires it, and for early media with who supports it.
    #[default]
    Supported,
    /// With everyone; who does not support it is refused with 421.
    Demanded,
}

/// `[prompts]`: what callers hear.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptsConfig {
    /// Folder of your own prompts: a file named like a shipped one (`notice.wav`, `waiting.ogg` …) replaces it.
    pub folder: Option<PathBuf>,
}

/// One of `[[agents]]`: a call-taker's SIP phone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// SIP user name, e.g. `1001`.
    pub user: String,
    /// Digest password.
    pub secret: Secret,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Sealed records, recordings and states.
    Supervisor,
    /// Records in the `dispatch` view: a downstream platform.
    Reader,
    /// The call one agent is in charge of.
    Agent,
}

/// One of `[[api.tokens]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Name in the log.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// With the role `agent`: whose calls, by account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The bearer token.
    pub token: Secret,
}

/// `[api]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Bearer tokens.
    pub tokens: Vec<TokenConfig>,
}
