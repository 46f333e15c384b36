//! The platform's side of one WeChat message in safe mode: XML, sealed, signed, posted.
//! 消息加解密说明: <https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Message_encryption_and_decryption_instructions.html>

use anyhow::Context as _;
use channels::sign::{self, BizKey};
use rand::Rng as _;

use super::stage::WechatKeys;

/// One delivery, ready to be posted; posting it again is the platform's retry.
pub struct Delivery {
    /// Path and query below the gateway's address.
    pub target: String,
    /// The body.
    pub body: String,
}

/// Seals and signs a text message as the platform does. `now_s` is the time since 1970.
pub fn delivery(keys: &WechatKeys, sender: &str, text: &str, now_s: i64) -> anyhow::Result<Delivery> {
    let mut random = rand::rng();
    let message = format!(
        "<xml><ToUserName><![CDATA[{}]]></ToUserName><FromUserName><![CDATA[{sender}]]></FromUserName>\
         <CreateTime>{now_s}</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[{text}]]></Content><MsgId>{}</MsgId></xml>",
        keys.account,
        random.random_range(1_000_000_000_000_000_u64..9_000_000_000_000_000_000),
    );
    let head: [u8; 16] = random.random();
    let key = BizKey::parse(&keys.encoding_aes_key).context("the demonstration's key")?;
    let encrypt = key.seal(&head, &message, &keys.app_id).context("the message cannot be sealed")?;
    let timestamp = now_s.to_string();
    let nonce = random.random_range(100_000_000..1_000_000_000_u32).to_string();
    let signature = sign::sig3(&keys.token, &timestamp, &nonce);
    let message_signature = sign::sig4(&keys.token, &timestamp, &nonce, &encrypt);
    Ok(Delivery {
        target: format!(
            "/in/wechat_mp/main?signature={signature}&timestamp={timestamp}&nonce={nonce}\
             &openid={sender}&encrypt_type=aes&msg_signature={message_signature}"
        ),
        body: format!(
            "<xml><ToUserName><![CDATA[{}]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>",
            keys.account
        ),
    })
}
