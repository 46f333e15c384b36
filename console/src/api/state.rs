//! What is going on: queues and sinks.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;

use crate::auth::Role;
use crate::error::ApiError;
use crate::shared::Shared;

/// `GET /api/v1/queues`
pub async fn queues(
    State(shared): State<Shared>,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, ApiError> {
    shared.require(&headers, Role::Supervisor)?;
    shared.desk.queues().await.map(Json).map_err(|_| ApiError::Unavailable)
}

/// `GET /api/v1/sinks`
pub async fn sinks(
    State(shared): State<Shared>,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, ApiError> {
    shared.require(&headers, Role::Supervisor)?;
    Ok(Json(shared.desk.sinks()))
}
