//! The vocabulary everybody in jiesu speaks: the normalised intake record and what leads to it.
//!
//! Reading order: [`Record`] (what leaves the gateway), [`Inbound`] (what a channel hands over),
//! [`Caller`] and [`Verdict`] (what the lists are asked and answer), [`Intake`] (who takes it all).
//! This crate imports nothing of ours, reads no clock and opens no socket.

pub mod caller;
pub mod canonical;
pub mod channel_code;
pub mod identity_key;
pub mod inbound;
pub mod intake;
pub mod number;
pub mod pii;
pub mod record;
pub mod terms;
pub mod time;
pub mod units;
pub mod verdict;
pub mod view;

pub use caller::{Caller, ChannelIdentity};
pub use identity_key::IdentityKey;
pub use inbound::{Disposition, Inbound, InboundLink, InboundLocation, InboundMedia, Sender};
pub use intake::{Intake, IntakeError, IntakeFuture, Receipt};
pub use number::{Number, NumberContext};
pub use pii::Pii;
pub use record::*;
pub use terms::*;
pub use time::Timestamp;
pub use uuid::Uuid;
pub use verdict::{Decision, Verdict};

/// The version of the record's form, the value of `schema` in every record.
pub const SCHEMA: &str = "12345.intake/1.0";

/// The published JSON Schema (2020-12), as served at `/api/v1/schemas/intake-record`.
pub const SCHEMA_JSON: &str = include_str!("../schema/intake-record.schema.json");
