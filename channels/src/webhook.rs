//! The webhook host: every request of every platform goes through here, in this order:
//! account → method → concurrency bound → body cap → verify → open → normalise → window → intake → answer.
//!
//! The platform hears that its message arrived only after [`Intake::accept`] returned, that is after the
//! record is on disk. The work runs in its own task, so that a platform which hangs up after five seconds
//! does not interrupt it; its retry then finds the message settled. A panic in an adapter is answered 500.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use ipnet::IpNet;
use record::{Inbound, Intake, IntakeError, Receipt, Timestamp};
use tokio::sync::Semaphore;

use crate::account::Account;
use crate::channel::{Answer, Outcome, Refusal, Seed, Webhook};
use crate::dedup::{Claim, Key, Window};
use crate::events;
use crate::forwarded;
use crate::request::{Request, decode_query};

/// Tells the time; virtual in tests.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Gives the randomness of one answer; fixed in tests.
pub type SeedSource = Arc<dyn Fn(Timestamp) -> Seed + Send + Sync>;

/// The bounds of the webhook host.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest body, bytes; beyond it 413. Default 1 MiB.
    pub max_body_bytes: usize,
    /// How long a body may take to arrive; beyond it 408. Default 5 s, the patience of WeChat.
    pub body_timeout: Duration,
    /// Requests worked on at once; beyond it 503. Default 256.
    pub max_in_flight: usize,
    /// Settled messages remembered for quick retries. Default 16 384.
    pub window_entries: usize,
    /// Networks whose `Forwarded` and `X-Forwarded-*` headers are believed. Default none.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 1 << 20,
            body_timeout: Duration::from_secs(5),
            max_in_flight: 256,
            window_entries: 16_384,
            trusted_proxies: Vec::new(),
        }
    }
}

/// Why a request was refused, as an extension of the response: for tests and for the caller's own access
/// log. Extensions are not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub &'static str);

struct Host {
    accounts: Vec<Account>,
    intake: Arc<dyn Intake>,
    clock: Clock,
    seeds: SeedSource,
    limits: Limits,
    window: Window,
    permits: Arc<Semaphore>,
}

/// The routes of these accounts.
pub(crate) fn router(
    accounts: Vec<Account>,
    intake: Arc<dyn Intake>,
    clock: Clock,
    limits: Limits,
    seeds: SeedSource,
) -> Router {
    let mut router: Router<Arc<Host>> = Router::new()
        .route("/in/{code}/{account}", any(receive))
        .route("/in/{code}/{account}/", any(receive))
        .route("/in/{code}/{account}/{*rest}", any(receive));
    for path in accounts.iter().filter_map(|account| account.path.as_deref()) {
        let path = path.trim_end_matches('/');
        router = router.route(path, any(receive)).route(&format!("{path}/{{*rest}}"), any(receive));
    }
    let window = Window::new(limits.window_entries);
    let permits = Arc::new(Semaphore::new(limits.max_in_flight));
    router.with_state(Arc::new(Host { accounts, intake, clock, seeds, limits, window, permits }))
}

async fn receive(State(host): State<Arc<Host>>, request: HttpRequest) -> Response {
    let started = Instant::now();
    let Some((adapter, rest)) = host.find(request.uri().path()) else {
        return respond(&Answer::empty(404));
    };
    let (code, account) = (adapter.code(), adapter.account().to_owned());
    let is_head = request.method() == Method::HEAD;
    let mut response = match host.take(adapter, rest, request).await {
        Ok(answer) => respond(&answer),
        Err(refused) => {
            events::refused(code, &account, refused.reason);
            respond_refused(&refused)
        }
    };
    if is_head {
        *response.body_mut() = Body::empty();
    }
    events::answered(code, started.elapsed());
    response
}

/// A refusal of the frame or of an adapter on its way out.
struct Rejection {
    reason: &'static str,
    answer: Answer,
}

impl Rejection {
    fn new(reason: &'static str, status: u16) -> Self {
        Self { reason, answer: Answer::empty(status) }
    }

    fn later(reason: &'static str, seconds: u32) -> Self {
        let mut rejection = Self::new(reason, 503);
        rejection.answer.headers.push((RETRY_AFTER.as_str(), seconds.to_string()));
        rejection
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.reason, refusal.status)
    }
}

impl From<IntakeError> for Rejection {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::StoreUnavailable => Self::later("store_unavailable", 10),
            IntakeError::Overloaded => Self::later("overloaded", 2),
        }
    }
}

impl Host {
    /// The account a path belongs to, and what follows it. Names are plain ASCII, so nothing is decoded.
    fn find(&self, path: &str) -> Option<(Arc<dyn Webhook>, String)> {
        let own = self.accounts.iter().filter_map(|account| {
            let own = account.path.as_deref()?.trim_end_matches('/');
            let rest = path.strip_prefix(own)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((own.len(), account, rest))
        });
        if let Some((_, account, rest)) = own.max_by_key(|(length, ..)| *length) {
            return Some((account.webhook.clone(), rest.trim_start_matches('/').to_owned()));
        }
        let mut parts = path.strip_prefix("/in/")?.splitn(3, '/');
        let (code, name) = (parts.next()?, parts.next()?);
        let account = self.accounts.iter().find(|account| account.code == code && account.name == name)?;
        Some((account.webhook.clone(), parts.next().unwrap_or_default().to_owned()))
    }

