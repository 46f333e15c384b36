//! The contract of a platform that calls us.
//!
//! The order verify → open → normalise is kept by types: [`Verified`] and [`Plain`] are passed by value,
//! so that nothing can be normalised which was not verified first. All of it is pure: no clock, no
//! randomness, no socket; what an answer needs of those comes in as [`Seed`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::Method;
use bytes::Bytes;
use record::{Inbound, Receipt, Timestamp};

use crate::request::Request;

/// One account on one platform that delivers by HTTP request.
pub trait Webhook: Send + Sync {
    /// The channel code, e.g. `wechat_mp`.
    fn code(&self) -> &'static str;

    /// The account's name in the configuration.
    fn account(&self) -> &str;

    /// What it can do; the same for every account of a channel.
    fn capabilities(&self) -> Capabilities;

    /// Checks that the platform sent it. Nothing of an unverified request may be answered or logged.
    ///
    /// # Errors
    /// [`Refusal`] with a name that goes to the log and the metric, never to the caller.
    fn verify<'a>(&self, request: &'a Request, now: Timestamp) -> Result<Verified<'a>, Refusal>;

    /// Decrypts a verified request, or answers it at once (handshakes). Default: the body passes through.
    ///
    /// # Errors
    /// [`Refusal`] when what was signed cannot be opened.
    fn open(&self, verified: Verified<'_>, seed: &Seed) -> Result<Outcome, Refusal> {
        let _ = seed;
        Ok(Outcome::Message(verified.into_plain()))
    }

    /// Turns an opened request into messages. An unknown kind is kept, never refused.
    ///
    /// # Errors
    /// [`Refusal`] with status 400 when it is not what the platform documents.
    fn normalise(&self, plain: Plain) -> Result<Vec<Inbound>, Refusal>;

    /// What the platform expects to hear once all messages are durable, in the order of `normalise`.
    /// Must not depend on [`Receipt::duplicate`]: a retry is answered as the first delivery was.
    fn answer(&self, receipts: &[Receipt], seed: &Seed) -> Answer;

    /// Seals a reply in the platform's own envelope; `None` where the platform has none.
    fn seal(&self, message: &str, seed: &Seed) -> Option<Sealed> {
        let _ = (message, seed);
        None
    }
}

/// What a channel can do. The conformance tests choose by it what to demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Methods it takes; every other is answered 405.
    pub methods: &'static [Method],
    /// The platform checks the address with a request that is answered without a message.
    pub handshake: bool,
    /// Bodies may be encrypted.
    pub encrypted: bool,
    /// Text can be sent to a citizen ([`crate::Outbound`]).
    pub outbound_text: bool,
    /// Media are fetched in a second step ([`crate::MediaSource`]).
    pub media: bool,
    /// How long after a citizen's message an answer may be sent, seconds; `None` = no limit known.
    pub reply_window_s: Option<u32>,
    /// The longest text the platform takes, UTF-8 bytes; `None` = no limit known.
    pub max_text_bytes: Option<usize>,
}

/// A request whose signature was checked. Only `verify` makes one.
#[derive(Debug)]
pub struct Verified<'a> {
    request: &'a Request,
    covered: Option<Cow<'a, str>>,
}

impl<'a> Verified<'a> {
    /// States that the signature over this request is right.
    pub fn vouch(request: &'a Request) -> Self {
        Self { request, covered: None }
    }

    /// Also hands `open` the part which the signature covers, e.g. the text of `Encrypt`, so that it
    /// need not be searched for twice (and found differently the second time).
    pub fn vouch_for(request: &'a Request, covered: impl Into<Cow<'a, str>>) -> Self {
        Self { request, covered: Some(covered.into()) }
    }

    /// The request.
    pub fn request(&self) -> &'a Request {
        self.request
    }

    /// The part the signature covers, where `verify` named one.
    pub fn covered(&self) -> Option<&str> {
        self.covered.as_deref()
    }

    /// The body as it came.
    pub fn into_plain(self) -> Plain {
        Plain::new(self.request.body.clone(), self.request.received_at)
    }
}

/// Verified and decrypted content.
#[derive(Clone)]
pub struct Plain {
    /// The content as the platform wrote it.
    pub body: Bytes,
    /// When it arrived; stands in where the platform gives no time.
    pub received_at: Timestamp,
    /// What `open` wants to tell `normalise` beside the body, e.g. a header's event type.
    pub attributes: BTreeMap<&'static str, String>,
}

impl Plain {
    /// Content without attributes.
    pub fn new(body: impl Into<Bytes>, received_at: Timestamp) -> Self {
        Self { body: body.into(), received_at, attributes: BTreeMap::new() }
    }
}

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plain").field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// What an opened request is.
#[derive(Debug)]
pub enum Outcome {
    /// A handshake or another request without a message: this is the answer, nothing is stored.
    Answer(Answer),
    /// Content to normalise.
    Message(Plain),
}

/// An answer to a platform.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`; `None` for an empty body.
    pub content_type: Option<&'static str>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Bytes,
}

impl Answer {
    /// 200 with a plain text.
    pub fn text(body: impl Into<String>) -> Self {
        Self::with("text/plain", body.into())
    }

    /// 200 with JSON text.
    pub fn json(body: impl Into<String>) -> Self {
        Self::with("application/json", body.into())
    }

    /// 200 with a body of some type.
    pub fn with(content_type: &'static str, body: String) -> Self {
        Self { status: 200, content_type: Some(content_type), headers: Vec::new(), body: body.into() }
    }

    /// A status without a body.
    pub const fn empty(status: u16) -> Self {
        Self { status, content_type: None, headers: Vec::new(), body: Bytes::new() }
    }
}

/// Answers may echo what a platform sent, so the body is not shown.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// A request that failed a check. The caller sees the status and an empty body; the name goes to the log
/// and to `jiesu_channel_refused_total{channel,reason}` (one answer for all: no padding oracle).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request refused: {reason}")]
pub struct Refusal {
    /// The name of the failed check: `bad_signature`, `missing_param`, `stale_timestamp` …
    pub reason: &'static str,
    /// HTTP status.
    pub status: u16,
}

impl Refusal {
    /// A failed check: 403.
    pub const fn forbidden(reason: &'static str) -> Self {
        Self { reason, status: 403 }
    }

    /// Malformed content after a right signature: 400.
    pub const fn malformed(reason: &'static str) -> Self {
        Self { reason, status: 400 }
    }
}

/// The clock and the randomness of one answer. Injected, so that encrypted answers can be compared
/// byte by byte in tests.
#[derive(Clone)]
pub struct Seed {
    /// The time of the answer.
    pub now: Timestamp,
    /// Fresh random bytes for the head of an encrypted message.
    pub random: [u8; 32],
    /// The nonce of our signature.
    pub nonce: String,
}

impl Seed {
    /// The time of the answer, unix seconds, as text.
    pub fn timestamp(&self) -> String {
        (self.now.unix_ms() / 1000).to_string()
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seed").field("now", &self.now).finish_non_exhaustive()
    }
}

/// A reply in the platform's envelope.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The ciphertext as text.
    pub encrypt: String,
    /// The signature over it.
    pub signature: String,
    /// The answer that carries both.
    pub answer: Answer,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({:?})", self.answer)
    }
}
