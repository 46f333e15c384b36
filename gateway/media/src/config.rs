//! The `[media]` section: what an operator may set about telephone sound.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::Codec;

/// The `[media]` section.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaConfig {
    /// First and last UDP port for RTP, both included; RTCP takes the odd ones. Default `[20000, 29999]`.
    pub rtp_ports: [u16; 2],
    /// Address written into SDP when the one bound to is not reachable from outside. Default none.
    pub external_address: Option<IpAddr>,
    /// What we speak, in order of preference. Default `["pcma", "pcmu", "g722", "opus"]`.
    pub codecs: Vec<Codec>,
    /// Whether silence may be told as comfort noise (RFC 3389) where the far end knows it. Default true.
    pub comfort_noise: bool,
    /// Whether sound is encrypted (SRTP with keys in SDP). Default `"off"`.
    pub srtp: SrtpPolicy,
    /// The same for agents' phones, where it is another. Default as `srtp`.
    pub agent_srtp: Option<SrtpPolicy>,
    /// The jitter buffer, the same for every leg so that both sides of a recording stay aligned.
    pub jitter: JitterConfig,
    /// Whose packets may set the far end's address. Default `signalled-address`.
    pub latch: LatchPolicy,
    /// Keys as tones in the sound: listened to on legs without telephone events (`"auto"`), on all, or never.
    /// Default `"auto"`.
    pub in_band_digits: InBandDigits,
    /// Without a first packet for so long the far end counts as gone. Default `"60s"`.
    #[serde(deserialize_with = "duration")]
    pub initial_timeout: Duration,
    /// Without RTP for so long the far end counts as gone. Long, because a
    /// phone that suppresses silence may send nothing while its owner only listens. Default `"120s"`.
    #[serde(deserialize_with = "duration")]
    pub receive_timeout: Duration,
    /// Mean time between RTCP reports. Default `"5s"` (RFC 3550 6.2).
    #[serde(deserialize_with = "duration")]
    pub rtcp_interval: Duration,
    /// Threads that carry the sound of all calls; 0 means one for each core. Default 0.
    pub threads: usize,
    /// After a stall of the process, 20 ms ticks made up at once; older ones are skipped. Default 5.
    pub catch_up_ticks: u32,
    /// Sound below this level never counts as speech, in dB of full scale. Default -48.
    pub speech_floor_db: f32,
    /// Speech counts as over after so much silence. Default `"400ms"`.
    #[serde(deserialize_with = "duration")]
    pub speech_hangover: Duration,
    /// Whether a key pressed by one leg is pressed towards those who hear it, too: for callers who must steer
    /// another house's menu. Default false: keys are often an identity number.
    pub forward_digits: bool,
    /// Whether a beep tells everybody that a supervisor breaks into their talk, and that he is gone. Default
    /// true.
    pub barge_tone: bool,
    /// What is kept of calls.
    pub recording: RecordingConfig,
}

/// The `[media.recording]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordingConfig {
    /// What files are made. Default `"wav"`.
    pub format: RecordingFormat,
    /// Whether what we play to the caller (notice, music, prompts) is on the right channel as well. Default
    /// false: nobody said it.
    pub prompts: bool,
}

/// What a recording file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordingFormat {
    /// PCM of 16 bits: 115 MB an hour, no loss.
    #[default]
    Wav,
    /// Ogg Opus at 32 kbit/s: 14 MB an hour.
    OggOpus,
}

impl RecordingFormat {
    /// Of the file's name, without a point.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::OggOpus => "ogg",
        }
    }

    /// Its media type ([RFC 7845](https://www.rfc-editor.org/rfc/rfc7845) 9 for Ogg Opus).
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::OggOpus => "audio/ogg",
        }
    }
}

/// The `[media.jitter]` section. All delays are counted from arrival of the fastest packets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JitterConfig {
    /// Follow the network between the two bounds; otherwise keep `delay_ms`. Default true.
    pub adaptive: bool,
    /// Delay at the beginning of a stream, in milliseconds. Default 60.
    pub delay_ms: u32,
    /// Smallest delay, in milliseconds. Default 40.
    pub delay_min_ms: u32,
    /// Largest delay, in milliseconds. Default 120.
    pub delay_max_ms: u32,
}

