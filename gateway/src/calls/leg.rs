//! The media side of one leg: configuration → what we can do; agreed description → RTP stream.

use std::net::{IpAddr, SocketAddr};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use config::TrunkConfig;
use gateway_media::codec::opus;
use gateway_media::{
    Codec, Direction, MediaConfig, SrtpKey, SrtpKeys, SrtpPolicy, SrtpSuite, Stream, StreamConfig,
    StreamFormat,
};
use gateway_sip::sdp;
use gateway_sip::trunk::DtmfPreference;
use rand::Rng as _;

/// The discard port.
const DISCARD: u16 = 9;

/// Towards whom a leg is.
#[derive(Clone, Copy, Debug)]
pub enum Side<'a> {
    /// A carrier.
    Trunk(&'a TrunkConfig),
    /// An agent's phone.
    Agent,
    /// Anybody else.
    Other,
}

/// What a leg says of us in its descriptions, for as long as it lives.
#[derive(Clone, Debug)]
pub struct Towards {
    /// Where sound is to be sent.
    pub address: IpAddr,
    /// What we can.
    pub capabilities: sdp::Capabilities,
}

impl Towards {
    /// What that side is to know of us; `address` is what everybody sees.
    pub fn new(media: &MediaConfig, address: IpAddr, side: Side<'_>) -> Self {
        let mut capabilities = capabilities(media);
        let srtp = match side {
            Side::Trunk(trunk) => {
                // Without events both ends find the tones.
                capabilities.telephone_event = trunk.manners().dtmf != DtmfPreference::InBand;
                trunk.srtp
            }
            Side::Agent => media.agent_srtp,
            Side::Other => None,
        };
        if let Some(policy) = srtp {
            capabilities.srtp = srtp_policy(policy);
        }
        Self { address: address_towards(address, side), capabilities }
    }
}

/// Where that side is to send sound; `address` is what everybody sees. One of the other family than our RTP sockets
/// leads nowhere.
pub fn address_towards(address: IpAddr, side: Side<'_>) -> IpAddr {
    let own = match side {
        Side::Trunk(trunk) => trunk.external_address,
        Side::Agent | Side::Other => None,
    };
    own.filter(|own| own.is_ipv4() == address.is_ipv4()).unwrap_or(address)
}

const fn srtp_policy(policy: SrtpPolicy) -> sdp::SrtpPolicy {
    match policy {
        SrtpPolicy::Off => sdp::SrtpPolicy::Off,
        SrtpPolicy::Optional => sdp::SrtpPolicy::Optional,
        SrtpPolicy::Required => sdp::SrtpPolicy::Required,
    }
}

fn capabilities(media: &MediaConfig) -> sdp::Capabilities {
    let ours = |codec: &Codec| match codec {
        Codec::Pcma => sdp::Codec::Pcma,
        Codec::Pcmu => sdp::Codec::Pcmu,
        Codec::G722 => sdp::Codec::G722,
        Codec::Opus => sdp::Codec::Opus,
    };
    sdp::Capabilities {
        codecs: media.codecs.iter().map(ours).collect(),
        comfort_noise: media.comfort_noise,
        srtp: srtp_policy(media.srtp),
        ..sdp::Capabilities::default()
    }
}

/// Our side of a new dialog, with a random name and random keys.
pub fn description() -> sdp::LocalDescription {
    let mut random = rand::rng();
    sdp::LocalDescription::new(random.random()).with_secret(sdp::KeySecret(random.random()))
}

/// The RTP stream for what was agreed with a peer whose signalling comes from `signalling`.
pub fn stream(media: &MediaConfig, agreed: &sdp::Negotiated, signalling: Option<IpAddr>) -> Stream {
    let mut random = rand::rng();
    let mut config = StreamConfig::new(media, codec(agreed.codec), agreed.remote_rtp);
    let format = format(agreed);
    config.payload_type_send = format.payload_type_send;
    config.payload_type_receive = format.payload_type_receive;
    config.telephone_event_receive = format.telephone_event_receive;
    config.telephone_event_send = format.telephone_event_send;
    config.telephone_event_clock = format.telephone_event_clock;
    config.comfort_noise = format.comfort_noise;
    config.packet_length_ms = format.packet_length_ms;
    config.opus = format.opus;
    config.srtp = format.srtp;
    config.rtcp_mux = format.rtcp_mux;
    config.remote_rtcp = agreed.remote_rtcp;
    config.signalling = signalling;
    config.ssrc = random.random();
    config.first_sequence = random.random::<u16>() >> 1;
    config.first_timestamp = random.random();
    config.cname = format!("{:016x}", random.random::<u64>());
    config.wall_clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Instant::now();
    let mut stream = Stream::new(config, now);
    stream.set_direction(now, direction(agreed.direction));
    stream
}

/// A stream of a leg that is called and has agreed on nothing yet: sends nothing, takes nothing, until
/// [`change`]d.
pub fn silent_stream(media: &MediaConfig, host: IpAddr) -> Stream {
    let mut random = rand::rng();
    // The port is never used: an inactive stream has nowhere to send to.
    let mut config = StreamConfig::new(media, Codec::Pcma, SocketAddr::new(host, DISCARD));
    config.signalling = Some(host);
    config.ssrc = random.random();
    config.first_sequence = random.random::<u16>() >> 1;
    config.first_timestamp = random.random();
    config.cname = format!("{:016x}", random.random::<u64>());
    config.wall_clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Instant::now();
    let mut stream = Stream::new(config, now);
    stream.set_direction(now, Direction::Inactive);
    stream
}

