//! Offer and answer for one audio stream ([RFC 3264](https://www.rfc-editor.org/rfc/rfc3264)).
//!
//! An answer names exactly one codec, so the stream never changes codec without a new offer, and exactly one
//! telephone-event clock (two of them confuse phones). Every other line of the offer is mirrored with port 0.

use std::net::{IpAddr, SocketAddr};

use super::crypto::{
    CryptoLine, KeySecret, SrtpKeys, SrtpPolicy, SrtpSuite, crypto_lines, crypto_value, keys,
};
use super::description::{Address, Attribute, MediaDescription, Origin, SessionDescription};
use super::formats::{
    COMFORT_NOISE, Codec, OpusWishes, PayloadTypes, codec_of, event_clock, has_comfort_noise, opus_wishes,
    packet_length_ms, payload_types, telephone_event_of,
};
use super::remote::remote_end;
use super::{Direction, SdpError};

/// Our own parameters of Opus: we make use of error correction, and hear up to 8 kHz of sound.
const OPUS_PARAMETERS: &str = "useinbandfec=1;maxplaybackrate=16000;stereo=0;sprop-stereo=0";

/// What we can do, the same for every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// In order of our preference; the first one the other end also has is taken.
    pub codecs: Vec<Codec>,
    /// Whether keys are taken as RFC 4733 events.
    pub telephone_event: bool,
    /// Whether silence may be told as comfort noise (RFC 3389), with codecs of 8 kHz.
    pub comfort_noise: bool,
    /// Packet length in milliseconds where the other end asks for none.
    pub ptime_ms: u32,
    /// Whether sound is encrypted.
    pub srtp: SrtpPolicy,
}

impl Default for Capabilities {
    /// A-law before µ-law, G.722 and Opus; telephone events, comfort noise, 20 ms, in the clear.
    fn default() -> Self {
        Self {
            codecs: Codec::ALL.to_vec(),
            telephone_event: true,
            comfort_noise: true,
            ptime_ms: 20,
            srtp: SrtpPolicy::Off,
        }
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
    /// Where our SRTP keys come from; without it nothing is encrypted.
    pub secret: Option<KeySecret>,
}

/// What offer and answer came to.
#[derive(Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Where to send RTP. The unspecified address when the other end holds in the old way (`c=0.0.0.0`):
    /// `direction` then forbids sending.
    pub remote_rtp: SocketAddr,
    /// Where to send RTCP; `None` when the other end named nothing usable.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTP and RTCP share one port ([RFC 5761](https://www.rfc-editor.org/rfc/rfc5761)).
    pub rtcp_mux: bool,
    /// The one codec.
    pub codec: Codec,
    /// Its payload types.
    pub payload_type: PayloadTypes,
    /// What the other end asks of our Opus.
    pub opus: OpusWishes,
    /// Payload types of `telephone-event`, when both ends have it.
    pub telephone_event: Option<PayloadTypes>,
    /// Ticks per second in which events tell their length.
    pub telephone_event_clock: u32,
    /// Both ends know comfort noise (payload type 13).
    pub comfort_noise: bool,
    /// Packet length to send, in milliseconds; a multiple of 10 from 20 to 60.
    pub ptime_ms: u32,
    /// Keys, when sound is encrypted.
    pub srtp: Option<SrtpKeys>,
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
            .field("comfort_noise", &self.comfort_noise)
            .field("ptime_ms", &self.ptime_ms)
            .field("srtp", &self.srtp.map(|keys| keys.suite))
            .field("direction", &self.direction)
            .field("on_hold", &self.on_hold)
            .finish_non_exhaustive()
    }
}

