//! The "biz" signature and encryption of the WeChat family and its look-alikes: SHA-1 over sorted strings,
//! AES-256-CBC with PKCS#7 in blocks of 32 and the receiver's id inside.
//!
//! Library unpadding cannot be used: it refuses a pad over 16 bytes. Sources: WeChat 消息加解密说明
//! (<https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Message_encryption_and_decryption_instructions.html>).

use aes::Aes256;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use crate::channel::Refusal;

/// The PKCS#7 block of these platforms; the cipher's own is 16.
const PAD_BLOCK: usize = 32;
/// Bytes of the message length after the random head.
const LENGTH_BYTES: usize = 4;

/// Vendors' keys end in any character, so the last one may carry non-zero trailing bits.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Lower-case hex of SHA-1 over the strings, sorted bytewise and joined.
pub fn sorted_sha1(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// The signature that does not cover the body.
pub fn sig3(token: &str, timestamp: &str, nonce: &str) -> String {
    sorted_sha1(&[token, timestamp, nonce])
}

/// The signature over the base64 text exactly as it stands in the body.
pub fn sig4(token: &str, timestamp: &str, nonce: &str, encrypt: &str) -> String {
    sorted_sha1(&[token, timestamp, nonce, encrypt])
}

/// Compares in time that depends on the lengths only.
pub fn same(ours: &str, theirs: &str) -> bool {
    ours.as_bytes().ct_eq(theirs.as_bytes()).into()
}

/// Why a ciphertext could not be opened. For logs and tests: the caller hears one 403 for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not base64.
    #[error("ciphertext is not base64")]
    Base64,
    /// Empty, or no multiple of the cipher's block.
    #[error("ciphertext length is not a positive multiple of 16")]
    CiphertextLength,
    /// The pad is not what the platform writes.
    #[error("padding is wrong")]
    Padding,
    /// The inner length points outside.
    #[error("inner length is wrong")]
    Length,
    /// The message is for another account.
    #[error("the message is for another receiver")]
    ReceiverMismatch,
}

impl SealError {
    /// The name of the failed check.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Base64 => "bad_base64",
            Self::CiphertextLength => "bad_ciphertext_length",
            Self::Padding => "bad_padding",
            Self::Length => "bad_length",
            Self::ReceiverMismatch => "receiveid_mismatch",
        }
    }
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Self {
        Self::forbidden(error.reason())
    }
}

/// An `EncodingAESKey`: 43 base64 characters, 32 bytes; its first half is the initialisation vector.
#[derive(Clone)]
pub struct BizKey([u8; 32]);

impl std::fmt::Debug for BizKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BizKey(<secret>)")
    }
}

/// A text that is not 43 characters of base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an EncodingAESKey is 43 characters of base64")]
pub struct BizKeyError;

impl BizKey {
    /// Reads the 43 characters shown in the platform's console.
    ///
    /// # Errors
    /// [`BizKeyError`] when it is anything else.
    pub fn parse(encoding_aes_key: &str) -> Result<Self, BizKeyError> {
        if encoding_aes_key.len() != 43 {
            return Err(BizKeyError);
        }
        let bytes = LENIENT.decode(encoding_aes_key).map_err(|_| BizKeyError)?;
        bytes.try_into().map(Self).map_err(|_| BizKeyError)
    }

    fn initialisation_vector(&self) -> [u8; 16] {
        let mut vector = [0; 16];
        for (to, from) in vector.iter_mut().zip(self.0) {
            *to = from;
        }
        vector
    }

