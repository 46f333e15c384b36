//! Bearer tokens and roles (RFC 6750).

use axum::http::{HeaderMap, header};
use record::View;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The call one agent is in charge of, and calls out by that agent; no records.
    Agent,
    /// Records in the views from `dispatch` on: a downstream platform.
    Reader,
    /// Sealed records, recordings, queues and sinks.
    Supervisor,
    /// Everything.
    Admin,
}

/// A configured token. Only its digest is kept, so that comparing takes the same time for any guess.
#[derive(Clone)]
pub struct Token {
    name: String,
    role: Role,
    /// Whose, when the role is [`Role::Agent`].
    agent: Option<String>,
    digest: [u8; 32],
}

impl Token {
    /// Takes a token from the configuration.
    pub fn new(name: impl Into<String>, role: Role, secret: &str) -> Self {
        Self { name: name.into(), role, agent: None, digest: Sha256::digest(secret).into() }
    }

    /// The token of one agent, by account.
    pub fn of_agent(name: impl Into<String>, agent: impl Into<String>, secret: &str) -> Self {
        Self { agent: Some(agent.into()), ..Self::new(name, Role::Agent, secret) }
    }

    /// The agent whose calls alone it may touch; `None` for a role that may touch all.
    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// Its name, for the log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it may do.
    pub const fn role(&self) -> Role {
        self.role
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({}, {:?})", self.name, self.role)
    }
}

/// The token of a request, if it is one of ours.
pub fn authenticate<'a>(tokens: &'a [Token], headers: &HeaderMap) -> Option<&'a Token> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, given) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let digest: [u8; 32] = Sha256::digest(given.trim()).into();
    // Every token is compared, so that the time does not tell which was near.
    tokens
        .iter()
        .fold(None, |found, token| if token.digest.ct_eq(&digest).into() { Some(token) } else { found })
}

/// The view a role gets when it names none, and whether it may have the one it names.
pub fn view_for(role: Role, asked: Option<View>) -> Option<View> {
    match (role, asked) {
        (Role::Agent, _) => None,
        (Role::Reader, None) => Some(View::Dispatch),
        (Role::Reader, Some(View::Sealed)) => None,
        (_, None) => Some(View::Sealed),
        (_, Some(view)) => Some(view),
    }
}
