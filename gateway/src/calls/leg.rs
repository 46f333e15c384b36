//! The media side of one leg: configuration → what we can do; agreed description → RTP stream.

use std::net::IpAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gateway_media::{Codec, Direction, MediaConfig, Stream, StreamConfig};
use gateway_sip::sdp;
use rand::Rng as _;

/// What we offer and answer with.
pub fn capabilities(media: &MediaConfig) -> sdp::Capabilities {
    let ours = |codec: &Codec| match codec {
        Codec::Pcma => sdp::Codec::Pcma,
        Codec::Pcmu => sdp::Codec::Pcmu,
        Codec::G722 => sdp::Codec::G722,
        Codec::Opus => sdp::Codec::Opus,
    };
    sdp::Capabilities {
        codecs: media.codecs.iter().map(ours).collect(),
        comfort_noise: media.comfort_noise,
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
    config.payload_type_send = agreed.payload_type.send;
    config.payload_type_receive = agreed.payload_type.receive;
    config.telephone_event_receive = agreed.telephone_event.map(|types| types.receive);
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

/// Takes over what a re-INVITE agreed: address, codec, hold.
pub fn change(stream: &mut Stream, now: Instant, agreed: &sdp::Negotiated) {
    if agreed.direction.sends() {
        stream.set_remote(agreed.remote_rtp, agreed.remote_rtcp);
    }
    stream.set_codec(
        codec(agreed.codec),
        agreed.payload_type.send,
        agreed.payload_type.receive,
        agreed.telephone_event.map(|types| types.receive),
    );
    stream.set_direction(now, direction(agreed.direction));
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