/// Answers an offer: the text of the answer, and what it means for the media.
///
/// The first audio line with a codec in common is taken (one with keys before one in the clear), our preference
/// deciding among its codecs; every other line is refused with port 0. Old-style hold (`c=0.0.0.0`) counts as
/// "does not listen".
///
/// # Errors
/// 488: [`SdpError::NoAudio`], [`SdpError::NoKeys`], [`SdpError::NoCommonCodec`], [`SdpError::UnusableAddress`].
pub fn answer(
    offer: &SessionDescription,
    local: &LocalMedia,
    capabilities: &Capabilities,
) -> Result<(String, Negotiated), SdpError> {
    let Chosen { index: chosen, media, codec, payload_type, crypto } = choose(offer, local, capabilities)?;
    let remote = remote_end(offer, media, local.address)?;
    let telephone_event = if capabilities.telephone_event { telephone_event_of(media, codec) } else { None };
    let negotiated = Negotiated {
        remote_rtp: remote.rtp,
        remote_rtcp: remote.rtcp,
        rtcp_mux: remote.mux,
        codec,
        payload_type: PayloadTypes { send: payload_type, receive: payload_type },
        opus: opus_wishes(media, payload_type),
        telephone_event: telephone_event.map(|number| PayloadTypes { send: number, receive: number }),
        telephone_event_clock: telephone_event.map_or(codec.clock(), |number| event_clock(media, number)),
        comfort_noise: capabilities.comfort_noise && codec.clock() == 8_000 && has_comfort_noise(media),
        ptime_ms: packet_length_ms(offer, media, codec, capabilities.ptime_ms),
        srtp: crypto.zip(local.secret).map(|(line, secret)| keys(&line, &secret)),
        direction: local.direction.and(remote.direction.reversed()),
        on_hold: !remote.direction.receives(),
    };
    let ours = AudioLine {
        port: local.port,
        protocol: &media.protocol,
        codecs: &[(payload_type, codec)],
        events: &telephone_event
            .map(|number| (number, negotiated.telephone_event_clock))
            .into_iter()
            .collect::<Vec<_>>(),
        comfort_noise: negotiated.comfort_noise,
        ptime_ms: negotiated.ptime_ms,
        rtcp_mux: negotiated.rtcp_mux,
        crypto: crypto
            .zip(local.secret)
            .map(|(line, secret)| crypto_value(line.tag, line.suite, &secret))
            .into_iter()
            .collect(),
        direction: negotiated.direction,
    }
    .describe();
    let lines = offer.media.iter().enumerate();
    let media =
        lines.map(|(index, line)| if index == chosen { ours.clone() } else { refused_line(line) }).collect();
    // RFC 3264 §6: the t= line of the answer is that of the offer.
    let text = description(local, offer.timing.unwrap_or_default(), media).to_string();
    Ok((text, negotiated))
}

/// Offers one audio stream with all our codecs.
pub fn offer(local: &LocalMedia, capabilities: &Capabilities) -> String {
    offer_after(None, None, local, capabilities).to_string()
}

