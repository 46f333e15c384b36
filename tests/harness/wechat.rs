//! The platform's side of WeChat: signs and seals as the platform documents it, written apart from the
//! gateway's own code (<https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Message_encryption_and_decryption_instructions.html>).

use std::time::{SystemTime, UNIX_EPOCH};

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockEncryptMut as _, KeyIvInit as _};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest as _, Sha1};

/// An official account of tests.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Its name in the configuration.
    pub name: &'static str,
    /// 令牌.
    pub token: &'static str,
    /// 消息加解密密钥.
    pub aes_key: &'static str,
    /// 开发者ID.
    pub app_id: &'static str,
    /// 原始ID.
    pub account: &'static str,
}

/// The account most tests use.
pub const ACCOUNT: Account = Account {
    name: "main",
    token: "wechat-token-7Qm2",
    aes_key: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    app_id: "wx0123456789abcdef",
    account: "gh_0123456789ab",
};

/// A signed delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Query of the request.
    pub query: String,
    /// Body of the request.
    pub body: String,
}

impl Account {
    /// Its section of the configuration.
    pub fn section(&self) -> String {
        let Self { name, token, aes_key, app_id, account } = self;
        format!(
            "[channels.wechat_mp.{name}]\ntoken = \"{token}\"\nencoding_aes_key = \"{aes_key}\"\napp_id = \"{app_id}\"\n\
             account = \"{account}\"\nmode = \"safe\"\n"
        )
    }

    /// Where its messages go.
    pub fn path(&self) -> String {
        format!("/in/wechat_mp/{}", self.name)
    }

    /// A text message, sealed and signed now.
    pub fn text(&self, from: &str, message_id: u64, text: &str) -> Delivery {
        let at = unix_seconds();
        let to = self.account;
        self.seal(&format!(
            "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{from}]]></FromUserName>\
             <CreateTime>{at}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content>\
             <MsgId>{message_id}</MsgId></xml>"
        ))
    }

    /// Any message, sealed and signed now.
    pub fn seal(&self, message: &str) -> Delivery {
        let sealed = self.encrypt(message);
        let body = format!(
            "<xml><ToUserName><![CDATA[{}]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>",
            self.account
        );
        Delivery { query: self.sign(&sealed), body }
    }

    /// The query of a delivery with this `Encrypt`, signed now.
    pub fn sign(&self, sealed: &str) -> String {
        sign(self.token, sealed)
    }

    fn encrypt(&self, message: &str) -> String {
        let lenient = GeneralPurpose::new(
            &alphabet::STANDARD,
            GeneralPurposeConfig::new()
                .with_decode_allow_trailing_bits(true)
                .with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        let key = lenient.decode(self.aes_key).expect("43 characters of base64");
        let mut plain = b"sixteen random b".to_vec();
        plain.extend(u32::try_from(message.len()).expect("a short message").to_be_bytes());
        plain.extend(message.as_bytes());
        plain.extend(self.app_id.as_bytes());
        // PKCS#7 in blocks of 32, not of the cipher's 16.
        let pad = 32 - plain.len() % 32;
        plain.extend(std::iter::repeat_n(pad as u8, pad));
        let cipher = cbc::Encryptor::<aes::Aes256>::new_from_slices(&key, &key[..16]).expect("256 bits");
        base64::engine::general_purpose::STANDARD.encode(cipher.encrypt_padded_vec_mut::<NoPadding>(&plain))
    }
}

/// The query of a safe-mode delivery, signed now.
pub fn sign(token: &str, sealed: &str) -> String {
    let (at, nonce) = (unix_seconds().to_string(), "660688389");
    format!(
        "signature={}&timestamp={at}&nonce={nonce}&encrypt_type=aes&msg_signature={}",
        sorted_sha1([token, &at, nonce, ""]),
        sorted_sha1([token, &at, nonce, sealed]),
    )
}

fn sorted_sha1(mut parts: [&str; 4]) -> String {
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl crate::Rig {
    /// Delivers to an account: status and body of the answer.
    pub async fn deliver(&self, account: &Account, delivery: &Delivery) -> (u16, String) {
        let url = self.http_url(&format!("{}?{}", account.path(), delivery.query));
        let request = self.http().post(url).header("content-type", "text/xml").body(delivery.body.clone());
        let answer = request.send().await.expect("the gateway answers");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }
}