    /// Opens a base64 ciphertext. `head_bytes` random bytes stand before the length (16, Toutiao 32);
    /// `receive_id` must follow the message byte for byte.
    ///
    /// # Errors
    /// [`SealError`]; never panics and never allocates by a length found inside.
    pub fn open(&self, encrypt: &str, receive_id: &str, head_bytes: usize) -> Result<Vec<u8>, SealError> {
        let ciphertext = LENIENT.decode(encrypt).map_err(|_| SealError::Base64)?;
        if ciphertext.is_empty() || ciphertext.len() % 16 != 0 {
            return Err(SealError::CiphertextLength);
        }
        let cipher = cbc::Decryptor::<Aes256>::new(&self.0.into(), &self.initialisation_vector().into());
        let padded = cipher
            .decrypt_padded_vec_mut::<NoPadding>(&ciphertext)
            .map_err(|_| SealError::CiphertextLength)?;
        let content = unpad(&padded).ok_or(SealError::Padding)?;
        let (_random, rest) = content.split_at_checked(head_bytes).ok_or(SealError::Padding)?;
        let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or(SealError::Padding)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealError::Length)?;
        let (message, receiver) = rest.split_at_checked(length).ok_or(SealError::Length)?;
        if !bool::from(receiver.ct_eq(receive_id.as_bytes())) {
            return Err(SealError::ReceiverMismatch);
        }
        Ok(message.to_vec())
    }

    /// Seals a message behind the given random head.
    ///
    /// # Errors
    /// [`SealError::Length`] for a message of 4 GiB or more.
    pub fn seal(&self, random_head: &[u8], message: &str, receive_id: &str) -> Result<String, SealError> {
        let length = u32::try_from(message.len()).map_err(|_| SealError::Length)?;
        let mut plain =
            Vec::with_capacity(random_head.len() + message.len() + receive_id.len() + 2 * PAD_BLOCK);
        plain.extend_from_slice(random_head);
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(message.as_bytes());
        plain.extend_from_slice(receive_id.as_bytes());
        let pad = PAD_BLOCK - plain.len() % PAD_BLOCK;
        plain.resize(plain.len() + pad, pad as u8);
        let cipher = cbc::Encryptor::<Aes256>::new(&self.0.into(), &self.initialisation_vector().into());
        Ok(LENIENT.encode(cipher.encrypt_padded_vec_mut::<NoPadding>(&plain)))
    }
}

/// Removes PKCS#7 in blocks of 32; `None` when a single byte of it is not as it must be.
fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let pad = usize::from(*padded.last()?);
    if pad == 0 || pad > PAD_BLOCK {
        return None;
    }
    let (content, tail) = padded.split_at_checked(padded.len().checked_sub(pad)?)?;
    tail.iter().all(|byte| usize::from(*byte) == pad).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_worked_example_opens() {
        let encrypt =
            "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==";
        assert_eq!(
            sig4("QDG6eK", "1409659589", "263014780", encrypt),
            "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"
        );
        let key = BizKey::parse("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C").unwrap();
        assert_eq!(key.open(encrypt, "wx5823bf96d3bd56c7", 16).unwrap(), b"1616140317555161061");
        assert_eq!(key.open(encrypt, "wx5823bf96d3bd56c8", 16), Err(SealError::ReceiverMismatch));
    }

    #[test]
    fn what_is_sealed_opens_for_every_pad_and_head() {
        let key = BizKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
        for length in 0..70 {
            let message = "a".repeat(length);
            for head in [16, 32] {
                let sealed = key.seal(&[7; 32][..head], &message, "wx1").unwrap();
                assert_eq!(key.open(&sealed, "wx1", head).unwrap(), message.as_bytes());
            }
        }
    }

    #[test]
    fn every_byte_of_the_pad_counts() {
        assert_eq!(unpad(&[9, 9, 3, 3, 3]), Some(&[9, 9][..]));
        assert_eq!(unpad(&[32; 32]), Some(&[][..]));
        for padded in [&[][..], &[9, 9, 2, 3, 3], &[9, 0], &[3, 3], &[33; 33]] {
            assert_eq!(unpad(padded), None, "{padded:?}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for text in [
            "",
            "abc",
            "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C=",
            "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2!",
        ] {
            assert!(BizKey::parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_ciphertext_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), head in 0usize..40) {
            let key = BizKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
            proptest::prop_assert!(key.open(&LENIENT.encode(bytes), "wx1", head).is_err());
        }
    }
}