/// Takes over what a re-INVITE agreed: address, codec, hold.
pub fn change(stream: &mut Stream, now: Instant, agreed: &sdp::Negotiated) {
    if agreed.direction.sends() {
        stream.set_remote(agreed.remote_rtp, agreed.remote_rtcp);
    }
    stream.set_format(format(agreed));
    stream.set_direction(now, direction(agreed.direction));
}

fn format(agreed: &sdp::Negotiated) -> StreamFormat {
    StreamFormat {
        codec: codec(agreed.codec),
        payload_type_send: agreed.payload_type.send,
        payload_type_receive: agreed.payload_type.receive,
        telephone_event_receive: agreed.telephone_event.map(|types| types.receive),
        telephone_event_send: agreed.telephone_event.map(|types| types.send),
        telephone_event_clock: agreed.telephone_event_clock,
        comfort_noise: agreed.comfort_noise,
        packet_length_ms: agreed.ptime_ms,
        opus: opus::Wishes {
            forward_error_correction: agreed.opus.forward_error_correction,
            max_average_bitrate: agreed.opus.max_average_bitrate,
        },
        srtp: agreed.srtp.as_ref().and_then(keys),
        rtcp_mux: agreed.rtcp_mux,
    }
}

fn keys(keys: &sdp::SrtpKeys) -> Option<SrtpKeys> {
    let suite = match keys.suite {
        sdp::SrtpSuite::AesCm128HmacSha1_80 => SrtpSuite::AesCm128HmacSha1_80,
        sdp::SrtpSuite::AesCm128HmacSha1_32 => SrtpSuite::AesCm128HmacSha1_32,
        sdp::SrtpSuite::AesCm256HmacSha1_80 => SrtpSuite::AesCm256HmacSha1_80,
        sdp::SrtpSuite::AesCm256HmacSha1_32 => SrtpSuite::AesCm256HmacSha1_32,
        sdp::SrtpSuite::AeadAes128Gcm => SrtpSuite::AeadAes128Gcm,
        sdp::SrtpSuite::AeadAes256Gcm => SrtpSuite::AeadAes256Gcm,
    };
    let key = |key: &sdp::SrtpKey| SrtpKey::new(suite, key.key(), key.salt(), key.mki_length);
    Some(SrtpKeys { suite, send: key(&keys.send)?, receive: key(&keys.receive)? })
}

/// The codec of a description.
pub fn codec(codec: sdp::Codec) -> Codec {
    match codec {
        sdp::Codec::Pcma => Codec::Pcma,
        sdp::Codec::Pcmu => Codec::Pcmu,
        sdp::Codec::G722 => Codec::G722,
        sdp::Codec::Opus => Codec::Opus,
    }
}

fn direction(direction: sdp::Direction) -> Direction {
    match direction {
        sdp::Direction::SendRecv => Direction::SendReceive,
        sdp::Direction::SendOnly => Direction::SendOnly,
        sdp::Direction::RecvOnly => Direction::ReceiveOnly,
        sdp::Direction::Inactive => Direction::Inactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn towards(side: Side<'_>, policy: SrtpPolicy) -> Towards {
        let media =
            MediaConfig { srtp: policy, agent_srtp: Some(SrtpPolicy::Required), ..MediaConfig::default() };
        Towards::new(&media, [127, 0, 0, 1].into(), side)
    }

    #[test]
    fn a_carrier_has_its_own_rule_of_encryption_and_agents_theirs() {
        let open = TrunkConfig { srtp: Some(SrtpPolicy::Off), ..TrunkConfig::default() };
        let usual = TrunkConfig::default();
        let srtp = |side| towards(side, SrtpPolicy::Optional).capabilities.srtp;
        assert_eq!(srtp(Side::Trunk(&open)), sdp::SrtpPolicy::Off);
        assert_eq!(srtp(Side::Trunk(&usual)), sdp::SrtpPolicy::Optional);
        assert_eq!(srtp(Side::Agent), sdp::SrtpPolicy::Required);
        assert_eq!(srtp(Side::Other), sdp::SrtpPolicy::Optional);
    }

    #[test]
    fn a_carrier_that_knows_tones_only_is_offered_no_events() {
        let mut tones = TrunkConfig::default();
        tones.manner.dtmf = Some(DtmfPreference::InBand);
        let events = |trunk| towards(Side::Trunk(trunk), SrtpPolicy::Off).capabilities.telephone_event;
        assert!(!events(&tones));
        assert!(events(&TrunkConfig::default()));
    }

    #[test]
    fn an_address_of_ours_of_the_other_family_is_no_place_for_sound() {
        let with = |own: &str| {
            let trunk = TrunkConfig { external_address: own.parse().ok(), ..TrunkConfig::default() };
            towards(Side::Trunk(&trunk), SrtpPolicy::Off).address
        };
        assert_eq!(with("203.0.113.77"), IpAddr::from([203, 0, 113, 77]));
        assert_eq!(with("2001:db8::7"), IpAddr::from([127, 0, 0, 1]));
    }
}
