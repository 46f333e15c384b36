//! SRTP and SRTCP of one leg ([RFC 3711](https://www.rfc-editor.org/rfc/rfc3711), AES-256 by
//! [RFC 6188](https://www.rfc-editor.org/rfc/rfc6188), GCM by [RFC 7714](https://www.rfc-editor.org/rfc/rfc7714)).
//!
//! Packets are protected and opened in the buffer they are in: nothing is allocated. State of a source is kept
//! only after one of its packets has proved itself, so that strangers cannot fill any table. Keys come from
//! SDP and change only there; there is no key derivation rate and no MKI of ours (the far end's is skipped).

mod cipher;
mod window;

use std::fmt;

use crate::{RtpError, rtp};

use cipher::Keyed;
use window::{Sequences, Window};

/// Sources of the far end remembered; a transfer behind it makes a new one.
const MAX_SOURCES: usize = 4;
/// SRTCP packets carry the "encrypted" bit and a counter of 31 bits.
const INDEX_LENGTH: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
/// What of an RTCP compound stays readable.
const RTCP_CLEAR: usize = 8;
/// Most octets of key and salt.
pub const MAX_KEY: usize = 46;

/// How packets are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SrtpSuite {
    /// AES-128 in counter mode, tags of 80 bits.
    AesCm128HmacSha1_80,
    /// AES-128 in counter mode, tags of 32 bits (80 in reports).
    AesCm128HmacSha1_32,
    /// AES-256 in counter mode, tags of 80 bits.
    AesCm256HmacSha1_80,
    /// AES-256 in counter mode, tags of 32 bits (80 in reports).
    AesCm256HmacSha1_32,
    /// AES-128 in Galois counter mode.
    AeadAes128Gcm,
    /// AES-256 in Galois counter mode.
    AeadAes256Gcm,
}

impl SrtpSuite {
    /// Octets of the master key, and of the master salt.
    #[must_use]
    pub const fn lengths(self) -> (usize, usize) {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => (16, 14),
            Self::AesCm256HmacSha1_80 | Self::AesCm256HmacSha1_32 => (32, 14),
            Self::AeadAes128Gcm => (16, 12),
            Self::AeadAes256Gcm => (32, 12),
        }
    }
}

/// Master key and salt of one direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SrtpKey {
    /// Key, then salt.
    octets: [u8; MAX_KEY],
    /// Octets of the key identifier in each packet; 0 for none.
    mki_length: usize,
}

impl SrtpKey {
    /// A key; none when the lengths are not those of the suite.
    #[must_use]
    pub fn new(suite: SrtpSuite, key: &[u8], salt: &[u8], mki_length: usize) -> Option<Self> {
        if (key.len(), salt.len()) != suite.lengths() {
            return None;
        }
        let mut octets = [0; MAX_KEY];
        for (slot, octet) in octets.iter_mut().zip(key.iter().chain(salt)) {
            *slot = *octet;
        }
        Some(Self { octets, mki_length })
    }
}

impl fmt::Debug for SrtpKey {
    /// It is a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SrtpKey")
    }
}

/// What one leg is protected with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SrtpKeys {
    /// How.
    pub suite: SrtpSuite,
    /// What we send with.
    pub send: SrtpKey,
    /// What the far end sends with.
    pub receive: SrtpKey,
}

/// Both directions of one leg.
pub struct Srtp {
    keys: SrtpKeys,
    send: Keyed,
    receive: Keyed,
    /// Of our one source.
    sent: Option<u64>,
    reports_sent: u32,
    sources: [Option<Source>; MAX_SOURCES],
    newest: usize,
}

/// What was received from one source of the far end.
#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    sound: Option<Sequences>,
    reports: Window,
}

impl Srtp {
    /// Begins with these keys.
    #[must_use]
    pub fn new(keys: SrtpKeys) -> Self {
        Self {
            send: Keyed::new(keys.suite, &keys.send.octets),
            receive: Keyed::new(keys.suite, &keys.receive.octets),
            keys,
            sent: None,
            reports_sent: 0,
            sources: [None; MAX_SOURCES],
            newest: 0,
        }
    }

