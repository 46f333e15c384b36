//! `[channels.wechat_mp.ACCOUNT]`: what the console of the official account shows, key by key.

use std::time::Duration;

use reqwest::Url;

use crate::config::AccountTable;
use crate::secret::Secret;
use crate::sign::BizKey;

/// The platform's address.
const API_BASE: &str = "https://api.weixin.qq.com";
/// Parents of the hosts which the platform's answers name for pictures and videos.
const MEDIA_HOSTS: [&str; 4] = ["qpic.cn", "weixin.qq.com", "wechat.com", "video.qq.com"];

/// How messages arrive (消息加解密方式).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 明文模式: the signature does not cover the body. For tests only.
    Plain,
    /// 兼容模式: plain fields and `Encrypt`; only the latter is used.
    Compat,
    /// 安全模式: `Encrypt` alone.
    Safe,
}

/// One official account.
#[derive(Clone, Debug)]
pub struct Config {
    /// The account's name in the configuration.
    pub name: String,
    /// `token`: 令牌, the key of the signature. Required.
    pub token: Secret,
    /// `mode`: `safe` (default), `compat` or `plain`.
    pub mode: Mode,
    /// `encoding_aes_key`: 消息加解密密钥, 43 characters. Required unless plain.
    pub key: Option<BizKey>,
    /// `previous_encoding_aes_key`: the old one, while a new one is being set in the console.
    pub previous_key: Option<BizKey>,
    /// `app_id`: 开发者ID. Required unless plain.
    pub app_id: Option<String>,
    /// `account`: 原始ID (`gh_…`). When set, messages to another are refused.
    pub account: Option<String>,
    /// `replay_window_s`: how far the signed time may be off, seconds; 0 = not checked (default).
    pub replay_window_s: u64,
    /// `app_secret`: 开发者密码. Without it nothing is sent or fetched.
    pub app_secret: Option<Secret>,
    /// `api_base`: the platform's address. Default `https://api.weixin.qq.com`.
    pub api_base: Url,
    /// `max_media_bytes`: largest media fetched. Default 20 MiB.
    pub max_media_bytes: usize,
    /// `max_text_bytes`: longest text sent, UTF-8 bytes. Default 2048.
    pub max_text_bytes: usize,
    /// `media_hosts`: where media addresses in messages and answers may point to.
    pub media_hosts: Vec<String>,
    /// `timeout_s`: how long one call of the platform may take, seconds. Default 15.
    pub timeout: Duration,
}

impl Config {
    /// Reads the account's table; faults are noted there.
    pub fn read(table: &mut AccountTable) -> Option<Self> {
        let token = table.secret("token");
        let token = table.required("token", token);
        let mode = match table.text("mode").as_deref() {
            None | Some("safe") => Mode::Safe,
            Some("compat" | "compatible") => Mode::Compat,
            Some("plain") => Mode::Plain,
            Some(_) => {
                table.fault("mode", "must be \"safe\", \"compat\" or \"plain\"");
                Mode::Safe
            }
        };
        let mut key = read_key(table, "encoding_aes_key");
        let previous_key = read_key(table, "previous_encoding_aes_key");
        let mut app_id = table.text("app_id");
        let app_secret = table.secret("app_secret");
        if mode != Mode::Plain {
            key = table.required("encoding_aes_key", key);
        }
        if mode != Mode::Plain || app_secret.is_some() {
            app_id = table.required("app_id", app_id);
        }
        let api_base = table.text("api_base").unwrap_or_else(|| API_BASE.to_owned()).parse::<Url>().ok();
        let api_base =
            api_base.filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some());
        if api_base.is_none() {
            table.fault("api_base", "must be an address such as \"https://api.weixin.qq.com\"");
        }
        let hosts = table.texts("media_hosts", &MEDIA_HOSTS);
        if hosts.iter().any(|host| host.is_empty() || host.starts_with('.') || host.contains(['/', ':', '*']))
        {
            table.fault("media_hosts", "must be host names such as \"qpic.cn\"");
        }
        // Everything is read before the first `?`: a key left unread would be called unknown.
        let account = table.text("account");
        let replay_window_s = table.number("replay_window_s", 0..=86_400, 0);
        let max_media_bytes = to_usize(table.size("max_media_bytes", 1024..=(1 << 30), 20 << 20));
        let max_text_bytes = to_usize(table.number("max_text_bytes", 1..=65_536, 2048));
        let timeout = Duration::from_secs(table.number("timeout_s", 1..=120, 15));
        Some(Self {
            name: table.account().to_owned(),
            token: token?,
            mode,
            key,
            previous_key,
            app_id,
            account,
            replay_window_s,
            app_secret,
            api_base: api_base?,
            max_media_bytes,
            max_text_bytes,
            media_hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            timeout,
        })
    }
}

fn read_key(table: &mut AccountTable, name: &'static str) -> Option<BizKey> {
    let text = table.secret(name)?;
    match BizKey::parse(text.expose()) {
        Ok(key) => Some(key),
        Err(error) => {
            table.fault(name, error.to_string());
            None
        }
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
