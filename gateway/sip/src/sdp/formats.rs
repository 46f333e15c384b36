//! What the formats of an `m=` line stand for: codecs, telephone events, packet length.

use super::description::{MediaDescription, SessionDescription};

/// The audio codecs of the telephone network: 8 kHz, mono, one byte a sample (RFC 3551 §4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 A-law, static payload type 8; what Chinese carriers speak.
    Pcma,
    /// G.711 µ-law, static payload type 0.
    Pcmu,
}

impl Codec {
    /// The name in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }

    /// The payload type of RFC 3551, valid without `a=rtpmap`.
    pub fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
        }
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
    let codecs = [Codec::Pcma, Codec::Pcmu];
    match encoding_of(media, number) {
        Some((name, 8000, 1)) => codecs.into_iter().find(|codec| name.eq_ignore_ascii_case(codec.name())),
        Some(_) => None,
        None => codecs.into_iter().find(|codec| codec.static_payload_type() == number),
    }
}

/// The telephone-event format with the clock of G.711; one with 16 or 48 kHz belongs to other codecs.
pub(super) fn telephone_event_of(media: &MediaDescription) -> Option<u8> {
    payload_types(media).find(|number| {
        encoding_of(media, *number)
            .is_some_and(|(name, clock, _)| clock == 8000 && name.eq_ignore_ascii_case("telephone-event"))
    })
}

/// What the other end asks for, if it is a length we can cut: `a=ptime` within `a=maxptime`.
pub(super) fn packet_length_ms(
    description: &SessionDescription,
    media: &MediaDescription,
    default_ms: u32,
) -> u32 {
    let read = |name: &str| {
        let of_session = || {
            let found = description.attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name));
            found.and_then(|attribute| attribute.value.as_deref())
        };
        media.attribute(name).or_else(of_session)?.trim().parse::<u32>().ok()
    };
    let wanted = read("ptime").filter(|ms| (10..=60).contains(ms) && ms % 10 == 0).unwrap_or(default_ms);
    match read("maxptime") {
        Some(limit) if limit >= 10 => wanted.min(limit / 10 * 10),
        _ => wanted,
    }
}
