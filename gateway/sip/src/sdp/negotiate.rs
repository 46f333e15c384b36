//! Offer and answer for one G.711 stream ([RFC 3264](https://www.rfc-editor.org/rfc/rfc3264)).
//!
//! An answer names exactly one codec, so the stream never changes codec without a new offer, and exactly one
//! telephone-event clock (two of them confuse phones). Every other line of the offer is mirrored with port 0.

use std::net::{IpAddr, SocketAddr};

use super::description::{Address, Attribute, MediaDescription, Origin, SessionDescription};
use super::formats::{Codec, PayloadTypes, codec_of, packet_length_ms, payload_types, telephone_event_of};
use super::remote::remote_end;
use super::{Direction, SdpError};

/// What we can do, the same for every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// In order of our preference; the first one the other end also has is taken.
    pub codecs: Vec<Codec>,
    /// Whether keys are taken as RFC 4733 events.
    pub telephone_event: bool,
    /// Packet length in milliseconds where the other end asks for none.
    pub ptime_ms: u32,
}

impl Default for Capabilities {
    /// A-law before µ-law, telephone events, 20 ms.
    fn default() -> Self {
        Self { codecs: vec![Codec::Pcma, Codec::Pcmu], telephone_event: true, ptime_ms: 20 }
    }
}

/// Our end of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalMedia {
    /// The address to put into `c=`: the one the other end can reach.
    pub address: IpAddr,
    /// The RTP port; RTCP is the next one.
    pub port: u16,
    /// Constant for the life of a dialog.
    pub session_id: u64,
    /// To be raised by one whenever the text changes; [`super::LocalDescription`] does so.
    pub version: u64,
    /// What we would like: `SendRecv` to talk, `SendOnly` to put the other end on hold.
    pub direction: Direction,
}

/// What offer and answer came to.
#[derive(Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Where to send RTP. The unspecified address when the other end holds in the old way (`c=0.0.0.0`):
    /// `direction` then forbids sending.
    pub remote_rtp: SocketAddr,
    /// Where to send RTCP; `None` when the other end named nothing usable.
    pub remote_rtcp: Option<SocketAddr>,
    /// The one codec.
    pub codec: Codec,
    /// Its payload types.
    pub payload_type: PayloadTypes,
    /// Payload types of `telephone-event/8000`, when both ends have it.
    pub telephone_event: Option<PayloadTypes>,
    /// Packet length to send, in milliseconds; a multiple of 10.
    pub ptime_ms: u32,
    /// The direction seen from us.
    pub direction: Direction,
    /// The other end does not want to hear us: we are on hold.
    pub on_hold: bool,
}

/// The remote address may be that of a citizen's phone, so it is not shown.
impl std::fmt::Debug for Negotiated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Negotiated")
            .field("codec", &self.codec)
            .field("payload_type", &self.payload_type)
            .field("telephone_event", &self.telephone_event)
            .field("ptime_ms", &self.ptime_ms)
            .field("direction", &self.direction)
            .field("on_hold", &self.on_hold)
            .finish_non_exhaustive()
    }
}

/// Answers an offer: the text of the answer, and what it means for the media.
///
/// The first audio line with a codec in common is taken, our preference deciding among its codecs; every other
/// line is refused with port 0. Old-style hold (`c=0.0.0.0`) counts as "does not listen".
///
/// # Errors
/// 488: [`SdpError::NoAudio`], [`SdpError::NoCommonCodec`], [`SdpError::UnusableAddress`].
pub fn answer(
    offer: &SessionDescription,
    local: &LocalMedia,
    capabilities: &Capabilities,
) -> Result<(String, Negotiated), SdpError> {
    let (chosen, media, codec, payload_type) = choose(offer, capabilities)?;
    let remote = remote_end(offer, media, local.address)?;
    let telephone_event = if capabilities.telephone_event { telephone_event_of(media) } else { None };
    let negotiated = Negotiated {
        remote_rtp: remote.rtp,
        remote_rtcp: remote.rtcp,
        codec,
        payload_type: PayloadTypes { send: payload_type, receive: payload_type },
        telephone_event: telephone_event.map(|number| PayloadTypes { send: number, receive: number }),
        ptime_ms: packet_length_ms(offer, media, capabilities.ptime_ms),
        direction: local.direction.and(remote.direction.reversed()),
        on_hold: !remote.direction.receives(),
    };
    let ours = audio_line(
        local.port,
        &[(payload_type, codec)],
        telephone_event,
        negotiated.ptime_ms,
        negotiated.direction,
    );
    let lines = offer.media.iter().enumerate();
    let media =
        lines.map(|(index, line)| if index == chosen { ours.clone() } else { refused_line(line) }).collect();
    // RFC 3264 §6: the t= line of the answer is that of the offer.
    let text = description(local, offer.timing.unwrap_or_default(), media).to_string();
    Ok((text, negotiated))
}

