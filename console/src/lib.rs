//! The HTTP API under `/api/v1`: what downstream platforms, supervisors and the desk use.
//!
//! It knows no store and no call: what it needs it states as [`Desk`], and the gateway implements that.
//! Every route is in `router.rs`; who may do what in `auth.rs`. The records a token sees are masked to the
//! view its role allows, here and nowhere else.

mod api;
mod auth;
mod call;
mod desk;
mod error;
mod router;
mod shared;

pub use auth::{Role, Token};
pub use call::{CallOut, CallRefusal, CallTarget, CallWatch, CallWish};
pub use desk::{AttachmentFile, Desk, DeskError, DeskFuture, RecordPage};
pub use router::router;

/// The OpenAPI 3.1 description, served at `/api/openapi.json`.
pub const OPENAPI: &str = include_str!("../openapi.json");