/// Offers anew within a dialog: the lines of our last description keep their places (RFC 3264 §8).
///
/// The codec in use comes first, so that an offer for another reason (hold) does not change it.
pub(super) fn offer_after(
    previous: Option<&SessionDescription>,
    in_use: Option<Codec>,
    local: &LocalMedia,
    capabilities: &Capabilities,
) -> SessionDescription {
    let previous_lines = previous.map(|description| description.media.as_slice()).unwrap_or_default();
    let place = previous_lines.iter().position(is_audio);
    let agreed = place.and_then(|place| previous_lines.get(place));
    let mut formats = offered_formats(agreed, capabilities);
    formats.codecs.sort_by_key(|(_, codec)| Some(*codec) != in_use);
    let secret = local.secret.filter(|_| capabilities.srtp != SrtpPolicy::Off);
    let lines = |secret: KeySecret| {
        let lines = (1..).zip(SrtpSuite::OFFERED);
        lines.map(|(tag, suite)| crypto_value(tag, suite, &secret)).collect()
    };
    let default_protocol = if capabilities.srtp == SrtpPolicy::Required { "RTP/SAVP" } else { "RTP/AVP" };
    let ours = AudioLine {
        port: local.port,
        // What was agreed stays; a running call does not change its profile.
        protocol: agreed.map_or(default_protocol, |line| &line.protocol),
        codecs: &formats.codecs,
        events: &formats.events,
        comfort_noise: capabilities.comfort_noise,
        ptime_ms: capabilities.ptime_ms,
        rtcp_mux: agreed.is_some_and(|line| line.has("rtcp-mux")),
        crypto: secret.map(lines).unwrap_or_default(),
        direction: local.direction,
    }
    .describe();
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

/// Reads the answer to an offer of ours (the text we sent), whose keys came from `secret`.
///
/// # Errors
/// 400: our text is unreadable or the answer's lines do not follow it. 488: refused, no codec, no keys, no
/// address.
pub fn accept_answer(
    our_offer: &str,
    answer: &SessionDescription,
    secret: Option<&KeySecret>,
) -> Result<Negotiated, SdpError> {
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
    if !is_audio(theirs) || is_protected(theirs) != is_protected(our_line) {
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
    let telephone_event = telephone_event_of(theirs, codec)
        .zip(telephone_event_of(our_line, codec))
        .map(|(send, receive)| PayloadTypes { send, receive });
    let remote = remote_end(answer, theirs, *our_address)?;
    let offered = ours.direction_of(our_line);
    let our_ptime_ms = packet_length_ms(&ours, our_line, codec, Capabilities::default().ptime_ms);
    Ok(Negotiated {
        remote_rtp: remote.rtp,
        remote_rtcp: remote.rtcp,
        rtcp_mux: remote.mux,
        codec,
        payload_type,
        opus: opus_wishes(theirs, payload_type.send),
        telephone_event,
        telephone_event_clock: telephone_event.map_or(codec.clock(), |types| event_clock(theirs, types.send)),
        comfort_noise: codec.clock() == 8_000 && has_comfort_noise(theirs) && has_comfort_noise(our_line),
        ptime_ms: packet_length_ms(answer, theirs, codec, our_ptime_ms),
        srtp: answered_keys(our_line, theirs, secret)?,
        // A sendrecv in answer to our sendonly is a fault of theirs; the intersection is what we act on.
        direction: offered.and(remote.direction.reversed()),
        on_hold: offered.sends() && !remote.direction.receives(),
    })
}

/// The keys an answer chose. None only where our offer left the choice (RFC 8643).
fn answered_keys(
    ours: &MediaDescription,
    theirs: &MediaDescription,
    secret: Option<&KeySecret>,
) -> Result<Option<SrtpKeys>, SdpError> {
    let offered =
        |line: &CryptoLine| crypto_lines(ours).any(|our| our.tag == line.tag && our.suite == line.suite);
    match (crypto_lines(theirs).find(offered), secret) {
        (Some(line), Some(secret)) => Ok(Some(keys(&line, secret))),
        _ if is_protected(ours) => Err(SdpError::NoKeys),
        _ => Ok(None),
    }
}

fn is_audio(media: &MediaDescription) -> bool {
    const PROFILES: [&str; 4] = ["RTP/AVP", "RTP/SAVP", "RTP/AVPF", "RTP/SAVPF"];
    media.port != 0
        && media.kind.eq_ignore_ascii_case("audio")
        && PROFILES.iter().any(|profile| media.protocol.eq_ignore_ascii_case(profile))
}

/// Whether the line's profile is one of SRTP.
fn is_protected(media: &MediaDescription) -> bool {
    media.protocol.len() > 4
        && media.protocol.as_bytes().get(4).is_some_and(|b| b.eq_ignore_ascii_case(&b'S'))
}

struct Chosen<'a> {
    index: usize,
    media: &'a MediaDescription,
    codec: Codec,
    payload_type: u8,
    crypto: Option<CryptoLine>,
}

fn choose<'a>(
    offer: &'a SessionDescription,
    local: &LocalMedia,
    capabilities: &Capabilities,
) -> Result<Chosen<'a>, SdpError> {
    let lines = || offer.media.iter().enumerate().filter(|(_, media)| is_audio(media));
    let off = capabilities.srtp == SrtpPolicy::Off;
    // Under "off" a protected line is as unusable as a video line.
    if !lines().any(|(_, media)| !(off && is_protected(media))) {
        return Err(SdpError::NoAudio);
    }
    let line_keys =
        |media: &MediaDescription| local.secret.filter(|_| !off).and_then(|_| crypto_lines(media).next());
    let with_keys = lines().filter_map(|(index, media)| Some((index, media, Some(line_keys(media)?))));
    let in_the_clear = lines().filter_map(|(index, media)| {
        let allowed = capabilities.srtp != SrtpPolicy::Required && !is_protected(media);
        allowed.then_some((index, media, None))
    });
    let mut usable = with_keys.chain(in_the_clear).peekable();
    if usable.peek().is_none() {
        return Err(SdpError::NoKeys);
    }
    usable
        .find_map(|(index, media, crypto)| {
            capabilities.codecs.iter().find_map(|&codec| {
                let payload_type =
                    payload_types(media).find(|number| codec_of(media, *number) == Some(codec))?;
                Some(Chosen { index, media, codec, payload_type, crypto })
            })
        })
        .ok_or(SdpError::NoCommonCodec)
}