/// Offers one audio stream with all our codecs.
pub fn offer(local: &LocalMedia, capabilities: &Capabilities) -> String {
    offer_after(None, local, capabilities).to_string()
}

/// Offers anew within a dialog: the lines of our last description keep their places (RFC 3264 §8).
pub(super) fn offer_after(
    previous: Option<&SessionDescription>,
    local: &LocalMedia,
    capabilities: &Capabilities,
) -> SessionDescription {
    let previous_lines = previous.map(|description| description.media.as_slice()).unwrap_or_default();
    let place = previous_lines.iter().position(is_audio);
    let formats = previous_audio_formats(place.and_then(|place| previous_lines.get(place)), capabilities);
    let ours = audio_line(
        local.port,
        &formats.codecs,
        formats.telephone_event,
        capabilities.ptime_ms,
        local.direction,
    );
    let mut media: Vec<_> = previous_lines
        .iter()
        .enumerate()
        .map(|(index, line)| if Some(index) == place { ours.clone() } else { refused_line(line) })
        .collect();
    if place.is_none() {
        media.push(ours);
    }
    description(local, (0, 0), media)
}

/// Reads the answer to an offer of ours (the text we sent).
///
/// # Errors
/// 400: our text is unreadable or the answer's lines do not follow it. 488: refused, no codec, no address.
pub fn accept_answer(our_offer: &str, answer: &SessionDescription) -> Result<Negotiated, SdpError> {
    let ours = SessionDescription::parse(our_offer)?;
    let (place, our_line) =
        ours.media.iter().enumerate().find(|(_, line)| is_audio(line)).ok_or(SdpError::NoAudio)?;
    let theirs = answer.media.get(place).ok_or(SdpError::AnswerMismatch)?;
    if !theirs.kind.eq_ignore_ascii_case("audio") {
        return Err(SdpError::AnswerMismatch);
    }
    if theirs.port == 0 {
        return Err(SdpError::Refused);
    }
    if !theirs.protocol.eq_ignore_ascii_case("RTP/AVP") {
        return Err(SdpError::AnswerMismatch);
    }
    let Some(Address::Ip(our_address)) = ours.address_of(our_line) else {
        return Err(SdpError::Missing { what: "c= line of ours" });
    };
    // The answerer's first codec is its preference, and it must be one we offered.
    let (codec, payload_type) = payload_types(theirs)
        .find_map(|send| {
            let codec = codec_of(theirs, send)?;
            let receive =
                payload_types(our_line).find(|number| codec_of(our_line, *number) == Some(codec))?;
            Some((codec, PayloadTypes { send, receive }))
        })
        .ok_or(SdpError::NoCommonCodec)?;
    let telephone_event = telephone_event_of(theirs)
        .zip(telephone_event_of(our_line))
        .map(|(send, receive)| PayloadTypes { send, receive });
    let remote = remote_end(answer, theirs, *our_address)?;
    let offered = ours.direction_of(our_line);
    let our_ptime_ms = packet_length_ms(&ours, our_line, Capabilities::default().ptime_ms);
    Ok(Negotiated {
        remote_rtp: remote.rtp,
        remote_rtcp: remote.rtcp,
        codec,
        payload_type,
        telephone_event,
        ptime_ms: packet_length_ms(answer, theirs, our_ptime_ms),
        // A sendrecv in answer to our sendonly is a fault of theirs; the intersection is what we act on.
        direction: offered.and(remote.direction.reversed()),
        on_hold: offered.sends() && !remote.direction.receives(),
    })
}

