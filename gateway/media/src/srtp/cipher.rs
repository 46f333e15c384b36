//! Session keys of one direction and what they do to packets: AES in counter mode with HMAC-SHA1
//! (RFC 3711 4), or AES-GCM (RFC 7714 8 and 9).

use aes::cipher::{BlockEncrypt, KeyInit as _, generic_array::GenericArray};
use aes::{Aes128, Aes256, Block};
use hmac::{Hmac, Mac};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;

use crate::RtpError;

use super::{INDEX_LENGTH, MAX_KEY, RTCP_CLEAR, SrtpSuite};

/// Labels of the derived keys (RFC 3711 4.3.1 and 4.3.2); those for RTCP are three higher.
const LABEL_KEY: u8 = 0;
const LABEL_AUTHENTICATION: u8 = 1;
const LABEL_SALT: u8 = 2;
const LABELS_RTCP: u8 = 3;
/// Tag of an SRTCP packet in counter mode, also where the suite shortens the tags of SRTP (RFC 4568 6.2.2).
const RTCP_TAG: usize = 10;
const GCM_TAG: usize = 16;
/// Blocks of key stream made at once: what the processor does side by side.
const PARALLEL: usize = 8;

/// One direction's session keys.
pub(super) struct Keyed {
    rtp: Protection,
    rtcp: Protection,
    /// Octets of tag on an SRTP packet.
    tag: usize,
}

struct Protection {
    salt: [u8; 14],
    cipher: Cipher,
}

enum Cipher {
    Counter { aes: CounterKey, authentication: Hmac<Sha1> },
    Galois(Option<LessSafeKey>),
}

enum CounterKey {
    Short(Box<Aes128>),
    Long(Box<Aes256>),
}

impl Keyed {
    /// Derives the session keys of a master key and salt.
    pub fn new(suite: SrtpSuite, master: &[u8; MAX_KEY]) -> Self {
        let (key_length, salt_length) = suite.lengths();
        let master = master.split_at(key_length);
        let salt = master.1.get(..salt_length).unwrap_or_default();
        let deriver = Deriver::new(master.0, salt);
        let tag = match suite {
            SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm256HmacSha1_80 => 10,
            SrtpSuite::AesCm128HmacSha1_32 | SrtpSuite::AesCm256HmacSha1_32 => 4,
            SrtpSuite::AeadAes128Gcm | SrtpSuite::AeadAes256Gcm => GCM_TAG,
        };
        Self {
            rtp: Protection::new(suite, &deriver, 0),
            rtcp: Protection::new(suite, &deriver, LABELS_RTCP),
            tag,
        }
    }

    /// Encrypts what follows the header and appends the tag.
    pub fn seal_rtp(&self, packet: &mut Vec<u8>, header: usize, ssrc: u32, index: u64) {
        match &self.rtp.cipher {
            Cipher::Counter { aes, authentication } => {
                aes.apply(&self.rtp.counter(ssrc, index), packet.get_mut(header..).unwrap_or_default());
                let mac = authentication.clone().chain_update(&*packet).chain_update(turn(index));
                packet.extend(mac.finalize().into_bytes().iter().take(self.tag));
            }
            Cipher::Galois(key) => {
                let nonce = self.rtp.rtp_nonce(ssrc, index);
                let (clear, secret) = packet.split_at_mut(header);
                match seal(key.as_ref(), nonce, clear, secret) {
                    Some(tag) => packet.extend_from_slice(tag.as_ref()),
                    None => packet.clear(),
                }
            }
        }
    }

