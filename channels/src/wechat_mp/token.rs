//! The access token: one for the account, one refresher at a time.
//!
//! `stable_token` answers the same token until five minutes before its end, so that several nodes may ask.
//! (<https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html>)

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::http;
use crate::outbound::{Class, SendError};
use crate::secret::Secret;

use super::codes::classify;

/// A token is renewed when less than this is left.
const MARGIN: Duration = Duration::from_secs(300);
/// After a failed refresh those who waited share its error for so long, instead of asking one by one.
const FAILURE_MEMORY: Duration = Duration::from_secs(1);
/// A token's answer is some hundred bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The account's token. `Debug` is not derived: it holds the token.
pub struct Tokens {
    http: reqwest::Client,
    url: Url,
    app_id: String,
    app_secret: Secret,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    failed: Option<(Instant, SendError)>,
}

struct Held {
    token: Arc<str>,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: u64,
    #[serde(default)]
    errcode: i64,
}

impl Tokens {
    /// An account without a token yet.
    pub fn new(http: reqwest::Client, url: Url, app_id: String, app_secret: Secret) -> Self {
        Self { http, url, app_id, app_secret, state: Mutex::default() }
    }

    /// The current token; asks for one when there is none or it ends soon. Holding the lock meanwhile is
    /// what makes one refresher out of many senders.
    pub async fn current(&self) -> Result<Arc<str>, SendError> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(held) = state.held.as_ref().filter(|held| now < held.renew_at) {
            return Ok(held.token.clone());
        }
        if let Some((_, error)) = state.failed.filter(|(at, _)| now.duration_since(*at) < FAILURE_MEMORY) {
            return Err(error);
        }
        match self.ask().await {
            Ok(held) => {
                let token = held.token.clone();
                *state = State { held: Some(held), failed: None };
                Ok(token)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error));
                Err(error)
            }
        }
    }

    /// Forgets a token the platform refused, unless another sender has renewed it already.
    pub async fn forget(&self, refused: &str) {
        let mut state = self.state.lock().await;
        if state.held.as_ref().is_some_and(|held| *held.token == *refused) {
            state.held = None;
        }
    }

    async fn ask(&self) -> Result<Held, SendError> {
        let body = serde_json::json!({
            "grant_type": "client_credential",
            "appid": self.app_id,
            "secret": self.app_secret.expose(),
            "force_refresh": false,
        });
        let network = SendError::new(Class::Retry, "token_network");
        let asked_at = Instant::now();
        let response = self.http.post(self.url.clone()).json(&body).send().await.map_err(|_| network)?;
        let bytes = http::read_body(response, MAX_ANSWER_BYTES).await.map_err(|_| network)?;
        let answer: TokenAnswer = serde_json::from_slice(&bytes).map_err(|_| network)?;
        if answer.errcode != 0 {
            return Err(classify(answer.errcode));
        }
        if answer.access_token.is_empty() {
            return Err(network);
        }
        let life = Duration::from_secs(answer.expires_in.min(86_400));
        let renew_at = asked_at + life.saturating_sub(MARGIN).max(life / 2);
        Ok(Held { token: answer.access_token.into(), renew_at })
    }
}