/// Where keys are sought in the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InBandDigits {
    /// Where no telephone events were agreed on.
    #[default]
    Auto,
    /// Everywhere; a key that also came as an event is told once.
    Always,
    /// Nowhere.
    Never,
}

/// Whether sound is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SrtpPolicy {
    /// Never.
    #[default]
    Off,
    /// Where the far end can.
    Optional,
    /// Always: without keys there is no call.
    Required,
}

/// Whose packets may set the far end's address before it is latched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatchPolicy {
    /// Only those from the IP address in the SDP or the one the signalling comes from; their port may
    /// differ.
    SignalledAddress,
    /// The first valid packet, wherever it comes from. For phones behind NAT whose SDP names a private
    /// address; whoever guesses the port first gets the call's sound, so not for open networks.
    FirstPacket,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            rtp_ports: [20_000, 29_999],
            external_address: None,
            codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus],
            comfort_noise: true,
            srtp: SrtpPolicy::Off,
            agent_srtp: None,
            jitter: JitterConfig::default(),
            latch: LatchPolicy::SignalledAddress,
            in_band_digits: InBandDigits::Auto,
            initial_timeout: Duration::from_secs(60),
            receive_timeout: Duration::from_secs(120),
            rtcp_interval: Duration::from_secs(5),
            threads: 0,
            catch_up_ticks: 5,
            speech_floor_db: -48.0,
            speech_hangover: Duration::from_millis(400),
            forward_digits: false,
            barge_tone: true,
            recording: RecordingConfig::default(),
        }
    }
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self { adaptive: true, delay_ms: 60, delay_min_ms: 40, delay_max_ms: 120 }
    }
}

impl MediaConfig {
    /// All that is wrong, as key path and complaint.
    #[must_use]
    pub fn complaints(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let [first, last] = self.rtp_ports;
        if first < 1024 || last <= first {
            found.push(("media.rtp_ports", format!("[{first}, {last}] is no range above 1023")));
        }
        if self.codecs.is_empty() {
            found.push(("media.codecs", "must name at least one codec".to_owned()));
        }
        let jitter = &self.jitter;
        if !(20..=200).contains(&jitter.delay_min_ms) || !(20..=200).contains(&jitter.delay_max_ms) {
            found.push(("media.jitter", "delays must lie between 20 and 200 ms".to_owned()));
        }
        if !(jitter.delay_min_ms..=jitter.delay_max_ms).contains(&jitter.delay_ms) {
            found
                .push(("media.jitter.delay_ms", "must lie between delay_min_ms and delay_max_ms".to_owned()));
        }
        if self.receive_timeout < Duration::from_secs(1) {
            found.push(("media.receive_timeout", "below 1s every silence would end the call".to_owned()));
        }
        if self.initial_timeout < Duration::from_secs(1) {
            found.push(("media.initial_timeout", "below 1s no phone could answer in time".to_owned()));
        }
        if self.rtcp_interval < Duration::from_secs(1) {
            found.push(("media.rtcp_interval", "must be at least 1s".to_owned()));
        }
        if self.threads > 256 {
            found.push(("media.threads", "at most 256; 0 means one for each core".to_owned()));
        }
        if !(1..=50).contains(&self.catch_up_ticks) {
            found.push(("media.catch_up_ticks", "must lie between 1 and 50".to_owned()));
        }
        if !(-80.0..=-10.0).contains(&self.speech_floor_db) {
            found.push(("media.speech_floor_db", "must lie between -80 and -10".to_owned()));
        }
        found
    }
}

/// Durations as the whole configuration writes them: `"400ms"`, `"30s"`, `"2m"`, `"1h"`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text)
        .ok_or_else(|| de::Error::custom(format!("{text:?} is no duration such as \"400ms\" or \"30s\"")))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(unit_ms)?))
}