    /// Everything between finding the account and answering.
    async fn take(
        self: &Arc<Self>,
        adapter: Arc<dyn Webhook>,
        rest: String,
        request: HttpRequest,
    ) -> Result<Answer, Rejection> {
        let (parts, body) = request.into_parts();
        // A HEAD is answered as the GET it stands for, without its body.
        let method = if parts.method == Method::HEAD { Method::GET } else { parts.method };
        let methods = adapter.capabilities().methods;
        if !methods.contains(&method) {
            let mut rejection = Rejection::new("method", 405);
            let allowed: Vec<&str> = methods.iter().map(Method::as_str).collect();
            rejection.answer.headers.push((ALLOW.as_str(), allowed.join(", ")));
            return Err(rejection);
        }
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            return Err(Rejection::later("busy", 1));
        };
        let body = match tokio::time::timeout(self.limits.body_timeout, self.read(body)).await {
            Ok(body) => body?,
            Err(_) => return Err(Rejection::new("body_timeout", 408)),
        };
        let peer = parts.extensions.get::<ConnectInfo<std::net::SocketAddr>>().map(|info| info.0.ip());
        let origin = forwarded::origin(&parts.headers, peer, &self.limits.trusted_proxies);
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        let request = Request {
            method,
            path: parts.uri.path().to_owned(),
            rest,
            query: decode_query(&raw_query),
            raw_query,
            headers: parts.headers,
            body,
            received_at: (self.clock)(),
            client: origin.client,
            scheme: origin.scheme,
            authority: origin.authority,
        };
        let host = self.clone();
        let worker = adapter.clone();
        let work = tokio::spawn(async move {
            let _permit = permit;
            host.work(worker.as_ref(), request).await
        });
        work.await.unwrap_or_else(|_| Err(panicked(adapter.as_ref())))
    }

    /// Reads a body within the cap.
    async fn read(&self, body: Body) -> Result<Bytes, Rejection> {
        let mut chunks = body.into_data_stream();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Rejection::new("body_broken", 400))?;
            if bytes.len() + chunk.len() > self.limits.max_body_bytes {
                return Err(Rejection::new("too_large", 413));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    async fn work(&self, adapter: &dyn Webhook, request: Request) -> Result<Answer, Rejection> {
        let seed = (self.seeds)(request.received_at);
        let messages = match guarded(adapter, || prepare(adapter, &request, &seed))?? {
            Prepared::Answer(answer) => return Ok(answer),
            Prepared::Messages(messages) => messages,
        };
        drop(request);
        let mut receipts = Vec::with_capacity(messages.len());
        for message in messages {
            receipts.push(self.accept_once(adapter, message).await?);
        }
        guarded(adapter, || adapter.answer(&receipts, &seed))
    }

    /// Hands a message over, unless the window knows that it is already durable.
    async fn accept_once(&self, adapter: &dyn Webhook, message: Inbound) -> Result<Receipt, IntakeError> {
        let key = Key::new(adapter.code(), adapter.account(), &message.dedupe_key);
        let ticket = match self.window.claim(key).await {
            Claim::Known(receipt) => {
                events::duplicate(adapter.code());
                return Ok(receipt);
            }
            Claim::First(ticket) => ticket,
        };
        let kind = message.kind;
        let receipt = self.intake.accept(message).await?;
        if receipt.duplicate {
            events::duplicate(adapter.code());
        } else {
            events::accepted(adapter.code(), kind);
        }
        ticket.settle(receipt.clone());
        Ok(receipt)
    }
}

enum Prepared {
    Answer(Answer),
    Messages(Vec<Inbound>),
}

/// The pure part.
fn prepare(adapter: &dyn Webhook, request: &Request, seed: &Seed) -> Result<Prepared, Refusal> {
    let verified = adapter.verify(request, request.received_at)?;
    match adapter.open(verified, seed)? {
        Outcome::Answer(answer) => Ok(Prepared::Answer(answer)),
        Outcome::Message(plain) => Ok(Prepared::Messages(adapter.normalise(plain)?)),
    }
}

/// Runs an adapter's code; a panic there must not take the connection or say anything.
fn guarded<T>(adapter: &dyn Webhook, run: impl FnOnce() -> T) -> Result<T, Rejection> {
    // Adapters hold configuration only, so that nothing half-changed can be seen afterwards.
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| panicked(adapter))
}

fn panicked(adapter: &dyn Webhook) -> Rejection {
    events::panicked(adapter.code(), adapter.account());
    Rejection::new("panic", 500)
}

fn respond(answer: &Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body.clone()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(content_type) = answer.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value.as_str())) {
            headers.insert(name, value);
        }
    }
    response
}

fn respond_refused(rejection: &Rejection) -> Response {
    let mut response = respond(&rejection.answer);
    response.extensions_mut().insert(Refused(rejection.reason));
    response
}
