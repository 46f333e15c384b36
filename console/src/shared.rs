//! What every handler shares.

use std::sync::Arc;

use axum::http::HeaderMap;

use crate::auth::{Role, Token, authenticate};
use crate::desk::Desk;
use crate::error::ApiError;

/// The desk and the tokens.
#[derive(Clone)]
pub struct Shared {
    /// The gateway.
    pub desk: Arc<dyn Desk>,
    /// Who may ask.
    pub tokens: Arc<[Token]>,
}

impl Shared {
    /// The request's token, when it may touch calls: all of them, or those of its agent.
    pub fn require_calls(&self, headers: &HeaderMap) -> Result<&Token, ApiError> {
        let token = self.require(headers, Role::Agent)?;
        if token.agent().is_some() || token.role() >= Role::Supervisor {
            Ok(token)
        } else {
            Err(ApiError::Forbidden)
        }
    }

    /// The request's token, when its role is at least `role`.
    pub fn require(&self, headers: &HeaderMap, role: Role) -> Result<&Token, ApiError> {
        let token = authenticate(&self.tokens, headers).ok_or(ApiError::Unauthorized)?;
        if token.role() < role { Err(ApiError::Forbidden) } else { Ok(token) }
    }
}