    /// Checks and decrypts a packet, leaving the plain one.
    pub fn open_rtp(
        &self,
        packet: &mut Vec<u8>,
        header: usize,
        ssrc: u32,
        index: u64,
        mki: usize,
    ) -> Result<(), RtpError> {
        match &self.rtp.cipher {
            Cipher::Counter { aes, authentication } => {
                let signed = packet.len().checked_sub(self.tag + mki).ok_or(RtpError::Truncated)?;
                if signed < header {
                    return Err(RtpError::Truncated);
                }
                let (message, tag) = packet.split_at(signed);
                let mac = authentication.clone().chain_update(message).chain_update(turn(index));
                mac.verify_truncated_left(tag.get(mki..).unwrap_or_default())
                    .map_err(|_| RtpError::Unauthenticated)?;
                packet.truncate(signed);
                aes.apply(&self.rtp.counter(ssrc, index), packet.get_mut(header..).unwrap_or_default());
            }
            Cipher::Galois(key) => {
                let end = packet.len().checked_sub(mki).ok_or(RtpError::Truncated)?;
                if end < header + GCM_TAG {
                    return Err(RtpError::Truncated);
                }
                packet.truncate(end);
                let nonce = self.rtp.rtp_nonce(ssrc, index);
                let (clear, secret) = packet.split_at_mut(header);
                open(key.as_ref(), nonce, clear, secret)?;
                packet.truncate(end - GCM_TAG);
            }
        }
        Ok(())
    }

    /// Encrypts a compound and appends counter word and tag.
    pub fn seal_rtcp(&self, packet: &mut Vec<u8>, ssrc: u32, word: u32) {
        let index = u64::from(word & (u32::MAX >> 1));
        match &self.rtcp.cipher {
            Cipher::Counter { aes, authentication } => {
                aes.apply(&self.rtcp.counter(ssrc, index), packet.get_mut(RTCP_CLEAR..).unwrap_or_default());
                packet.extend_from_slice(&word.to_be_bytes());
                let mac = authentication.clone().chain_update(&*packet);
                packet.extend(mac.finalize().into_bytes().iter().take(RTCP_TAG));
            }
            Cipher::Galois(key) => {
                let nonce = self.rtcp.rtcp_nonce(ssrc, index);
                let Some((clear, secret)) = packet.split_at_mut_checked(RTCP_CLEAR) else { return };
                match seal(key.as_ref(), nonce, &with_word(clear, word), secret) {
                    Some(tag) => {
                        packet.extend_from_slice(tag.as_ref());
                        packet.extend_from_slice(&word.to_be_bytes());
                    }
                    None => packet.clear(),
                }
            }
        }
    }

    /// The counter word of a received compound: the "encrypted" bit and the index.
    pub fn rtcp_index(&self, packet: &[u8], mki: usize) -> Option<u32> {
        let behind = match self.rtcp.cipher {
            Cipher::Counter { .. } => RTCP_TAG + mki,
            Cipher::Galois(_) => mki,
        };
        let end = packet.len().checked_sub(behind)?;
        let word = packet.get(end.checked_sub(INDEX_LENGTH)?..end)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*word))
    }

    /// Checks and decrypts a compound, leaving the plain one.
    pub fn open_rtcp(&self, packet: &mut Vec<u8>, ssrc: u32, word: u32, mki: usize) -> Result<(), RtpError> {
        let index = u64::from(word & (u32::MAX >> 1));
        let encrypted = word >> 31 == 1;
        match &self.rtcp.cipher {
            Cipher::Counter { aes, authentication } => {
                let signed = packet.len().checked_sub(RTCP_TAG + mki).ok_or(RtpError::Truncated)?;
                let end = signed.checked_sub(INDEX_LENGTH).ok_or(RtpError::Truncated)?;
                if end < RTCP_CLEAR {
                    return Err(RtpError::Truncated);
                }
                let (message, tag) = packet.split_at(signed);
                let mac = authentication.clone().chain_update(message);
                mac.verify_truncated_left(tag.get(mki..).unwrap_or_default())
                    .map_err(|_| RtpError::Unauthenticated)?;
                packet.truncate(end);
                if encrypted {
                    let secret = packet.get_mut(RTCP_CLEAR..).unwrap_or_default();
                    aes.apply(&self.rtcp.counter(ssrc, index), secret);
                }
            }
            Cipher::Galois(key) => {
                let end = packet.len().checked_sub(INDEX_LENGTH + mki).ok_or(RtpError::Truncated)?;
                // One without encryption has another form (RFC 7714 9.3) that no phone sends.
                if end < RTCP_CLEAR + GCM_TAG || !encrypted {
                    return Err(RtpError::Truncated);
                }
                packet.truncate(end);
                let nonce = self.rtcp.rtcp_nonce(ssrc, index);
                let (clear, secret) = packet.split_at_mut(RTCP_CLEAR);
                open(key.as_ref(), nonce, &with_word(clear, word), secret)?;
                packet.truncate(end - GCM_TAG);
            }
        }
        Ok(())
    }
}

