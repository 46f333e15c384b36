//! The HTTP side put together: health, webhooks, API; and the metrics on their own listener.

use std::net::SocketAddr;
use std::sync::Arc;

use asr::ModelStatus;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::calls::{Calls, Ending};

/// What `/readyz` looks at.
#[derive(Clone)]
pub struct Checks {
    /// Calls, store, lists.
    pub calls: Arc<Calls>,
    /// Speech recognition.
    pub speech: Arc<asr::Pool>,
    /// Whether the process is about to end.
    pub ending: watch::Receiver<Ending>,
}

/// `/healthz` and `/readyz`.
pub fn health(checks: Checks) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).with_state(checks)
}

/// Ready means: the store takes records and the gateway is not draining. What only makes work poorer (no
/// speech model, a sink away) is told and does not take the node out of service.
async fn ready(State(checks): State<Checks>) -> Response {
    let report = checks.report().await;
    let status = if report["ready"] == true { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

impl Checks {
    /// Every check, as JSON.
    pub async fn report(&self) -> Value {
        let outbox = self.calls.middle.outbox();
        let store = outbox.health();
        let unsaved = self.calls.middle.unsaved_count();
        let draining = *self.ending.borrow() != Ending::No;
        let trunks: Vec<Value> = self
            .calls
            .switch
            .trunk_states()
            .await
            .into_iter()
            .map(|state| {
                json!({ "trunk": state.trunk, "gateway": state.gateway, "up": state.up,
                        "address": state.address.map(|address| address.to_string()),
                        "registered": state.registered })
            })
            .collect();
        let agents = self.calls.hub.snapshot().await.unwrap_or_default();
        let lists = self.calls.middle.lists().status();
        let entries: usize = lists.by_list.iter().map(|(_, count)| count).sum();
        let (speech, model) = match self.speech.status() {
            ModelStatus::Ready { name, .. } => ("ok", name),
            status @ ModelStatus::Off => ("off", status.to_string()),
            status @ ModelStatus::Loading => ("loading", status.to_string()),
            status => ("missing", status.to_string()),
        };
        let sinks: Vec<Value> = outbox
            .sinks()
            .iter()
            .map(|sink| {
                let failing = sink.last_error.map(|failure| failure.reason);
                json!({ "name": sink.name, "status": if failing.is_some() { "failing" } else { "ok" },
                        "reason": failing, "lag": sink.lag, "parked": sink.parked })
            })
            .collect();
        json!({
            "ready": store.writable && !draining,
            "reasons": reasons(store.writable, draining),
            "checks": {
                "store": { "status": if store.writable { "ok" } else { "failing" }, "reason": store.reason,
                           "queue": store.queue_len, "unsaved_records": unsaved },
                "draining": draining,
                "speech": { "status": speech, "detail": model },
                "lists": { "status": if lists.failure.is_none() { "ok" } else { "failing" }, "entries": entries,
                           "policy": lists.policy, "reason": lists.failure },
                "agents": { "free": agents.agents_free, "talking": agents.agents_talking },
                "calls": self.calls.active(),
                "trunks": trunks,
                "sinks": sinks,
            },
        })
    }
}

/// Why the node is out of service; empty when it is not.
fn reasons(writable: bool, draining: bool) -> Vec<&'static str> {
    let reasons = [(!writable, "store"), (draining, "draining")];
    reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
}

/// `/metrics`.
pub fn metrics(handle: PrometheusHandle) -> Router {
    let text = async |State(handle): State<PrometheusHandle>| {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render())
    };
    Router::new().route("/metrics", get(text)).with_state(handle)
}

/// Serves until `stopped`; requests in work are finished.
pub async fn serve(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stop = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stop).await {
        tracing::error!(%error, "An HTTP listener failed.");
    }
}
