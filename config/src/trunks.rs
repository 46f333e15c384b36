//! `[[trunks]]`: a carrier's peers, its gateways, its manner, and which number calls through it show.
//!
//! Manners are named in `gateway-sip`; here is how they are written down.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use gateway_media::SrtpPolicy;
use gateway_sip::trunk::{
    CallerIdentity, DtmfPreference, Manner, NumberFormat, Presentation, PrivacyStyle, Profile, Reliable,
};
use ipnet::IpNet;
use record::units::duration;
use serde::{Deserialize, Serialize};

use crate::sections::Secret;

/// One of `[[trunks]]`: a carrier's peers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkConfig {
    /// Name in records, logs and metrics.
    pub name: String,
    /// Networks the carrier sends from; the addresses of its gateways belong to it as well.
    #[serde(default)]
    pub from: Vec<IpNet>,
    /// Whether its P-Asserted-Identity is believed.
    #[serde(default)]
    pub trust_asserted_identity: bool,
    /// Area code of numbers that arrive without one; the node's when absent.
    pub area_code: Option<String>,
    /// Send requests inside a call to the address the call came from and not to the peer's Contact, for a
    /// peer that writes a private address there.
    #[serde(default)]
    pub symmetric: bool,
    /// The carrier's manner as a whole.
    #[serde(default)]
    pub profile: Profile,
    /// Single manners that differ from the profile.
    #[serde(default)]
    pub manner: MannerConfig,
    /// Dialled number → legacy line (the 58 merged lines).
    #[serde(default)]
    pub numbers: BTreeMap<String, String>,
    /// Where calls through this trunk go.
    #[serde(default)]
    pub gateways: Vec<GatewayConfig>,
    /// Digest user for the carrier's 401 and 407.
    pub credentials: Option<TrunkCredentials>,
    /// Our own registration with the carrier.
    pub registration: Option<RegistrationConfig>,
    /// The carrier's domain: host of From, To and Request-URI.
    pub domain: Option<String>,
    /// The address this carrier must use for us, in Via, Contact and SDP, when it is another than the rest sees.
    pub external_address: Option<IpAddr>,
    /// Whether sound is encrypted on this trunk; `media.srtp` when absent.
    pub srtp: Option<SrtpPolicy>,
    /// Which number calls through this trunk show.
    #[serde(default)]
    pub caller_id: CallerIdConfig,
    /// Probing and failover.
    #[serde(default)]
    pub health: HealthConfig,
    /// Certificates for gateways reached by TLS.
    #[serde(default)]
    pub tls: TrunkTlsConfig,
}

/// One of `trunks.gateways`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// `host` or `host:port`; IPv6 in brackets.
    pub address: String,
    /// `udp`, `tcp` or `tls`.
    #[serde(default)]
    pub transport: GatewayTransport,
    /// Lower is tried first.
    #[serde(default)]
    pub priority: u16,
    /// Share of the calls among gateways of the same priority; 0 only when the others are used up.
    #[serde(default = "one")]
    pub weight: u16,
}

fn one() -> u16 {
    1
}

/// How a gateway is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayTransport {
    /// Datagrams.
    #[default]
    Udp,
    /// A plain stream.
    Tcp,
    /// A stream in TLS.
    Tls,
}

/// `trunks.credentials`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkCredentials {
    /// Digest user name.
    pub user: String,
    /// Digest password.
    pub secret: Secret,
}

/// `trunks.registration`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationConfig {
    /// User part of the address of record, at most carriers the number.
    pub user: String,
    /// How long a registration is asked for.
    #[serde(with = "duration", default = "an_hour")]
    pub expires: Duration,
}

fn an_hour() -> Duration {
    Duration::from_secs(3_600)
}

/// `trunks.caller_id`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallerIdConfig {
    /// Our own number at this carrier.
    pub number: Option<String>,
    /// `own`, `restricted`, or `pass_through` (the citizen's number, where a call gives one).
    pub presentation: Presentation,
}

