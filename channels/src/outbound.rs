//! What goes back to the platform: a text to a citizen, and fetching the media a citizen sent.
//!
//! Both are object-safe, so that the gateway's durable jobs can call them by (channel, account). They do
//! not retry by themselves, except once with a fresh token: when to try again is the job's affair, and
//! [`Class`] tells it whether that makes sense.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

/// Sends to one platform account.
pub trait Outbound: Send + Sync {
    /// Sends a text to a user id of that platform.
    fn send_text<'a>(&'a self, to: &'a str, text: &'a str) -> SendFuture<'a>;
}

/// Fetches media from one platform account.
pub trait MediaSource: Send + Sync {
    /// Fetches what an [`record::InboundMedia::reference`] names.
    fn fetch<'a>(&'a self, reference: &'a BTreeMap<String, String>) -> FetchFuture<'a>;
}

/// The future of [`Outbound::send_text`].
pub type SendFuture<'a> = Pin<Box<dyn Future<Output = Result<Delivery, SendError>> + Send + 'a>>;
/// The future of [`MediaSource::fetch`].
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<FetchedMedia, FetchError>> + Send + 'a>>;

/// The platform took the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The platform's id of our message, where it gives one.
    pub provider_message_id: Option<String>,
}

/// Whether trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing happened on the other side; the same call may succeed later.
    Retry,
    /// The same call will fail again.
    Never,
    /// It may have been done: the answer was lost. Repeating may do it twice.
    Unknown,
}

/// Why a message was not (or not surely) sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sending failed: {reason} (platform code {code:?})")]
pub struct SendError {
    /// Whether to try again.
    pub class: Class,
    /// The platform's error code.
    pub code: Option<i64>,
    /// A short name: `window_over`, `busy`, `token`, `network` …
    pub reason: &'static str,
    /// Someone must act (address not whitelisted, account limited); tell the operator.
    pub alarm: bool,
    /// Not before this many seconds, where the platform or its documentation says so.
    pub retry_after_s: Option<u32>,
}

impl SendError {
    /// A failure without a platform code.
    pub const fn new(class: Class, reason: &'static str) -> Self {
        Self { class, code: None, reason, alarm: false, retry_after_s: None }
    }
}

/// Media as fetched.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchedMedia {
    /// The bytes, within the account's `max_media_bytes`.
    pub bytes: Bytes,
    /// Media type by content, by header where the content says nothing; `application/octet-stream` else.
    pub media_type: String,
    /// File name, cleaned: no folders, no control characters.
    pub name: Option<String>,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
}

/// Shows neither content nor name.
impl std::fmt::Debug for FetchedMedia {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FetchedMedia({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

/// Why media could not be fetched. Fetching changes nothing, so the class is never `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fetching media failed: {reason} (platform code {code:?})")]
pub struct FetchError {
    /// Whether to try again.
    pub class: Class,
    /// The platform's error code.
    pub code: Option<i64>,
    /// A short name: `gone`, `too_large`, `host_refused`, `network` …
    pub reason: &'static str,
    /// Someone must act.
    pub alarm: bool,
}

impl FetchError {
    /// A failure without a platform code.
    pub const fn new(class: Class, reason: &'static str) -> Self {
        Self { class, code: None, reason, alarm: false }
    }
}