    /// Takes over what a new offer and answer named. A direction whose key stays keeps its counters; a new key
    /// begins them anew.
    pub fn set_keys(&mut self, keys: SrtpKeys) {
        if keys.suite != self.keys.suite || keys.send != self.keys.send {
            self.send = Keyed::new(keys.suite, &keys.send.octets);
            self.sent = None;
            self.reports_sent = 0;
        }
        if keys.suite != self.keys.suite || keys.receive != self.keys.receive {
            self.receive = Keyed::new(keys.suite, &keys.receive.octets);
            self.sources = [None; MAX_SOURCES];
        }
        self.keys = keys;
    }

    /// Encrypts an RTP packet of ours, in order, and appends its tag.
    pub fn protect(&mut self, packet: &mut Vec<u8>) {
        let Some((header, sequence, ssrc)) = rtp::header_of(packet) else { return packet.clear() };
        let before = self.sent.unwrap_or(u64::from(sequence));
        // A number below the last one has wrapped: ours never go back.
        let turn = (before >> 16) + u64::from(sequence < before as u16);
        let index = turn << 16 | u64::from(sequence);
        self.sent = Some(index);
        self.send.seal_rtp(packet, header, ssrc, index);
    }

    /// Encrypts an RTCP compound of ours and appends counter and tag.
    pub fn protect_rtcp(&mut self, packet: &mut Vec<u8>) {
        let Some(ssrc) = reporter(packet) else { return packet.clear() };
        self.reports_sent = (self.reports_sent + 1) & !ENCRYPTED;
        self.send.seal_rtcp(packet, ssrc, self.reports_sent | ENCRYPTED);
    }

    /// Opens a received RTP packet in place.
    ///
    /// # Errors
    /// [`RtpError::Truncated`], [`RtpError::Replayed`], [`RtpError::Unauthenticated`].
    pub fn unprotect(&mut self, packet: &mut Vec<u8>) -> Result<(), RtpError> {
        let (header, sequence, ssrc) = rtp::header_of(packet).ok_or(RtpError::Truncated)?;
        let known = self.source(ssrc);
        let sequences = known.and_then(|source| source.sound);
        let index = sequences.map_or(u64::from(sequence), |sequences| sequences.guess(sequence));
        if sequences.is_some_and(|sequences| sequences.window.has_seen(index)) {
            return Err(RtpError::Replayed);
        }
        self.receive.open_rtp(packet, header, ssrc, index, self.keys.receive.mki_length)?;
        let source = self.source_mut(ssrc);
        source.sound.get_or_insert(Sequences::new(index)).window.take(index);
        Ok(())
    }

    /// Opens a received RTCP compound in place.
    ///
    /// # Errors
    /// [`RtpError::Truncated`], [`RtpError::Replayed`], [`RtpError::Unauthenticated`].
    pub fn unprotect_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), RtpError> {
        let ssrc = reporter(packet).ok_or(RtpError::Truncated)?;
        let mki_length = self.keys.receive.mki_length;
        let word = self.receive.rtcp_index(packet, mki_length).ok_or(RtpError::Truncated)?;
        let index = u64::from(word & !ENCRYPTED);
        if self.source(ssrc).is_some_and(|source| source.reports.has_seen(index)) {
            return Err(RtpError::Replayed);
        }
        self.receive.open_rtcp(packet, ssrc, word, mki_length)?;
        self.source_mut(ssrc).reports.take(index);
        Ok(())
    }

    fn source(&self, ssrc: u32) -> Option<&Source> {
        self.sources.iter().flatten().find(|source| source.ssrc == ssrc)
    }

    /// The state of an authenticated source; the oldest makes room for a new one.
    fn source_mut(&mut self, ssrc: u32) -> &mut Source {
        let place = self.sources.iter().position(|source| source.is_some_and(|source| source.ssrc == ssrc));
        let place = place.unwrap_or_else(|| {
            self.newest = (self.newest + 1) % MAX_SOURCES;
            self.sources[self.newest] = None;
            self.newest
        });
        // In bounds: a found position, or a remainder.
        self.sources[place].get_or_insert(Source { ssrc, sound: None, reports: Window::default() })
    }
}

/// The SSRC of an RTCP compound's first packet.
fn reporter(packet: &[u8]) -> Option<u32> {
    let (_, rest) = packet.split_first_chunk::<4>()?;
    rest.first_chunk::<4>().map(|ssrc| u32::from_be_bytes(*ssrc))
}
