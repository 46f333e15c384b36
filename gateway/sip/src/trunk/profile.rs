//! What carriers differ in, as named manners, and ready-made sets of them.
//!
//! A profile is where to begin, not what a carrier promises: interface sheets differ by province. Each manner
//! can be set alone. Sources: RFC 3261, [3323](https://www.rfc-editor.org/rfc/rfc3323),
//! [3325](https://www.rfc-editor.org/rfc/rfc3325), 3GPP TS 24.229.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A ready-made set of manners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Plain RFC 3261.
    #[default]
    Generic,
    /// An IMS trunk as 3GPP describes it.
    Ims,
    /// China Telecom's manner: national numbers, P-Preferred-Identity.
    Telecom,
    /// China Mobile's manner: international numbers, P-Preferred-Identity.
    Mobile,
    /// China Unicom's manner: national numbers, the identity in From.
    Unicom,
    /// A PBX in the house: numbers as they are dialled, nothing else.
    Pbx,
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberFormat {
    /// As given.
    #[default]
    AsGiven,
    /// `+864714862423`
    International,
    /// `04714862423`, `13900000000`, `008210…`
    National,
    /// `4862423` in the own area, else as `National`.
    Local,
}

/// Where the network looks for who calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerIdentity {
    /// From alone.
    #[default]
    From,
    /// P-Asserted-Identity beside it: the trunk is part of the trusted network.
    Asserted,
    /// P-Preferred-Identity beside it: the network asserts.
    Preferred,
}

/// How a number is withheld.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrivacyStyle {
    /// From says `anonymous@anonymous.invalid`, and `Privacy: id` is asked (RFC 3323, RFC 3325).
    #[default]
    Both,
    /// `Privacy: id` alone; From keeps our number, which the network needs for the bill and hides.
    Header,
    /// From alone; the network knows no Privacy header.
    From,
}

/// 100rel (RFC 3262) in calls through the trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reliable {
    /// Offered.
    #[default]
    Supported,
    /// Demanded.
    Required,
    /// Not spoken of.
    Off,
}

/// How digits are to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DtmfPreference {
    /// RFC 4733.
    #[default]
    Rfc4733,
    /// SIP INFO.
    Info,
    /// As tones in the sound.
    InBand,
}

/// The manners of one carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Called and calling numbers.
    pub number_format: NumberFormat,
    /// `;user=phone` behind numbers.
    pub user_phone: bool,
    /// `;phone-context=+86471` behind local and service numbers.
    pub phone_context: bool,
    /// Where our number stands.
    pub caller_identity: CallerIdentity,
    /// How it is withheld.
    pub privacy: PrivacyStyle,
    /// A Diversion header with our own number when a citizen's is passed through.
    pub diversion: bool,
    /// Reliable provisional answers.
    pub reliable: Reliable,
    /// Session timers (RFC 4028).
    pub session_timer: bool,
    /// Whether sound before the answer (183) is taken up.
    pub early_media: bool,
    /// Requests inside a call follow its source and not the peer's Contact.
    pub symmetric: bool,
    /// Digits.
    pub dtmf: DtmfPreference,
    /// Time between keep-alives on connections we opened (RFC 5626 §4.4.1).
    pub keep_alive: Option<Duration>,
    /// Whether requests over 1300 bytes go over TCP instead of UDP (RFC 3261 §18.1.1).
    pub large_over_tcp: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Profile::Generic.manner()
    }
}

impl Profile {
    /// The manners of the profile.
    pub fn manner(self) -> Manner {
        let generic = Manner {
            number_format: NumberFormat::AsGiven,
            user_phone: false,
            phone_context: false,
            caller_identity: CallerIdentity::From,
            privacy: PrivacyStyle::Both,
            diversion: false,
            reliable: Reliable::Supported,
            session_timer: true,
            early_media: true,
            symmetric: false,
            dtmf: DtmfPreference::Rfc4733,
            keep_alive: Some(Duration::from_secs(30)),
            large_over_tcp: true,
        };
        match self {
            Self::Generic => generic,
            Self::Ims => Manner {
                number_format: NumberFormat::International,
                user_phone: true,
                phone_context: true,
                caller_identity: CallerIdentity::Asserted,
                ..generic
            },
            Self::Telecom => Manner {
                number_format: NumberFormat::National,
                user_phone: true,
                caller_identity: CallerIdentity::Preferred,
                privacy: PrivacyStyle::Header,
                diversion: true,
                reliable: Reliable::Off,
                symmetric: true,
                ..generic
            },
            Self::Mobile => Manner {
                number_format: NumberFormat::International,
                user_phone: true,
                caller_identity: CallerIdentity::Preferred,
                diversion: true,
                ..generic
            },
            Self::Unicom => Manner {
                number_format: NumberFormat::National,
                user_phone: true,
                privacy: PrivacyStyle::Header,
                reliable: Reliable::Off,
                large_over_tcp: false,
                ..generic
            },
            Self::Pbx => Manner {
                reliable: Reliable::Off,
                session_timer: false,
                privacy: PrivacyStyle::From,
                symmetric: true,
                large_over_tcp: false,
                ..generic
            },
        }
    }
}
