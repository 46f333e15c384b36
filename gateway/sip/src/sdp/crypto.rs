//! Keys for SRTP inside the description: `a=crypto`
//! ([RFC 4568](https://www.rfc-editor.org/rfc/rfc4568), suites also of
//! [RFC 6188](https://www.rfc-editor.org/rfc/rfc6188) and [RFC 7714](https://www.rfc-editor.org/rfc/rfc7714)).
//!
//! Each end names the key it sends with. Lines with session parameters that weaken or change the protection
//! are passed over, as section 6.3 of RFC 4568 asks. Whoever reads the signalling reads the keys: it belongs
//! on TLS or on a private network. No DTLS, no MIKEY.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::description::MediaDescription;

/// Most octets of key and salt: AES-256 with a 112-bit salt.
pub const MAX_KEY_MATERIAL: usize = 46;
/// `a=crypto` lines looked at in one media section.
const MAX_LINES: usize = 16;

/// Base64 as phones write it: with or without `=`.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether a call's sound is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SrtpPolicy {
    /// Never: lines over `RTP/SAVP` are refused, `a=crypto` elsewhere is ignored.
    #[default]
    Off,
    /// When the other end can. Offers are `RTP/AVP` with `a=crypto`
    /// ([RFC 8643](https://www.rfc-editor.org/rfc/rfc8643)); of two lines the protected one is taken.
    Optional,
    /// Always: without keys there is no call (488).
    Required,
}

/// How packets are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SrtpSuite {
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `AES_CM_128_HMAC_SHA1_80`, which every phone has.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`.
    AesCm256HmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`.
    AesCm256HmacSha1_32,
}

impl SrtpSuite {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AesCm128HmacSha1_80,
        Self::AesCm128HmacSha1_32,
        Self::AesCm256HmacSha1_80,
        Self::AesCm256HmacSha1_32,
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
    ];
    /// Those we offer: what every phone has, then the modern one. More lines would only make the offer long.
    pub(super) const OFFERED: [Self; 3] =
        [Self::AesCm128HmacSha1_80, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_32];

    /// The name in `a=crypto`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256HmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
        }
    }

    /// Octets of the master key.
    pub fn key_length(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16,
            Self::AeadAes256Gcm | Self::AesCm256HmacSha1_80 | Self::AesCm256HmacSha1_32 => 32,
        }
    }

    /// Octets of the master salt.
    pub fn salt_length(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            _ => 14,
        }
    }

    fn material_length(self) -> usize {
        self.key_length() + self.salt_length()
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }
}

/// Random octets from which all keys we name in one dialog come: the same suite has the same key in every
/// description of the dialog, so that a new offer does not change keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeySecret(pub [u8; 32]);

impl fmt::Debug for KeySecret {
    /// It is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret")
    }
}

/// Master key and salt of one direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SrtpKey {
    octets: [u8; MAX_KEY_MATERIAL],
    key_length: usize,
    salt_length: usize,
    /// Octets of the key identifier in every packet sent with this key; 0 for none.
    pub mki_length: usize,
}

impl SrtpKey {
    fn new(suite: SrtpSuite, material: &[u8], mki_length: usize) -> Option<Self> {
        if material.len() != suite.material_length() {
            return None;
        }
        let mut octets = [0; MAX_KEY_MATERIAL];
        octets.get_mut(..material.len())?.copy_from_slice(material);
        let (key_length, salt_length) = (suite.key_length(), suite.salt_length());
        Some(Self { octets, key_length, salt_length, mki_length })
    }

    /// The key of this suite that belongs to a secret, always the same one.
    fn derived(suite: SrtpSuite, secret: &KeySecret) -> Self {
        let block = |counter: u8| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes any key length");
            mac.update(suite.name().as_bytes());
            mac.update(&[counter]);
            mac.finalize().into_bytes()
        };
        let mut octets = [0; MAX_KEY_MATERIAL];
        for (octet, made) in octets.iter_mut().zip(block(1).into_iter().chain(block(2))) {
            *octet = made;
        }
        octets.iter_mut().skip(suite.material_length()).for_each(|octet| *octet = 0);
        let (key_length, salt_length) = (suite.key_length(), suite.salt_length());
        Self { octets, key_length, salt_length, mki_length: 0 }
    }

    /// The master key.
    pub fn key(&self) -> &[u8] {
        self.octets.get(..self.key_length).unwrap_or_default()
    }

    /// The master salt.
    pub fn salt(&self) -> &[u8] {
        self.octets.get(self.key_length..self.key_length + self.salt_length).unwrap_or_default()
    }
}

impl fmt::Debug for SrtpKey {
    /// It is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SrtpKey")
    }
}

/// What both ends encrypt with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SrtpKeys {
    /// How.
    pub suite: SrtpSuite,
    /// With what we send.
    pub send: SrtpKey,
    /// With what the other end sends.
    pub receive: SrtpKey,
}

/// One readable `a=crypto` line.
#[derive(Clone, Copy)]
pub(super) struct CryptoLine {
    pub tag: u32,
    pub suite: SrtpSuite,
    pub key: SrtpKey,
}

/// The lines of a section we can use, in its order.
pub(super) fn crypto_lines(media: &MediaDescription) -> impl Iterator<Item = CryptoLine> {
    media.attributes_named("crypto").take(MAX_LINES).filter_map(read_line)
}

/// The value of our line.
pub(super) fn crypto_value(tag: u32, suite: SrtpSuite, secret: &KeySecret) -> String {
    let key = SrtpKey::derived(suite, secret);
    let material = key.octets.get(..suite.material_length()).unwrap_or_default();
    format!("{tag} {} inline:{}", suite.name(), BASE64.encode(material))
}

/// What an agreed line means for us, whose `secret` our line came from.
pub(super) fn keys(theirs: &CryptoLine, secret: &KeySecret) -> SrtpKeys {
    SrtpKeys { suite: theirs.suite, send: SrtpKey::derived(theirs.suite, secret), receive: theirs.key }
}

/// `tag suite inline:key[|lifetime][|mki:length] [parameters]`.
fn read_line(value: &str) -> Option<CryptoLine> {
    let mut words = value.split_ascii_whitespace();
    let tag = words.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
    let suite = SrtpSuite::from_name(words.next()?)?;
    let parameters = words.next()?;
    // Several keys at once (";") change by MKI in the middle of a stream: no phone does, and neither do we.
    let inline = parameters.get(..7).filter(|word| word.eq_ignore_ascii_case("inline:"))?;
    let mut parts = parameters.get(inline.len()..)?.split('|');
    let material = BASE64.decode(parts.next()?).ok()?;
    let mut mki_length = 0;
    for part in parts {
        // Else a lifetime (more packets than a call has).
        if let Some((_, length)) = part.split_once(':') {
            mki_length = length.parse().ok().filter(|length| (1..=128).contains(length))?;
        }
    }
    if words.any(|word| !is_harmless(word)) {
        return None;
    }
    Some(CryptoLine { tag, suite, key: SrtpKey::new(suite, &material, mki_length)? })
}

/// Session parameters that change nothing for us: the size of the replay window, and no key derivation anew.
fn is_harmless(parameter: &str) -> bool {
    let parameter = parameter.to_ascii_uppercase();
    parameter.starts_with("WSH=") || parameter == "KDR=0"
}
