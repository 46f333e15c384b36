//! The answer to a carrier's 401 and 407: which challenge, which header, and the count of the nonce.
//!
//! The last challenge of a gateway is kept, so that later requests prove themselves at once (RFC 7616 §3.3);
//! a stale nonce is answered anew, a proof that was refused is not sent again.

use super::TrunkCredentials;
use crate::{
    auth::{self, AuthError, Challenge},
    message::Message,
};

/// Where the proof stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// 401
    Server,
    /// 407
    Proxy,
}

impl Asker {
    fn challenge(self) -> &'static str {
        match self {
            Self::Server => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    fn answer(self) -> &'static str {
        match self {
            Self::Server => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

/// What a gateway asked for last.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    asked: Option<(Challenge, Asker)>,
    /// Requests proved with this nonce.
    count: u32,
}

impl Proof {
    /// Takes over the challenge of `response`. If `request` had a fresh proof for that realm already, only
    /// `stale=true` is answered again: the password is wrong.
    ///
    /// # Errors
    /// What [`Challenge::first_usable`] says; `Mismatch` when our proof was refused.
    pub(crate) fn learn(
        &mut self,
        response: &Message,
        request: &Message,
        credentials: &TrunkCredentials,
    ) -> Result<(), AuthError> {
        let asker = if response.status() == Some(407) { Asker::Proxy } else { Asker::Server };
        let values: Vec<&str> = response.values(asker.challenge()).collect();
        let challenge = Challenge::first_usable(&values, &credentials.secret)?;
        let proved = request.values(asker.answer()).any(|value| {
            auth::Credentials::parse(value).is_ok_and(|sent| {
                // A nonce used before may have aged; not every server says so.
                let fresh = sent.nonce_count().is_none_or(|count| count == 1);
                sent.realm == challenge.realm && !challenge.stale && fresh
            })
        });
        if proved {
            self.asked = None;
            return Err(AuthError::Mismatch);
        }
        self.asked = Some((challenge, asker));
        self.count = 0;
        Ok(())
    }

    /// Writes the proof into a request, if the gateway asked for one before.
    pub(crate) fn prove(&mut self, request: &mut Message, credentials: &TrunkCredentials, cnonce: &str) {
        let Some((challenge, asker)) = &self.asked else { return };
        let Some(method) = request.method().map(|method| method.as_str().to_owned()) else { return };
        let uri = request.request_uri().to_owned();
        self.count += 1;
        let answer = auth::answer(
            challenge,
            &credentials.user,
            &credentials.secret,
            &method,
            &uri,
            cnonce,
            self.count,
        );
        if let Ok(answer) = answer {
            request.set(asker.answer(), answer.to_string());
        }
        if !challenge.qop_auth {
            // Without a count a nonce is good for one request.
            self.asked = None;
        }
    }
}
