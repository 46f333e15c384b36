//! Everything through which a citizen writes to the hotline: one adapter per platform, one frame for all.
//!
//! A platform calls [`webhook`], the frame asks the adapter ([`Webhook`]) to verify, open and normalise
//! the request, hands each [`record::Inbound`] to [`record::Intake`] and answers only after that is
//! durable. What goes the other way is [`Outbound`] and [`MediaSource`], called by the gateway's durable
//! jobs. This crate does not know lists, records or the store.
//!
//! To add a channel: `src/<code>.rs` (or a folder), one line in [`registry`], `fixtures/<code>/vectors.json`,
//! `docs/channels/<code>.md`. `tests/conformance.rs` then runs over it without new test code.

pub mod account;
pub mod channel;
pub mod config;
pub mod dedup;
pub mod events;
pub mod outbound;
pub mod registry;
pub mod request;
pub mod secret;
pub mod sign;
pub mod webhook;
pub mod wechat_mp;
pub mod xml;

mod forwarded;
mod http;

pub use account::{Account, Entry};
pub use channel::{Answer, Capabilities, Outcome, Plain, Refusal, Sealed, Seed, Verified, Webhook};
pub use config::{ChannelsConfig, ConfigFault};
pub use outbound::{
    Class, Delivery, FetchError, FetchFuture, FetchedMedia, MediaSource, Outbound, SendError, SendFuture,
};
pub use registry::{Channels, REGISTRY};
pub use request::Request;
pub use secret::Secret;
pub use webhook::{Clock, Limits, Refused, SeedSource};