impl Protection {
    fn new(suite: SrtpSuite, deriver: &Deriver, labels: u8) -> Self {
        let (mut key, mut salt, mut authentication) = ([0; 32], [0; 14], [0; 20]);
        let (key_length, salt_length) = suite.lengths();
        let key = key.get_mut(..key_length).unwrap_or_default();
        deriver.derive(labels + LABEL_KEY, key);
        deriver.derive(labels + LABEL_SALT, salt.get_mut(..salt_length).unwrap_or_default());
        deriver.derive(labels + LABEL_AUTHENTICATION, &mut authentication);
        let galois = |algorithm| Cipher::Galois(UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new));
        let cipher = match suite {
            SrtpSuite::AeadAes128Gcm => galois(&AES_128_GCM),
            SrtpSuite::AeadAes256Gcm => galois(&AES_256_GCM),
            _ => Cipher::Counter {
                aes: CounterKey::new(key),
                authentication: <Hmac<Sha1> as Mac>::new_from_slice(&authentication)
                    .expect("HMAC takes any key length"),
            },
        };
        Self { salt, cipher }
    }

    /// The first counter block (RFC 3711 4.1.1): salt, source and index over each other.
    fn counter(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let mut block = [0; 16];
        block[..14].copy_from_slice(&self.salt);
        lay_over(&mut block[4..8], &ssrc.to_be_bytes());
        lay_over(&mut block[8..14], &index.to_be_bytes()[2..]);
        block
    }

    /// RFC 7714 8.1: two zero octets, source, turn, sequence number, under the salt.
    fn rtp_nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.salt[..12]);
        lay_over(&mut nonce[2..6], &ssrc.to_be_bytes());
        lay_over(&mut nonce[6..12], &index.to_be_bytes()[2..]);
        Nonce::assume_unique_for_key(nonce)
    }

    /// RFC 7714 9.1: the same with two more zero octets and the 31-bit index.
    fn rtcp_nonce(&self, ssrc: u32, index: u64) -> Nonce {
        self.rtp_nonce(ssrc, index)
    }
}

impl CounterKey {
    /// `key` has 16 or 32 octets.
    fn new(key: &[u8]) -> Self {
        if key.len() == 32 {
            Self::Long(Box::new(Aes256::new(GenericArray::from_slice(key))))
        } else {
            let mut short = [0; 16];
            short.iter_mut().zip(key).for_each(|(slot, octet)| *slot = *octet);
            Self::Short(Box::new(Aes128::new(&short.into())))
        }
    }

    fn encrypt(&self, blocks: &mut [Block]) {
        match self {
            Self::Short(aes) => aes.encrypt_blocks(blocks),
            Self::Long(aes) => aes.encrypt_blocks(blocks),
        }
    }

    /// Lays the key stream that begins at `counter` over `text`.
    fn apply(&self, counter: &[u8; 16], text: &mut [u8]) {
        let mut number = 0u16;
        for part in text.chunks_mut(PARALLEL * 16) {
            let mut blocks = [Block::from(*counter); PARALLEL];
            let count = part.len().div_ceil(16);
            let blocks = blocks.get_mut(..count).unwrap_or_default();
            for block in blocks.iter_mut() {
                block[14..].copy_from_slice(&number.to_be_bytes());
                number = number.wrapping_add(1);
            }
            self.encrypt(blocks);
            for (octets, block) in part.chunks_mut(16).zip(blocks) {
                lay_over(octets, block);
            }
        }
    }
}