fn is_audio(media: &MediaDescription) -> bool {
    media.port != 0
        && media.kind.eq_ignore_ascii_case("audio")
        && media.protocol.eq_ignore_ascii_case("RTP/AVP")
}

fn choose<'a>(
    offer: &'a SessionDescription,
    capabilities: &Capabilities,
) -> Result<(usize, &'a MediaDescription, Codec, u8), SdpError> {
    let mut audio = offer.media.iter().enumerate().filter(|(_, media)| is_audio(media)).peekable();
    if audio.peek().is_none() {
        return Err(SdpError::NoAudio);
    }
    audio
        .find_map(|(index, media)| {
            capabilities.codecs.iter().find_map(|codec| {
                let number = payload_types(media).find(|number| codec_of(media, *number) == Some(*codec))?;
                Some((index, media, *codec, number))
            })
        })
        .ok_or(SdpError::NoCommonCodec)
}

struct OfferedFormats {
    codecs: Vec<(u8, Codec)>,
    telephone_event: Option<u8>,
}

/// Payload types for a new offer: a number once agreed keeps its meaning in the dialog (RFC 3264 §8.3.2).
fn previous_audio_formats(
    previous: Option<&MediaDescription>,
    capabilities: &Capabilities,
) -> OfferedFormats {
    let agreed = |codec: Codec| {
        let media = previous?;
        payload_types(media).find(|number| codec_of(media, *number) == Some(codec))
    };
    let codecs: Vec<_> = capabilities
        .codecs
        .iter()
        .map(|codec| (agreed(*codec).unwrap_or(codec.static_payload_type()), *codec))
        .collect();
    let taken = |number: u8| codecs.iter().any(|(other, _)| *other == number);
    let telephone_event = capabilities.telephone_event.then(|| {
        previous.and_then(telephone_event_of).or_else(|| (101..=127).chain(96..=100).find(|n| !taken(*n)))
    });
    OfferedFormats { telephone_event: telephone_event.flatten(), codecs }
}

fn audio_line(
    port: u16,
    codecs: &[(u8, Codec)],
    telephone_event: Option<u8>,
    ptime_ms: u32,
    direction: Direction,
) -> MediaDescription {
    let mut formats: Vec<String> = codecs.iter().map(|(number, _)| number.to_string()).collect();
    let mut attributes: Vec<Attribute> = codecs
        .iter()
        .map(|(number, codec)| Attribute::valued("rtpmap", format!("{number} {}/8000", codec.name())))
        .collect();
    if let Some(number) = telephone_event {
        formats.push(number.to_string());
        attributes.push(Attribute::valued("rtpmap", format!("{number} telephone-event/8000")));
        attributes.push(Attribute::valued("fmtp", format!("{number} 0-15")));
    }
    attributes.push(Attribute::valued("ptime", ptime_ms.to_string()));
    attributes.push(Attribute::flag(direction.as_str()));
    MediaDescription {
        kind: "audio".to_owned(),
        port,
        protocol: "RTP/AVP".to_owned(),
        formats,
        connection: None,
        attributes,
    }
}

fn refused_line(line: &MediaDescription) -> MediaDescription {
    MediaDescription { port: 0, connection: None, attributes: Vec::new(), ..line.clone() }
}

fn description(local: &LocalMedia, timing: (u64, u64), media: Vec<MediaDescription>) -> SessionDescription {
    SessionDescription {
        origin: Some(Origin {
            username: "-".to_owned(),
            session_id: local.session_id.to_string(),
            version: local.version.to_string(),
            address: Address::Ip(local.address),
        }),
        session_name: "-".to_owned(),
        connection: Some(Address::Ip(local.address)),
        timing: Some(timing),
        attributes: Vec::new(),
        media,
    }
}