struct OfferedFormats {
    codecs: Vec<(u8, Codec)>,
    /// Payload type and clock.
    events: Vec<(u8, u32)>,
}

/// Payload types for a new offer: a number once agreed keeps its meaning in the dialog (RFC 3264 §8.3.2).
fn offered_formats(previous: Option<&MediaDescription>, capabilities: &Capabilities) -> OfferedFormats {
    let agreed = |codec: Codec| {
        let media = previous?;
        payload_types(media).find(|number| codec_of(media, *number) == Some(codec))
    };
    let mut taken: Vec<u8> = previous.into_iter().flat_map(payload_types).collect();
    let free = |wanted: u8, taken: &mut Vec<u8>| {
        let number = std::iter::once(wanted).chain(96..=127).find(|number| !taken.contains(number));
        taken.extend(number);
        number
    };
    let mut codecs = Vec::new();
    for &codec in &capabilities.codecs {
        let number = agreed(codec).or_else(|| match codec.static_payload_type() {
            Some(number) => Some(number),
            None => free(OPUS, &mut taken),
        });
        codecs.extend(number.map(|number| (number, codec)));
    }
    let mut events = Vec::new();
    if capabilities.telephone_event {
        let mut clocks: Vec<u32> = codecs.iter().map(|(_, codec)| codec.clock()).collect();
        clocks.sort_unstable();
        clocks.dedup();
        for clock in clocks {
            let known = previous.and_then(|media| {
                let codec = codecs.iter().find(|(_, codec)| codec.clock() == clock)?.1;
                telephone_event_of(media, codec).filter(|number| event_clock(media, *number) == clock)
            });
            let wanted = if clock == 8_000 { EVENTS } else { EVENTS_48K };
            events.extend(known.or_else(|| free(wanted, &mut taken)).map(|number| (number, clock)));
        }
    }
    OfferedFormats { codecs, events }
}

/// Payload types by custom.
const OPUS: u8 = 107;
const EVENTS: u8 = 101;
const EVENTS_48K: u8 = 110;

/// Our audio line, before it is text.
struct AudioLine<'a> {
    port: u16,
    protocol: &'a str,
    codecs: &'a [(u8, Codec)],
    events: &'a [(u8, u32)],
    comfort_noise: bool,
    ptime_ms: u32,
    rtcp_mux: bool,
    crypto: Vec<String>,
    direction: Direction,
}

impl AudioLine<'_> {
    fn describe(self) -> MediaDescription {
        let mut formats = Vec::new();
        let mut attributes = Vec::new();
        let mut add = |number: u8, encoding: String, parameters: Option<&str>| {
            formats.push(number.to_string());
            attributes.push(Attribute::valued("rtpmap", format!("{number} {encoding}")));
            if let Some(parameters) = parameters {
                attributes.push(Attribute::valued("fmtp", format!("{number} {parameters}")));
            }
        };
        for (number, codec) in self.codecs {
            add(*number, codec.encoding(), (*codec == Codec::Opus).then_some(OPUS_PARAMETERS));
        }
        if self.comfort_noise {
            add(COMFORT_NOISE, "CN/8000".to_owned(), None);
        }
        for (number, clock) in self.events {
            add(*number, format!("telephone-event/{clock}"), Some("0-15"));
        }
        attributes.push(Attribute::valued("ptime", self.ptime_ms.to_string()));
        if self.rtcp_mux {
            attributes.push(Attribute::flag("rtcp-mux"));
        }
        attributes.extend(self.crypto.into_iter().map(|value| Attribute::valued("crypto", value)));
        attributes.push(Attribute::flag(self.direction.as_str()));
        MediaDescription {
            kind: "audio".to_owned(),
            port: self.port,
            protocol: self.protocol.to_owned(),
            formats,
            connection: None,
            attributes,
        }
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
