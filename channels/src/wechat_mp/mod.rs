//! 微信公众号: citizens write to the city's official account.
//!
//! Messages come as XML (or JSON, where the console was told so), signed and in safe mode encrypted.
//! Platform pages: 接入概述, 接收普通消息, 接收事件推送, 消息加解密
//! (<https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html>).
//! What it deliberately does not do: passive replies with content; every answer is `success`, and texts to
//! citizens go through `client`, which a durable job calls.

mod client;
mod codes;
mod config;
mod normalise;
mod token;
mod wire;

use std::sync::Arc;

use axum::http::Method;
use record::{Inbound, Receipt, Timestamp};

use crate::account::{Account, Entry};
use crate::channel::{Answer, Capabilities, Outcome, Plain, Refusal, Sealed, Seed, Verified, Webhook};
use crate::config::{AccountTable, ConfigFault};
use crate::outbound::{MediaSource, Outbound};
use crate::request::Request;
use crate::sign;

pub use config::{Config, Mode};

const CODE: &str = "wechat_mp";

/// Random bytes before the message length.
const HEAD_BYTES: usize = 16;

const CAPABILITIES: Capabilities = Capabilities {
    methods: &[Method::GET, Method::POST],
    handshake: true,
    encrypted: true,
    outbound_text: true,
    media: true,
    reply_window_s: Some(48 * 3600),
    max_text_bytes: Some(2048),
};

/// The registry's line.
pub const ENTRY: Entry = Entry { code: CODE, capabilities: CAPABILITIES, build };

fn build(mut table: AccountTable) -> Result<Account, Vec<ConfigFault>> {
    let config = Config::read(&mut table);
    let client = match &config {
        Some(config) if config.app_secret.is_some() => match client::Client::new(config) {
            Ok(client) => client.map(Arc::new),
            Err(_) => {
                table.fault("api_base", "the HTTPS client could not be started");
                None
            }
        },
        _ => None,
    };
    let (config, common) = table.finish(config)?;
    Ok(Account {
        code: CODE,
        name: config.name.clone(),
        webhook: Arc::new(WechatMp { config }),
        outbound: client.clone().map(|client| client as Arc<dyn Outbound>),
        media: client.map(|client| client as Arc<dyn MediaSource>),
        path: common.path,
    })
}

/// The receiving side of one official account.
struct WechatMp {
    config: Config,
}

impl Webhook for WechatMp {
    fn code(&self) -> &'static str {
        CODE
    }

    fn account(&self) -> &str {
        &self.config.name
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn verify<'a>(&self, request: &'a Request, now: Timestamp) -> Result<Verified<'a>, Refusal> {
        let timestamp = request.require("timestamp")?;
        let nonce = request.require("nonce")?;
        let is_handshake = request.method == Method::GET;
        let verified = if is_handshake || self.config.mode == Mode::Plain {
            // The GET check uses the three-part signature in safe mode too.
            let signature = request.require("signature")?;
            if is_handshake {
                request.require("echostr")?;
            }
            if !sign::same(&sign::sig3(self.config.token.expose(), timestamp, nonce), signature) {
                return Err(Refusal::forbidden("bad_signature"));
            }
            Verified::vouch(request)
        } else {
            self.verify_sealed(request, timestamp, nonce)?
        };
        self.check_age(timestamp, now)?;
        Ok(verified)
    }

    fn open(&self, verified: Verified<'_>, _seed: &Seed) -> Result<Outcome, Refusal> {
        let request = verified.request();
        if request.method == Method::GET {
            return Ok(Outcome::Answer(Answer::text(request.require("echostr")?)));
        }
        let Some(encrypt) = verified.covered() else {
            return Ok(Outcome::Message(verified.into_plain()));
        };
        Ok(Outcome::Message(Plain::new(self.decrypt(encrypt)?, request.received_at)))
    }

    fn normalise(&self, plain: Plain) -> Result<Vec<Inbound>, Refusal> {
        normalise::normalise(&self.config, &plain).map(|inbound| vec![inbound])
    }

    fn answer(&self, _receipts: &[Receipt], _seed: &Seed) -> Answer {
        // Anything else makes the platform tell the citizen that the service is out of order.
        Answer::text("success")
    }

    fn seal(&self, message: &str, seed: &Seed) -> Option<Sealed> {
        wire::seal(&self.config, message, seed)
    }
}

impl WechatMp {
    /// Safe and compatible mode: the signature over `Encrypt` is demanded, never the weaker one.
    fn verify_sealed<'a>(
        &self,
        request: &'a Request,
        timestamp: &str,
        nonce: &str,
    ) -> Result<Verified<'a>, Refusal> {
        let token = self.config.token.expose();
        let encrypt = match wire::encrypt_of(&request.body) {
            Ok(encrypt) => encrypt,
            Err(refusal) => {
                // Malformed is 400 only for someone who knows the token; a stranger gets 403 as always.
                let signature = request.require("signature")?;
                let known = sign::same(&sign::sig3(token, timestamp, nonce), signature);
                return Err(if known { refusal } else { Refusal::forbidden("bad_signature") });
            }
        };
        let Some(encrypt) = encrypt else {
            return Err(Refusal::forbidden("plain_body_in_safe_mode"));
        };
        let signature = request.require("msg_signature")?;
        if !sign::same(&sign::sig4(token, timestamp, nonce, &encrypt), signature) {
            return Err(Refusal::forbidden("bad_signature"));
        }
        Ok(Verified::vouch_for(request, encrypt))
    }

    fn check_age(&self, timestamp: &str, now: Timestamp) -> Result<(), Refusal> {
        let window = self.config.replay_window_s;
        if window == 0 {
            return Ok(());
        }
        let signed: i64 = timestamp.parse().map_err(|_| Refusal::forbidden("bad_param"))?;
        let age = (now.unix_ms() / 1000).abs_diff(signed);
        if age > window { Err(Refusal::forbidden("stale_timestamp")) } else { Ok(()) }
    }

    /// Tries the key, then the previous one; the failure told is that of the key.
    fn decrypt(&self, encrypt: &str) -> Result<Vec<u8>, Refusal> {
        let config = &self.config;
        let (Some(key), Some(app_id)) = (&config.key, &config.app_id) else {
            return Err(Refusal::forbidden("bad_param"));
        };
        key.open(encrypt, app_id, HEAD_BYTES).or_else(|error| {
            let previous = config.previous_key.as_ref();
            previous
                .and_then(|previous| previous.open(encrypt, app_id, HEAD_BYTES).ok())
                .ok_or_else(|| error.into())
        })
    }
}