/// The key derivation of RFC 3711 4.3 with a rate of zero.
struct Deriver {
    key: CounterKey,
    salt: [u8; 14],
}

impl Deriver {
    fn new(key: &[u8], salt: &[u8]) -> Self {
        let mut padded = [0; 14];
        padded.iter_mut().zip(salt).for_each(|(slot, octet)| *slot = *octet);
        Self { key: CounterKey::new(key), salt: padded }
    }

    fn derive(&self, label: u8, out: &mut [u8]) {
        let mut counter = [0; 16];
        counter[..14].copy_from_slice(&self.salt);
        counter[7] ^= label;
        out.fill(0);
        self.key.apply(&counter, out);
    }
}

/// The turn of the sequence number, which is signed though not sent.
fn turn(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn with_word(clear: &[u8], word: u32) -> [u8; RTCP_CLEAR + INDEX_LENGTH] {
    let mut signed = [0; RTCP_CLEAR + INDEX_LENGTH];
    for (slot, octet) in signed.iter_mut().zip(clear.iter().copied().chain(word.to_be_bytes())) {
        *slot = octet;
    }
    signed
}

fn seal(key: Option<&LessSafeKey>, nonce: Nonce, clear: &[u8], secret: &mut [u8]) -> Option<ring::aead::Tag> {
    key?.seal_in_place_separate_tag(nonce, Aad::from(clear), secret).ok()
}

fn open(key: Option<&LessSafeKey>, nonce: Nonce, clear: &[u8], secret: &mut [u8]) -> Result<(), RtpError> {
    let key = key.ok_or(RtpError::Unauthenticated)?;
    key.open_in_place(nonce, Aad::from(clear), secret).map_err(|_| RtpError::Unauthenticated)?;
    Ok(())
}

fn lay_over(target: &mut [u8], pattern: &[u8]) {
    target.iter_mut().zip(pattern).for_each(|(octet, over)| *octet ^= over);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.bytes().filter_map(|byte| char::from(byte).to_digit(16).map(|d| d as u8)).collect();
        digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn key_stream(key: &str) -> Vec<u8> {
        let mut counter = [0; 16];
        counter.copy_from_slice(&octets("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000"));
        let mut stream = vec![0; 48];
        CounterKey::new(&octets(key)).apply(&counter, &mut stream);
        stream
    }

    /// Cipher key and salt of a master key and salt.
    fn derived(key: &str, salt: &str) -> [Vec<u8>; 2] {
        let deriver = Deriver::new(&octets(key), &octets(salt));
        [(LABEL_KEY, key.len() / 2), (LABEL_SALT, 14)].map(|(label, length)| {
            let mut out = vec![0; length];
            deriver.derive(label, &mut out);
            out
        })
    }

    #[test]
    fn the_key_streams_are_those_of_the_standards() {
        // RFC 3711 appendix B.2 and RFC 6188 section 7.1.
        let short = "e03ead0935c95e80e166b16dd92b4eb4 d23513162b02d0f72a43a2fe4a5f97ab 41e95b3bb0a2e8dd477901e4fca894c0";
        assert_eq!(key_stream("2b7e151628aed2a6abf7158809cf4f3c"), octets(short));
        let long = "92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac 63c4868b7096d88421b563b8c94c9a31";
        assert_eq!(
            key_stream("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98"),
            octets(long)
        );
    }

    #[test]
    fn the_derived_keys_are_those_of_the_standards() {
        // RFC 3711 appendix B.3 and RFC 6188 section 7.2.
        let short = derived("e1f97a0d3e018be0d64fa32c06de4139", "0ec675ad498afeebb6960b3aabe6");
        let expected = ["c61e7a93744f39ee10734afe3ff7a087", "30cbbc08863d8c85d49db34a9ae1"];
        assert_eq!(short, expected.map(octets));
        let long = derived(
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
            "3b04803de51ee7c96423ab5b78d2",
        );
        let expected = [
            "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
            "fa31791685ca444a9e07c6c64e93",
        ];
        assert_eq!(long, expected.map(octets));
    }
}
