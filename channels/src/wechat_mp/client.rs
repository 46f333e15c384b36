//! The sending and fetching side: 客服消息 and 获取临时素材.
//!
//! A refused token is renewed once and the call repeated once; everything else is told to the caller with
//! its class. Errors of the HTTP library are never passed on: their text holds the address with the token.

use std::collections::BTreeMap;

use bytes::Bytes;
use reqwest::{Response, Url};
use serde::Deserialize;

use crate::http::{self, HopGuard};
use crate::outbound::{
    Class, Delivery, FetchError, FetchFuture, FetchedMedia, MediaSource, Outbound, SendError, SendFuture,
};

use super::Config;
use super::codes::{TOKEN_REASON, classify};
use super::token::Tokens;

/// Answers of calls other than media are short; so is an error in place of media.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The platform's interface for one account.
pub struct Client {
    http: reqwest::Client,
    hop: reqwest::Client,
    guard: HopGuard,
    base: Url,
    tokens: Tokens,
    max_media_bytes: usize,
    max_text_bytes: usize,
}

/// What every call may answer.
#[derive(Deserialize)]
struct ApiAnswer {
    #[serde(default)]
    errcode: i64,
    #[serde(default)]
    msgid: Option<serde_json::Value>,
    #[serde(default)]
    video_url: Option<String>,
}

/// What `media/get` turned out to be.
enum Got {
    Media(FetchedMedia),
    /// Videos come by way of an address.
    Elsewhere(String),
}

impl Client {
    /// The client of an account; `None` where it has no secret to ask for tokens with.
    ///
    /// # Errors
    /// When the TLS back end cannot start.
    pub fn new(config: &Config) -> reqwest::Result<Option<Self>> {
        let (Some(app_id), Some(app_secret)) = (config.app_id.clone(), config.app_secret.clone()) else {
            return Ok(None);
        };
        let guard = HopGuard {
            hosts: config.media_hosts.clone().into(),
            private: http::is_private_base(&config.api_base),
        };
        let http = http::api_client(config.timeout)?;
        let token_url = endpoint(&config.api_base, "cgi-bin/stable_token");
        Ok(Some(Self {
            tokens: Tokens::new(http.clone(), token_url, app_id, app_secret),
            http,
            hop: http::hop_client(config.timeout, &guard)?,
            guard,
            base: config.api_base.clone(),
            max_media_bytes: config.max_media_bytes,
            max_text_bytes: config.max_text_bytes,
        }))
    }

    async fn send(&self, to: &str, text: &str) -> Result<Delivery, SendError> {
        if text.len() > self.max_text_bytes {
            return Err(SendError::new(Class::Never, "text_too_long"));
        }
        // serde_json writes real characters; some clients of the platform show \u escapes as they are.
        let message = serde_json::json!({"touser": to, "msgtype": "text", "text": {"content": text}});
        let token = self.tokens.current().await?;
        match self.send_once(&token, &message).await {
            Err(error) if error.reason == TOKEN_REASON => {
                self.tokens.forget(&token).await;
                let token = self.tokens.current().await?;
                self.send_once(&token, &message).await.map_err(still_refused)
            }
            other => other,
        }
    }

    async fn send_once(&self, token: &str, message: &serde_json::Value) -> Result<Delivery, SendError> {
        let url = with_token(endpoint(&self.base, "cgi-bin/message/custom/send"), token);
        let response = self.http.post(url).json(message).send().await.map_err(|error| {
            // Only a connection that never stood proves that nothing was sent.
            let class = if error.is_connect() { Class::Retry } else { Class::Unknown };
            SendError::new(class, "network")
        })?;
        let status = response.status();
        let lost = SendError::new(Class::Unknown, "answer_lost");
        if matches!(status.as_u16(), 429 | 503) {
            return Err(SendError::new(Class::Retry, "busy"));
        }
        let bytes = http::read_body(response, MAX_ANSWER_BYTES).await.map_err(|_| lost)?;
        let answer: ApiAnswer = serde_json::from_slice(&bytes).map_err(|_| lost)?;
        match (answer.errcode, status.is_success()) {
            (0, true) => Ok(Delivery { provider_message_id: answer.msgid.and_then(|id| text_of(&id)) }),
            (0, false) => Err(lost),
            (code, _) => Err(classify(code)),
        }
    }

