//! What the formats of an `m=` line stand for: codecs, telephone events, comfort noise, packet length.

use super::description::{MediaDescription, SessionDescription};

/// The audio codecs we speak ([RFC 3551](https://www.rfc-editor.org/rfc/rfc3551),
/// [RFC 7587](https://www.rfc-editor.org/rfc/rfc7587)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 A-law, static payload type 8; what Chinese carriers speak.
    Pcma,
    /// G.711 µ-law, static payload type 0.
    Pcmu,
    /// G.722 at 64 kbit/s, static payload type 9. Its clock is 8000 by an old mistake (RFC 3551 §4.5.2).
    G722,
    /// Opus, always `opus/48000/2` whatever is sent (RFC 7587 §7).
    Opus,
}

impl Codec {
    /// All of them, in the order we like them when nothing else is configured.
    pub const ALL: [Self; 4] = [Self::Pcma, Self::Pcmu, Self::G722, Self::Opus];

    /// The name in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// Ticks per second of the RTP timestamp.
    pub fn clock(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// The payload type of RFC 3551, valid without `a=rtpmap`; none for Opus.
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcma => Some(8),
            Self::Pcmu => Some(0),
            Self::G722 => Some(9),
            Self::Opus => None,
        }
    }

    fn channels(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => 1,
            Self::Opus => 2,
        }
    }

    /// The encoding as `a=rtpmap` has it: `PCMA/8000`, `opus/48000/2`.
    pub(super) fn encoding(self) -> String {
        let plain = format!("{}/{}", self.name(), self.clock());
        if self.channels() == 1 { plain } else { format!("{plain}/{}", self.channels()) }
    }
}

/// The payload types of one format, which may differ by direction (RFC 3264 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadTypes {
    /// To be written into packets we send.
    pub send: u8,
    /// To be expected in packets we receive.
    pub receive: u8,
}

/// What the other end asks of our Opus (RFC 7587 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpusWishes {
    /// `useinbandfec=1`: it makes use of forward error correction.
    pub forward_error_correction: bool,
    /// `maxaveragebitrate`, in bits per second.
    pub max_average_bitrate: Option<u32>,
}

/// Payload type of comfort noise ([RFC 3389](https://www.rfc-editor.org/rfc/rfc3389) §4), at 8 kHz.
pub(super) const COMFORT_NOISE: u8 = 13;

pub(super) fn payload_types(media: &MediaDescription) -> impl Iterator<Item = u8> {
    media.formats.iter().filter_map(|format| format.parse::<u8>().ok()).filter(|number| *number < 128)
}

/// The encoding a payload type stands for, by `a=rtpmap`: name, clock, channels.
fn encoding_of(media: &MediaDescription, number: u8) -> Option<(&str, u32, u32)> {
    media.attributes_named("rtpmap").find_map(|value| {
        let (payload_type, encoding) = value.trim_start().split_once([' ', '\t'])?;
        if payload_type.parse::<u8>().ok()? != number {
            return None;
        }
        let mut parts = encoding.trim().split('/').map(str::trim);
        let (name, clock) = (parts.next()?, parts.next()?.parse().ok()?);
        let channels = parts.next().map_or(Some(1), |text| text.parse().ok())?;
        Some((name, clock, channels))
    })
}

pub(super) fn codec_of(media: &MediaDescription, number: u8) -> Option<Codec> {
    match encoding_of(media, number) {
        Some((name, clock, channels)) => Codec::ALL.into_iter().find(|codec| {
            let clock_fits = clock == codec.clock() || (*codec == Codec::G722 && clock == 16_000);
            // Opus without "/2" is a common slip.
            let channels_fit = channels == codec.channels() || (*codec == Codec::Opus && channels == 1);
            clock_fits && channels_fit && name.eq_ignore_ascii_case(codec.name())
        }),
        None => Codec::ALL.into_iter().find(|codec| codec.static_payload_type() == Some(number)),
    }
}

/// The telephone-event format that goes with `codec`: the one of its clock. Of several clocks no other is
/// taken, except that a phone with Opus and events at 8 kHz only means those.
pub(super) fn telephone_event_of(media: &MediaDescription, codec: Codec) -> Option<u8> {
    let of_clock = |clock: u32| {
        payload_types(media).find(|number| {
            encoding_of(media, *number).is_some_and(|(name, found, _)| {
                found == clock && name.eq_ignore_ascii_case("telephone-event")
            })
        })
    };
    of_clock(codec.clock()).or_else(|| of_clock(8_000))
}

/// The clock of a telephone-event format.
pub(super) fn event_clock(media: &MediaDescription, number: u8) -> u32 {
    encoding_of(media, number).map_or(8_000, |(_, clock, _)| clock)
}

/// Whether comfort noise at 8 kHz is among the formats.
pub(super) fn has_comfort_noise(media: &MediaDescription) -> bool {
    payload_types(media).any(|number| {
        number == COMFORT_NOISE
            && encoding_of(media, number)
                .is_none_or(|(name, clock, _)| clock == 8_000 && name.eq_ignore_ascii_case("CN"))
    })
}

pub(super) fn opus_wishes(media: &MediaDescription, number: u8) -> OpusWishes {
    let mut wishes = OpusWishes::default();
    let parameters = media.attributes_named("fmtp").find_map(|value| {
        let (payload_type, parameters) = value.trim_start().split_once([' ', '\t'])?;
        (payload_type.parse::<u8>().ok()? == number).then_some(parameters)
    });
    for parameter in parameters.unwrap_or_default().split(';') {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("useinbandfec") {
            wishes.forward_error_correction = value == "1";
        } else if name.eq_ignore_ascii_case("maxaveragebitrate") {
            wishes.max_average_bitrate = value.parse().ok();
        }
    }
    wishes
}

/// What the other end asks for, if it is a length we can cut: `a=ptime` within `a=maxptime`, between 20 and
/// 60 ms. Opus is always cut to 20 ms; shorter packets than 20 ms are taken but not made.
pub(super) fn packet_length_ms(
    description: &SessionDescription,
    media: &MediaDescription,
    codec: Codec,
    default_ms: u32,
) -> u32 {
    let read = |name: &str| {
        let of_session = || {
            let found = description.attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name));
            found.and_then(|attribute| attribute.value.as_deref())
        };
        media.attribute(name).or_else(of_session)?.trim().parse::<u32>().ok()
    };
    if codec == Codec::Opus {
        return SHORTEST_MS;
    }
    let wanted =
        read("ptime").filter(|ms| (SHORTEST_MS..=60).contains(ms) && ms % 10 == 0).unwrap_or(default_ms);
    match read("maxptime") {
        Some(limit) if limit > 0 => wanted.min((limit / 10 * 10).max(SHORTEST_MS)),
        _ => wanted,
    }
}

/// Our clock ticks so.
const SHORTEST_MS: u32 = 20;
