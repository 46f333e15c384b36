//! Every route of the API on one page.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::api;
use crate::auth::Token;
use crate::desk::Desk;
use crate::shared::Shared;

/// The API. Nothing is served without a token but the schema and the description.
pub fn router(desk: Arc<dyn Desk>, tokens: Vec<Token>) -> Router {
    Router::new()
        // For everyone: the published contract.
        .route("/api/openapi.json", get(api::documents::openapi))
        .route("/api/docs", get(api::documents::page))
        .route("/api/v1/schemas/intake-record", get(api::documents::schema))
        // For readers and above, in their view.
        .route("/api/v1/records", get(api::records::list))
        .route("/api/v1/records/{record_id}", get(api::records::one))
        // For supervisors and above.
        .route("/api/v1/records/{record_id}/attachments/{index}", get(api::records::attachment))
        .route("/api/v1/calls", get(api::calls::list).post(api::calls::dial))
        .route("/api/v1/calls/{id}", get(api::calls::one))
        .route("/api/v1/calls/{id}/{wish}", post(api::calls::wish))
        .route("/api/v1/queues", get(api::state::queues))
        .route("/api/v1/sinks", get(api::state::sinks))
        .with_state(Shared { desk, tokens: tokens.into() })
}