/// `trunks.health`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// Time between OPTIONS; `"0s"` probes nothing.
    #[serde(with = "duration")]
    pub probe_every: Duration,
    /// How long the answer to a probe may take.
    #[serde(with = "duration")]
    pub probe_limit: Duration,
    /// So many failures in a row, of probes or calls, take a gateway out of use.
    pub down_after: u32,
    /// So many answered probes in a row bring it back.
    pub up_after: u32,
    /// Without probes: how long a failed gateway rests before a call tries it again.
    #[serde(with = "duration")]
    pub rest: Duration,
    /// How long an INVITE may stay without any answer before the next gateway is tried.
    #[serde(with = "duration")]
    pub answer_limit: Duration,
}

impl Default for HealthConfig {
    fn default() -> Self {
        let usual = gateway_sip::trunk::HealthConfig::default();
        Self {
            probe_every: usual.probe_every.unwrap_or_default(),
            probe_limit: usual.probe_limit,
            down_after: usual.down_after,
            up_after: usual.up_after,
            rest: usual.rest,
            answer_limit: usual.answer_limit,
        }
    }
}

/// `trunks.tls`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrunkTlsConfig {
    /// Certificate authorities the gateways' certificates are checked against; the usual public ones when
    /// absent.
    pub ca: Option<PathBuf>,
    /// The certificate shown to the gateways, when they ask for one.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The name their certificates must show, when it is not the host of their address.
    pub server_name: Option<String>,
}

/// `trunks.manner`: what differs from the profile.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MannerConfig {
    /// `as_given`, `international`, `national` or `local`.
    pub number_format: Option<NumberFormat>,
    /// `;user=phone` behind numbers.
    pub user_phone: Option<bool>,
    /// `;phone-context=+86…` behind local and service numbers.
    pub phone_context: Option<bool>,
    /// `from`, `asserted` or `preferred`.
    pub caller_identity: Option<CallerIdentity>,
    /// `both`, `header` or `from`.
    pub privacy: Option<PrivacyStyle>,
    /// Diversion with our number when a citizen's is passed through.
    pub diversion: Option<bool>,
    /// `supported`, `required` or `off`.
    pub reliable: Option<Reliable>,
    /// Session timers (RFC 4028).
    pub session_timer: Option<bool>,
    /// Whether sound before the answer is taken up.
    pub early_media: Option<bool>,
    /// `rfc4733`, `info` or `in_band`.
    pub dtmf: Option<DtmfPreference>,
    /// Time between keep-alives on connections we opened; `"0s"` sends none.
    #[serde(with = "optional_duration")]
    pub keep_alive: Option<Duration>,
    /// Whether requests over 1300 bytes go over TCP instead of UDP.
    pub large_over_tcp: Option<bool>,
}

impl TrunkConfig {
    /// The profile with what differs from it.
    pub fn manners(&self) -> Manner {
        let (usual, own) = (self.profile.manner(), &self.manner);
        Manner {
            number_format: own.number_format.unwrap_or(usual.number_format),
            user_phone: own.user_phone.unwrap_or(usual.user_phone),
            phone_context: own.phone_context.unwrap_or(usual.phone_context),
            caller_identity: own.caller_identity.unwrap_or(usual.caller_identity),
            privacy: own.privacy.unwrap_or(usual.privacy),
            diversion: own.diversion.unwrap_or(usual.diversion),
            reliable: own.reliable.unwrap_or(usual.reliable),
            session_timer: own.session_timer.unwrap_or(usual.session_timer),
            early_media: own.early_media.unwrap_or(usual.early_media),
            symmetric: self.symmetric || usual.symmetric,
            dtmf: own.dtmf.unwrap_or(usual.dtmf),
            keep_alive: match own.keep_alive {
                None => usual.keep_alive,
                Some(Duration::ZERO) => None,
                every => every,
            },
            large_over_tcp: own.large_over_tcp.unwrap_or(usual.large_over_tcp),
        }
    }
}

/// `"30s"`, or nothing.
mod optional_duration {
    use std::time::Duration;

    use record::units::duration;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_str(&duration::format(*value)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(deserializer)?;
        duration::parse(&text).map(Some).map_err(serde::de::Error::custom)
    }
}