    async fn fetch_any(&self, reference: &BTreeMap<String, String>) -> Result<FetchedMedia, FetchError> {
        let mut failure = FetchError::new(Class::Never, "no_reference");
        // The 16 kHz version of a voice message is better for recognition, but not every account has it.
        for key in ["media_id_16k", "media_id"] {
            let Some(media_id) = reference.get(key) else { continue };
            match self.fetch_by_id(media_id).await {
                Err(error) if error.class == Class::Never && !error.alarm => failure = error,
                other => return other,
            }
        }
        match reference.get("url") {
            Some(url) => self.fetch_elsewhere(url).await,
            None => Err(failure),
        }
    }

    async fn fetch_by_id(&self, media_id: &str) -> Result<FetchedMedia, FetchError> {
        let token = self.tokens.current().await?;
        let got = match self.fetch_once(&token, media_id).await {
            Err(error) if error.reason == TOKEN_REASON => {
                self.tokens.forget(&token).await;
                let token = self.tokens.current().await?;
                self.fetch_once(&token, media_id).await.map_err(|mut error| {
                    error.alarm |= error.reason == TOKEN_REASON;
                    error
                })
            }
            other => other,
        };
        match got? {
            Got::Media(media) => Ok(media),
            Got::Elsewhere(url) => self.fetch_elsewhere(&url).await,
        }
    }

    async fn fetch_once(&self, token: &str, media_id: &str) -> Result<Got, FetchError> {
        let mut url = with_token(endpoint(&self.base, "cgi-bin/media/get"), token);
        url.query_pairs_mut().append_pair("media_id", media_id);
        let response =
            self.http.get(url).send().await.map_err(|_| FetchError::new(Class::Retry, "network"))?;
        let (bytes, header_type, disposition) = self.body_of(response).await?;
        // Errors and video addresses are JSON under any content type.
        if bytes.len() <= MAX_ANSWER_BYTES
            && bytes.trim_ascii_start().starts_with(b"{")
            && let Ok(answer) = serde_json::from_slice::<ApiAnswer>(&bytes)
        {
            return match (answer.errcode, answer.video_url) {
                (0, Some(url)) => Ok(Got::Elsewhere(url)),
                (0, None) => Err(FetchError::new(Class::Never, "unexpected_answer")),
                (code, _) => Err(classify(code).into()),
            };
        }
        Ok(Got::Media(http::fetched(bytes, header_type.as_deref(), disposition.as_deref())))
    }

    /// Fetches from an address that came in a message or an answer.
    async fn fetch_elsewhere(&self, url: &str) -> Result<FetchedMedia, FetchError> {
        let url: Url = url.parse().map_err(|_| FetchError::new(Class::Never, "bad_url"))?;
        if !self.guard.allows(&url) {
            return Err(FetchError::new(Class::Never, "host_refused"));
        }
        let response =
            self.hop.get(url).send().await.map_err(|_| FetchError::new(Class::Retry, "network"))?;
        let (bytes, header_type, disposition) = self.body_of(response).await?;
        Ok(http::fetched(bytes, header_type.as_deref(), disposition.as_deref()))
    }

    /// The body of a successful answer, its type and its disposition.
    async fn body_of(
        &self,
        response: Response,
    ) -> Result<(Bytes, Option<String>, Option<String>), FetchError> {
        let status = response.status();
        if status.is_redirection() {
            return Err(FetchError::new(Class::Never, "redirect_refused"));
        }
        if !status.is_success() {
            let is_temporary = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
            let class = if is_temporary { Class::Retry } else { Class::Never };
            return Err(FetchError::new(class, "http_status"));
        }
        let header =
            |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let (header_type, disposition) = (header("content-type"), header("content-disposition"));
        let bytes = http::read_body(response, self.max_media_bytes).await?;
        Ok((bytes, header_type, disposition))
    }
}

impl Outbound for Client {
    fn send_text<'a>(&'a self, to: &'a str, text: &'a str) -> SendFuture<'a> {
        Box::pin(self.send(to, text))
    }
}

impl MediaSource for Client {
    fn fetch<'a>(&'a self, reference: &'a BTreeMap<String, String>) -> FetchFuture<'a> {
        Box::pin(self.fetch_any(reference))
    }
}

/// A fresh token refused too means that something else renews it (the old `/cgi-bin/token` call).
fn still_refused(mut error: SendError) -> SendError {
    error.alarm |= error.reason == TOKEN_REASON;
    error
}

/// A path below the base, which may have one of its own (a forwarding proxy).
fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url
}

fn with_token(mut url: Url, token: &str) -> Url {
    url.query_pairs_mut().append_pair("access_token", token);
    url
}

fn text_of(id: &serde_json::Value) -> Option<String> {
    match id {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
